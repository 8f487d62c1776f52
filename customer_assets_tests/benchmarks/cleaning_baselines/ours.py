"""This package's rules, on any of its engines."""

from pathlib import Path

from customer_assets.core.record_mapping import DEFAULT_RECORD
from customer_assets.processing import CustomerDataProcessor
from customer_assets_tests.benchmarks.cleaning_baselines import AS_OF
from customer_assets_tests.benchmarks.lake import WIDE


def clean(source: Path, target: Path, engine: str, memory_limit: str | None, *, wide: bool = False) -> None:
    """Clean as the asset does."""
    spill = target.parent / "spill"
    processor = CustomerDataProcessor(
        as_of=AS_OF,
        engine=engine,
        memory_limit=memory_limit,
        spill_dir=spill,
        mapping=WIDE if wide else DEFAULT_RECORD,
        generate=True,
    )
    processor.engine.sink(processor.process(processor.engine.scan(source)), target)

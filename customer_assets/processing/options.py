"""How customers are cleaned: the settings. The thresholds stand in `quality.py`."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, field_validator

from customer_assets.core.configuration import LocalPath, SettingError, Settings, Variable, validate_choice
from customer_assets.processing.engines import ENGINES, engine_names


class ProcessingOptions(Settings):
    """The engine that cleans, and what generated values depend on."""

    engine: str = Field(
        default="duckdb",
        description=f"One of {', '.join(ENGINES)}, or one that was registered.",
        json_schema_extra={"enum": [*ENGINES]},  # for editors, and for `dg check yaml`
    )
    memory_limit: Annotated[str, Variable("CUSTOMER_ENGINE_MEMORY_LIMIT")] = Field(
        default="", description="The memory that DuckDB may use, such as 1GB. Empty: DuckDB's own default."
    )
    spill_dir: Annotated[LocalPath, Variable("CUSTOMER_ENGINE_SPILL_DIR")] = Field(
        default="",
        description="Where DuckDB puts what exceeds its memory. Empty: below lake/.staging, swept.",
    )
    generation_seed: int = Field(default=0, description="Chooses the generated values; the same seed, the same values.")
    generate: bool = Field(
        default=True,
        description="Generate business fields where the API has nothing to judge by; else they are unknown.",
    )
    as_of: str = Field(default="", description="Judge activity as of this ISO 8601 instant. Empty: now.")

    @field_validator("engine")
    @classmethod
    def validate_engine(cls, engine: str) -> str:
        """Refuse an engine that nobody registered."""
        return validate_choice(engine, engine_names())

    @field_validator("as_of")
    @classmethod
    def validate_as_of(cls, as_of: str) -> str:
        """Refuse what is not an instant."""
        if as_of:
            _instant(as_of)
        return as_of

    def instant(self) -> datetime:
        """Return the instant from which activity is judged: the setting's, or now. Without an offset it is UTC."""
        return _instant(self.as_of) if self.as_of else datetime.now(UTC)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise SettingError(f"{text!r} is not an ISO 8601 instant", "Write it like 2026-01-31T00:00:00Z.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)

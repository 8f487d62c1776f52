"""`customer-assets erase`: removes everything that is kept of one customer, as a person can demand (GDPR, article 17).

The customer is taken out of the lake, the quarantine, what the last export held, the export in each format and the past
exports; the pages of an unfinished crawl are dropped altogether. The next sync brings the customer back only if the API
does. How a published file is rewritten belongs in `export/erasure.py`.
"""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from customer_assets.core.errors import ConfigurationError, NotMaterializedError
from customer_assets.core.json_values import parse_id
from customer_assets.core.models import CleaningSummary, CrawlSummary
from customer_assets.core.paths import follow
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.defs.data_directory import CLEAN, EXPORTED, RAW, REJECTED, DataDirectory
from customer_assets.defs.operations.console import load_definitions
from customer_assets.export.baseline import DIGEST
from customer_assets.export.erasure import erase_from_file, filter_parquet, written_id
from customer_assets.export.formats import Format
from customer_assets.export.history import FOLDER
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.defects import cleaning_summary, count_defects, rejected_by_reason
from customer_assets.processing.engines import Engine
from customer_assets.processing.landing.columns import pc
from customer_assets.processing.landing.upsert import hash_content
from customer_assets.storage.staging import sweep


class Processing(Protocol):
    """How customers are cleaned; see `resources.ProcessingResource`."""

    def open_engine(self, directory: DataDirectory | None = None) -> Engine:
        """Open the engine."""
        ...

    def processor(
        self, as_of: datetime | None = None, mapping: RecordMapping = ..., directory: DataDirectory | None = None
    ) -> CustomerDataProcessor:
        """Return the processor that applies the rules as of an instant."""
        ...


def open_eraser(module: str, sync: str = "") -> "Eraser":
    """Find a sync's data directory and processing among the definitions that a module calls `defs`.

    Args:
        module: The module.
        sync: The name that the sync's resources begin with, if the module has several syncs.

    Raises:
        ConfigurationError: The module has no such sync, or several.
    """
    resources = load_definitions(module).resources or {}
    suffix = "data_directory"
    found = [name for name in resources if name.endswith(suffix) and name.startswith(sync)]
    if len(found) != 1:
        known = ", ".join(sorted(name.removesuffix(suffix).rstrip("_") for name in resources if name.endswith(suffix)))
        raise ConfigurationError("--sync", f"{module} has {len(found)} syncs of this name", f"Choose among: {known}.")
    return Eraser(resources[found[0]], resources[f"{found[0].removesuffix(suffix)}processing"])


class Eraser:
    """Erases customers from a data directory.

    Args:
        directory: The data directory.
        processing: How its customers are cleaned.
    """

    def __init__(self, directory: DataDirectory, processing: Processing) -> None:
        self._directory, self._processing = directory, processing
        self._erased: dict[str, int] = {}

    def erase(self, customer: str) -> dict[str, int]:
        """Erase a customer from everything that the data directory keeps; nothing else can run meanwhile.

        Can be repeated: what was erased already is not found again.

        Args:
            customer: The id, as the API or the export has it: `7`, `cust_007`.

        Returns:
            How many rows, records, lines or files were erased, by where they were.

        Raises:
            ConfigurationError: It is not an id of this sync.
            CustomerAssetsError: Something cannot be read or replaced; names it.
        """
        mapping = self._mapping()
        customer_id = require_customer_id(customer, mapping)
        self._erased = {"files of unfinished crawls": self._drop_pages()}
        self._erase_from_raw(customer_id, mapping)
        self._erase_from_clean(customer_id)
        self._erase_from_baseline(customer_id)
        self._erase_from_exports(customer_id)
        sweep(self._directory.layout.staging)
        return self._erased

    def _mapping(self) -> RecordMapping:
        try:
            return self._directory.raw.current().facts.mapping
        except NotMaterializedError:
            published = self._directory.published()
            if published is None:
                raise
            return published.mapping

    def _drop_pages(self) -> int:
        pages = self._directory.layout.pages_file
        found = [path for path in pages.parent.glob(f"{pages.name}*") if path.is_file()]
        for path in found:
            path.unlink()
        return len(found)

    def _erase_from_raw(self, customer_id: int | str, mapping: RecordMapping) -> None:
        table = self._directory.raw
        try:
            version, files = table.fetch_parts([RAW, REJECTED])
        except NotMaterializedError:
            return
        raw, rejected = files[RAW], files[REJECTED]
        kept_raw, kept_rejected = (self._directory.staged_file(f"{name}.parquet") for name in (RAW, REJECTED))
        try:
            addresses = _addresses(raw, customer_id)
            rows = filter_parquet(raw, kept_raw, _is_not("id", customer_id))
            records = filter_parquet(rejected, kept_rejected, _is_not_about(customer_id, addresses, mapping))
            if rows or records:
                sync = version.facts.sync
                if sync is not None:  # incremental crawls go on from the rows that are left
                    left = {"customers": sync.customers - (rows > 0), "content": str(hash_content(kept_raw))}
                    sync = sync.model_copy(update={**left, "upsert": None})
                facts = version.facts.model_copy(
                    update={
                        "landed": version.facts.landed - rows - records,
                        "rejected": version.facts.rejected - records,
                        "rejected_by_reason": rejected_by_reason(kept_rejected),
                        "sync": sync,
                    }
                )
                table.commit(kept_raw, facts, {REJECTED: kept_rejected})
        finally:
            for path in (raw, rejected, kept_raw, kept_rejected):
                path.unlink(missing_ok=True)
        self._erased |= {RAW: rows, "quarantine": records}

    def _erase_from_clean(self, customer_id: int | str) -> None:
        """Clean again what was cleaned, as of the same instant: so that the facts fit the rows that are left."""
        table = self._directory.clean
        try:
            version, clean = table.fetch()
        except NotMaterializedError:
            return
        kept = self._directory.staged_file(f"{CLEAN}.parquet")
        try:
            self._erased[CLEAN] = filter_parquet(clean, kept, _is_not("customer_id", customer_id))
            raw = self._directory.raw.current().facts
            facts = self._facts_without(version.facts, raw)
            if self._erased[CLEAN] or facts.crawl != version.facts.crawl:
                published = self._directory.published()
                table.commit(kept, facts)
                if published is not None and published.crawl.fingerprint == facts.crawl.fingerprint:
                    table.show(facts)
                else:
                    table.hide()
        finally:
            clean.unlink(missing_ok=True)
            kept.unlink(missing_ok=True)

    def _facts_without(self, before: CleaningSummary, crawl: CrawlSummary) -> CleaningSummary:
        if before.crawl.fingerprint != crawl.fingerprint:  # made from an earlier crawl, whose records are gone
            return before
        version, file = self._directory.raw.fetch()
        try:
            as_of = datetime.fromisoformat(before.as_of)
            processor = self._processing.processor(as_of, version.facts.mapping, self._directory)
            defects = count_defects(self._processing.open_engine(self._directory).scan(file), processor.options)
        finally:
            file.unlink(missing_ok=True)
        return cleaning_summary(defects, processor.options, before.changes, version.facts)

    def _erase_from_exports(self, customer_id: int | str) -> None:
        """Erase a customer from the export in each format, and from the past ones."""
        export = self._directory.export_file
        published = self._directory.export_files([*Format]).values()
        kept = sorted((export.parent / FOLDER).glob(f"{export.stem}-*"))
        for path in (*published, *kept):
            if path.is_file() and path.suffix[1:] in [*Format]:
                self._erased[path.name] = erase_from_file(path, written_id(customer_id))

    def _erase_from_baseline(self, customer_id: int | str) -> None:
        table = self._directory.exported
        try:
            version, held = table.fetch()
        except NotMaterializedError:
            return
        kept = self._directory.staged_file(f"{EXPORTED}.parquet")
        try:
            rows = filter_parquet(held, kept, _is_not("customer_id", customer_id), forget=(DIGEST,))
            if rows:
                facts = version.facts.model_copy(update={"customers": version.facts.customers - rows})
                table.commit(kept, facts)
            table.remove_set_aside()
        finally:
            held.unlink(missing_ok=True)
            kept.unlink(missing_ok=True)
        self._erased["what the last export held"] = rows


def require_customer_id(text: str, mapping: RecordMapping) -> int | str:
    """Return the id as the tables have it.

    Raises:
        ConfigurationError: It is not an id of this sync.
    """
    is_text = mapping.id_type == "text"
    given = text if is_text else text.strip().removeprefix("cust_")
    found = parse_id(given, mapping.id_type)
    if found is None:
        raise ConfigurationError("id", f"it is not an id of the type {mapping.id_type}", "Write it as the API has it.")
    return found


def _is_not(column: str, value: int | str) -> Any:  # noqa: ANN401 - what `filter_parquet` takes
    return lambda batch: pc.not_equal(batch.column(column), value)


def _addresses(raw: Path, customer_id: int | str) -> set[str]:
    """Return the customer's email addresses: records without a usable id can be theirs, too."""
    with pq.ParquetFile(raw) as file:
        if "email" not in file.schema_arrow.names:
            return set()
        found: set[str | None] = set()
        for batch in file.iter_batches(columns=["id", "email"]):
            found |= {*batch.filter(pc.equal(batch.column("id"), customer_id)).column("email").to_pylist()}
    return {address.strip().lower() for address in found if address}


def _is_not_about(customer_id: int | str, addresses: Collection[str], mapping: RecordMapping) -> Any:  # noqa: ANN401
    """Match rejected records by the id and by the addresses, read by the sync's own mapping."""
    email = next((column.path for column in mapping.raw_columns if column.name == "email"), None)

    def is_other(text: str) -> bool:
        try:
            record = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return not any(address in text.lower() for address in addresses)
        address = follow(record, email) if email else None
        if isinstance(address, str) and address.strip().lower() in addresses:
            return False
        return str(follow(record, mapping.id_path)).strip() != str(customer_id)

    return lambda batch: pa.array([is_other(text) for text in batch.column("record").to_pylist()], pa.bool_())

"""A crawl on its way into the lake: its two staged files, until they are committed. Knows nothing of their content.

What lands is written by `writer.py`, and merged into an earlier table by `upsert.py`. Committing belongs in `storage/`.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Self

import pyarrow.parquet as pq

from customer_assets.core.models import CrawlSummary, SyncState, UpsertSummary
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing.landing.upsert import ContentHash, find_updates, hash_content, merge_rejected, upsert
from customer_assets.processing.landing.writer import LandingWriter

LANDING_VERSION = "3"
"""Raise it when the same records would land as other rows: tables kept by incremental crawls are then read anew."""

LONG_BEFORE = timedelta(days=1)
"""Dates can be a time zone off, or rounded to days; a record that changed longer before was not asked for."""


@dataclass(frozen=True, slots=True)
class StoredCustomers:
    """What an incremental crawl begins with: a committed version, at paths where it stays as it is.

    Attributes:
        raw_file: The raw table.
        quarantine_file: The rejected records.
        facts: What was committed with them.
    """

    raw_file: Path
    quarantine_file: Path
    facts: CrawlSummary

    def remove(self) -> None:
        """Remove the files."""
        self.raw_file.unlink(missing_ok=True)
        self.quarantine_file.unlink(missing_ok=True)


class Merged(NamedTuple):
    """What a merge leads to."""

    summary: UpsertSummary
    """What became of the records that landed."""
    content: str
    """The hash of all rows."""
    newest: datetime | None
    """When the record that changed last did, of those that landed; None: they are not dated."""


class Landing:
    """A crawl's writer, and the two staged files that it fills.

    Args:
        new_file: Returns the path of a new staged file.
        mapping: What the records look like.
        number: The crawl's number.
        source: Where the records come from, without a secret.

    Attributes:
        lost: Fields that nearly all changed records lack; see `defects.lost_fields`.
    """

    def __init__(self, new_file: Callable[[str], Path], mapping: RecordMapping, number: int, source: str = "") -> None:
        """Open a writer on two new files."""
        self.raw_file, self.quarantine_file = new_file("raw_customers.parquet"), new_file("rejected_customers.parquet")
        self.number, self.source, self._new_file = number, source, new_file
        self.lost: Mapping[str, float] = {}
        self.writer = LandingWriter(self.raw_file, self.quarantine_file, mapping=mapping)
        self._deletions: LandingWriter | None = None

    def open_deletions(self, mapping: RecordMapping) -> LandingWriter:
        """Open a writer for a list of deleted customers; the merge removes those that are stored.

        Read the list first: who is on it and among the changes came back.
        """
        files = self._new_file("deleted_customers.parquet"), self._new_file("rejected_deletions.parquet")
        self._deletions = LandingWriter(*files, mapping=mapping)
        return self._deletions

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Remove all files if the block failed: nobody needs what was not committed."""
        if self._deletions is not None:
            self._deletions.abort()
        if kind is not None:
            self.writer.abort()
            self.raw_file.unlink(missing_ok=True)
            self.quarantine_file.unlink(missing_ok=True)

    def hash_content(self, unique_ids: int) -> tuple[str, str]:
        """Hash the rows of a table that was read as a whole; return the hash, and its salt.

        Where a customer has several rows, their places decide which is kept, so that the pages count, too.
        """
        self.writer.close()
        is_unique = pq.read_metadata(self.raw_file).num_rows == unique_ids
        return str(hash_content(self.raw_file)), "" if is_unique else self.writer.fingerprint()

    def newest_update(self) -> datetime | None:
        """Return when the record that changed last did; None: the records are not dated."""
        self.writer.close()
        return find_updates(self.raw_file)[0]

    def merge_into(self, stored: StoredCustomers, state: SyncState, since: datetime, *, rejected: int) -> Merged:
        """Merge what landed into stored customers; the two files then hold all of them.

        Args:
            stored: The customers.
            state: What was noted with them.
            since: Changes since then were asked for.
            rejected: How many records that came have no usable id.
        """
        self.writer.close()
        before = ContentHash.parse(state.content) or hash_content(stored.raw_file)
        changes, rejected_changes = self.raw_file, self.quarantine_file
        newest, early = find_updates(changes, since - LONG_BEFORE)
        merged, quarantine = self._new_file("raw_customers.parquet"), self._new_file("rejected_customers.parquet")
        deleted = None
        if self._deletions is not None:
            self._deletions.close()
            deleted = self._deletions.raw_path
        summary, change = upsert(stored.raw_file, changes, merged, deleted)
        self.raw_file = merged
        changes.unlink()
        merge_rejected(stored.quarantine_file, rejected_changes, quarantine)
        self.quarantine_file = quarantine
        rejected_changes.unlink()
        noted = {"rejected": rejected, "lost": dict(self.lost), "early": early}
        return Merged(summary.model_copy(update=noted), str(before + change), newest)


def fingerprint(state: SyncState, mapping: RecordMapping) -> str:
    """Name the data of a table that incremental crawls keep: the same name, the same customers."""
    return hashlib.sha256(f"{state.content}:{state.salt}:{mapping.digest}".encode()).hexdigest()[:32]

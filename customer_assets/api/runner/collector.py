"""Collects the pages of a crawl into a list: one record per customer, the most complete one."""

from collections.abc import Iterable
from typing import Any

from customer_assets.api.responses.parser import records
from customer_assets.core.json_values import parse_id
from customer_assets.core.models import Page, Repetition
from customer_assets.core.paths import follow
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping, record_mapper

COUNTED_FIELDS = ("email", "first_name", "last_name", "avatar")
"""The more of these a record has, the more complete it is."""

FINGERPRINT_MODULUS = 2**128


class IdCounter:
    """Counts the customers of a pass by their ids: what a `PageSink` has to know of them."""

    def __init__(self) -> None:
        self._rejected = 0
        self._read_from: dict[int | str, int] = {}
        self._repeated: set[int] = set()
        self._page_ids: dict[int, frozenset[int | str]] = {}
        self._fingerprint = 0

    def add(self, page: Page, found: Iterable[int | str | None]) -> None:
        """Take a page and its ids; None for a record without a usable one."""
        self._fingerprint = (self._fingerprint + int.from_bytes(page.digest)) % FINGERPRINT_MODULUS
        ids: set[int | str] = set()
        for each in found:
            if each is None:
                self._rejected += 1
                continue
            ids.add(each)
            number = self._read_from.setdefault(each, page.number)
            if number != page.number:
                self._repeated.add(min(number, page.number))
        self._page_ids[page.number] = frozenset(ids)

    def repetition(self, most: int) -> Repetition:
        """How customers repeat over the pages."""
        sets = [ids for ids in self._page_ids.values() if len(ids) > 1]
        return Repetition.of(sorted(self._repeated), len(sets) - len(set(sets)), most)

    def unique_ids(self) -> int:
        """Distinct customers so far."""
        return len(self._read_from)

    def rejected_records(self) -> int:
        """Records without a usable id."""
        return self._rejected

    def fingerprint(self) -> str:
        """A hash of the pages that does not depend on their order."""
        return f"{self._fingerprint:032x}"


class CustomerCollector:
    """A sink that keeps the customers of a crawl in memory.

    Args:
        mapping: What the API's records look like.
    """

    def __init__(self, mapping: RecordMapping = DEFAULT_RECORD) -> None:
        self._mapping, self._map_record = mapping, record_mapper(mapping)
        self.start_pass()

    def start_pass(self) -> None:
        """Forget everything so far."""
        self._best: dict[int | str, tuple[int, tuple[int, int], dict[str, Any]]] = {}
        self._counter = IdCounter()

    def add(self, page: Page) -> None:
        """Take one page."""
        ids: list[int | str | None] = []
        for position, record in enumerate(records(page)):
            known = self._map_record(record)
            found = known.get("id") if isinstance(known, dict) else None
            customer_id = parse_id(found, self._mapping.id_type, self._mapping.missing)
            ids.append(customer_id)
            if customer_id is None:
                continue
            candidate = (missing_fields(known), (page.number, position), record)
            best = self._best.get(customer_id)
            if best is None or candidate[:2] < best[:2]:
                self._best[customer_id] = candidate
        self._counter.add(page, ids)

    def repetition(self, most: int) -> Repetition:
        """How customers repeat over the pages."""
        return self._counter.repetition(most)

    def unique_ids(self) -> int:
        """Distinct customers so far."""
        return len(self._best)

    def rejected_records(self) -> int:
        """Records without a usable id."""
        return self._counter.rejected_records()

    def fingerprint(self) -> str:
        """A hash of the pages that does not depend on their order."""
        return self._counter.fingerprint()

    def customers(self) -> list[dict[str, Any]]:
        """One record per customer, as the API sent it, in the API's order."""
        return [record for _, _, record in sorted(self._best.values(), key=lambda best: best[1])]


def page_ids(page: Page, mapping: RecordMapping = DEFAULT_RECORD) -> tuple[int | str | None, ...]:
    """The ids of a page's records, in order; None for a record without a usable one."""
    path, id_type, missing = mapping.id_path, mapping.id_type, mapping.missing
    return tuple(parse_id(follow(record, path), id_type, missing) for record in records(page))


def missing_fields(record: dict[str, Any]) -> int:
    """Count the fields that a record lacks: absent, null, blank or not text."""
    values = (record.get(name) for name in COUNTED_FIELDS)
    return sum(not (isinstance(value, str) and value.strip()) for value in values)

"""Collects the pages of a crawl into a list: one record per customer, the most complete one."""

from typing import Any

from customer_assets.api.responses.parser import records
from customer_assets.core.json_values import parse_id
from customer_assets.core.models import Page
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping, record_mapper

COUNTED_FIELDS = ("email", "first_name", "last_name", "avatar")
"""The more of these a record has, the more complete it is."""

FINGERPRINT_MODULUS = 2**128


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
        self._rejected = 0
        self._fingerprint = 0

    def add(self, page: Page) -> None:
        """Take one page."""
        self._fingerprint = (self._fingerprint + int.from_bytes(page.digest)) % FINGERPRINT_MODULUS
        for position, record in enumerate(records(page)):
            known = self._map_record(record)
            found = known.get("id") if isinstance(known, dict) else None
            customer_id = parse_id(found, self._mapping.id_type, self._mapping.missing)
            if customer_id is None:
                self._rejected += 1
                continue
            candidate = (missing_fields(known), (page.number, position), record)
            best = self._best.get(customer_id)
            if best is None or candidate[:2] < best[:2]:
                self._best[customer_id] = candidate

    def unique_ids(self) -> int:
        """Distinct customers so far."""
        return len(self._best)

    def rejected_records(self) -> int:
        """Records without a usable id."""
        return self._rejected

    def fingerprint(self) -> str:
        """A hash of the pages that does not depend on their order."""
        return f"{self._fingerprint:032x}"

    def customers(self) -> list[dict[str, Any]]:
        """One record per customer, as the API sent it, in the API's order."""
        return [record for _, _, record in sorted(self._best.values(), key=lambda best: best[1])]


def missing_fields(record: dict[str, Any]) -> int:
    """Count the fields that a record lacks: absent, null, blank or not text."""
    values = (record.get(name) for name in COUNTED_FIELDS)
    return sum(not (isinstance(value, str) and value.strip()) for value in values)

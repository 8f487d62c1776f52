"""Pages in memory, for who asks for a list: one record a customer, the most complete one."""

import hashlib
from typing import Any

from customer_assets.api.responses import records
from customer_assets.json_values import parse_id
from customer_assets.models import Page
from customer_assets.record_mapping import DEFAULT_RECORD, RecordMapping, record_mapper

COUNTED_FIELDS = ("email", "first_name", "last_name", "avatar")
"""A record is the more complete, the more of these it has."""

FINGERPRINT_MODULUS = 2**128


class CustomerCollector:
    """Takes the pages of a crawl and holds their customers.

    Args:
        mapping: What the API's records look like.
    """

    def __init__(self, mapping: RecordMapping = DEFAULT_RECORD) -> None:
        self._mapping, self._reshaped = mapping, record_mapper(mapping)
        self.start_pass()

    def start_pass(self) -> None:
        """Forget everything so far."""
        self._best: dict[int | str, tuple[int, tuple[int, int], dict[str, Any]]] = {}
        self._rejected = 0
        self._fingerprint = 0

    def add(self, page: Page) -> None:
        """Take one page."""
        digest = hashlib.sha256(b"%d:" % page.number + page.data).digest()
        self._fingerprint = (self._fingerprint + int.from_bytes(digest)) % FINGERPRINT_MODULUS
        for position, record in enumerate(records(page)):
            known = self._reshaped(record)
            found = known.get("id") if isinstance(known, dict) else None
            customer_id = parse_id(found, self._mapping.id_type, self._mapping.missing)
            if customer_id is None:
                self._rejected += 1
                continue
            rank = (missing_fields(known), (page.number, position), record)
            kept = self._best.get(customer_id)
            if kept is None or rank[:2] < kept[:2]:
                self._best[customer_id] = rank

    def unique_ids(self) -> int:
        """Distinct customers so far."""
        return len(self._best)

    def rejected_records(self) -> int:
        """Records without a usable id."""
        return self._rejected

    def fingerprint(self) -> str:
        """The hash of the pages, whatever their order."""
        return f"{self._fingerprint:032x}"

    def customers(self) -> list[dict[str, Any]]:
        """One record a customer, as the API sent it, in the API's order."""
        return [record for _, _, record in sorted(self._best.values(), key=lambda kept: kept[1])]


def missing_fields(record: dict[str, Any]) -> int:
    """Count the fields that a record lacks: absent, null, blank or no text."""
    values = (record.get(name) for name in COUNTED_FIELDS)
    return sum(not (isinstance(value, str) and value.strip()) for value in values)

"""The simulated customers and the defects of the dirty ones. Pure: a page follows from its number and the settings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from customer_assets.simulator.changes import Changes

REQRES = (
    "George Bluth",
    "Janet Weaver",
    "Emma Wong",
    "Eve Holt",
    "Charles Morris",
    "Tracey Ramos",
    "Michael Lawson",
    "Lindsay Ferguson",
    "Tobias Funke",
    "Byron Fields",
    "George Edwards",
    "Rachel Howell",
)
"""The customers of reqres.in, by their ids from 1."""

FIRST_NAMES = [
    "Ada",
    "Grace",
    "Alan",
    "Zoë",
    "Linus",
    "Márta",
    "Nguyễn",
    "Olga",
    "José",
    "Aisha",
    "Yuki",
    "Søren",
    "Chloé",
    "Łukasz",
    "İpek",
    "明",
]
LAST_NAMES = [
    "Lovelace",
    "Hopper",
    "Turing",
    "Nuñez",
    "Torvalds",
    "Kovács",
    "O'Brien",
    "Müller",
    "Garcia",
    "Khan",
    "Sato",
    "Ørsted",
    "Dupont",
    "Nowak",
    "Öz",
    "王",
]
DOMAINS = ["example.org", "example.com", "mail.example.net", "shop.example.io", "post.example.co.uk"]

PAGES_KEPT = 256
"""Pages whose bytes are cached: a page that is retried is requested again within seconds."""

DEFECTS: tuple[dict[str, Any], ...] = (
    {"email": None},
    {"email": "no-at-sign.example.org"},
    {"email": "two@@example.org"},
    {"first_name": "   "},
    {"last_name": None, "avatar": ""},
    {"last_active_at": "2024-02-30"},
    {"last_active_at": None},
    {"last_active_at": "not a date"},
    {"engagement_score": None},
    {"engagement_score": "high"},
    {"engagement_score": 1.5},
    {"id": None},
    {"id": "no number"},
    {"duplicate": True},
    {"duplicate": True, "email": None},
)
"""What can be wrong with a record: the fields it has instead, or that it repeats an earlier customer."""

_MULTIPLIER, _MODULUS = 48_271, 2**31 - 1
"""Park and Miller's random number generator: good enough to spread defects, and the same on every platform."""


@dataclass(frozen=True, slots=True)
class Population:
    """All customers of a simulated API.

    Attributes:
        customers: How many records there are.
        dirty_rate: Share of them with a defect, 0 to 1.
        seed: Chooses names and defects. The first twelve customers are those of reqres.in until they change.
        changes_per_hour: How many customers change their last name in an hour. Unless it is 0, records are dated.
    """

    customers: int = 12
    dirty_rate: float = 0.0
    seed: int = 0
    changes_per_hour: float = 0.0

    def page(self, number: int, per_page: int) -> bytes:
        """Return a page's body; the same bytes each time."""
        return _page(self, number, per_page)

    def page_of_changes(self, number: int, per_page: int, now: datetime, since: datetime | None = None) -> bytes:
        """Return a page of the customers as they are now; of those that changed since an instant, by that, if given."""
        changes = Changes(self.customers, self.changes_per_hour)
        start = (number - 1) * per_page
        if since is None:
            total = self.customers
            found = [changes.latest_of(index, now) for index in range(start, min(start + per_page, total))]
        else:
            listed: Sequence[int] = changes.since(since, now) if self.customers else ()
            total, found = len(listed), [*listed[start : start + per_page]]
        records = b",".join(self._changed_record(changes, change) for change in found)
        return _envelope(number, per_page, total, records)

    def _changed_record(self, changes: Changes, number: int) -> bytes:
        """Return a record as a change left it."""
        times, index = divmod(number, self.customers)
        record = json.loads(self.record(index))
        record |= {"last_name": LAST_NAMES[(index + times) % len(LAST_NAMES)]}
        record |= {"updated_at": f"{changes.instant(number):%Y-%m-%dT%H:%M:%S.%fZ}"}
        return json.dumps(record, ensure_ascii=False).encode()

    def record(self, index: int) -> bytes:
        """Return one record as JSON, by its index from 0."""
        share = ((index + 1) * _MULTIPLIER + self.seed * 7_919) * _MULTIPLIER % _MODULUS / _MODULUS
        if share >= self.dirty_rate:
            return self._clean_records(range(index, index + 1))
        fields = dict(DEFECTS[(index * _MULTIPLIER + self.seed) % _MODULUS % len(DEFECTS)])
        original = index // 2 if fields.pop("duplicate", False) else index
        record = {**json.loads(self._clean_records(range(original, original + 1))), **fields}
        return json.dumps(record, ensure_ascii=False).encode()

    def records(self, indices: range) -> bytes:
        """Return records as JSON, separated by commas, by their indices from 0."""
        if self.dirty_rate:
            return b",".join(map(self.record, indices))
        known = max(indices.start, min(indices.stop, len(REQRES)))
        parts = self._clean_records(range(indices.start, known)), self._clean_records(range(known, indices.stop))
        return b",".join(filter(None, parts))

    def _clean_records(self, indices: range) -> bytes:
        """Write customers without a defect; the indices lie either all inside or all outside reqres.in's twelve."""
        if indices.start < len(REQRES):
            return ",".join(_reqres_record(index) for index in indices).encode()
        names, seed = _names(), self.seed
        return ",".join(
            [
                f'{{"id":{number},"email":"customer{number}@{DOMAINS[number % len(DOMAINS)]}",'
                f"{names[((number - 1) * _MULTIPLIER + seed) % len(names)]},"
                f'"avatar":"https://img.example.org/faces/{number}-image.jpg"}}'
                for number in range(indices.start + 1, indices.stop + 1)
            ]
        ).encode()


def _reqres_record(index: int) -> str:
    first, _, last = REQRES[index].partition(" ")
    return (
        f'{{"id":{index + 1},"email":"{first.lower()}.{last.lower()}@reqres.in","first_name":"{first}",'
        f'"last_name":"{last}","avatar":"https://reqres.in/img/faces/{index + 1}-image.jpg"}}'
    )


@cache
def _names() -> list[str]:
    return [f'"first_name":"{first}","last_name":"{last}"' for last in LAST_NAMES for first in FIRST_NAMES]


@lru_cache(maxsize=PAGES_KEPT)
def _page(population: Population, number: int, per_page: int) -> bytes:
    start = (number - 1) * per_page
    records = population.records(range(start, max(start, min(start + per_page, population.customers))))
    return _envelope(number, per_page, population.customers, records)


def _envelope(number: int, per_page: int, total: int, records: bytes) -> bytes:
    total_pages = -(-total // per_page)
    head = f'{{"page":{number},"per_page":{per_page},"total":{total},"total_pages":{total_pages},"data":['
    return head.encode() + records + b"]}"

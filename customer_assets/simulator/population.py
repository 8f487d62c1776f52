"""The simulated customers: who they are and what is wrong with the dirty ones. Pure: a page follows from its number."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

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
"""Pages whose bytes are kept: a benchmark asks for each once, a retried page twice within seconds."""

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
"""What may be wrong with a record, in turn: the fields it has instead, or that it repeats an earlier customer."""

_MULTIPLIER, _MODULUS = 48_271, 2**31 - 1
"""Park and Miller's generator: enough to spread defects, and the same everywhere."""


@dataclass(frozen=True, slots=True)
class Population:
    """All customers of a simulated API.

    Attributes:
        customers: How many records there are.
        dirty_rate: Share of them that have a defect, 0 to 1.
        seed: Chooses names and defects. Twelve clean customers are those of reqres.in, whatever it is.
    """

    customers: int = 12
    dirty_rate: float = 0.0
    seed: int = 0

    def page(self, number: int, per_page: int) -> bytes:
        """Return a page's body, the same each time."""
        return _page(self, number, per_page)

    def record(self, index: int) -> bytes:
        """Return the record at an index from 0, as JSON."""
        if self.dirty_rate and _dice(self.seed, index) < self.dirty_rate:
            return json.dumps(self._dirty(index), ensure_ascii=False).encode()
        return _clean(index + 1, self._name(index))

    def _name(self, index: int) -> str:
        if index < len(REQRES):
            return REQRES[index]
        mixed = index * _MULTIPLIER + self.seed
        return f"{FIRST_NAMES[mixed % len(FIRST_NAMES)]} {LAST_NAMES[mixed // 16 % len(LAST_NAMES)]}"

    def _dirty(self, index: int) -> dict[str, Any]:
        fields = dict(DEFECTS[(index * _MULTIPLIER + self.seed) % _MODULUS % len(DEFECTS)])
        original = index // 2 if fields.pop("duplicate", False) else index
        return {**json.loads(_clean(original + 1, self._name(original))), **fields}


def _dice(seed: int, index: int) -> float:
    return ((index + 1) * _MULTIPLIER + seed * 7_919) * _MULTIPLIER % _MODULUS / _MODULUS


def _clean(customer_id: int, name: str) -> bytes:
    first, _, last = name.partition(" ")
    if customer_id <= len(REQRES):
        email, picture = f"{first}.{last}@reqres.in".lower(), "https://reqres.in/img/faces"
    else:
        email, picture = f"customer{customer_id}@{DOMAINS[customer_id % len(DOMAINS)]}", "https://img.example.org/faces"
    return (
        f'{{"id":{customer_id},"email":"{email}","first_name":"{first}","last_name":"{last}",'
        f'"avatar":"{picture}/{customer_id}-image.jpg"}}'
    ).encode()


@lru_cache(maxsize=PAGES_KEPT)
def _page(population: Population, number: int, per_page: int) -> bytes:
    start = (number - 1) * per_page
    records = b",".join(map(population.record, range(start, min(start + per_page, population.customers))))
    total_pages = -(-population.customers // per_page)
    head = (
        f'{{"page":{number},"per_page":{per_page},"total":{population.customers},"total_pages":{total_pages},"data":['
    )
    return head.encode() + records + b"]}"

"""How a simulated API pages: what numbers mean, what its pages say about how much there is, how it clamps and ends.

Faults, limits and time belong in `simulated_apis.py`.
"""

import random
from dataclasses import dataclass
from math import ceil
from typing import Literal

from customer_assets.api.crawl.events import FetchPage
from customer_assets.api.crawl.extent import Numbering
from customer_assets.core.models import Page

Tells = Literal["pages", "total", "one page's total", "more", "nothing"]
Beyond = Literal["empty", "404", "repeat"]


@dataclass(frozen=True)
class Listing:
    """A listing of records 0, 1, 2, ….

    Attributes:
        numbering: What a page's number means.
        tells: What pages say about how much there is.
        asked: The page size that requests ask for; None: the API's own.
        clamp: The largest page that the API gives.
        varies: A page can be shorter than asked, although more follow.
        beyond: What comes for a page beyond the end.
        echoes: Pages say the size that was asked for, although they are smaller.
        trails: A chain's last record is followed by one more cursor, which leads to an empty page.
    """

    numbering: Numbering = Numbering.PAGES
    tells: Tells = "pages"
    asked: int | None = 10
    clamp: int = 10
    varies: bool = False
    beyond: Beyond = "empty"
    trails: bool = False
    echoes: bool = False

    @property
    def size(self) -> int:
        """Records on a full page."""
        return min(self.asked or self.clamp, self.clamp)

    def start(self, fetch: FetchPage) -> int:
        """The first record of the page that is asked for."""
        if self.numbering is Numbering.CHAIN:
            return int((fetch.cursor or "0").partition("@")[0])
        return fetch.page - 1 if self.numbering is Numbering.RECORDS else (fetch.page - 1) * self.size

    def page(self, fetch: FetchPage, records: int, dice: random.Random, life: int = 0) -> Page | None:
        """The page; None if there is none."""
        start = self.start(fetch)
        if start >= records and fetch.page > 1 and self.numbering is not Numbering.CHAIN:
            if self.beyond == "404":
                return None
            if self.beyond == "repeat" and records:
                start = (records - 1) // self.size * self.size
        size = dice.randint(1, self.size) if self.varies else self.size
        count = max(min(size, records - start), 0)
        return self.made(fetch, records, start, count, life)

    def made(self, fetch: FetchPage, records: int, start: int, count: int, life: int) -> Page:
        """The page with these records."""
        ends = start + count >= records
        counts: dict[str, tuple[int | None, int | None, int | None]] = {
            "pages": (self.asked if self.echoes else self.size, records, ceil(records / self.size)),
            "total": (None, records, None),
            "one page's total": (None, count, None),
        }
        cursor = None
        if self.numbering is Numbering.CHAIN and (not ends or (self.trails and count)):
            cursor = f"{start + count}@{life}"
        return Page(
            fetch.page,
            *counts.get(self.tells, (None, None, None)),
            count,
            b"%d+%d" % (start, count),
            next_cursor=cursor,
            has_more=not ends if self.tells == "more" else None,
        )


def records_of(page: Page) -> range:
    """The records on a page of a listing."""
    start, _, count = page.data.partition(b"+")
    return range(int(start), int(start) + int(count))


def random_listing(dice: random.Random) -> Listing:
    """Any listing that can be read completely, whatever it does."""
    numbering = dice.choice(tuple(Numbering))
    kinds: tuple[Tells, ...] = ("total", "one page's total", "more", "nothing")
    tells = dice.choice(kinds)
    asked = dice.choice((None, 10, 10, 50))
    if numbering is Numbering.CHAIN:
        ways: tuple[Tells, ...] = ("more", "nothing", "total")
        return Listing(
            numbering,
            dice.choice(ways),
            asked,
            varies=dice.random() < 0.5,
            trails=dice.random() < 0.5,
        )
    if numbering is Numbering.RECORDS:
        return Listing(numbering, tells, asked, varies=dice.random() < 0.5, beyond=dice.choice(("empty", "404")))
    return Listing(numbering, tells, asked, beyond=dice.choice(("empty", "404", "repeat")))

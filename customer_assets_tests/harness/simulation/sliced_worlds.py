"""Random worlds of slices, in virtual time: any way of paging, window, faults, limits, customers who move, and kills.

`python -m customer_assets_tests.harness.simulation.sliced_worlds --worlds 1000` reads a thousand and prints those that
went wrong. A world replays exactly: `--first 42 --worlds 1`.
"""

import argparse
import logging
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from customer_assets.api import CustomerAPIClient
from customer_assets.core.errors import IncompleteCrawlError
from customer_assets_tests.harness.apis.paged_api import Records
from customer_assets_tests.harness.apis.scripted_server import EPOCH
from customer_assets_tests.harness.apis.sliced_api import BORN, IDS, SLICES, SlicedAPI, customer, open_sliced_client
from customer_assets_tests.harness.vendors.base import Faults, TokenBucket
from customer_assets_tests.harness.vendors.virtual import VirtualTime

CURSORS = {"cursor", "last id", "next address", "link header", "cursor in the body"}
NUMBERED = {"offset", "offset without a total", "page number without a total", "page number, total in a header"}
COUNTED = {"offset", "page number, total in a header"}
"""They have totals. With all others nothing shows that customers behind one who left have moved up: here cursors are
positions, too."""

HONEST = sorted(CURSORS | NUMBERED | {"page number, 404 beyond the end"})
"""The ways that a world can have; the others are traps, which are tested alone."""

MOST_KILLS = 3


class Killed(BaseException):
    """What ends a client in the middle of a request."""


@dataclass
class World:
    """One API, one listing, and what happens while it is read.

    Attributes:
        seed: Chooses everything.
        store: The page store's address.
    """

    seed: int
    store: str

    def __post_init__(self) -> None:
        dice = self.dice = random.Random(self.seed)
        self.way = dice.choice(HONEST)
        self.window = dice.choice((None, 60, 100))
        self.by_id = dice.random() < 0.3
        self.records = self._customers(dice)
        self.api = SlicedAPI(
            self.way,
            list(self.records),
            window=self.window,
            includes_end=dice.random() < 0.4,
            faults=Faults(dice.choice((0.0, 0.1, 0.25)), self.seed),
            on_request=self._on_request,
        )
        self.time = VirtualTime()
        if dice.random() < 0.3:
            self.api.limiter = TokenBucket(*dice.choice(((50.0, 10), (20.0, 1))), now_s=self.time.monotonic_s)
        self.kills = [dice.randrange(1, 80) for _ in range(dice.choice((0, 0, 1, MOST_KILLS)))]
        self.joins = Counter(dice.randrange(1, 60) for _ in range(dice.choice((0, 0, 1, 5))))
        self.leaves = Counter(dice.randrange(1, 60) for _ in range(dice.choice((0, 0, 0, 1, 3))))
        self.left: set[int] = set()
        self.next_id = len(self.records) + 1
        self.lives = 0

    def run(self) -> str | None:
        """Read it all, however often it is killed; return what went wrong, or None."""
        before = {each["id"] for each in self.records}
        while True:
            self.lives += 1
            self.asked_before = len(self.api.requests)
            with self._client() as client:
                try:
                    found = [each["id"] for each in client.fetch_all_customers()]
                except Killed:
                    continue
                except IncompleteCrawlError as error:
                    if "no page could be read" in str(error):  # by chance all retries failed; nothing was published
                        continue
                    return None if self._is_crowded() and "no shorter range" in str(error) else repr(error)
            return self._problem(found, before, client)

    def _problem(self, found: list[int], before: set[int], client: CustomerAPIClient) -> str | None:
        figures = client.figures
        lost, invented = before - self.left - set(found), set(found) - set(range(1, self.next_id))
        is_settled = not figures.moved_s and figures.missing_customers == 0
        # One who leaves while another joins leaves the total as it was.
        can_shift = self.left and (self.way not in COUNTED or self.joins)
        problems = {
            "customers came twice": len(found) != len(set(found)),
            f"{len(lost)} lost": lost and is_settled and not can_shift,
            f"{len(invented)} invented": invented,
            f"{figures.missing_customers} missing": figures.missing_customers and not self.left,
            f"{figures.rejected} rejected": figures.rejected,
            f"{figures.unique_ids} counted, {len(found)} found": figures.unique_ids != len(found),
        }
        return next((problem for problem, is_so in problems.items() if is_so), None)

    def _customers(self, dice: random.Random) -> Records:
        """Some at regular intervals, some in crowds, some before the slices start."""
        instant, found = BORN - dice.choice((timedelta(), timedelta(days=400))), []
        for number in range(1, dice.choice((0, 1, 20, 59, 60, 61, 100, 250, 400)) + 1):
            found.append(customer(number, instant))
            instant += dice.choice((timedelta(), timedelta(seconds=1), timedelta(hours=2), timedelta(days=3)))
        return found

    def _is_crowded(self) -> bool:
        """Whether some of the narrowest ranges reach the window: ends that overlap make them two units wide."""
        key = "id" if self.by_id else "created_at"
        crowds = Counter(str(each[key])[:19] for each in self.api.records)
        pairs = sorted(crowds.items())
        neighbours = [one + other for (_, one), (_, other) in pairwise(pairs)]
        return self.window is not None and max([*neighbours, *crowds.values()], default=0) >= self.window

    def _client(self) -> Any:
        pages: dict[str, Any] = {} if self.window is None else {"window": self.window}
        if self.way in NUMBERED | {"page number, 404 beyond the end"}:
            pages["size"] = 20
        slices: dict[str, Any] = dict(IDS if self.by_id else SLICES)
        if self.by_id and self.window is None:
            slices |= {"step": 37, "end": 300}
        elif not self.by_id and self.window is not None and self.seed % 2:
            slices["step"] = None
        if self.api.includes_end:
            slices["to_is"] = "inclusive"
        if "body" in self.way:
            slices["send_in"] = "body"
        return open_sliced_client(
            self.api,
            seed=self.seed + self.lives,
            time=self.time,
            slices=slices,
            pages=pages,
            page_store=self.store,
            max_concurrency=1 + self.seed % 9,
        )

    def _on_request(self, number: int) -> None:
        for _ in range(self.joins[number]):
            self.api.records.append(customer(self.next_id, EPOCH + timedelta(seconds=self.time.now_s)))
            self.next_id += 1
        for _ in range(self.leaves[number]):
            if self.api.records:
                gone = self.api.records.pop(self.dice.randrange(len(self.api.records)))
                self.left.add(gone["id"])
        if self.kills and number - self.asked_before >= self.kills[0]:
            self.kills.pop(0)
            self.time.due.clear()
            raise Killed


def main(arguments: list[str] | None = None) -> int:
    """Read random worlds; return 1 if something went wrong."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--worlds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one's seed")
    given = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    wrong = 0
    for seed in range(given.first, given.first + given.worlds):
        with tempfile.TemporaryDirectory() as tmp:
            try:
                problem = World(seed, f"sqlite:///{Path(tmp)}/pages.sqlite").run()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is printed with its seed
                problem = repr(error)
        if problem is not None:
            wrong += 1
            print(f"{seed}: {problem}")  # noqa: T201
    print(f"{given.worlds} worlds, {wrong} went wrong")  # noqa: T201
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())

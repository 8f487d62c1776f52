"""Customers that change from day to day, and the API that shows what changed since an instant.

`ChangingCustomers` has a clock of its own, for thousands of runs without a socket; `ChangingAPI` serves records whose
dates a test sets, on loopback and by the machine's clock.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer

FIRST_DAY = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)


def written(instant: datetime) -> str:
    """Write an instant as the APIs here do: to the second."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class ChangingAPI(PlainAPI):
    """A plain API with a filter.

    Attributes:
        sinces: What each request asked for; None: everything.
        filter: Whether a record is shown to a request for what changed since an instant.
        deleted: Who is listed as deleted: the id, and since when. Requested with `list=deleted`.
    """

    sinces: list[str | None] = field(default_factory=list)
    filter: Callable[[Mapping[str, Any], str], bool] = lambda record, since: record["updated_at"] >= since
    deleted: list[tuple[int, str]] = field(default_factory=list)

    def answer(self, query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return a page of what changed since then."""
        since = query.get("updated_since", [None])[0]
        if query.get("list") == ["deleted"]:
            listed = [{"customer": {"id": number}} for number, at in self.deleted if at >= query["deleted_since"][0]]
            return {"gone": listed}
        self.sinces.append(since)
        shown = self.records if since is None else [each for each in self.records if self.filter(each, since)]
        return PlainAPI(shown, self.per_page).page(int(query.get("page", ["1"])[0]))


class ChangingCustomers:
    """A source whose customers join, change and leave, some of them shown late, in virtual time.

    Args:
        dice: Decides what happens.
        latest: How late a change can be shown; its date is that of the change.
        is_strict: Whether the filter compares with `>`, as some APIs do where `>=` is meant.

    Attributes:
        now: The server's clock.
        shown: What the API shows: each customer's record, by id.
        left: Who left since this was emptied.
        deleted: Everybody who left, and when.
    """

    def __init__(self, dice: random.Random, latest: timedelta, *, is_strict: bool = False) -> None:
        self.dice, self.latest, self.is_strict = dice, latest, is_strict
        self.now = FIRST_DAY
        self.shown: dict[int, dict[str, Any]] = {}
        self.left: set[int] = set()
        self.deleted: dict[int, str] = {}
        self._late: list[tuple[datetime, int, dict[str, Any]]] = []
        self._newest = 0
        self._versions = 0

    def live(self, length: timedelta, changes: int) -> None:
        """Let time pass, and customers change at random instants; many changes share one."""
        end = self.now + length
        instants = sorted(
            self.now + length * self.dice.choice([0, 0.5, 0.999, self.dice.random()]) for _ in range(changes)
        )
        for self.now in instants:
            self._show_late()
            self._change()
        self.now = end
        self._show_late()

    def listing(self, since: str | None) -> list[dict[str, Any]]:
        """Return what the API shows, or of that what changed since an instant, by date."""
        records = sorted(self.shown.values(), key=lambda each: (each["updated_at"], each["id"]))
        if since is None:
            return records
        return [
            each
            for each in records
            if each["updated_at"] > since or (each["updated_at"] == since and not self.is_strict)
        ]

    def _change(self) -> None:
        what = self.dice.random()
        if what < 0.35 or not self.shown:
            self._newest += 1
            self._write(self._newest)
        elif what < 0.45:
            gone = self.dice.choice(sorted(self.shown))
            del self.shown[gone]
            self.left.add(gone)
            self.deleted[gone] = written(self.now)
        else:
            self._write(self.dice.choice(sorted(self.shown)))

    def _write(self, number: int) -> None:
        self._versions += 1
        name = f"Version{self._versions}" if self.dice.random() < 0.9 else None
        record = customer(number, first_name=name, updated_at=written(self.now))
        shown_at = self.now + (self.latest * self.dice.random() if self.dice.random() < 0.3 else timedelta())
        self._late.append((shown_at, number, record))
        self._show_late()

    def _show_late(self) -> None:
        due = sorted(
            (each for each in self._late if each[0] <= self.now), key=lambda each: (each[2]["updated_at"], each[0])
        )
        self._late = [each for each in self._late if each[0] > self.now]
        for _, number, record in due:
            shown = self.shown.get(number)
            is_newer = shown is None or shown["updated_at"] <= record["updated_at"]
            if number not in self.deleted and is_newer:
                self.shown[number] = record

"""Thousands of years of syncs in virtual time, as a state machine: the table is what the API shows, whatever happens.

What is requested, from when on, and when everything is read again is decided by the real code. Merging is a few lines
here, as in the model that `unit/processing/landing/test_upsert.py` holds the real merge to, so that a year takes
milliseconds; `test_simulated_years.py` lives through fewer years with real tables, files and kills.

    CUSTOMER_TEST_YEARS=2000 pytest customer_assets_tests/scenarios/test_changing_years.py
"""

import os
import random
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from customer_assets.api import CrawlStats
from customer_assets.api.incremental import CrawlPlan, Incremental, next_state, plan_crawl, why_unreliable
from customer_assets.core.models import CrawlSummary, SyncState, UpsertSummary
from customer_assets_tests.harness.apis.changing_api import ChangingCustomers, written

YEARS = int(os.environ.get("CUSTOMER_TEST_YEARS", "15"))
STEPS = 120
"""A day or so each."""

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LOOKBACK = 10 * MINUTE
INPUTS = {"source": "https://api.example.com"}
FORMATS = ("iso8601", "epoch", "epoch_ms", "date", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S")

Record = dict[str, Any]


class ChangingYears(RuleBasedStateMachine):
    """A source that changes, and a sync of it that fails, dies, is late, and whose clocks go wrong."""

    @initialize(
        seed=st.integers(0, 2**32),
        form=st.sampled_from(FORMATS),
        is_strict=st.booleans(),
        is_dated=st.booleans(),
        lists_deletions=st.booleans(),
    )
    def begin(self, seed: int, form: str, *, is_strict: bool, is_dated: bool, lists_deletions: bool) -> None:
        """Choose an API."""
        self.world = ChangingCustomers(random.Random(seed), LOOKBACK - MINUTE, is_strict=is_strict)
        field = "updated_at" if is_dated else None
        self.how = Incremental(parameter="since", field=field, format=form, lookback=LOOKBACK, full_every=7 * DAY)
        self.lists_deletions, self.filter = lists_deletions, "works"
        self.table: dict[int, Record] = {}
        self.facts: CrawlSummary | None = None
        self.ahead = timedelta()
        self.is_dated_by_server = True

    # --- what happens ----------------------------------------------------------------------------------

    @rule(days=st.sampled_from([0.0, 0.001, 0.5, 1.0, 1.0, 3.0]), changes=st.sampled_from([0, 0, 1, 5, 20]))
    def live(self, days: float, changes: int) -> None:
        """Let customers join, change and leave, and sync."""
        self.world.live(DAY * days, changes)
        self.sync()

    @rule(days=st.sampled_from([0.001, 1.0]), changes=st.integers(0, 5))
    def live_without_a_sync(self, days: float, changes: int) -> None:
        """As if the crawl failed, or the process was killed before it committed."""
        self.world.live(DAY * days, changes)

    @rule(hours=st.integers(1, 5), changes=st.integers(0, 5))
    def resume_a_crawl(self, hours: int, changes: int) -> None:
        """An attempt had read all pages, which come from the page store now."""
        self.sync(delay=timedelta(hours=hours), changes=changes)

    @rule()
    def refresh(self) -> None:
        """Read everything by hand."""
        self.sync(full_refresh=True)

    @precondition(lambda self: self.is_dated_by_server)
    @rule(minutes=st.sampled_from([1, 9, 60, 300, 3_000]))
    def set_the_servers_clock_back(self, minutes: int) -> None:
        """And sync before it gets to where it was. Unless responses are dated, nobody can notice."""
        self.world.now -= minutes * MINUTE
        self.ahead += minutes * MINUTE
        self.sync()

    @rule(hours=st.sampled_from([-20, -5, 0, 0]), is_dated_by_server=st.booleans())
    def set_our_clock(self, hours: int, *, is_dated_by_server: bool) -> None:
        """It is right, or behind; with the server's dates it can be ahead as well."""
        self.ahead = timedelta(hours=-hours if is_dated_by_server else hours)
        self.is_dated_by_server = is_dated_by_server

    @precondition(lambda self: self.how.field is not None)
    @rule(how=st.sampled_from(["works", "works", "is ignored", "shows nothing"]))
    def change_the_filter(self, how: str) -> None:
        """An API can stop to understand what it is asked for."""
        self.filter = how

    # --- a sync ----------------------------------------------------------------------------------------

    def sync(self, *, full_refresh: bool = False, delay: timedelta = timedelta(), changes: int = 0) -> None:
        """Do what a run does, and compare its table with what the API showed."""
        plan = plan_crawl(
            self.how,
            self.facts,
            INPUTS,
            self.world.now + self.ahead,
            full_refresh=full_refresh,
            oldest_page=timedelta(hours=6),
        )
        deleted = self.deletions(plan)
        records, shown, left = self.listing(plan.since), deepcopy(self.world.shown), set(self.world.left)
        self.world.live(delay, changes if delay else 0)
        figures = self.figures(records, is_resumed=bool(delay))
        reason = why_unreliable(plan, figures, lambda since: bool(self.listing(since)))
        if reason:
            plan = plan.as_full(reason)
            deleted, records, shown = set(), self.listing(None), deepcopy(self.world.shown)
            left = set(self.world.left)
            figures = self.figures(records, is_resumed=False)
        self.commit(plan, figures, records, deleted)
        if plan.since is None or self.lists_deletions:  # every deletion so far was seen
            self.world.left -= left
            left = set()
        found = {number: record for number, record in self.table.items() if number not in left}
        assert found == {number: record for number, record in shown.items() if number not in left}

    def commit(self, plan: CrawlPlan, figures: CrawlStats, records: list[Record], deleted: set[int]) -> None:
        """Merge what came, and note it."""
        last = self.facts.sync if self.facts is not None and plan.since is not None else None
        table = {} if last is None else dict(self.table)
        before, added = len(table), 0
        for record in sorted(records, key=lambda each: str(each["updated_at"])):
            stored = table.get(record["id"])
            added += stored is None
            if stored is None or not self.how.field or stored["updated_at"] <= record["updated_at"]:
                table[record["id"]] = record
        gone = {number for number in deleted if number in table} - {record["id"] for record in records}
        for number in gone:
            del table[number]
        counts: dict[str, Any] = {
            "before": before,
            "received": len(records),
            "added": added,
            "replaced": len(records) - added,
        }
        counts |= {"repeated": 0, "stale": 0, "unchanged": 0, "deleted": len(gone)}
        upsert = None if last is None else UpsertSummary(**counts, removed=len(records) - added + len(gone))
        assert upsert is None or (upsert.adds_up and upsert.after == len(table))
        newest = max((datetime.fromisoformat(each["updated_at"]) for each in records), default=None)
        state = next_state(
            plan,
            figures,
            customers=len(table),
            content="",
            newest=newest if self.how.field else None,
            last=last,
            upsert=upsert,
        )
        self.table, self.facts = table, self.summary(state)

    def summary(self, state: SyncState) -> CrawlSummary:
        """Note what the next run must know."""
        return CrawlSummary(fingerprint="", landed=0, rejected=0, total=None, missing_customers=0, sync=state)

    def figures(self, records: list[Record], *, is_resumed: bool) -> CrawlStats:
        """Say what a crawl did."""
        found = CrawlStats(records=len(records), began_at=self.world.now + self.ahead)
        found.pages_from_store = int(is_resumed)
        if self.is_dated_by_server:
            found.add_server_time(self.world.now)
        return found

    # --- the API ---------------------------------------------------------------------------------------

    def listing(self, since: datetime | None) -> list[Record]:
        """Return what the API shows; of what changed since an instant, what its filter lets through."""
        everybody = self.world.listing(None)
        if since is None or self.filter == "is ignored":
            return everybody
        return [each for each in everybody if self.filter == "works" and self.is_since(each["updated_at"], since)]

    def deletions(self, plan: CrawlPlan) -> set[int]:
        """Return who is listed as deleted."""
        if plan.since is None or not self.lists_deletions:
            return set()
        return {number for number, at in self.world.deleted.items() if self.is_since(at, plan.since)}

    def is_since(self, date: str, since: datetime) -> bool:
        """Compare as exactly as the format can say, with >= or, as some APIs do, with >."""
        asked, instant = self.how.value(since), datetime.fromisoformat(date)
        found: str | int
        if self.how.format in ("epoch", "epoch_ms"):
            found = int(instant.timestamp()) * (1_000 if self.how.format == "epoch_ms" else 1)
        elif self.how.format == "iso8601":
            found = written(instant)
        else:
            found = f"{instant:{'%Y-%m-%d' if self.how.format == 'date' else self.how.format}}"
        return found > asked if self.world.is_strict else found >= asked  # type: ignore[operator] # of one type


class TestChangingYears(ChangingYears.TestCase):  # type: ignore[misc,valid-type] # hypothesis makes it
    """The machine, as a test."""

    pytestmark = pytest.mark.timeout(6 * 3600)
    settings = settings(
        max_examples=YEARS,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )

"""Requesting only what changed: how an API is asked for it, whether a run may, and since when. Pure.

What a run decides follows from its settings and from the facts of the last committed crawl (`SyncState`). Merging what
came into the raw table belongs in `processing/landing/upsert.py`; committing it, in `storage/versions/`.
"""

import hashlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from customer_assets.api.paging import Pages
from customer_assets.api.paging.base import Parameter, Params, Place
from customer_assets.api.paging.instants import FORMATS, Duration, InstantFormat, resolution, write_instant
from customer_assets.api.runner.stats import CrawlStats
from customer_assets.core.configuration import SettingError, Settings
from customer_assets.core.models import CrawlSummary, SyncState, UpsertSummary
from customer_assets.core.paths import PathText

CLOCKS_DIFFER = timedelta(days=1)
"""Clocks can be a time zone apart where one is set wrong. A last full crawl further ahead means one was set back."""

SCHEDULE_SLACK = 0.02
"""A scheduled run never begins to the second: a daily run must not find its week 2 seconds short, and wait a day."""

MOST_REJECTED = 0.05
"""What the gate allows by default. Records that were rejected because the API was broken are not requested again."""

CLOCK_SET_BACK = "the server's clock was set back"
FILTER_FAILED = (
    "the API shows no change, not even the last one known; if that happens often, check the parameter, field and "
    "format of incremental"
)

MOST_DELETED = 0.1
"""If the API lists more of the customers as deleted, a full crawl shows whether they are gone."""

SINCE = "{since}"


class DeletionList(Settings):
    """Where the API lists who was deleted, apart from its customers. What is left out is set as for the customers."""

    path: str = Field(pattern="^/", description="Where it is, below the base URL, such as /customers/deleted.")
    params: Params = Field(default={}, description="Its fixed query parameters.")
    parameter: Parameter | None = Field(default=None, description="The parameter that takes the instant.")
    pages: Pages | None = Field(default=None, description="How its pages follow each other.")
    records: str | None = Field(default=None, description="Where a response holds the deleted customers.")
    id: PathText | None = Field(default=None, description="Where each of them holds the customer's id.")


class Incremental(Settings):
    """How the API is asked for what changed since an instant, and how often everything is read all the same."""

    parameter: Parameter | None = Field(
        default=None, description="The parameter that takes the instant, such as updated_after."
    )
    header: str | None = Field(
        default=None, min_length=1, description="The header that takes it instead, such as If-Modified-Since."
    )
    params: Params = Field(
        default={}, description="Further query parameters of these requests, such as {sort: updated}."
    )
    field: PathText | None = Field(
        default=None,
        description="Where a record says when it last changed, such as updated_at. The newer of two records is kept; "
        "empty: the one that came later.",
    )
    format: InstantFormat = Field(
        default="iso8601",
        description=f"How the instant is written: {', '.join(FORMATS)}, or like %Y-%m-%d %H:%M:%S; always in UTC.",
    )
    template: str = Field(
        default=SINCE, description=f"The parameter's whole value, with {SINCE} for the instant: updated_at:>={SINCE}."
    )
    send_in: Place | None = Field(
        default=None,
        description="Where the parameter goes: query, body, or an object in it. Empty: where the pages' parameters go.",
    )
    deleted: DeletionList | None = Field(
        default=None, description="The list of deleted customers: {path, params, parameter, pages, records, id}."
    )
    lookback: Duration = Field(
        default=timedelta(minutes=10),
        description="How far before the last crawl's start to ask, for records that an API shows late.",
    )
    full_every: Duration = Field(
        default=timedelta(days=7), description="How often everything is read: only that finds hidden deletions."
    )

    @field_validator("template")
    @classmethod
    def validate_template(cls, text: str) -> str:
        """Refuse a template without a place for the instant."""
        if SINCE not in text:
            raise SettingError(f"{text!r} has no {SINCE}", f"Write {SINCE} where the instant goes.")
        return text

    @model_validator(mode="after")
    def validate_together(self) -> Self:
        """Refuse what asks for nothing, and what asks twice."""
        if (self.parameter is None) == (self.header is None):
            raise SettingError("name one of parameter and header", "The API says which.", field="parameter")
        if self.full_every < timedelta(hours=1):
            raise SettingError("it is shorter than an hour", "Leave incremental out instead.", field="full_every")
        return self

    def value(self, since: datetime) -> str | int:
        """Write an instant as the API wants it, rounded down.

        It is one unit earlier (a second, or what the format can express), so that nothing is lost where the API
        compares with `>` and not with `>=`.
        """
        found = write_instant(since - resolution(self.format), self.format)
        return found if self.template == SINCE else self.template.replace(SINCE, str(found))

    def for_deletions(self) -> Self:
        """Return how the list of deleted customers is asked."""
        parameter = self.deleted.parameter if self.deleted else None
        its_own = {} if parameter is None else {"parameter": parameter, "header": None, "template": SINCE}
        return self.model_copy(update={**its_own, "params": {}, "send_in": "query"})

    def request(self, since: datetime, parts: Mapping[str, Any], send_in: str) -> dict[str, Any]:
        """Return the fixed `params`, `headers` and `body` of requests for what changed since an instant.

        Args:
            since: The instant.
            parts: The three as they are for everything.
            send_in: Where the pages' parameters go.
        """
        value, place = self.value(since), self.send_in or send_in
        params, headers, body = {**parts["params"], **self.params}, dict(parts["headers"]), deepcopy(parts["body"])
        if self.header is not None:
            headers = {name: text for name, text in headers.items() if name.lower() != self.header.lower()}
            headers[self.header] = str(value)
        elif place == "query":
            params[str(self.parameter)] = str(value)
        else:
            inner = body
            for step in place.split(".")[1:]:
                inner = inner.setdefault(step, {})
            inner[str(self.parameter)] = value
        return {"params": params, "headers": headers, "body": body}


@dataclass(frozen=True, slots=True)
class CrawlPlan:
    """What a run requests.

    Attributes:
        settings: How only changes are requested; None: every run of this sync reads everything.
        since: Request what changed since then; None: everything.
        reason: Why everything is requested although only changes could be; empty otherwise.
        inputs: Hashes of what the raw table's rows depend on.
        oldest_page: How old a page from the page store can be.
        last: What the last crawl noted, if only changes are requested.
    """

    settings: Incremental | None = None
    since: datetime | None = None
    reason: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    oldest_page: timedelta = timedelta()
    last: SyncState | None = None

    def as_full(self, reason: str) -> "CrawlPlan":
        """Return a plan that requests everything, for a reason that showed later."""
        return replace(self, since=None, reason=reason, last=None)


EVERYTHING = CrawlPlan()
"""The plan of a sync whose every run reads everything."""


def hash_inputs(inputs: Mapping[str, object]) -> dict[str, str]:
    """Hash each of the things that the raw table's rows depend on."""
    return {name: hashlib.sha256(repr(value).encode()).hexdigest()[:16] for name, value in inputs.items()}


def plan_crawl(
    settings: Incremental | None,
    last: CrawlSummary | None,
    inputs: Mapping[str, object],
    now: datetime,
    *,
    full_refresh: bool = False,
    oldest_page: timedelta = timedelta(),
) -> CrawlPlan:
    """Decide whether a run requests everything, or only what changed.

    Args:
        settings: How only changes are requested; None: they are not.
        last: What the last committed crawl noted; None: there was none, or it cannot be read.
        inputs: What the rows depend on.
        now: The current instant, by this machine's clock.
        full_refresh: Whether everything is asked for by hand.
        oldest_page: How old a page from the page store can be.
    """
    if settings is None:
        return EVERYTHING
    plan = CrawlPlan(settings, None, "", hash_inputs(inputs), oldest_page)
    if full_refresh:
        return plan.as_full("full_refresh is set")
    if last is None or last.sync is None:
        return plan.as_full("there is no earlier crawl to continue from")
    reason = _why_full(plan, settings, last.sync, now, last.missing_customers)
    return plan.as_full(reason) if reason else replace(plan, since=last.sync.watermark, last=last.sync)


def _why_full(plan: CrawlPlan, settings: Incremental, last: SyncState, now: datetime, missing_customers: int) -> str:
    """Why everything has to be requested; empty: it has not."""
    changed = sorted(name for name in {**last.inputs, **plan.inputs} if last.inputs.get(name) != plan.inputs.get(name))
    if changed:
        return f"changed since the last crawl: {', '.join(changed)}"
    if not last.customers:  # nothing would come again that shows whether the filter works
        return "no customer is known yet"
    if last.upsert is not None and (reason := _why_doubted(last.upsert, missing_customers)):
        return reason
    if last.full_at - now > CLOCKS_DIFFER:
        return "the clock was set back: the last full crawl lies ahead"
    if now - last.full_at >= settings.full_every * (1 - SCHEDULE_SLACK):
        return f"the last full crawl began at {last.full_at:%Y-%m-%d %H:%M} UTC"
    return ""


def _why_doubted(upsert: UpsertSummary, missing_customers: int) -> str:
    """Why the last incremental crawl is doubted; empty: it is not. What it did not bring is not requested again."""
    if missing_customers > 0:
        return f"after the last incremental crawl {missing_customers} customers were missing"
    if upsert.lost:
        return f"the records that came last lack {', '.join(sorted(upsert.lost))}"
    if upsert.deleted > MOST_DELETED * upsert.before:
        return f"the API listed {upsert.deleted} customers as deleted last time"
    if upsert.rejected_share > MOST_REJECTED:
        return f"of the records that came last, {upsert.rejected} were rejected"
    return ""


def why_unreliable(plan: CrawlPlan, figures: CrawlStats, shows_changes: Callable[[datetime], bool]) -> str:
    """Why an incremental crawl cannot have brought all changes, so that everything must be read; empty: it can.

    Args:
        plan: What it requested.
        figures: What it did.
        shows_changes: Requests what changed since an instant, and returns whether anything came. Called only if nothing
            came since the instant of the plan: the record that changed last must come if the filter works.
    """
    if plan.last is None:
        return ""
    if _began_at(figures) < plan.last.watermark:  # later changes can bear earlier dates
        return CLOCK_SET_BACK
    if plan.last.newest is not None and not figures.records and not shows_changes(plan.last.newest):
        return FILTER_FAILED
    return ""


def next_state(
    plan: CrawlPlan,
    figures: CrawlStats,
    *,
    customers: int,
    content: str,
    salt: str = "",
    newest: datetime | None = None,
    last: SyncState | None = None,
    upsert: UpsertSummary | None = None,
) -> SyncState:
    """Note what the next run must know.

    The watermark is when this crawl began, by the server's clock, less the lookback. It is not the newest record's
    instant: records can be committed later than others, with an earlier instant.

    Args:
        plan: What this crawl requested.
        figures: What it did.
        customers: Distinct customers in the raw table.
        content: The hash of its rows.
        salt: What else the data depends on.
        newest: When the record that changed last did, of those that came; None: they are not dated.
        last: What an incremental crawl began with; None: everything was read.
        upsert: What it did.
    """
    began_at = _began_at(figures)
    # An earlier attempt's pages do not know of what changed since they were read.
    read_from = began_at - plan.oldest_page if figures.pages_from_store else began_at
    watermark = read_from - (plan.settings.lookback if plan.settings else timedelta())
    if last is not None:  # the clock can have been set back by less than the lookback
        watermark = max(watermark, last.watermark)
        newest = max(filter(None, (newest, last.newest)), default=None)
    return SyncState(
        watermark=watermark,
        began_at=began_at,
        full_at=began_at if last is None else last.full_at,
        inputs=dict(plan.inputs),
        customers=customers,
        content=content,
        salt=salt if last is None else last.salt,
        newest=newest,
        upsert=upsert,
    )


def _began_at(figures: CrawlStats) -> datetime:
    return figures.began_at or datetime.fromtimestamp(0, UTC)

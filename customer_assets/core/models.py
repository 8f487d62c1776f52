"""The data's contracts: one model for each stage a customer passes, and what is noted about a run. No rules, no I/O.

Fields are defined in `fields.py`; what an API's record looks like belongs in `record_mapping.py`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, create_model

from customer_assets.core.fields import CLEAN_FIELDS, Kind, names_of
from customer_assets.core.fields import Field as FieldDefinition
from customer_assets.core.json_values import LARGEST_INTEGER, LONGEST_TEXT_ID, SMALLEST_INTEGER
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping

SIMULATOR = "embedded simulator"
"""The source of customers who are not real."""


@dataclass(frozen=True, slots=True)
class Page:
    """One validated page of customers, as the API sent it.

    Attributes:
        number: The page's number, from 1.
            Where pages are requested by offset, it is the position of the page's first record, from 1.
        per_page: Records on a full page, as the answer says (servers clamp it); None: it does not say.
        total: Customers in all, according to this answer; None: it does not say.
        total_pages: Pages in all, according to this answer; None: it does not say.
        record_count: Records in `data`.
        data: The page's records: a JSON array, UTF-8, byte for byte as it came.
        next_cursor: What the request for the next page carries (a cursor, an id, an address), where only this page can
            say so; None: no page follows, or its request needs no cursor.
        has_more: Whether more pages follow, according to this answer; None: it does not say.
        digest: SHA-256 of number and data; zero for an empty page, since how many of those are requested beyond the end
            is chance. Computed with the page, on whatever thread reads it: hashing releases the interpreter, which the
            crawl's own thread would then wait for.
    """

    number: int
    per_page: int | None
    total: int | None
    total_pages: int | None
    record_count: int
    data: bytes = field(repr=False)
    next_cursor: str | None = field(default=None, repr=False)
    has_more: bool | None = None
    digest: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash the data."""
        hashed = hashlib.sha256(b"%d:" % self.number)
        hashed.update(self.data)
        object.__setattr__(self, "digest", hashed.digest() if self.record_count else bytes(hashed.digest_size))


class Repetition(NamedTuple):
    """How customers repeat over the pages of a crawl."""

    pages: tuple[int, ...]
    """Pages with a customer that a later page brought, too; some of them, evenly spread, if there are many."""
    whole_pages: int
    """Pages of two customers or more that brought exactly the customers of another page."""

    @classmethod
    def of(cls, pages: Sequence[int], whole_pages: int, most: int) -> "Repetition":
        """Name no more than so many of the pages."""
        chosen = pages if len(pages) <= most else [pages[len(pages) * each // most] for each in range(most)]
        return cls(tuple(chosen), whole_pages)


class _CleanCustomer(BaseModel):
    """One customer, fit for analytics. One per `customer_id`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def clean_customer_model(fields: Sequence[FieldDefinition]) -> type[BaseModel]:
    """Make the model of a clean customer with these fields, each of its kind or among its values."""
    described: dict[str, Any] = {}
    for place, each in enumerate(fields):
        # A field of the user's own may have a name that pydantic's models need themselves, such as `schema`.
        attribute = each.name if each.name in names_of(CLEAN_FIELDS) else f"extra_{place}"
        described[attribute] = (_clean_type(each), Field(alias=each.name, description=each.description))
    return create_model("CleanCustomer", __base__=_CleanCustomer, __doc__=_CleanCustomer.__doc__, **described)


def _clean_type(clean: FieldDefinition) -> Any:  # noqa: ANN401 - a type
    if clean.values:
        return Literal[clean.values]
    if clean.name == "data_quality_score":
        return Annotated[int, Field(ge=0, le=100)]
    if clean.kind is Kind.INTEGER:
        kind: Any = Annotated[int, Field(ge=SMALLEST_INTEGER, le=LARGEST_INTEGER)]
    elif clean.kind in (Kind.NUMBER, Kind.SCORE):
        kind = FiniteFloat
    elif clean.kind is Kind.BOOLEAN:
        kind = bool
    elif clean.kind is Kind.INSTANT:
        kind = AwareDatetime
    else:
        kind = Annotated[str, Field(min_length=1)]
    return kind if clean.name in names_of(CLEAN_FIELDS) else kind | None


CleanCustomer = clean_customer_model(CLEAN_FIELDS)
"""A clean customer of the default mapping."""

REJECTIONS: Mapping[str, str] = {
    "id_missing": "The record has no id.",
    "id_not_an_integer": "The id is neither an integer nor a string of digits. If ids are text, set id_type: text.",
    "id_out_of_range": "The id does not fit 64 bits. If ids are text, set id_type: text.",
    "id_not_text": "The id is neither text nor an integer, or holds a control character.",
    "id_too_long": f"The id has more than {LONGEST_TEXT_ID} characters.",
    "not_an_object": "The record is not an object.",
    "unreadable": "The record is not JSON, or nested too deep.",
    "record_too_large": "The record exceeds 1 MiB.",
}
"""Why a record is rejected, by the reason's code."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """One record that could not be landed, kept with its reason.

    Attributes:
        page: The page it came on.
        position: Its index on that page, from 0.
        reason_code: A stable code, such as `id_missing`.
        reason: The same as a sentence, without the record's content.
        record: The record as it came, as JSON text.
    """

    page: int
    position: int
    reason_code: str
    reason: str
    record: str = field(repr=False)


ENOUGH_TO_JUDGE = 100
"""Fewest records of an incremental crawl that are judged on their own: of fewer, one odd record is a large share."""


class UpsertSummary(BaseModel):
    """What an incremental crawl did to the raw table, in rows. No personal data."""

    model_config = ConfigDict(frozen=True)

    before: Annotated[int, Field(ge=0, description="Rows of the raw table that the crawl began with.")]
    received: Annotated[int, Field(ge=0, description="Records with a usable id that the API handed over.")]
    repeated: Annotated[int, Field(ge=0, description="Of these, older records of a customer that came twice.")]
    stale: Annotated[int, Field(ge=0, description="Of these, records older than the stored one, which was kept.")]
    unchanged: Annotated[int, Field(ge=0, description="Of these, records that equal the stored one.")]
    replaced: Annotated[int, Field(ge=0, description="Of these, records that replaced the customer's rows.")]
    added: Annotated[int, Field(ge=0, description="Of these, records of customers that were not there.")]
    removed: Annotated[
        int, Field(ge=0, description="Rows that replacing records took the place of, and rows of deleted customers.")
    ]
    deleted: Annotated[int, Field(ge=0, description="Customers who were there, and are listed as deleted.")] = 0
    early: Annotated[
        int, Field(ge=0, description="Records that changed long before what was asked for, and came all the same.")
    ] = 0
    rejected: Annotated[int, Field(ge=0, description="Records without a usable id that came besides.")] = 0
    lost: Annotated[
        dict[str, float],
        Field(description="Share of those received that lack a field which most stored records have; nearly all do."),
    ] = {}

    @property
    def kept(self) -> int:
        """Rows that stayed as they were."""
        return self.before - self.removed

    @property
    def after(self) -> int:
        """Rows that there must be now."""
        return self.kept + self.replaced + self.added

    @property
    def is_unfiltered(self) -> bool:
        """Whether the API seems to have ignored what it was asked for; False if too few records came to judge."""
        return self.received >= ENOUGH_TO_JUDGE and 2 * self.early > self.received

    @property
    def rejected_share(self) -> float:
        """Rejected records among those that came; 0 if too few came to judge."""
        came = self.received + self.rejected
        return self.rejected / came if came >= ENOUGH_TO_JUDGE else 0.0

    @property
    def adds_up(self) -> bool:
        """Whether each record that came is accounted for, and so is each row that was there."""
        came = self.repeated + self.stale + self.unchanged + self.replaced + self.added
        return came == self.received and self.replaced + self.deleted <= self.removed <= self.before


class SyncState(BaseModel):
    """What a run must know of the one before to request only what changed since. Committed with the raw table."""

    model_config = ConfigDict(frozen=True)

    watermark: Annotated[AwareDatetime, Field(description="The next run requests what changed since this instant.")]
    began_at: Annotated[AwareDatetime, Field(description="When the crawl began, by the server's clock.")]
    full_at: Annotated[AwareDatetime, Field(description="The same of the last crawl that read everything.")]
    inputs: Annotated[
        dict[str, str], Field(description="Hashes of what the rows depend on; another one means a full crawl.")
    ]
    customers: Annotated[int, Field(ge=0, description="Distinct customers in the raw table.")]
    content: Annotated[str, Field(description="Hash of the raw table's rows, whatever their order and pages.")]
    salt: Annotated[
        str, Field(description="What else the data depends on: the pages' hash, if a customer has several rows.")
    ] = ""
    newest: Annotated[
        AwareDatetime | None, Field(description="When the record that changed last did; null: records are not dated.")
    ] = None
    upsert: Annotated[UpsertSummary | None, Field(description="Null: everything was read.")] = None


class CrawlSummary(BaseModel):
    """The facts about a crawl that the raw table's rows cannot show, kept beside it. No personal data."""

    model_config = ConfigDict(frozen=True)

    number: Annotated[int, Field(ge=0, description="Orders crawls: one that began later has a larger number.")] = 0
    fingerprint: Annotated[str, Field(description="Hash of the pages read, whatever their order.")]
    landed: Annotated[int, Field(ge=0, description="Records that the API handed over.")]
    rejected: Annotated[int, Field(ge=0, description="Of these, the quarantined ones.")]
    rejected_by_reason: Annotated[
        dict[str, int], Field(description="The same by reason, the most frequent first.")
    ] = {}
    mapping: Annotated[RecordMapping, Field(description="How the records were read.")] = DEFAULT_RECORD
    source: Annotated[str, Field(description="Where they come from: the API's host, or `SIMULATOR`; no secret.")] = ""
    absent_paths: Annotated[
        dict[str, str], Field(description="Paths of the mapping that no record of a page has, by field.")
    ] = {}
    keys: Annotated[tuple[str, ...], Field(description="The keys that at least half of that page's records have.")] = ()
    total: Annotated[
        int | None, Field(ge=0, description="Customers in all, by the API's last answer; null: it does not count them.")
    ]
    total_is_of_all: Annotated[
        bool, Field(description="False: an incremental crawl's total counts the changed customers only.")
    ] = True
    missing_customers: Annotated[int, Field(description="Customers that the API counts and did not hand over.")]
    moved_s: Annotated[
        float,
        Field(ge=0, description="Seconds over which customers moved while pages were read, if unsettled."),
    ] = 0.0
    source_duplicates: Annotated[int, Field(description="Records that repeat a customer at the source itself.")] = 0
    sync: Annotated[
        SyncState | None, Field(description="What the next run must know; null: every run reads everything.")
    ] = None
    pages: int = 0
    requests: int = 0
    retries: int = 0
    throttles: int = 0
    duration_s: float = 0.0


class SegmentChanges(BaseModel):
    """What changed among the customers with one value of a business field."""

    model_config = ConfigDict(frozen=True)

    added: Annotated[int, Field(ge=0, description="Customers added with this value.")] = 0
    changed: Annotated[int, Field(ge=0, description="Changed customers who have this value now.")] = 0
    gone: Annotated[int, Field(ge=0, description="Customers who had this value and are gone.")] = 0


class Changes(BaseModel):
    """Differences between the clean customers and the last published export, matched by customer id."""

    model_config = ConfigDict(frozen=True)

    since: Annotated[str, Field(description="When that export was published; UTC, ISO 8601 with `Z`.")]
    added: Annotated[int, Field(ge=0, description="Customers that were not in it.")]
    changed: Annotated[int, Field(ge=0, description="Customers that were, and differ in any field.")]
    gone: Annotated[int, Field(ge=0, description="Customers that were in it and no longer exist.")]
    unchanged: Annotated[int, Field(ge=0, description="Customers that were in it exactly as they are now.")]
    by_segment: Annotated[
        dict[str, dict[str, SegmentChanges]],
        Field(description="The same by business field and value; only fields whose vocabulary is known."),
    ] = {}


class CleaningSummary(BaseModel):
    """The facts about cleaning that the clean customers' rows cannot show, kept beside them. No personal data."""

    model_config = ConfigDict(frozen=True)

    as_of: Annotated[str, Field(description="The instant from which activity was judged; ISO 8601.")]
    records: Annotated[int, Field(ge=0, description="Records with a usable id, duplicates included.")]
    defects: Annotated[dict[str, int], Field(description="Of these, how many have a defect, by field.")]
    generated: Annotated[
        dict[str, int],
        Field(description="Of these, how many have a generated value, by field."),
    ] = {}
    unsent: Annotated[
        dict[str, int],
        Field(description="Of these, how many lack a field that need not be there, by field."),
    ] = {}
    respelled_ids: Annotated[int, Field(ge=0, description="Ids written in more than one way, such as 7 and 007.")] = 0
    changes: Annotated[Changes | None, Field(description="Null before anything was published.")] = None
    customers: Annotated[int, Field(ge=0, description="How many an export of them holds; 0 until there is one.")] = 0
    formats: Annotated[tuple[str, ...], Field(description="The formats that they were published in.")] = ()
    crawl: Annotated[CrawlSummary, Field(description="The crawl they were made from.")]

    @property
    def mapping(self) -> RecordMapping:
        """How the records were read."""
        return self.crawl.mapping

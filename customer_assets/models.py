"""The vocabulary of the data: one model per stage a customer passes, from the API's page to the export.

Pydantic models state the contracts and check single records; frames of the same columns carry the bulk.
"""

import hashlib
import math
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

UNKNOWN = "unknown"

EngagementLevel = Literal["high", "medium", "low", "unknown"]
ActivityStatus = Literal["active", "inactive", "unknown"]
AcquisitionChannel = Literal["website", "mobile_app", "email_campaign"]
MarketSegment = Literal["US-West", "US-East", "EU-Central", "APAC"]
CustomerTier = Literal["basic", "premium", "enterprise"]
QualityBand = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Page:
    """One validated page of customers, as the API sent it.

    Attributes:
        number: The page's number, from 1.
        per_page: TableVersions on a full page, by the answer's own word (servers clamp it).
        total: Customers in all, by this answer.
        total_pages: Pages in all, by this answer.
        record_count: TableVersions in `data`.
        data: The page's records: a JSON array, UTF-8, byte for byte as it came.
        digest: SHA-256 of number and data. Made with the page, on whatever thread that is: hashing lets go of the
            interpreter, and the crawl's own thread would wait its turn to get it back.
    """

    number: int
    per_page: int
    total: int
    total_pages: int
    record_count: int
    data: bytes = field(repr=False)
    digest: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash the data."""
        hashed = hashlib.sha256(b"%d:" % self.number)
        hashed.update(self.data)
        object.__setattr__(self, "digest", hashed.digest())


SMALLEST_ID, LARGEST_ID = -(2**63), 2**63 - 1
"""An id fits 64 bits on every engine."""

_DIGITS = re.compile("[0-9]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _parse_id(value: object) -> int:
    """Take an integer or a string of ASCII digits: `7` → 7, `" 007 "` → 7; `True`, `7.0`, `"-7"` are none."""
    text = canonical_text(value)
    if value is None or (isinstance(value, str) and text is None):
        raise PydanticCustomError("id_missing", "The record has no id.")
    if text is not None and _DIGITS.fullmatch(text):
        digits = text.lstrip("0") or "0"
        value = int(digits) if len(digits) <= len(str(LARGEST_ID)) else LARGEST_ID + 1
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError("id_not_an_integer", "The id is neither an integer nor a string of digits.")
    if not SMALLEST_ID <= value <= LARGEST_ID:
        raise PydanticCustomError("id_out_of_range", "The id does not fit 64 bits.")
    return value


def parse_id(value: object) -> int | None:
    """Take an id as a customer's record may have it: `7` → 7, `"007"` → 7; anything unusable → None."""
    try:
        return _parse_id(value)
    except PydanticCustomError:
        return None


def canonical_text(value: object) -> str | None:
    r"""Trim, collapse each run of white space to one space, compose to NFC; blank or not text → None.

    White space is what `str.isspace` says: Unicode's White_Space and U+001C..U+001F. Zero-width characters are
    none: they carry meaning in Persian names and in emoji. A lone surrogate, which no UTF-8 file can hold,
    becomes U+FFFD. `"  Ada \n Maria "` → `"Ada Maria"`.
    """
    if not isinstance(value, str):
        return None
    if _SURROGATE.search(value):
        value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return " ".join(unicodedata.normalize("NFC", value).split()) or None


def canonical_email(value: object) -> str | None:
    """Canonical text, the domain in lower case: `" Ada@X.ORG "` → `"Ada@x.org"`.

    Done once, here, since engines disagree on the lower case of İ, Σ and of letters newer than they are.
    """
    text = canonical_text(value)
    if text is None or "@" not in text:
        return text
    local, at, domain = text.rpartition("@")
    return unicodedata.normalize("NFC", f"{local}{at}{domain.lower()}")


def finite_number(value: object) -> float | None:
    """Take an integer or a float; NaN, ±inf, a boolean, text and what no float can hold → None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


Text = Annotated[str | None, BeforeValidator(canonical_text)]


class RawCustomer(BaseModel):
    """One customer as landed: trimmed, NFC, blank text missing, wrong types missing.

    `model_fields_set` tells a field that was absent from one that was null.
    """

    model_config = ConfigDict(frozen=True)

    id: Annotated[
        int,
        BeforeValidator(_parse_id),
        Field(ge=SMALLEST_ID, le=LARGEST_ID, description="The customer's id in the API."),
    ]
    email: Annotated[str | None, BeforeValidator(canonical_email)] = None
    first_name: Text = None
    last_name: Text = None
    avatar: Text = None
    engagement_score: Annotated[float | None, BeforeValidator(finite_number)] = None
    last_active_at: Annotated[Text, Field(description="ISO 8601; without an offset: UTC.")] = None


class CleanCustomer(BaseModel):
    """One customer, fit for analytics. One per `customer_id`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer_id: Annotated[int, Field(ge=SMALLEST_ID, le=LARGEST_ID, description="The customer's id in the API.")]
    full_name: Annotated[str, Field(min_length=1, description="First and last name; `unknown` if both are missing.")]
    email_domain: Annotated[str, Field(min_length=1, description="Lower-case domain; `unknown` if malformed.")]
    engagement_level: EngagementLevel
    activity_status: ActivityStatus
    acquisition_channel: AcquisitionChannel
    market_segment: MarketSegment
    customer_tier: CustomerTier
    data_quality_score: Annotated[int, Field(ge=0, le=100, description="100 less 10 for each defect.")]


class ExportedCustomer(CleanCustomer):
    """One customer as published, its id written `cust_001`."""

    customer_id: Annotated[str, Field(pattern=r"^cust_-?\d{3,}$")]  # type: ignore[assignment]


class DataQualitySummary(BaseModel):
    """Customers by quality band: high from 90, medium from 70, low below."""

    high_quality: int
    medium_quality: int
    low_quality: int


class ExportMetadata(BaseModel):
    """What heads an export."""

    total_customers: int
    export_timestamp: Annotated[str, Field(description="UTC, ISO 8601 with `Z`, whole seconds.")]
    data_quality_summary: DataQualitySummary


class CustomerExport(BaseModel):
    """The published document."""

    metadata: ExportMetadata
    customers: list[ExportedCustomer]


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


class CrawlSummary(BaseModel):
    """What a crawl brought, kept beside the raw lake: what the rows alone cannot tell. No personal data."""

    model_config = ConfigDict(frozen=True)

    fingerprint: Annotated[str, Field(description="Hash of the pages read, whatever their order.")]
    landed: Annotated[int, Field(ge=0, description="TableVersions that the API handed over.")]
    rejected: Annotated[int, Field(ge=0, description="Of these, the quarantined ones.")]
    rejected_by_reason: Annotated[
        dict[str, int], Field(description="The same by reason, the most frequent first.")
    ] = {}
    total: Annotated[int, Field(ge=0, description="Customers in all, by the API's last answer.")]
    missing_customers: Annotated[int, Field(description="Customers that the API counts and did not hand over.")]
    source_duplicates: Annotated[
        int, Field(description="TableVersions that repeat a customer at the source itself.")
    ] = 0
    pages: int = 0
    requests: int = 0
    retries: int = 0
    throttles: int = 0
    duration_s: float = 0.0


class Changes(BaseModel):
    """What is another in the clean customers than in the export that was published last, by customer id."""

    model_config = ConfigDict(frozen=True)

    since: Annotated[str, Field(description="When that export was published; UTC, ISO 8601 with `Z`.")]
    added: Annotated[int, Field(ge=0, description="Customers that were not in it.")]
    changed: Annotated[int, Field(ge=0, description="Customers that were, with another value in any field.")]
    gone: Annotated[int, Field(ge=0, description="Customers that were in it and are no more.")]
    unchanged: Annotated[int, Field(ge=0, description="Customers that were in it just as they are.")]


class CleaningSummary(BaseModel):
    """What cleaning found, kept beside the clean customers: what their rows do not tell. No personal data."""

    model_config = ConfigDict(frozen=True)

    as_of: Annotated[str, Field(description="The instant from which activity was judged; ISO 8601.")]
    records: Annotated[int, Field(ge=0, description="TableVersions with a usable id, duplicates included.")]
    defects: Annotated[dict[str, int], Field(description="Of these, how many have a defect, by field.")]
    changes: Annotated[Changes | None, Field(description="Null before anything was published.")] = None
    fingerprint: Annotated[
        str | None, Field(description="That of the crawl they were made from; null: not on record.")
    ] = None

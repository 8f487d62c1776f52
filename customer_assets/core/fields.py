"""THE field table: every field of a customer, at each stage, defined once.

Landing types, Arrow schemas, mapping keys, column descriptions and tags, defect counts, lineage and the export follow
from it. Add a field here, its source in `record_mapping.RecordMapping`, and its rule in `processing/rules.py`. What a
value of each kind looks like belongs in `json_values.py` and `processing/landing/`, not here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

UNKNOWN = "unknown"
"""What a clean field says where the API said nothing usable."""


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    EMAIL = "email"
    CATEGORY = "category"
    """Text of a vocabulary; numbers and booleans are accepted and written as text: `1` → `1`, `true` → `true`."""
    NUMBER = "number"
    """A finite number, or text that spells one: shops write amounts as `"199.65"`."""
    SCORE = "score"
    """A finite number; text is not one."""
    INTEGER = "integer"
    """64 bits, or text that spells such an integer."""
    BOOLEAN = "boolean"
    INSTANT = "instant"


class Expected(StrEnum):
    """When a missing or unusable value costs points."""

    ALWAYS = "always"
    IF_SENT = "if_sent"
    """Only where the API sent the key: a record without it has nothing to judge by."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a customer.

    Attributes:
        name: Its column.
        kind: What it holds.
        description: What people read about it, in the catalogue.
        pii: Whether it is personal data.
        expected: When a missing value costs points, if the mapping does not say otherwise. Raw fields only.
        replaced_by: The raw field that, once mapped, makes this one unnecessary.
        values: Its whole vocabulary; empty: any value.
    """

    name: str
    kind: Kind
    description: str
    pii: bool = False
    expected: Expected = Expected.NEVER
    replaced_by: str = ""
    values: tuple[str, ...] = ()


_TRIMMED = "As the API sent it, trimmed; null if missing."

RAW_FIELDS = (
    Field("email", Kind.EMAIL, _TRIMMED, pii=True, expected=Expected.ALWAYS),
    Field("first_name", Kind.TEXT, _TRIMMED, pii=True, expected=Expected.ALWAYS, replaced_by="full_name"),
    Field("last_name", Kind.TEXT, _TRIMMED, pii=True, expected=Expected.ALWAYS, replaced_by="full_name"),
    Field(
        "avatar", Kind.TEXT, "Address of the customer's picture; null if missing.", pii=True, expected=Expected.ALWAYS
    ),
    Field("full_name", Kind.TEXT, "First and last name in one field; null if missing.", pii=True),
    Field(
        "engagement_score",
        Kind.SCORE,
        "From 0 to 1 once scaled; null if missing or not a number.",
        expected=Expected.IF_SENT,
        replaced_by="engagement_level",
    ),
    Field(
        "last_active_at",
        Kind.INSTANT,
        "Instant of the last activity, UTC; null if missing or not a date.",
        expected=Expected.IF_SENT,
        replaced_by="activity_status",
    ),
    Field("engagement_level", Kind.CATEGORY, "The API's own word for the customer's engagement."),
    Field("activity_status", Kind.CATEGORY, "The API's own word for the customer's status."),
    Field("acquisition_channel", Kind.CATEGORY, "The API's own word for the channel."),
    Field("market_segment", Kind.CATEGORY, "The API's own word for the segment."),
    Field("customer_tier", Kind.CATEGORY, "The API's own word for the tier, or the number that it follows from."),
)
"""What can be read from an API's record besides its id, in the raw table's order."""

CLEAN_FIELDS = (
    Field("customer_id", Kind.INTEGER, "The customer's id in the API; one row each."),
    Field(
        "full_name", Kind.TEXT, "First and last name with one space between; `unknown` if both are missing.", pii=True
    ),
    Field("email_domain", Kind.TEXT, "Lower-case ASCII domain of a well-formed address, else `unknown`."),
    Field(
        "engagement_level",
        Kind.CATEGORY,
        "high, medium, low or `unknown`; generated where the API has no score.",
        values=("high", "medium", "low", UNKNOWN),
    ),
    Field(
        "activity_status",
        Kind.CATEGORY,
        "active (within 90 days), inactive or `unknown`; generated where the API has no date.",
        values=("active", "inactive", UNKNOWN),
    ),
    Field(
        "acquisition_channel",
        Kind.CATEGORY,
        "website, mobile_app or email_campaign; generated.",
        values=("website", "mobile_app", "email_campaign", UNKNOWN),
    ),
    Field(
        "market_segment",
        Kind.CATEGORY,
        "US-West, US-East, EU-Central or APAC; generated.",
        values=("US-West", "US-East", "EU-Central", "APAC", UNKNOWN),
    ),
    Field(
        "customer_tier",
        Kind.CATEGORY,
        "basic, premium or enterprise; generated.",
        values=("basic", "premium", "enterprise", UNKNOWN),
    ),
    Field("data_quality_score", Kind.INTEGER, "100 less 10 for each expected field that is missing or unusable."),
)
"""A clean customer, in the export's order; the user's extra fields follow."""

RECORD_COLUMNS = {
    "page": "The page of the API the record came on, from 1.",
    "position": "The record's place on its page, from 0.",
    "id": "The customer's id in the API.",
    "id_spelling": "How the id was written: 0 as a number, 1 as text, and 1 more for each leading zero.",
    "id_hash": "CRC-32 of the id; generated values follow from it.",
    "record_updated_at": "When the record last changed, according to the API; the newest record of a customer is kept.",
    "excluded": "Whether the filter drops the record on purpose.",
    "email_domain": "Lower-case ASCII domain of a well-formed address, else null.",
    "engagement_score_supplied": "Whether the API has a score for this record at all.",
    "last_active_at_supplied": "Whether the API has a date for this record at all.",
}
"""The raw table's other columns: what we note about a record."""

BUSINESS_FIELDS = tuple(field.name for field in CLEAN_FIELDS if field.kind is Kind.CATEGORY)
"""The fields that are generated where the API has nothing to judge by."""


def names_of(fields: Sequence[Field]) -> tuple[str, ...]:
    """Return the fields' names, in order."""
    return tuple(field.name for field in fields)


def field_named(name: str, fields: Sequence[Field]) -> Field:
    """Return the field of this name. Raises KeyError if there is none."""
    for field in fields:
        if field.name == name:
            return field
    raise KeyError(name)

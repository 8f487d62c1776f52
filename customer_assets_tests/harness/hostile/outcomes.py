"""The only outcomes that a hostile input can have: accepted, retried, refused or quarantined."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from customer_assets.core.errors import CustomerAssetsError


@dataclass(frozen=True)
class Retried:
    """Its page is retried: sent once, all customers still arrive; sent always, the error names page and reason.

    Attributes:
        words: What the error must contain.
    """

    words: str


@dataclass(frozen=True)
class Late:
    """Retried as well, after a limit ended the response: one of size, or at the latest that of time."""

    words: str


@dataclass(frozen=True)
class Refused:
    """It ends the crawl at once, with an error of this class that contains these words."""

    error: type[CustomerAssetsError]
    words: str


@dataclass(frozen=True)
class Taken:
    """It is accepted like any other page: all customers arrive, and no request is repeated."""


@dataclass(frozen=True)
class Survived:
    """The libraries disagree whether it is a page or a failed request; all customers arrive either way."""


@dataclass(frozen=True)
class Waited:
    """All customers arrive, after a pause within these bounds."""

    at_least_s: float
    at_most_s: float


@dataclass(frozen=True)
class Landed:
    """The record becomes a row of the raw lake with these values."""

    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Quarantined:
    """The record is quarantined under this code, as it came, or as this text where it is not valid UTF-8."""

    code: str
    record: str | None = None


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Attributes:
        name: What it is, as a test's name.
        given: The response's bytes or script, the record's JSON, or a call that makes the mistake.
        outcome: What must become of it.
    """

    name: str
    given: Any
    outcome: Any

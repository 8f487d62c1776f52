"""What may become of a hostile input: taken, retried, refused, quarantined. Nothing else may."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from customer_assets.errors import CustomerAssetsError


@dataclass(frozen=True)
class Retried:
    """It costs its page's own retries: sent once, every customer comes; sent always, the error names page and reason.

    Attributes:
        words: What the error says of it.
    """

    words: str


@dataclass(frozen=True)
class Late:
    """The same of an answer that never ends, or does not in time: a limit ends it, at the latest that of the time."""

    words: str


@dataclass(frozen=True)
class Refused:
    """It ends the crawl at once, with an error of this kind that holds these words."""

    error: type[CustomerAssetsError]
    words: str


@dataclass(frozen=True)
class Taken:
    """It is a page as good as any other: all customers come, and no request is repeated."""


@dataclass(frozen=True)
class Survived:
    """Libraries read it differently: a page, or a failed request; all customers come either way."""


@dataclass(frozen=True)
class Waited:
    """All customers come, after a pause of so many seconds at least and at most."""

    at_least_s: float
    at_most_s: float


@dataclass(frozen=True)
class Landed:
    """The record is a row of the raw lake, with these values."""

    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Quarantined:
    """The record is in the quarantine under this code: as it came, or as this text where no UTF-8 holds it."""

    code: str
    record: str | None = None


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Attributes:
        name: Says what it is.
        given: The answer's bytes or script, the record's JSON, or a call that makes the mistake.
        outcome: What becomes of it.
    """

    name: str
    given: Any
    outcome: Any

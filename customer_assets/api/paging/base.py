"""The seam between the crawl and an API's way of paging. Pure.

A strategy answers two questions: what is the request for this page (`request`), and what does its response say about
the pages that follow and the total (`follow`)? To add one, write a class here beside its kind (`numbered.py`,
`chained.py`), name it in `__init__.py`, and give it tests and a line in the README. Which page is requested when is
the crawl's business; where a response holds its records and its total belongs in `responses/answer.py`.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from customer_assets.api.crawl.extent import Numbering
from customer_assets.core.configuration import SettingError, Settings
from customer_assets.core.paths import ABSENT, parse_path

HEADER = "header:"
"""Precedes the name of a header where a setting can name a header or a path into the body."""

NEGATIVE = frozenset({"", "0", "f", "false", "n", "no", "none", "null", "off"})
"""How APIs write a false flag, where they write it as text."""

_PARAMETER = re.compile(r"[^\s&=#?]+")
_SEND_IN = re.compile(r"query|body(\..+)?")


def validate_source(text: str) -> str:
    """Return what names a value of a response: a path, or `header:` and a header's name.

    Raises:
        ValueError: It is neither.
    """
    if text.startswith(HEADER):
        if not text.removeprefix(HEADER).strip():
            raise SettingError(f"{text!r} names no header", "Write it like header:X-Total-Count.")
        return text
    parse_path(text)
    return text


def _validate_flag(text: str) -> str:
    validate_source(text.removeprefix("!"))
    return text


def validate_parameter(name: str) -> str:
    """Return the name of a parameter.

    Raises:
        SettingError: It would break the query.
    """
    if not _PARAMETER.fullmatch(name):
        raise SettingError(f"{name!r} is not the name of a parameter", "Write it like page, or page[number].")
    return name


def _validate_place(place: str) -> str:
    if not _SEND_IN.fullmatch(place):
        raise SettingError(f"{place!r} is not a place in a request", "Write query, body, or body.variables.")
    return place


def _write_plain(value: object) -> object:
    """Write what YAML reads as a number or a date as it stood there; a number with a point can have lost a zero."""
    if type(value) is int:
        return str(value)
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value


def _write_dates(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return {key: _write_dates(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_write_dates(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


Plain = Annotated[str, BeforeValidator(_write_plain, json_schema_input_type=str | int)]
"""Text that a request carries."""

Params = dict[str, Plain | list[Plain]]
"""Fixed query parameters; a list repeats its parameter."""

Content = Annotated[dict[str, Any], BeforeValidator(_write_dates)]
"""A JSON body. YAML has dates, JSON does not: they are written as text."""

Source = Annotated[str, AfterValidator(validate_source)]
Flag = Annotated[str, AfterValidator(_validate_flag)]
Parameter = Annotated[str, AfterValidator(validate_parameter)]
Place = Annotated[str, AfterValidator(_validate_place)]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How the request for one page differs from the endpoint's.

    Attributes:
        parameters: What it adds to the query, or to the body.
        address: The path and query that replace the endpoint's; None: the endpoint's own.
        with_params: Whether the endpoint's fixed query parameters go along.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    address: str | None = None
    with_params: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What a strategy can know about a response.

    Attributes:
        number: The page that was requested.
        record_count: The records that came.
        url: The address that was requested.
        headers: Their names in lower case.
        value: Returns what a path into the body leads to; `ABSENT` if nothing is there.
        last_record: Returns the last record; `ABSENT` if there is none.
        total_pages: Pages in all, if the body says so.
    """

    number: int
    record_count: int
    url: str
    headers: Mapping[str, str]
    value: Callable[[str], object]
    last_record: Callable[[], object]
    total_pages: int | None = None

    def source(self, text: str) -> object:
        """What a path or a header's name leads to; `ABSENT` if nothing is there."""
        if text.startswith(HEADER):
            return self.headers.get(text.removeprefix(HEADER).strip().lower(), ABSENT)
        return self.value(text)


@dataclass(frozen=True, slots=True)
class Following:
    """What a response says about the pages that follow.

    Attributes:
        next_cursor: What the request for the next page carries, where only this page can say so.
        has_more: Whether there are more pages; None: it does not say.
        total_pages: Pages in all; None: it does not say.
    """

    next_cursor: str | None = None
    has_more: bool | None = None
    total_pages: int | None = None


class PagingError(Exception):
    """A response contradicts the way of paging that is configured.

    Attributes:
        problem: What is wrong, in a few words.
        remedy: What to set instead.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        """Keep both."""
        self.problem, self.remedy = problem, remedy
        super().__init__(problem)


class Paging(Settings):
    """A way of paging: the settings that every strategy has, and the two questions that it answers."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    numbering: ClassVar[Numbering]

    has_more: Flag | None = Field(
        default=None,
        description="Where a response says whether more pages follow, such as meta.has_more; "
        "!meta.done where it says the opposite.",
    )
    size_parameter: Parameter | None = Field(default=None, description="The parameter that asks for a page size.")
    size: int | None = Field(default=None, gt=0, description="Customers a page. Empty: the API's own default.")
    send_in: Place = Field(
        default="query", description="Where the parameters go: query, body, or an object in it: body.variables."
    )

    window: int | None = Field(
        default=None, gt=0, description="Customers that one listing holds at most, however many there are: 10000, say."
    )
    verify: bool = Field(
        default=False,
        description="Read all pages twice, to prove that nobody moved between them; for pages without a total.",
    )

    @abstractmethod
    def request(self, number: int, cursor: str | None) -> PageRequest:
        """The request for a page."""

    @abstractmethod
    def follow(self, answer: Answer) -> Following:
        """What a response says about the pages that follow.

        Raises:
            PagingError: It contradicts the configured way of paging.
        """

    def sources(self) -> tuple[str, ...]:
        """The paths into the body that `follow` looks at, so that a response is decoded no further."""
        return () if self.has_more is None else (self.has_more.removeprefix("!"),)

    def size_parameters(self) -> dict[str, str | int]:
        """The parameter that asks for the page size, if there is one."""
        return {} if self.size_parameter is None or self.size is None else {self.size_parameter: self.size}

    def more(self, answer: Answer) -> bool | None:
        """Whether more pages follow, as far as the response says so."""
        if self.has_more is None:
            return None
        value = answer.source(self.has_more.removeprefix("!"))
        if value is ABSENT:
            return None
        is_true = bool(value) and str(value).strip().lower() not in NEGATIVE
        return is_true is not self.has_more.startswith("!")

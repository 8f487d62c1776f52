"""Slices: a listing read as several, side by side, each over a range of creation times or ids. Pure.

How a range is requested, which ranges a crawl begins with and how one is split belong here; reading them belongs in
`runner/sliced.py`.
"""

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from customer_assets.api.paging.base import Parameter, Place
from customer_assets.api.paging.instants import (
    FORMATS,
    Duration,
    parse_duration,
    resolution,
    validate_format,
    write_instant,
)
from customer_assets.core.configuration import SettingError, Settings
from customer_assets.core.paths import ABSENT, PathText, follow, parse_path

AT = "{at}"

NUMBER = "number"
"""The format of ranges of ids."""

MOST_SLICES = 10_000
"""Each takes a request at least."""

FURTHEST = 10**15
"""No id is larger. Instants have nearer ends."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_INSTANT, LAST_INSTANT = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

MILLISECONDS_FROM = 10**11
"""A number this large counts milliseconds, not seconds: as seconds it would be the year 5138."""

TOLERANCE = timedelta(days=1)
"""Records can be dated in another time zone than the requests."""


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """A half-open range of ids, or of instants in the smallest units of their format; None: open."""

    low: int | None = None
    high: int | None = None

    def __str__(self) -> str:
        """Show it: `100..200`, `..200`."""
        return f"{'' if self.low is None else self.low}..{'' if self.high is None else self.high}"


class Bounds(Settings):
    """A text for either end of a range."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    low: str = Field(alias="from", description="For the range's first value.")
    high: str = Field(alias="to", description="For the value behind its last one.")


class Parameters(Settings):
    """The parameters that take the ends of a range; one and the same if it takes both."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    low: Parameter = Field(alias="from", description="Takes its first value, such as created_after or created[gte].")
    high: Parameter = Field(alias="to", description="Takes the value behind its last one, such as created[lt].")


class Slices(Settings):
    """How the API is asked for the customers of a range, and which ranges a crawl begins with."""

    over: PathText | None = Field(
        default=None,
        description="Where a record says when it was created, or its id. Shows whether the API honours the ranges.",
    )
    parameters: Parameters = Field(description="The parameters that take the ends of a range.")
    templates: Bounds = Field(
        default=Bounds.model_validate({"from": AT, "to": AT}),
        description=f"Their whole values, with {AT} for the end: 'createdAt >= \"{AT}\"'.",
    )
    join: str = Field(
        default=" and ", description="What joins both values, and a fixed one, where one parameter takes them."
    )
    format: str = Field(
        default="iso8601",
        description=f"How instants are written: {', '.join(FORMATS)}, or like %Y-%m-%d %H:%M:%S; always in UTC. "
        f"{NUMBER}: the ranges are of ids.",
    )
    from_is: str = Field(
        default="inclusive", pattern="inclusive|exclusive", description="Whether the API includes the range's start."
    )
    to_is: str = Field(
        default="exclusive", pattern="inclusive|exclusive", description="Whether the API includes the range's end."
    )
    start: date | Annotated[int, Field(ge=0)] = Field(
        default=date(2010, 1, 1), description="Where the second slice begins: a day, or an id. The first has the rest."
    )
    step: Duration | Annotated[int, Field(gt=0)] | None = Field(
        default=None,
        description="The longest slice: 30d; 100000 for ids. Empty: one slice, split where it reaches the window.",
    )
    end: Annotated[int, Field(gt=0)] | None = Field(
        default=None, description="For ids: where the last slice begins. For instants it is where the crawl began."
    )
    send_in: Place | None = Field(
        default=None,
        description="Where the parameters go: query, body, or an object in it. Empty: where the pages' parameters go.",
    )

    @field_validator("step", mode="before")
    @classmethod
    def parse_step(cls, value: object) -> object:
        """Read a duration; a number stays one."""
        return parse_duration(value) if isinstance(value, str) and not value.isdigit() else value

    @field_validator("format")
    @classmethod
    def validate_format(cls, text: str) -> str:
        """Refuse a format that writes neither an instant nor a number."""
        return text if text == NUMBER else validate_format(text)

    @field_validator("templates")
    @classmethod
    def validate_templates(cls, templates: Bounds) -> Bounds:
        """Refuse a template without a place for the end."""
        for text in (templates.low, templates.high):
            if AT not in text:
                raise SettingError(f"{text!r} has no {AT}", f"Write {AT} where the end of the range goes.")
        return templates

    @model_validator(mode="after")
    def validate_together(self) -> Self:
        """Refuse days for ids, and ids for days."""
        if (self.format == NUMBER) != isinstance(self.start, int):
            kind = "an id" if self.format == NUMBER else "a day"
            raise SettingError(f"it is not {kind}", "Write it like 2015-01-01, or 0 for ids.", field="start")
        if self.step is not None and (self.format == NUMBER) != isinstance(self.step, int):
            raise SettingError("it does not fit the format", "Write 30d, or 100000 for ids.", field="step")
        if (self.format == NUMBER and self.step is not None) != (self.end is not None):
            raise SettingError("ids need it where step is set, and nothing else does", "Name the last id.", field="end")
        return self

    # --- which ranges ----------------------------------------------------------------------------------

    def first_ranges(self, now: datetime, least: int = 1) -> list[Range]:
        """The ranges that a crawl begins with: the first and the last are open, so that nobody falls between them.

        Args:
            now: When the crawl began.
            least: Fewer are halved until there are this many, so that lanes that finish early have work left.

        Raises:
            SettingError: There are too many.
        """
        if self.step is None:
            return [Range()]
        step = self.step if isinstance(self.step, int) else max(self.step // self._unit, 1)
        start, end = self._origin, max(self._end(now), self._origin + 1)
        if (end - start) / step >= MOST_SLICES:
            raise SettingError(f"there would be more than {MOST_SLICES} slices", "Choose a longer step.", field="step")
        ends = list(range(start, end, step))
        while len(ends) + 1 < least:
            halves = sorted({*ends, *((low + high) // 2 for low, high in pairwise([*ends, end]))})
            if halves == ends:
                break
            ends = halves
        return [Range(low, high) for low, high in zip([None, *ends], [*ends, None], strict=True)]

    def split(self, whole: Range, now: datetime) -> tuple[Range, Range] | None:
        """Halve a range; None if it cannot be. Open ends are approached in strides that double."""
        origin, end, (first, last) = self._origin, max(self._end(now), self._origin + 1), self._furthest()
        low, high, stride = whole.low, whole.high, max((end - origin) // 4, 1)
        if low is None and high is None:
            middle = (origin + end) // 2
        elif low is None and high is not None:
            middle = (origin + high) // 2 if high > origin + 1 else max(high - max(2 * (origin - high), stride), first)
        elif high is None and low is not None:
            middle = (low + end) // 2 if low < end - 1 else min(low + max(2 * (low - end), stride), last)
        else:
            middle = ((low or 0) + (high or 0)) // 2
        if (low is not None and middle <= low) or (high is not None and middle >= high):
            return None
        return Range(low, middle), Range(middle, high)

    # --- how one is requested --------------------------------------------------------------------------

    def request(self, part: Range, parts: Mapping[str, Any], send_in: str) -> dict[str, Any]:
        """Return the fixed `params` and `body` of the requests for a range.

        Ends overlap rather than leave anybody out: where the API includes the end, customers of that instant come in
        two slices. Ids are whole numbers, so theirs never need to.

        Args:
            part: The range.
            parts: Both as they are for the whole listing.
            send_in: Where the pages' parameters go.
        """
        params, body = dict(parts["params"]), deepcopy(parts["body"])
        place = self.send_in or send_in
        inner: dict[str, Any] = params
        if place != "query":
            inner = body
            for step in place.split(".")[1:]:
                inner = inner.setdefault(step, {})
        is_query_language = self.parameters.low == self.parameters.high
        for name, value in self._values(part):
            known = inner.get(name)
            joined = f"{known}{self.join}{value}" if known is not None and is_query_language else value
            inner[name] = str(joined) if place == "query" else joined
        return {"params": params, "body": body}

    def describe(self, part: Range) -> str:
        """A range in words, for messages."""
        ends = [None if each is None else self._write(each) for each in (part.low, part.high)]
        words = [f"{word} {end}" for word, end in zip(("from", "up to"), ends, strict=True) if end is not None]
        return " ".join(words) or "from beginning to end"

    def is_ignored(self, part: Range, records: Iterable[object]) -> bool:
        """Whether most of a page's records lie outside the range that was requested: then the API ignores it."""
        if self.over is None or part == Range():
            return False
        path = parse_path(self.over)
        found = [value for record in records if (value := self._read(follow(record, path))) is not None]
        slack = 0 if self.format == NUMBER else max(TOLERANCE // self._unit, 1) + 1
        low = -FURTHEST if part.low is None else part.low - slack
        high = FURTHEST if part.high is None else part.high + slack
        outside = sum(not low <= value <= high for value in found)
        return 2 * outside > len(found)

    # --- bits ------------------------------------------------------------------------------------------

    @property
    def _unit(self) -> timedelta:
        return resolution(self.format)

    @property
    def _origin(self) -> int:
        if isinstance(self.start, int):
            return self.start
        return (datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC) - EPOCH) // self._unit

    def _end(self, now: datetime) -> int:
        if self.format == NUMBER:
            return self.end or self._origin + 1
        return (now.astimezone(UTC) - EPOCH) // self._unit

    def _furthest(self) -> tuple[int, int]:
        if self.format == NUMBER:
            return 0, FURTHEST
        return (FIRST_INSTANT - EPOCH) // self._unit, (LAST_INSTANT - EPOCH) // self._unit

    def _values(self, part: Range) -> list[tuple[str, str | int]]:
        values: list[tuple[str, str | int]] = []
        if part.low is not None:
            low = self._write(part.low - (self.from_is == "exclusive"))
            values.append((self.parameters.low, _fill(self.templates.low, low)))
        if part.high is not None:
            is_exact = self.format == NUMBER and self.to_is == "inclusive"
            values.append((self.parameters.high, _fill(self.templates.high, self._write(part.high - is_exact))))
        return values

    def _write(self, value: int) -> str | int:
        return value if self.format == NUMBER else write_instant(EPOCH + value * self._unit, self.format)

    def _read(self, value: object) -> int | None:
        """A record's id or instant, in units; None if it cannot be read."""
        if value is ABSENT or value is None or isinstance(value, bool):
            return None
        text = str(value).strip()
        if self.format == NUMBER:
            return int(text) if text.isascii() and text.isdigit() else None
        try:
            instant = _read_instant(text)
        except (ValueError, OverflowError, OSError, TypeError):
            return None
        return (instant - EPOCH) // self._unit


def _read_instant(text: str) -> datetime:
    if text.lstrip("-").replace(".", "", 1).isdigit():
        number = float(text)
        return EPOCH + timedelta(seconds=number / 1_000 if number >= MILLISECONDS_FROM else number)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = parsedate_to_datetime(text)
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def _fill(template: str, value: str | int) -> str | int:
    return value if template == AT else template.replace(AT, str(value))


def write_ranges(ranges: Iterable[Range]) -> bytes:
    """Write ranges for a page store."""
    return json.dumps([[each.low, each.high] for each in ranges]).encode()


def read_ranges(data: bytes) -> list[Range]:
    """Read what `write_ranges` wrote."""
    return [Range(low, high) for low, high in json.loads(data)]

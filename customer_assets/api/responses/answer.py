"""What a response calls its parts, and how they are found in its body. Pure.

Where the next page is belongs in `paging/`; what a record calls its fields belongs in `record_mapping.py`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import msgspec
from pydantic import ConfigDict, Field, model_validator

from customer_assets.api.paging.base import HEADER, Source
from customer_assets.api.responses.diagnosis import Diagnosis, kind_of
from customer_assets.core.configuration import SettingError, Settings
from customer_assets.core.json_values import read_json, sanitize_json
from customer_assets.core.paths import ABSENT, Path, PathText, follow, parse_path

LARGEST_COUNT = 10**15
"""No API has more customers: a larger number is wrong."""

MAX_KEYS, MAX_KEY_LENGTH = 20, 40
"""What a diagnosis quotes of an object's keys."""

WHOLE = ("", "$")
"""The response itself is the list of records."""
EACH = "[*]"

DECIMALS = re.compile(r"\.0{1,9}$")
"""What some programs write behind a whole number."""

_RANGE = re.compile(r"\A(?:[a-z]+ )?[0-9]+-[0-9]+/")
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")
_DECODE_ERRORS = (ValueError, RecursionError, msgspec.DecodeError)
_NOTHING = msgspec.Raw(b"")
_split = msgspec.json.Decoder(list[msgspec.Raw])


class TotalRequest(Settings):
    """A request of its own that returns the total."""

    path: str = Field(pattern="^/", description="Where it is, below the base URL, such as /customers/count.json.")
    at: Source = Field(description="Where its response holds the total, such as count.")


class AnswerFields(Settings):
    """Where a response holds its records, and what it says about how many there are.

    Without `records`, the names are those of an envelope like reqres.in's, and all of them must be there unless they
    are set to null. With `records`, nothing is expected that is not named.
    """

    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema["properties"].update(data=schema["properties"]["records"])
    )

    records: str = Field(
        default="data",
        description='The list of records: results, or "" if the response is the list, or list[*].customer if each is '
        "wrapped; list[*] also reads an object's values.",
    )
    page: PathText | None = Field(default="page", description="The page's number; null: the response does not say.")
    per_page: PathText | None = Field(default="per_page", description="Records on a full page; null: as above.")
    total: Source | TotalRequest | None = Field(
        default="total",
        description="Customers in all: meta.total, header:X-WP-Total, a request of its own {path, at}, or null.",
    )
    total_pages: PathText | None = Field(default="total_pages", description="Pages in all; null: as above.")
    total_is: Literal["exact", "at_least", "estimate", "of_this_page"] = Field(
        default="exact", description="What the total counts. Only exact and at_least are compared with what came."
    )
    error: PathText | None = Field(default=None, description="What a failed request's response holds beside HTTP 200.")

    @model_validator(mode="before")
    @classmethod
    def name_only_what_is_given(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was configured
        """Expect nothing unnamed once `records` is named; `data` is its name in the envelope."""
        if not isinstance(given, Mapping):
            return given
        values = dict(given)
        if "records" in values:
            values = dict.fromkeys(("page", "per_page", "total", "total_pages")) | values
        elif "data" in values:
            values["records"] = values.pop("data")
        return values

    @model_validator(mode="after")
    def validate_records(self) -> Self:
        """Refuse what is not a path to a list."""
        for text in self.records.split(EACH):
            try:
                parse_path(text.removeprefix(".")) if text not in WHOLE else ()
            except ValueError:
                raise SettingError(
                    f"{self.records!r} is not a path", 'Write it like results, "" or list[*].customer.', field="records"
                ) from None
        return self

    def __getitem__(self, key: str) -> object:
        """Return a field by its key in YAML."""
        return super().__getitem__("records" if key == "data" else key)

    @property
    def list_path(self) -> Path:
        """The way to the list."""
        text = self.records.partition(EACH)[0]
        return () if text in WHOLE else parse_path(text)

    @property
    def wrapper(self) -> Path:
        """The way from an element of the list to the record in it."""
        text = self.records.partition(EACH)[2].removeprefix(".")
        return parse_path(text) if text else ()

    @property
    def counts(self) -> dict[str, str]:
        """The counts that the body holds, each with its path; without the total where it counts one page only."""
        named: dict[str, Any] = {"page": self.page, "per_page": self.per_page, "total_pages": self.total_pages}
        if isinstance(self.total, str) and not self.total.startswith(HEADER):
            named["total"] = self.total
        return {name: path for name, path in named.items() if path is not None}


class MissingPartError(Exception):
    """A response lacks what a setting names.

    Attributes:
        diagnosis: Which setting, and what is there instead.
        values: What the other paths lead to.
    """

    def __init__(self, diagnosis: Diagnosis, values: Mapping[str, object]) -> None:
        """Keep both."""
        self.diagnosis, self.values = diagnosis, values
        super().__init__(diagnosis.problem)


class NotJSONError(Exception):
    """A body is not JSON."""


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body: the records as bytes, everything else by its path."""

    records: bytes
    record_count: int
    values: Mapping[str, object]
    is_null: bool = False

    def value(self, path: str) -> object:
        """What a path leads to; `ABSENT` if nothing is there."""
        return self.values.get(path, ABSENT)


class BodyDecoder:
    """Decodes bodies only as far as a configuration looks.

    msgspec skips what no path names, so a page costs little more than the search for its end. A body of any other shape
    is decoded completely instead, to say what it lacks.

    Args:
        fields: Where the records are.
        sources: The other paths that somebody looks at.
    """

    def __init__(self, fields: AnswerFields, sources: Iterable[str]) -> None:
        self._fields = fields
        self._list_path, self._wrapper = fields.list_path, fields.wrapper
        self._paths = {text: parse_path(text) for text in sources if not text.startswith(HEADER)}
        keys = [*self._paths.values(), self._list_path]
        is_simple = all(path and all(isinstance(step, str) for step in path) for path in keys)
        # A value that is part of another's value would need two types at one place.
        is_simple = is_simple and not any(
            len(path) < len(other) and other[: len(path)] == path for path in keys for other in keys
        )
        self._decode = msgspec.json.Decoder(_struct(keys)).decode if is_simple else None

    def decode(self, content: bytes) -> Body:
        """Decode a body.

        Raises:
            NotJSONError: It is not JSON.
            MissingPartError: There are no records.
        """
        try:
            if not content.isascii():
                content.decode()
            if not content.strip():
                raise NotJSONError
            if (fast := self._decode_fast(content)) is not None:
                return fast
            content = sanitize_json(content)
            return self._decode_fast(content) or self._decode_completely(content)
        except _DECODE_ERRORS:
            raise NotJSONError from None

    def _decode_fast(self, content: bytes) -> Body | None:
        if self._decode is None:
            return self._decode_list(content)
        try:
            found = self._decode(content)
            records = bytes(_at(found, self._list_path))
            if not records.startswith(b"["):
                return None
            count = len(_split.decode(records))
            values = {text: msgspec.json.decode(raw) for text, path in self._paths.items() if (raw := _at(found, path))}
        except _DECODE_ERRORS:
            return None
        return self._unwrapped(records, count, values)

    def _decode_list(self, content: bytes) -> Body | None:
        if self._list_path or self._paths:
            return None
        try:
            count = len(_split.decode(content))
        except _DECODE_ERRORS:
            return None
        return self._unwrapped(bytes(content.strip()), count, {})

    def _decode_completely(self, content: bytes) -> Body:
        decoded = msgspec.json.decode(content)
        values = {text: value for text, path in self._paths.items() if (value := _reach(decoded, path)) is not ABSENT}
        total = parse_count(values.get(self._fields.counts.get("total", "")))
        listed = bool(self._list_path) and _reach(decoded, self._list_path)
        # Where the API counts nobody, the list can be left out, or be anything that is empty.
        is_empty = total == 0 and (listed is ABSENT or not listed)
        found = None if is_empty else self._find_list(decoded, values)
        if isinstance(found, dict) and all(key.isdecimal() for key in found):
            found = [found[key] for key in sorted(found, key=int)] or None
        elif isinstance(found, dict) and EACH in self._fields.records:
            found = list(found.values())
        if found is not None and not isinstance(found, list):
            raise self._missing(f"{_shown(self._list_path)} is {kind_of(found)}, not a list", values)
        records = msgspec.json.encode(found or [])
        return self._unwrapped(records, len(found or []), values, is_null=found is None)

    def _find_list(self, decoded: object, values: Mapping[str, object]) -> object:
        """Return what stands where the list should be; None where null, or an empty body, stands for an empty list."""
        if decoded in (None, {}, []):
            return None
        value = decoded
        for place, step in enumerate(self._list_path):
            value, around = _reach(value, (step,)), value
            if value is ABSENT:
                problem = f"there is no {_shown(self._list_path[: place + 1])}; {_present(around)}"
                raise self._missing(problem, values)
            if value is None:
                return None
        return value

    def _missing(self, problem: str, values: Mapping[str, object]) -> MissingPartError:
        remedy = "Name where a response holds its list of records."
        return MissingPartError(Diagnosis("answer.records", problem, remedy), values)

    def _unwrapped(self, records: bytes, count: int, values: Mapping[str, object], *, is_null: bool = False) -> Body:
        if self._wrapper and count:
            inner = [follow(element, self._wrapper) for element in read_json(records.decode(), keep_numerals=True)]
            records = msgspec.json.encode([None if each is ABSENT else each for each in inner])
        return Body(records, count, values, is_null)


def missing_part(setting: str, path: str, body: bytes) -> Diagnosis:
    """Say what a body holds in place of what a setting names."""
    try:
        value: object = msgspec.json.decode(sanitize_json(body))
    except _DECODE_ERRORS:
        value = None
    steps = parse_path(path)
    problem = ""
    for place, step in enumerate(steps):
        value, around = _reach(value, (step,)), value
        if value is ABSENT:
            problem = f"there is no {_shown(steps[: place + 1])}; {_present(around)}"
            break
    problem = problem or f"{path} is {kind_of(value)}, not a whole number"
    return Diagnosis(setting, problem, "Name it as the API does, or set it to null if the API does not say.")


def parse_count(value: object) -> int | None:
    """Read a count: an integer, a whole float, or a text: `1234`, `1,234`, or Content-Range's `items 0-24/1234`.

    Returns None for anything else, and for a number out of range.
    """
    if isinstance(value, str) and value.strip().isascii():
        value = DECIMALS.sub("", _RANGE.sub("", value.strip()))
        value = value.replace(",", "") if _THOUSANDS.fullmatch(value) else value
        value = int(value) if value.isdigit() and len(value) <= len(str(LARGEST_COUNT)) else None
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_COUNT:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _struct(paths: Iterable[Path]) -> type[msgspec.Struct]:
    """Make the type of an object in which each path leads to raw JSON, and may lead nowhere."""
    fields: dict[str, Any] = {}
    below: dict[str, list[Path]] = {}
    for step, *rest in dict.fromkeys(paths):
        if rest:
            below.setdefault(str(step), []).append(tuple(rest))
        else:
            fields[str(step)] = (msgspec.Raw, _NOTHING)
    fields |= {step: (_struct(inner) | None, None) for step, inner in below.items()}
    renamed = {_attribute(step): step for step in fields}
    types = [(attribute, *fields[step]) for attribute, step in renamed.items()]
    return msgspec.defstruct("Answer", types, rename=renamed, gc=False)


def _at(found: Any, path: Path) -> Any:  # noqa: ANN401 - a struct made here, or what it holds
    for step in path:
        found = getattr(found, _attribute(str(step)), None)
        if found is None:
            return _NOTHING
    return found


def _attribute(step: str) -> str:
    """A name that Python takes, whatever an API's key is called."""
    return f"at_{step.encode().hex()}"


def _reach(value: object, path: Path) -> object:
    """Follow a path; `ABSENT` also where it leads through what has no parts."""
    for step in path:
        if not isinstance(value, list if isinstance(step, int) else dict):
            return ABSENT
        value = follow(value, (step,))
    return value


def _shown(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".") or "the body"


def _present(value: object) -> str:
    """The keys of an object, by name; no value."""
    if not isinstance(value, dict):
        return f"the response is {kind_of(value)}" if value is not None else "the response is empty"
    keys = [key for key in value if len(key) <= MAX_KEY_LENGTH and "@" not in key and key.isprintable()]
    more = "" if len(keys) <= MAX_KEYS else f" and {len(keys) - MAX_KEYS} more"
    return f"there are {', '.join(keys[:MAX_KEYS])}{more}" if keys else "there are no keys"

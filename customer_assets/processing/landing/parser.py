"""Where one record becomes typed, or is rejected with its reason. No I/O, no columns.

A whole page is decoded at once into typed structs. Only a page that does not fit them is salvaged record by record,
and of these only the records that do not fit go through `RawCustomer`, which says what each field may be.
An API's own names stand in the structs that its pages are decoded into; only where a name leads into an object, or
two are the same, are records given our names one by one.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import ValidationError

from customer_assets.field_mapping import DEFAULT_MAPPING, RecordFields, parse_paths, record_mapper
from customer_assets.models import LARGEST_ID, SMALLEST_ID, RawCustomer, RejectedRecord

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class _Fields(msgspec.Struct, gc=False):
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    avatar: str | None = None
    engagement_score: float | UnsetType | None = UNSET
    last_active_at: str | UnsetType | None = UNSET


class TypedRecord(_Fields, kw_only=True, gc=False):
    """One record with a usable id, its text not yet canonical. `UNSET`: the key was absent."""

    id: Annotated[int, msgspec.Meta(ge=SMALLEST_ID, le=LARGEST_ID)]


class _RecordWithTextId(_Fields, kw_only=True, gc=False):
    id: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,18}$")]


@dataclass(frozen=True, slots=True)
class TypedPage:
    """One page's records: those with a usable id, in order, with their positions from 0, and the others."""

    number: int
    positions: Sequence[int]
    records: list[TypedRecord] = field(repr=False)
    rejected: Sequence[RejectedRecord] = ()


_SPLIT = msgspec.json.Decoder(list[msgspec.Raw])
_ANY_RECORDS = msgspec.json.Decoder(list[Any])
_UNFIT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_UNREADABLE = (ValueError, RecursionError)

RECORD_BYTES_AT_MOST = 2**20
"""A customer's record has some hundred bytes; a larger one is quarantined, whatever is in it."""

_CODES = {"missing": "id_missing", "model_type": "not_an_object"}
_REASONS = {
    "id_missing": "The record has no id.",
    "not_an_object": "The record is not an object.",
    "unreadable": "The record is not JSON, or nested too deep.",
    "record_too_large": f"The record exceeds {RECORD_BYTES_AT_MOST} bytes.",
}
_DIGITS_READ_AT_MOST = 400
_BEYOND_MEASURE: int = 10**_DIGITS_READ_AT_MOST
"""Stands for longer integers: they fit neither an id nor a float, and Python refuses those beyond 4,300 digits."""


class RecordParser:
    """Reads records by the names that their API gives the fields.

    Args:
        names: Those names; ours, unless told otherwise.
    """

    def __init__(self, names: RecordFields = DEFAULT_MAPPING.record) -> None:
        self._reshaped = record_mapper(names)
        self._record: Callable[[bytes], TypedRecord] | None = None
        if _are_plain(names):
            self._record = msgspec.json.Decoder(_named(TypedRecord, names)).decode
            self._page = msgspec.json.Decoder(list[_named(TypedRecord, names)]).decode  # type: ignore[misc] # made now
            self._page_with_text_ids = msgspec.json.Decoder(list[_named(_RecordWithTextId, names)]).decode  # type: ignore[misc]
        else:
            self._page = partial(self._converted, list[TypedRecord])
            self._page_with_text_ids = partial(self._converted, list[_RecordWithTextId])

    def parse_page(self, number: int, data: bytes) -> TypedPage:
        """Decode a page's JSON array. Accepts any bytes: what cannot be read is rejected, and nothing is raised."""
        for decoded in () if _holds_a_large_record(data) else (self._page, self._with_text_ids):
            try:
                records = decoded(data)
            except _UNFIT:
                continue
            return TypedPage(number, range(len(records)), records)
        return self._parse_leniently(number, data)

    def parse_objects(self, number: int, objects: Iterable[object]) -> TypedPage:
        """Take records that are Python objects already, as `parse_page` takes those of a JSON array."""
        return _collect(number, (self._from_object(number, place, value) for place, value in enumerate(objects)))

    def _converted(self, wanted: Any, data: bytes) -> Any:  # noqa: ANN401 - a list of what is wanted
        return msgspec.convert([self._reshaped(record) for record in _ANY_RECORDS.decode(data)], wanted)

    def _with_text_ids(self, data: bytes) -> list[TypedRecord]:
        """Decode a page whose ids are all text, as some APIs send them."""
        return [
            TypedRecord(
                id=int(record.id),
                email=record.email,
                first_name=record.first_name,
                last_name=record.last_name,
                avatar=record.avatar,
                engagement_score=record.engagement_score,
                last_active_at=record.last_active_at,
            )
            for record in self._page_with_text_ids(data)
        ]

    def _parse_leniently(self, number: int, data: bytes) -> TypedPage:
        try:
            parts = _SPLIT.decode(data)
        except _UNFIT:
            return self._salvaged_text(number, data)
        return _collect(number, (self._from_json(number, place, bytes(part)) for place, part in enumerate(parts)))

    def _salvaged_text(self, number: int, data: bytes) -> TypedPage:
        """Read what only a more lenient parser reads: lone surrogates, bytes that are not UTF-8, NaN."""
        try:
            objects = _lenient_json(data)
        except _UNREADABLE:
            objects = None
        if isinstance(objects, list):
            return self.parse_objects(number, objects)
        return _collect(number, [_rejected(number, 0, "unreadable", data.decode("utf-8", "replace"))])

    def _from_json(self, number: int, position: int, data: bytes) -> TypedRecord | RejectedRecord:
        if len(data) > RECORD_BYTES_AT_MOST:
            return _rejected(number, position, "record_too_large", data.decode("utf-8", "replace"))
        if self._record is not None:
            with suppress(*_UNFIT):
                return self._record(data)
        text = data.decode("utf-8", "replace")
        try:
            value = _lenient_json(data)
        except _UNREADABLE:
            return _rejected(number, position, "unreadable", text)
        return self._from_object(number, position, value, lambda _: text)

    def _from_object(
        self, number: int, position: int, value: object, as_text: Callable[[object], str] | None = None
    ) -> TypedRecord | RejectedRecord:
        try:
            customer = RawCustomer.model_validate(self._reshaped(value))
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)[0]
            code = _CODES.get(found["type"], found["type"])
            return _rejected(number, position, code, (as_text or _as_json)(value), found["msg"])
        supplied = customer.model_fields_set
        return TypedRecord(
            id=customer.id,
            email=customer.email,
            first_name=customer.first_name,
            last_name=customer.last_name,
            avatar=customer.avatar,
            engagement_score=customer.engagement_score if "engagement_score" in supplied else UNSET,
            last_active_at=customer.last_active_at if "last_active_at" in supplied else UNSET,
        )


def _are_plain(names: RecordFields) -> bool:
    """Whether a struct can have these names: each leads to a key of the record itself, and to one of its own."""
    given = [path for path in parse_paths(names).values() if path is not None]
    return all(len(path) == 1 for path in given) and len(set(given)) == len(given)


def _named(struct: type[_Struct], names: RecordFields) -> type[_Struct]:
    """Give a struct's fields an API's plain names; a field that the API has not is always at its default."""
    if names == DEFAULT_MAPPING.record:
        return struct
    renamed = {field: name for field, name in asdict(names).items() if name is not None}
    fields = msgspec.structs.fields(struct)
    return msgspec.defstruct(  # type: ignore[return-value] # it has the same fields, and is used for nothing else
        struct.__name__,
        [
            (each.name, each.type) if each.required else (each.name, each.type, each.default)
            for each in fields
            if each.name in renamed
        ],
        rename=renamed,
        namespace={each.name: each.default for each in fields if each.name not in renamed},
        kw_only=True,
        gc=False,
    )


def _holds_a_large_record(data: bytes) -> bool:
    if len(data) <= RECORD_BYTES_AT_MOST:  # as good as every page: nothing to look for
        return False
    try:
        return any(memoryview(record).nbytes > RECORD_BYTES_AT_MOST for record in _SPLIT.decode(data))
    except _UNFIT:
        return False


def _collect(number: int, outcomes: Iterable[TypedRecord | RejectedRecord]) -> TypedPage:
    positions: list[int] = []
    records: list[TypedRecord] = []
    rejected: list[RejectedRecord] = []
    for position, outcome in enumerate(outcomes):
        if isinstance(outcome, RejectedRecord):
            rejected.append(outcome)
        else:
            positions.append(position)
            records.append(outcome)
    return TypedPage(number, positions, records, rejected)


def _rejected(number: int, position: int, code: str, record: str, reason: str = "") -> RejectedRecord:
    return RejectedRecord(number, position, code, _REASONS.get(code, reason), record)


def _lenient_json(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(data.decode("utf-8", "replace"), parse_int=_integer)


def _integer(digits: str) -> int:
    if len(digits) <= _DIGITS_READ_AT_MOST:
        return int(digits)
    return -_BEYOND_MEASURE if digits.startswith("-") else _BEYOND_MEASURE


def _as_json(value: object) -> str:
    """Write an object for the quarantine; a part that JSON has no form for is shown as its type's name."""
    try:
        return json.dumps(value, default=lambda part: f"<{type(part).__name__}>", skipkeys=True)
    except _UNREADABLE:
        return f"<{type(value).__name__}>"


_OURS = RecordParser()
parse_page, parse_objects = _OURS.parse_page, _OURS.parse_objects

"""Takes records apart, or rejects them with a reason. No I/O, no columns.

A page is decoded at once. Only a page that does not fit the decoder is read record by record: there, a value of a wrong
type is missing, and a record without a usable id is rejected.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from customer_assets.core.json_values import UnusableIdError, read_json, require_id
from customer_assets.core.models import REJECTIONS, RejectedRecord
from customer_assets.core.paths import ABSENT, follow
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping
from customer_assets.processing.landing.decoder import PageDecoder, PathConflictError, value_paths

RECORD_BYTES_AT_MOST = 2**20
"""A customer's record has some hundred bytes; a larger one is quarantined, whatever is in it."""

_SPLIT = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder(Any)
_UNFIT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_UNREADABLE = (ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """One page's records: those with a usable id, in order, and the others.

    Attributes:
        number: The page.
        positions: Where the records stood on it, from 0.
        values: What was read of them, by name: each id, each field with a path, and what decides on exclusion. An id is
            an integer or trimmed text, any other value a scalar or None; `UNSET` where an optional field was absent.
        rejected: The others.
    """

    number: int
    positions: Sequence[int]
    values: dict[str, Sequence[Any]] = field(repr=False)
    rejected: Sequence[RejectedRecord] = ()


class RecordParser:
    """Reads records as a mapping says.

    Args:
        mapping: Where the fields are; by default, under our own names.
    """

    def __init__(self, mapping: RecordMapping = DEFAULT_RECORD) -> None:
        self._mapping, self._paths = mapping, value_paths(mapping)
        optional = {column.name for column in mapping.raw_columns if column.supplied is None}
        self._absent = [UNSET if name in optional else None for name in list(self._paths)[1:]]
        self._decode: Callable[[bytes], tuple[int, dict[str, Sequence[Any]]]] | None = None
        with suppress(PathConflictError):
            self._decode = PageDecoder(mapping).decode

    def parse_page(self, number: int, data: bytes) -> ParsedPage:
        """Read a page's JSON array. Accepts any bytes: what cannot be read is rejected, and nothing is raised."""
        if self._decode is not None and not _holds_a_large_record(data):
            try:
                count, values = self._decode(data)
            except _UNFIT:
                pass
            else:
                return ParsedPage(number, range(count), values)
        return self._parse_one_by_one(number, data)

    def parse_objects(self, number: int, objects: Iterable[object]) -> ParsedPage:
        """Take records that are Python objects already, as `parse_page` takes those of a JSON array."""
        return self._collect(number, (self._from_object(number, place, value) for place, value in enumerate(objects)))

    def _parse_one_by_one(self, number: int, data: bytes) -> ParsedPage:
        try:
            parts = _SPLIT.decode(data)
        except _UNFIT:
            return self._parse_leniently(number, data)
        return self._collect(number, (self._from_json(number, place, bytes(part)) for place, part in enumerate(parts)))

    def _parse_leniently(self, number: int, data: bytes) -> ParsedPage:
        """Read what only a more lenient parser reads: lone surrogates, bytes that are not UTF-8, NaN."""
        text = data.decode("utf-8", "replace")
        try:
            objects = read_json(text)
        except _UNREADABLE:
            objects = None
        if isinstance(objects, list):
            return self.parse_objects(number, objects)
        return self._collect(number, [_rejected(number, 0, "unreadable", text)])

    def _from_json(self, number: int, position: int, data: bytes) -> list[Any] | RejectedRecord:
        text = data.decode("utf-8", "replace")
        if len(data) > RECORD_BYTES_AT_MOST:
            return _rejected(number, position, "record_too_large", text)
        try:
            value = _ANY.decode(data)
        except _UNFIT:
            try:
                value = read_json(text)
            except _UNREADABLE:
                return _rejected(number, position, "unreadable", text)
        return self._from_object(number, position, value, lambda _: text)

    def _from_object(
        self, number: int, position: int, value: object, as_text: Callable[[object], str] | None = None
    ) -> list[Any] | RejectedRecord:
        """Return the values of each path, in their order."""
        as_text = as_text or _as_json
        if not isinstance(value, dict):
            return _rejected(number, position, "not_an_object", as_text(value))
        row = [follow(value, path) for path in self._paths.values()]
        found = None if row[0] is ABSENT else row[0]
        try:
            require_id(found, self._mapping.id_type, self._mapping.missing)
        except UnusableIdError as error:
            return _rejected(number, position, error.code, as_text(value))
        identity = found.strip() if isinstance(found, str) else found
        scalars = (
            absent if value is ABSENT else value if isinstance(value, str | int | float) else None
            for value, absent in zip(row[1:], self._absent, strict=True)
        )
        return [identity, *scalars]

    def _collect(self, number: int, outcomes: Iterable[list[Any] | RejectedRecord]) -> ParsedPage:
        positions: list[int] = []
        rows: list[list[Any]] = []
        rejected: list[RejectedRecord] = []
        for position, outcome in enumerate(outcomes):
            if isinstance(outcome, RejectedRecord):
                rejected.append(outcome)
            else:
                positions.append(position)
                rows.append(outcome)
        columns = zip(*rows, strict=True) if rows else ([] for _ in self._paths)
        return ParsedPage(number, positions, dict(zip(self._paths, columns, strict=True)), rejected)


def _holds_a_large_record(data: bytes) -> bool:
    if len(data) <= RECORD_BYTES_AT_MOST:  # as good as every page: nothing to look for
        return False
    try:
        return any(memoryview(record).nbytes > RECORD_BYTES_AT_MOST for record in _SPLIT.decode(data))
    except _UNFIT:
        return False


def _rejected(number: int, position: int, code: str, record: str) -> RejectedRecord:
    return RejectedRecord(number, position, code, REJECTIONS[code], record)


def _as_json(value: object) -> str:
    """Write an object for the quarantine; a part that JSON has no form for is shown as its type's name."""
    try:
        return json.dumps(value, default=lambda part: f"<{type(part).__name__}>", skipkeys=True)
    except _UNREADABLE:
        return f"<{type(value).__name__}>"


_DEFAULT = RecordParser()
parse_page, parse_objects = _DEFAULT.parse_page, _DEFAULT.parse_objects

"""How a customer is written: one JSON object a line, made column by column. No files.

Fields of few values are packed into one number a customer, so that little has to be sorted and kept. What the fields
are is defined in `fields.py` and the mapping.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import msgspec
import narwhals as nw
import pyarrow as pa

from customer_assets.core.errors import CustomerAssetsError
from customer_assets.core.fields import CLEAN_FIELDS, Field, Kind, names_of
from customer_assets.processing.landing.columns import FALSE, Column, pc
from customer_assets.processing.rules import Frame
from customer_assets.processing.schemas import schema_of

BETWEEN_LINES = b",\n"
ID_PREFIX = "cust_"
ID_DIGITS = 3
SMALLEST_UNPADDED = 10 ** (ID_DIGITS - 1)
SCORE = "data_quality_score"
SCORES = 101
PACKED = "_packed"
"""The column of packed fields."""
LONGEST_PACKED_VOCABULARY = 32
"""A field with more values travels as it is: each costs a comparison for every customer."""
LARGEST_PACKED = 2**62

_POOL = pa.system_memory_pool()
"""Uses the lines' memory again for the next ones; Arrow's own pool hands megabytes back each time, and pays for it."""

MUST_BE_ESCAPED = r'["\\\x00-\x1f\x7f]'
NEEDS_NO_ESCAPE = bytes(byte for byte in range(ord(" "), 256) if byte not in b'"\\\x7f')

_NEVER_NULL = names_of(CLEAN_FIELDS)


class UnknownValueError(CustomerAssetsError):
    """Clean customers hold what no rule gives; they cannot be exported.

    Attributes:
        customers: How many do at least: one batch is looked at, the first that holds any.
        fields: One of these holds it.
    """

    def __init__(self, customers: int, fields: Sequence[str]) -> None:
        """Say how many customers do, and where."""
        self.customers, self.fields = customers, tuple(fields)
        super().__init__(
            f"At least {customers} customers hold a value that no rule gives, in one of {', '.join(fields)}. "
            "Materialise clean_customers."
        )


class LineFormat:
    """How customers with these fields are packed, and written as lines.

    Args:
        fields: A clean customer's, in the export's order.

    Attributes:
        plain: The fields that travel as they are.
        packed: The fields of few values, and the score.
    """

    def __init__(self, fields: Sequence[Field] = CLEAN_FIELDS) -> None:
        self._fields = tuple(fields)
        self._vocabularies = _packable(fields)
        self.packed = (*self._vocabularies, SCORE)
        self.plain = tuple(field for field in fields if field.name not in self.packed)
        self._packed_json = lru_cache(maxsize=65_536)(self._write_packed)

    def pack(self, customers: Frame) -> Frame:
        """Put the fields of few values into `_packed`, null if one of them is unknown; keep the others."""
        score = nw.col(SCORE)
        number = nw.when((score >= 0) & (score < SCORES)).then(score)
        for name, values in reversed(self._vocabularies.items()):
            number = number + _place(name, values) * self._stride(name)
        return customers.select(*names_of(self.plain), number.alias(PACKED))

    def unpack(self, number: int) -> dict[str, str | int]:
        """Return the fields that `pack` put into a number, in the export's order."""
        return {**self.unpack_segments(number // SCORES), SCORE: number % SCORES}

    def unpack_segments(self, number: int) -> dict[str, str]:
        """Return the same from a number without the score: only the fields of few values."""
        return {
            name: values[number * SCORES // self._stride(name) % len(values)]
            for name, values in self._vocabularies.items()
        }

    @property
    def exported_schema(self) -> pa.Schema:
        """The schema of the customers as they are published: ids are text."""
        schema = schema_of(self._fields)
        return schema.set(schema.get_field_index("customer_id"), pa.field("customer_id", pa.string()))

    def unpack_columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Turn packed customers into the columns that are published.

        Raises:
            UnknownValueError: A field holds what no rule gives, or nothing at all.
        """
        self._refuse_nulls(batch)
        numbers = batch.column(PACKED).dictionary_encode()
        known = [self.unpack(number) for number in numbers.dictionary.to_pylist() if number is not None]
        columns = []
        for field in self.exported_schema:
            if field.name in self.packed:
                values = pa.array([each[field.name] for each in known], field.type)
                columns.append(pc.take(values, numbers.indices))
            elif field.name == "customer_id":
                columns.append(write_ids(batch.column("customer_id")))
            else:
                columns.append(batch.column(field.name).cast(field.type))
        return pa.RecordBatch.from_arrays(columns, schema=self.exported_schema)

    def lines_of_columns(self, batch: pa.RecordBatch) -> memoryview:
        """Write what `unpack_columns` made just as `json_lines` writes what it was made of."""
        if not batch.num_rows:
            return memoryview(b"")
        parts: list[Any] = []
        before = "{"
        for field in self._fields:
            opening, value, closing = _json_value(field, batch.column(field.name))
            parts += [f'{before}"{field.name}": {opening}', value]
            before = f"{closing}, "
        return _join_lines([*parts, before.removesuffix(", ")])

    def json_lines(self, batch: pa.RecordBatch) -> memoryview:
        """Write packed customers as JSON objects, a line each, `BETWEEN_LINES` between them. No Python object a row.

        Raises:
            UnknownValueError: A field holds what no rule gives, or nothing at all.
        """
        self._refuse_nulls(batch)
        numbers = batch.column(PACKED).dictionary_encode()
        parts: list[Any] = []
        before = "{"
        for run in _runs(self._fields, self.packed):
            if run[0].name in self.packed:
                names = names_of(run)
                texts = pa.array(
                    [self._packed_json(names, number) for number in numbers.dictionary.to_pylist()], pa.string()
                )
                parts += [before, pc.take(texts, numbers.indices, memory_pool=_POOL)]
                before = ", "
                continue
            for field in run:
                opening, value, closing = _json_value(field, batch.column(field.name))
                parts += [f'{before}"{field.name}": {opening}', value]
                before = f"{closing}, "
        return _join_lines([*parts, before.removesuffix(", ")])

    def _refuse_nulls(self, batch: pa.RecordBatch) -> None:
        """Let no null become a line: joined with text it is null, and the customer would be gone without a word."""
        unknown = batch.column(PACKED).null_count
        if unknown:
            raise UnknownValueError(unknown, self.packed)
        counts = {name: batch.column(name).null_count for name in names_of(self.plain) if name in _NEVER_NULL}
        if any(counts.values()):
            raise UnknownValueError(max(counts.values()), [name for name, count in counts.items() if count])

    def _write_packed(self, names: tuple[str, ...], number: int) -> str:
        values = self.unpack(number)
        return ", ".join(f'"{name}": {msgspec.json.encode(values[name]).decode()}' for name in names)

    def _stride(self, name: str) -> int:
        names = list(self._vocabularies)
        return SCORES * prod(len(self._vocabularies[each]) for each in names[: names.index(name)])


def _packable(fields: Sequence[Field]) -> dict[str, tuple[str, ...]]:
    """The fields with a short vocabulary, as many as fit into a number beside the score."""
    found: dict[str, tuple[str, ...]] = {}
    for field in fields:
        size = SCORES * prod(map(len, found.values())) * len(field.values)
        if 0 < len(field.values) <= LONGEST_PACKED_VOCABULARY and size <= LARGEST_PACKED:
            found[field.name] = field.values
    return found


def _place(name: str, values: tuple[str, ...]) -> nw.Expr:
    found = nw.lit(None, dtype=nw.Int64)
    for place, value in enumerate(values):
        found = nw.when(nw.col(name) == value).then(nw.lit(place, dtype=nw.Int64)).otherwise(found)
    return found


def _runs(fields: Sequence[Field], packed: Sequence[str]) -> list[list[Field]]:
    """Part the fields into runs of packed and of plain ones, in their order."""
    runs: list[list[Field]] = []
    for field in fields:
        if runs and (runs[-1][0].name in packed) == (field.name in packed):
            runs[-1].append(field)
        else:
            runs.append([field])
    return runs


def _join_lines(parts: Sequence[Any]) -> memoryview:
    """Join columns of text into one line a row, and the lines by what stands between them."""
    lines = pc.binary_join_element_wise(
        *_joined_literals([*parts, f"}}{BETWEEN_LINES.decode()}"]), "", memory_pool=_POOL
    )
    # Arrow keeps a column's texts side by side in one buffer: the lines are joined already.
    return _text(lines)[: -len(BETWEEN_LINES)]


def _joined_literals(parts: Sequence[Any]) -> list[Any]:
    """Join what is the same on every line with its neighbour."""
    joined: list[Any] = []
    for part in parts:
        if joined and isinstance(part, str) and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def _json_value(field: Field, column: Column) -> tuple[str, Column, str]:
    """Write a column's values as JSON, and what stands before and behind each: quotes, where none is null."""
    if field.name == "customer_id" and pa.types.is_integer(column.type):
        return f'"{ID_PREFIX}', pad_ids(column), '"'
    if field.name == "customer_id":
        return '"', escape_json(column), '"'
    if field.kind in (Kind.TEXT, Kind.CATEGORY, Kind.EMAIL):
        text = escape_json(column)
        return ('"', text, '"') if column.null_count == 0 else ("", _or_null(_quoted(text)), "")
    if field.kind is Kind.INSTANT:
        return "", _or_null(_quoted(iso_instants(column))), ""
    return "", _or_null(pc.cast(column, pa.string())), ""


def _quoted(text: Column) -> Column:
    return pc.binary_join_element_wise('"', text, '"', "")


def _or_null(text: Column) -> Column:
    return pc.fill_null(text, "null")


def iso_instants(column: Column) -> Column:
    """Write instants as ISO 8601 with `Z`: `2026-01-31T00:00:00Z`, `2026-01-31T00:00:00.5Z`."""
    # Without the time zone, whose data Arrow would look for on this machine.
    text = pc.strftime(column.cast(pa.timestamp("us")), "%Y-%m-%dT%H:%M:%SZ")
    return pc.replace_substring_regex(text, r"\.?0+Z$", "Z")


def write_ids(ids: Column) -> Column:
    """Write ids as they are published: 1 → `cust_001`; text stays as it is."""
    return pc.binary_join_element_wise(ID_PREFIX, pad_ids(ids), "") if pa.types.is_integer(ids.type) else ids


def pad_ids(ids: Column) -> Column:
    """Write ids with three digits at least: 1 → `001`, 12345 → `12345`, -7 → `-007`."""
    text = pc.cast(ids, pa.string())
    smallest = pc.min(ids).as_py()
    if smallest is not None and smallest >= SMALLEST_UNPADDED:
        return text
    digits = pc.utf8_lpad(pc.utf8_ltrim(text, "-"), ID_DIGITS, "0")
    return pc.if_else(pc.less(ids, 0), pc.binary_join_element_wise("-", digits, ""), digits)


def escape_json(column: Column) -> Column:
    r"""Escape text as JSON wants it: `a"b` → `a\"b`. Most columns hold nothing to escape and are kept as they are."""
    text = pc.cast(column, pa.string())
    if not bytes(_text(text)).translate(None, NEEDS_NO_ESCAPE):
        return text
    unsafe = pc.fill_null(pc.match_substring_regex(text, MUST_BE_ESCAPED), FALSE)
    quoted = (msgspec.json.encode(value).decode() for value in text.filter(unsafe).to_pylist())
    replacements = pa.array([value[1:-1] for value in quoted], pa.string())
    return pc.replace_with_mask(text, unsafe, replacements)


def _text(column: Column) -> memoryview:
    """The texts of a column side by side, as Arrow keeps them."""
    _, offsets, data = column.buffers()
    bounds = memoryview(offsets).cast("i")
    return memoryview(data or b"")[bounds[column.offset] : bounds[column.offset + len(column)]]

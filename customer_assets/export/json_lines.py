"""How a customer is written: one JSON object a line, made column by column. No files."""

from collections.abc import Sequence
from functools import cache
from typing import get_args

import msgspec
import narwhals as nw
import pyarrow as pa

from customer_assets.errors import CustomerAssetsError
from customer_assets.models import AcquisitionChannel, ActivityStatus, CustomerTier, EngagementLevel, MarketSegment
from customer_assets.processing.landing.columns import Column, pc
from customer_assets.processing.rules import Frame

BETWEEN_LINES = b",\n"
ID_DIGITS = 3
SMALLEST_UNPADDED = 10 ** (ID_DIGITS - 1)
_POOL = pa.system_memory_pool()
"""Uses the lines' memory again for the next ones; Arrow's own pool hands megabytes back each time, and pays for it."""

MUST_BE_ESCAPED = r'["\\\x00-\x1f\x7f]'
NEEDS_NO_ESCAPE = bytes(byte for byte in range(ord(" "), 256) if byte not in b'"\\\x7f')


SCORES = 101
FIELDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("engagement_level", get_args(EngagementLevel)),
    ("activity_status", get_args(ActivityStatus)),
    ("acquisition_channel", get_args(AcquisitionChannel)),
    ("market_segment", get_args(MarketSegment)),
    ("customer_tier", get_args(CustomerTier)),
)
"""The packed fields in the export's order, each with its values; the score is packed behind them."""

PACKED = (*(name for name, _ in FIELDS), "data_quality_score")
PLAIN = ("customer_id", "full_name", "email_domain")
"""The fields that travel as they are; no rule leaves one null."""


class UnknownValueError(CustomerAssetsError):
    """Clean customers hold what no rule gives; it cannot be exported.

    Attributes:
        customers: How many do at least: one batch is looked at, the first that holds any.
        fields: One of these holds it.
    """

    def __init__(self, customers: int, fields: Sequence[str] = PACKED) -> None:
        """Tell how many customers do, and where."""
        self.customers, self.fields = customers, tuple(fields)
        super().__init__(
            f"At least {customers} customers hold a value that no rule gives, in one of {', '.join(fields)}. "
            "Materialise clean_customers."
        )


def packed(customers: Frame) -> Frame:
    """Keep id, name and domain; put all other fields into `packed`, which is null if one of them is unknown."""
    score = nw.col("data_quality_score")
    number = nw.when((score >= 0) & (score < SCORES)).then(score)
    for name, values in reversed(FIELDS):
        number = number + _place(name, values) * _stride(name)
    return customers.select(*PLAIN, packed=number)


def unpacked(number: int) -> dict[str, str | int]:
    """Tell the fields that `packed` put into a number, in the export's order."""
    fields: dict[str, str | int] = {name: values[number // _stride(name) % len(values)] for name, values in FIELDS}
    return {**fields, "data_quality_score": number % SCORES}


def _place(name: str, values: tuple[str, ...]) -> nw.Expr:
    found = nw.lit(None, dtype=nw.Int64)
    for place, value in enumerate(values):
        found = nw.when(nw.col(name) == value).then(nw.lit(place, dtype=nw.Int64)).otherwise(found)
    return found


def _stride(name: str) -> int:
    stride = SCORES
    for each, values in FIELDS:
        if each == name:
            break
        stride *= len(values)
    return stride


def json_lines(batch: pa.RecordBatch) -> memoryview:
    """Write packed customers as JSON objects, a line each, `BETWEEN_LINES` between them. No Python object for a row.

    Raises:
        UnknownValueError: A field holds what no rule gives, or nothing at all.
    """
    _refuse_nulls(batch)
    numbers = batch.column("packed").dictionary_encode()
    endings = pa.array([_ending(number) for number in numbers.dictionary.to_pylist()], pa.string())
    lines = pc.binary_join_element_wise(
        '{"customer_id": "cust_',
        padded(batch.column("customer_id")),
        '", "full_name": "',
        escaped(batch.column("full_name")),
        '", "email_domain": "',
        escaped(batch.column("email_domain")),
        pc.take(endings, numbers.indices, memory_pool=_POOL),
        "",
        memory_pool=_POOL,
    )
    # Arrow keeps a column's texts side by side in one buffer: the lines are joined already.
    return _text(lines)[: -len(BETWEEN_LINES)]


def _refuse_nulls(batch: pa.RecordBatch) -> None:
    """Let no null become a line: joined with text it is null, and the customer would be gone without a word."""
    unknown = batch.column("packed").null_count
    if unknown:
        raise UnknownValueError(unknown)
    empty = [name for name in PLAIN if batch.column(name).null_count]
    if empty:
        raise UnknownValueError(max(batch.column(name).null_count for name in empty), empty)


@cache
def _ending(number: int) -> str:
    fields = msgspec.json.encode(unpacked(number)).decode()[1:]
    return f'", {fields.replace(":", ": ").replace(",", ", ")}{BETWEEN_LINES.decode()}'


def padded(ids: Column) -> Column:
    """Write ids with three digits at least: 1 → `001`, 12345 → `12345`, -7 → `-007`."""
    text = pc.cast(ids, pa.string())
    smallest = pc.min(ids).as_py()
    if smallest is not None and smallest >= SMALLEST_UNPADDED:
        return text
    digits = pc.utf8_lpad(pc.utf8_ltrim(text, "-"), ID_DIGITS, "0")
    return pc.if_else(pc.less(ids, 0), pc.binary_join_element_wise("-", digits, ""), digits)


def escaped(column: Column) -> Column:
    r"""Escape text as JSON wants it: `a"b` → `a\"b`. Most columns hold nothing to escape and are kept as they are."""
    text = pc.cast(column, pa.string())
    if not bytes(_text(text)).translate(None, NEEDS_NO_ESCAPE):
        return text
    unsafe = pc.fill_null(pc.match_substring_regex(text, MUST_BE_ESCAPED), False)  # noqa: FBT003 - Arrow's signature
    replacements = pa.array([_escaped(value) for value in text.filter(unsafe).to_pylist()], pa.string())
    return pc.replace_with_mask(text, unsafe, replacements)


def _text(column: Column) -> memoryview:
    """The texts of a column side by side, as Arrow keeps them."""
    _, offsets, data = column.buffers()
    bounds = memoryview(offsets).cast("i")
    return memoryview(data or b"")[bounds[column.offset] : bounds[column.offset + len(column)]]


def _escaped(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]

"""How a customer is written: one JSON object a line, made column by column, and read back. No files."""

from typing import Any

import msgspec
import pyarrow as pa

from customer_assets.processing.columns import Column, pc

ID_DIGITS = 3
MUST_BE_ESCAPED = r'["\\\x00-\x1f\x7f]'


def json_lines(batch: pa.RecordBatch) -> Column:
    """Write each customer as one JSON object: no Python object is made for a row.

    `customer_id` becomes `cust_` and three digits at least; other columns keep their names, order and types.
    """
    parts: list[Any] = []
    for name in batch.schema.names:
        opening = f'{", " if parts else "{"}"{name}": '
        column = batch.column(name)
        if name == "customer_id":
            parts += [f'{opening}"cust_', padded(column), '"']
        elif pa.types.is_integer(column.type):
            parts += [opening, pc.cast(column, pa.string())]
        else:
            parts += [f'{opening}"', escaped(column), '"']
    return pc.binary_join_element_wise(*parts, "}", "")


def joined(lines: Column, separator: bytes) -> memoryview:
    """Put all lines into one run of bytes."""
    everything = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    return memoryview(pc.binary_join(everything, separator.decode())[0].as_buffer())


def padded(ids: Column) -> Column:
    """Write ids with three digits at least: 1 → `001`, 12345 → `12345`, -7 → `-007`."""
    text = pc.cast(ids, pa.string())
    digits = pc.utf8_lpad(pc.utf8_ltrim(text, "-"), ID_DIGITS, "0")
    return pc.if_else(pc.less(ids, 0), pc.binary_join_element_wise("-", digits, ""), digits)


def escaped(column: Column) -> Column:
    r"""Escape text as JSON wants it: `a"b` → `a\"b`. Most columns hold nothing to escape and are kept as they are."""
    text = pc.cast(column, pa.string())
    unsafe = pc.fill_null(pc.match_substring_regex(text, MUST_BE_ESCAPED), False)  # noqa: FBT003 - Arrow's signature
    if not unsafe.true_count:
        return text
    replacements = pa.array([_escaped(value) for value in text.filter(unsafe).to_pylist()], pa.string())
    return pc.replace_with_mask(text, unsafe, replacements)


def _escaped(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]

"""Shows from one page how a mapping fits the records: paths that lead nowhere, and the keys there are instead. Pure.

Names of keys only, never a value. What a lost field means for publishing belongs in `processing/quality.py`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from customer_assets.core.json_values import read_json
from customer_assets.core.paths import ABSENT, Path, follow, parse_path
from customer_assets.core.record_mapping import FILTER, RecordMapping

RECORDS_AT_MOST, KEYS_AT_MOST, DEPTH_AT_MOST = 100, 40, 3
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
"""What names a field. Some APIs use data as keys, such as addresses: those are not shown."""


@dataclass(frozen=True, slots=True)
class PageSample:
    """How a mapping fits the records of a page.

    Attributes:
        absent_paths: The paths that no record has, by field; `FILTER` is that of `exclude`.
        keys: The paths of the values that at least half of the records have, in the order in which they come.
    """

    absent_paths: dict[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


def sample_page(data: bytes, mapping: RecordMapping) -> PageSample:
    """Look at the first records of a page. A page that cannot be read shows nothing."""
    try:
        page = read_json(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return PageSample()
    records = [record for record in page if isinstance(record, dict)] if isinstance(page, list) else []
    records = records[:RECORDS_AT_MOST]
    if not records:
        return PageSample()
    absent = {}
    for column in mapping.raw_columns:
        if column.path and not any(_occurs(column.path, record) for record in records):
            source = mapping.fields.get(column.name) or getattr(mapping, column.name)
            absent[column.name] = source.path or column.name
    filtered = mapping.exclude
    if filtered is not None and not any(_occurs(parse_path(filtered.field), record) for record in records):
        absent[FILTER] = filtered.field
    found = Counter(key for record in records for key in _keys(record))
    keys = [key for key, count in found.items() if 2 * count >= len(records)]
    return PageSample(absent, tuple(keys[:KEYS_AT_MOST]))


def _occurs(path: Path, record: object) -> bool:
    """Whether a path ends at a value of the record's, be it null."""
    value = follow(record, path)
    if value is None:  # null, or the path leads through a value that has no parts
        return isinstance(follow(record, path[:-1]), dict | list)
    return value is not ABSENT


def _keys(value: dict[str, object], before: str = "", depth: int = 1) -> Iterator[str]:
    for key, inner in value.items():
        if not _NAME.fullmatch(key):
            continue
        path, part = before + key, inner
        if isinstance(part, list) and part:
            path, part = f"{path}[0]", part[0]
        if isinstance(part, dict) and depth < DEPTH_AT_MOST:
            yield from _keys(part, f"{path}.", depth + 1)
        else:
            yield path

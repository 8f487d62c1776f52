"""What a few records say about an API: which fields there are, how often they are filled, how a mapping fits. Pure.

Names and counts only, never a value: people paste such a report into tickets.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from customer_assets.api.responses.answer import MAX_KEY_LENGTH
from customer_assets.api.responses.diagnosis import kind_of
from customer_assets.core.json_values import parse_id, sanitize_json
from customer_assets.core.paths import ABSENT, Path, follow
from customer_assets.core.record_mapping import RecordMapping

DEEPEST = 4
"""How far objects in objects are described."""

MOST_FIELDS = 200
MOST_BESIDE = 20


def describe_fields(records: Sequence[object]) -> list[str]:
    """Describe each field of the records: its path, what it holds, and how often it is filled."""
    kinds: dict[str, Counter[str]] = {}
    for record in records:
        for path, value in _leaves(record):
            kinds.setdefault(path, Counter())[kind_of(value)] += 1
    lines = []
    for path, found in sorted(kinds.items())[:MOST_FIELDS]:
        filled = found.total() - found["null"]
        words = ", ".join(sorted(set(found) - {"null"})) or "null"
        lines.append(f"{path}: {words}; filled in {_share(filled, len(records))}")
    return lines


def describe_envelope(body: bytes, list_path: Path) -> str:
    """Describe what a response holds beside its records: totals and ways to the next page are there."""
    try:
        content = msgspec.json.decode(sanitize_json(body))
    except (ValueError, RecursionError, msgspec.DecodeError):
        return "nothing"
    around = content
    for step in list_path[:-1]:
        around = follow(around, (step,))
    if not list_path or not isinstance(around, dict) or not isinstance(content, dict):
        return "nothing"
    around.pop(list_path[-1], None)
    found = [f"{path} ({kind_of(value)})" for path, value in _leaves(content) if value != {}]
    return ", ".join(found[:MOST_BESIDE]) or "nothing"


def describe_mapping(records: Sequence[object], mapping: RecordMapping) -> list[str]:
    """Describe how well a mapping fits the records."""
    lines = [_describe_id(records, mapping)]
    for column in mapping.raw_columns:
        if column.path is None:
            continue
        found = [follow(record, column.path) for record in records]
        sent = sum(value is not ABSENT for value in found)
        filled = sum(value not in (ABSENT, None, "") for value in found)
        words = f"sent in {_share(sent, len(found))}, filled in {_share(filled, len(found))}"
        advice = "generated, unless you map it" if column.is_optional else "map it, or set it to null"
        lines.append(f"{column.name}: {words}" if sent else f"{column.name}: {words}; {advice}")
    return lines


def _describe_id(records: Sequence[object], mapping: RecordMapping) -> str:
    found = [follow(record, mapping.id_path) for record in records]
    usable = sum(parse_id(value, mapping.id_type, mapping.missing) is not None for value in found)
    line = f"id ({mapping.id_type}): usable in {_share(usable, len(found))}"
    as_text = sum(parse_id(value, "text", mapping.missing) is not None for value in found)
    return f"{line}; with id_type: text in {_share(as_text, len(found))}" if as_text > usable else line


def _leaves(value: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Each value in a record with its path; lists are looked into by their first element."""
    if isinstance(value, dict) and value and depth < DEEPEST:
        for key, inner in value.items():
            is_name = len(key) <= MAX_KEY_LENGTH and "@" not in key and key.isprintable()
            step = key if is_name and not set(key) & set('.[]"') else f'["{key}"]' if is_name else "[...]"
            yield from _leaves(
                inner, f"{path}.{step}" if path and not step.startswith("[") else f"{path}{step}", depth + 1
            )
    elif isinstance(value, list) and value and path:
        yield from _leaves(value[0], f"{path}[0]", depth + 1)
    else:
        yield path or "(a record)", value


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}"

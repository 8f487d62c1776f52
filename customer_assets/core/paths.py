"""Paths: the way to a value inside a JSON document, such as `contact.email` or `emails[0].value`.

How one is written, read and followed belongs here; which path leads to which of our fields, in `record_mapping.py`.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

Path = tuple[str | int, ...]
"""The way into a record, step by step: a key, or an element's index: `("emails", 0, "value")`."""

ABSENT = object()
"""What `follow` returns where a key, or an element of a list, is not there."""

_KEY = r'[^.\[\]"\\\x00-\x1f]+'
_STEP = re.compile(rf'(?:^|(?<=[^.])\.)(?P<key>{_KEY})|\[(?P<index>[0-9]{{1,6}})\]|\["(?P<quoted>[^"\\\x00-\x1f]+)"\]')


def parse_path(text: str) -> Path:
    """Read a path: `email`, `contact.email`, `emails[0].value`, `["a.key.with.dots"].value`.

    Raises:
        ValueError: It is not a path.
    """
    steps: list[str | int] = []
    end = 0
    while end < len(text):
        found = _STEP.match(text, end)
        if found is None or (found["index"] is not None and not steps):
            break
        steps.append(int(found["index"]) if found["index"] is not None else found["key"] or found["quoted"])
        end = found.end()
    if not steps or end < len(text):
        raise ValueError(
            f"{text!r} is not a path. Write it like email, contact.email, emails[0].value or "
            '["a.key.with.dots"]; null means that the API has no such field'
        )
    return tuple(steps)


def follow(record: object, path: Path) -> object:
    """Return what a path leads to; `ABSENT` where nothing is there; None where it leads through what has no parts."""
    value = record
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list):
                return None
            if step >= len(value):
                return ABSENT
            value = value[step]
        elif not isinstance(value, dict):
            return None
        elif step not in value:
            return ABSENT
        else:
            value = value[step]
    return value


def _valid_path(text: str) -> str:
    parse_path(text)
    return text


PathText = Annotated[str, AfterValidator(_valid_path)]

"""The pointer: a small document that names a table's files, with their hashes, the facts about them and a checksum.

What it says and how it is written belongs here, as bytes; where it stands and when it is replaced, in `table.py`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

Facts = TypeVar("Facts", bound=BaseModel)

FORMAT = 1
"""Raise it when the pointer's form changes: other versions of this package then say so, instead of guessing."""


class Part(BaseModel):
    """One file of a version.

    Attributes:
        file: Its name, relative to the lake.
        sha256: Its hash.
    """

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Version(Generic[Facts]):
    """One committed version of a table.

    Attributes:
        parts: Its files by what they hold: the table's own under the table's name.
        facts: What was committed with them.
        superseded: Files of earlier versions that can still be there, if the run that superseded them was killed.
    """

    parts: Mapping[str, Part]
    facts: Facts
    superseded: frozenset[str] = frozenset()

    @property
    def files(self) -> frozenset[str]:
        """The names of its files."""
        return frozenset(part.file for part in self.parts.values())


def read_pointer(content: bytes, name: str, facts: type[Facts]) -> Version[Facts]:
    """Read a pointer.

    Args:
        content: The document.
        name: The table.
        facts: The model of its facts.

    Raises:
        ValueError: It is damaged, or of another version of this package.
    """
    try:
        document = json.loads(content)
        body = document["version"]
        checksum, form = document["checksum"], body["format"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError("it is damaged or cut off") from None
    if checksum != _checksum(body):
        raise ValueError("its checksum does not match: it was damaged, or changed by hand")
    if form != FORMAT:
        raise ValueError(f"another version of customer_assets wrote it (format {form})")
    try:
        parts = {key: Part.model_validate(part) for key, part in body["parts"].items()}
        _ = parts[name]
        return Version(parts, facts.model_validate(body["facts"]), frozenset(body["superseded"]))
    except (ValidationError, KeyError, AttributeError, TypeError):
        raise ValueError("another version of customer_assets wrote it") from None


def write_pointer(version: Version[Facts]) -> bytes:
    """Write the pointer to a version."""
    body = {
        "format": FORMAT,
        "parts": {name: part.model_dump(mode="json") for name, part in version.parts.items()},
        "facts": version.facts.model_dump(mode="json"),
        "superseded": sorted(version.superseded),
    }
    return (json.dumps({"checksum": _checksum(body), "version": body}, indent=2) + "\n").encode()


def _checksum(body: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

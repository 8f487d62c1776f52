"""Decodes a page's records in one pass over the JSON, into structs made for a mapping's paths. No I/O.

Nothing but these paths is looked at. What the paths mean belongs in `record_mapping.py`; what becomes of a page that
does not fit the structs, in `parser.py`.
"""

import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from customer_assets.core.json_values import LARGEST_INTEGER, LONGEST_TEXT_ID, SMALLEST_INTEGER
from customer_assets.core.paths import Path, parse_path
from customer_assets.core.record_mapping import RecordMapping

ID, EXCLUSION = "id", "excluded"
"""The names, among a page's values, of the ids and of what decides whether a record is left out."""

_SCALAR = str | int | float | bool | None
_Type = Any
"""What msgspec takes as a type."""
_Steps = tuple[str | int, ...]
"""The attributes and indices that lead from a record's struct to a value."""


class PathConflictError(ValueError):
    """Two paths cannot be read in one pass: one leads through the value of the other."""


def value_paths(mapping: RecordMapping) -> dict[str, Path]:
    """Return the path of everything that is read from a record, by name."""
    paths: dict[str, Path] = {ID: mapping.id_path}
    paths |= {column.name: column.path for column in mapping.raw_columns if column.path is not None}
    return paths if mapping.exclude is None else paths | {EXCLUSION: parse_path(mapping.exclude.field)}


class PageDecoder:
    """Decodes a page's JSON array into the values of each path.

    Args:
        mapping: Says what is read, and which ids are usable.

    Raises:
        PathConflictError: One path leads through the value of another.
    """

    def __init__(self, mapping: RecordMapping) -> None:
        paths = value_paths(mapping)
        self._optional = {column.name for column in mapping.raw_columns if column.supplied is None}
        node = _Node()
        for name, path in paths.items():
            node.add(name, path)
        record = node.struct(_id_type(mapping), self._optional)
        self._decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(list[record]).decode  # type: ignore[valid-type] # made now
        self._steps = {name: node.steps(path) for name, path in paths.items()}
        is_flat = all(len(steps) == 1 for steps in self._steps.values())
        self._names = list(paths) if is_flat and len(set(paths.values())) == len(paths) else None

    def decode(self, data: bytes) -> tuple[int, dict[str, Sequence[Any]]]:
        """Return how many records there are, and their values by name; `UNSET` where an optional field is absent.

        Raises:
            msgspec.DecodeError: It is not a JSON array of records that fit: each with a usable id, scalars where paths
                end, objects and lists where they lead through.
        """
        records = self._decode(data)
        if self._names is not None and records:
            columns = zip(*map(msgspec.structs.astuple, records))  # noqa: B905 - equally long, and checked for each value
            return len(records), dict(zip(self._names, columns))  # noqa: B905 - the same
        return len(records), {name: self._values(name, records) for name in self._steps}

    def _values(self, name: str, records: list[Any]) -> list[Any]:
        first, *others = self._steps[name]
        values = list(map(attrgetter(str(first)), records))
        for step in others:
            if isinstance(step, int):
                values = [value[step] if value is not None and len(value) > step else None for value in values]
            else:
                attribute = attrgetter(step)
                values = [None if value is None else attribute(value) for value in values]
        return values if name in self._optional else [None if value is UNSET else value for value in values]


def _id_type(mapping: RecordMapping) -> _Type:
    """The ids that are usable for sure; others may be, and are looked at one by one."""
    words = "|".join(map(re.escape, sorted(mapping.missing.values)))
    not_missing = rf"(?!(?i:{words})(?: (?i:{words}))*\Z)" if words else ""
    if mapping.id_type == "text":
        visible = rf"^{not_missing}[!-~](?:[ -~]*[!-~])?\Z"
        return Annotated[str, msgspec.Meta(pattern=visible, max_length=LONGEST_TEXT_ID)] | int
    digits = msgspec.Meta(pattern=rf"^{not_missing}[0-9]{{1,18}}\Z")
    return Annotated[int, msgspec.Meta(ge=SMALLEST_INTEGER, le=LARGEST_INTEGER)] | Annotated[str, digits]


class _Node:
    """What is read of one object, list or scalar of a record: a tree, the paths grown together."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        """Whose value it is, if it is a scalar."""
        self._keys: dict[str, _Node] = {}
        self._element: _Node | None = None
        """What is read of a list's elements, whichever they are."""
        self._holds_id = False

    def add(self, name: str, path: Path) -> None:
        """Grow the tree by a path."""
        self._holds_id |= name == ID
        if not path:
            self._names.add(name)
        elif isinstance(path[0], str):
            self._keys.setdefault(path[0], _Node()).add(name, path[1:])
        else:
            self._element = self._element or _Node()
            self._element.add(name, path[1:])
        if (bool(self._names), bool(self._keys), self._element is not None).count(True) > 1:
            raise PathConflictError(f"{name} leads through another field's value, or is led through")
        if self._element is not None and self._holds_id:
            raise PathConflictError("the id is an element of a list, which may be empty")

    def steps(self, path: Path) -> _Steps:
        """Return the attributes and indices that lead to a path's value."""
        if not path:
            return ()
        step, rest = path[0], path[1:]
        if isinstance(step, int):
            assert self._element is not None  # noqa: S101 - the path was added
            return (step, *self._element.steps(rest))
        return (f"f{list(self._keys).index(step)}", *self._keys[step].steps(rest))

    def struct(self, id_type: _Type, optional: set[str]) -> _Type:
        """Make the struct of an object."""
        fields: list[Any] = []
        for place, child in enumerate(self._keys.values()):
            kind = child.type(id_type, optional)
            if child._holds_id:  # noqa: SLF001 - a node like this one
                fields.append((f"f{place}", kind))
            else:
                fields.append((f"f{place}", kind, UNSET if optional & child._names else None))  # noqa: SLF001
        keys = {f"f{place}": key for place, key in enumerate(self._keys)}
        return msgspec.defstruct("Record", fields, rename=keys, kw_only=True, gc=False)

    def type(self, id_type: _Type, optional: set[str]) -> _Type:
        """Make the type of whatever it is; absent and null are refused only where an id must be."""
        if self._names:
            if self._holds_id:
                return id_type
            return _SCALAR | UnsetType if optional & self._names else _SCALAR
        if self._element is not None:
            return list[self._element.type(id_type, optional)] | None  # type: ignore[misc] # made now
        record = self.struct(id_type, optional)
        return record if self._holds_id else record | None

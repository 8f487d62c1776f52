"""An API's shape: by which names it tells what we know by ours. Data, and how a name is followed; no I/O.

A dot leads into an object: `contact.email` is the `email` of the object `contact`.
"""

import re
from dataclasses import asdict, dataclass
from typing import ClassVar

from customer_assets.configuration import SettingError
from customer_assets.record_mapping import DEFAULT_RECORD, RecordMapping

_PARAMETER = re.compile(r"[A-Za-z0-9_.~\[\]-]+")
_UNNAMEABLE = re.compile(r'["\\\x00-\x1f]')

REQUIRED = {"total", "data"}

Path = tuple[str, ...]
"""A name, step by step: `("contact", "email")`."""


class MappingError(SettingError):
    """A name cannot be used."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem, "Name it as the API does.", field=field)


def parse_paths(names: "EnvelopeFields") -> dict[str, Path | None]:
    """Split each name at its dots.

    Raises:
        MappingError: A name has an empty step, or a character that no key is looked up by.
    """
    for field, name in asdict(names).items():
        if name is None and field in REQUIRED:
            raise MappingError(field, "it is missing, and there is no sync without it")
    return {field: None if name is None else _path(field, name) for field, name in asdict(names).items()}


def _path(field: str, name: str) -> Path:
    path = tuple(name.split("."))
    if not all(path) or _UNNAMEABLE.search(name):
        raise MappingError(field, f"{name!r} is no name; write it like email, or contact.email for one in an object")
    return path


@dataclass(frozen=True, slots=True)
class EnvelopeFields:
    """Where an answer tells which page it is, how much there is, and its records.

    Attributes:
        page: The page's number; None: it is not told.
        per_page: Records on a full page; None: it is not told.
        total: Customers in all.
        total_pages: Pages in all; None: it is not told, and follows from the total.
        data: The records.

    Raises:
        MappingError: A name cannot be used.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    page: str | None = "page"
    per_page: str | None = "per_page"
    total: str = "total"
    total_pages: str | None = "total_pages"
    data: str = "data"

    def __post_init__(self) -> None:
        """Check each name, and that none leads through another."""
        paths = {field: path for field, path in parse_paths(self).items() if path is not None}
        for field, path in paths.items():
            for other, longer in paths.items():
                if field != other and longer[: len(path)] == path:
                    raise MappingError(field, f"{'.'.join(path)!r} is in the way of {other}, {'.'.join(longer)!r}")


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How an API's requests and answers look.

    Attributes:
        answer: Names in an answer.
        record: Names in a record.
        page_parameter: The query parameter that asks for a page.
        per_page_parameter: The query parameter that asks for a page's size.
        first_page: The number of the first page, 1 or 0; in all that we tell, pages are counted from 1.

    Raises:
        MappingError: One of them cannot be used.
    """

    answer: EnvelopeFields = EnvelopeFields()
    record: RecordMapping = DEFAULT_RECORD
    page_parameter: str = "page"
    per_page_parameter: str = "per_page"
    first_page: int = 1

    def __post_init__(self) -> None:
        """Check what the names themselves do not."""
        for field in ("page_parameter", "per_page_parameter"):
            if not _PARAMETER.fullmatch(getattr(self, field)):
                raise MappingError(field, f"{getattr(self, field)!r} is no name of a query parameter")
        if self.page_parameter == self.per_page_parameter:
            raise MappingError("per_page_parameter", "it is the page's parameter too")
        if self.first_page not in (0, 1):
            raise MappingError("first_page", f"{self.first_page!r} is neither 0 nor 1")


DEFAULT_MAPPING = FieldMapping()

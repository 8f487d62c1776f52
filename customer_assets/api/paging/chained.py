"""Listings in which only a page knows the way to the next one: cursors, last ids, next addresses. Pure.

A blank, null, false, zero or absent way on is the end, unless `has_more` is true.
"""

from typing import Any, ClassVar, Literal

import msgspec
from pydantic import Field

from customer_assets.api.crawl.extent import Numbering
from customer_assets.api.paging.base import Answer, Following, PageRequest, Paging, PagingError, Parameter, Source
from customer_assets.api.paging.links import parse_links, path_and_query
from customer_assets.api.responses.diagnosis import kind_of
from customer_assets.core.paths import ABSENT, PathText, follow, parse_path

NOTHING = ("", "0", "false", "none", "null")
"""Texts that stand for no cursor."""


class Chain(Paging):
    """What the strategies of this file have in common."""

    numbering: ClassVar[Numbering] = Numbering.CHAIN

    def next_page(self, answer: Answer, cursor: str | None, source: str) -> Following:
        """What a way on means beside `has_more`.

        Raises:
            PagingError: More pages follow, but nothing leads there.
        """
        more = self.more(answer)
        if more is False:
            return Following(has_more=False)
        if more and cursor is None:
            raise PagingError(
                f"{self.has_more} says that more pages follow, but {source} does not lead to the next one",
                "Name where the response says how the next page is requested.",
            )
        return Following(cursor, more)

    def write(self, found: object, source: str) -> str:
        """Write a cursor as text. In a body it keeps its type, so its text is JSON there.

        Raises:
            PagingError: It cannot be a cursor.
        """
        if self.send_in == "query" or found is True:
            return _text(found, source)
        return msgspec.json.encode(found).decode()

    def read(self, cursor: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return what a request sends of what `write` returned."""
        if self.send_in == "query":
            return cursor
        try:
            return msgspec.json.decode(cursor)
        except msgspec.DecodeError:  # an earlier version stored it
            return cursor


class Cursor(Chain):
    """Each response holds a cursor that requests the next page."""

    type: Literal["cursor"] = "cursor"

    source: Source = Field(alias="from", description="Where the response holds it, such as paging.next.after.")
    parameter: Parameter = Field(description="The parameter that takes it.")
    first_only: bool = Field(
        default=False, description="Send the fixed parameters with the first page only; the cursor carries them on."
    )

    def sources(self) -> tuple[str, ...]:
        return (self.source, *super().sources())

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        if cursor is None:
            return PageRequest(self.size_parameters())
        parameters = {self.parameter: self.read(cursor), **self.size_parameters()}
        return PageRequest(parameters, with_params=not self.first_only)

    def follow(self, answer: Answer) -> Following:
        found = answer.source(self.source)
        return self.next_page(answer, None if _is_nothing(found) else self.write(found, self.source), self.source)


class LastId(Chain):
    """The last record's id requests the next page."""

    type: Literal["last_id"] = "last_id"

    parameter: Parameter = Field(description="The parameter that takes it, such as starting_after.")
    source: PathText = Field(default="id", alias="from", description="Where a record holds its id.")

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        if cursor is None:
            return PageRequest(self.size_parameters())
        return PageRequest({self.parameter: self.read(cursor), **self.size_parameters()})

    def follow(self, answer: Answer) -> Following:
        last = answer.last_record()
        found = ABSENT if last is ABSENT else follow(last, parse_path(self.source))
        is_missing = found is ABSENT or found is None or found is False or not str(found).strip()
        if is_missing and last is not ABSENT:
            raise PagingError(
                f"the page's last record has no {self.source}, which requests the next page",
                "Name where a record holds its id (pages.from).",
            )
        source = f"the last record's {self.source}"
        return self.next_page(answer, None if is_missing else self.write(found, source), source)


class NextUrl(Chain):
    """Each response holds the next page's address, absolute or relative."""

    type: Literal["next_url"] = "next_url"

    source: Source = Field(alias="from", description="Where the response holds it, such as links.next.")

    def sources(self) -> tuple[str, ...]:
        return (self.source, *super().sources())

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        return PageRequest(self.size_parameters()) if cursor is None else PageRequest(address=cursor)

    def follow(self, answer: Answer) -> Following:
        found = answer.source(self.source)
        address = None if _is_nothing(found) else _text(found, self.source)
        return _located(self.next_page(answer, address, self.source), answer)


class LinkHeader(Chain):
    """The `Link` header (RFC 8288) holds the next page's address."""

    type: Literal["link_header"] = "link_header"

    rel: str = Field(default="next", min_length=1, description="The relation of the link.")

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        return PageRequest(self.size_parameters()) if cursor is None else PageRequest(address=cursor)

    def follow(self, answer: Answer) -> Following:
        found = parse_links(answer.headers.get("link", "")).get(self.rel.lower())
        return _located(self.next_page(answer, found, f"the Link header (rel={self.rel})"), answer)


def _located(following: Following, answer: Answer) -> Following:
    if following.next_cursor is None:
        return following
    return Following(path_and_query(following.next_cursor, answer.url), following.has_more)


def _is_nothing(found: object) -> bool:
    """Whether a cursor stands for none. Some APIs say 0 or false in place of nothing, and some say so in a text."""
    if isinstance(found, str):
        return found.strip().lower() in NOTHING
    return found is ABSENT or found is None or found is False or found == 0


def _text(found: object, source: str) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    raise PagingError(f"{source} is {kind_of(found)}, not a cursor", "Name where the response holds a cursor.")

"""Listings in which only a page knows the way to the next one: cursors, last ids, next addresses. Pure.

A blank, null, false or absent way on is the end, unless `has_more` is true.
"""

from typing import ClassVar, Literal

from pydantic import Field

from customer_assets.api.crawl.extent import Numbering
from customer_assets.api.paging.base import Answer, Following, PageRequest, Paging, PagingError, Parameter, Source
from customer_assets.api.paging.links import parse_links, path_and_query
from customer_assets.api.responses.diagnosis import kind_of
from customer_assets.core.record_mapping import ABSENT, PathText, follow, parse_path


class Chain(Paging):
    """What the strategies of this file have in common."""

    numbering: ClassVar[Numbering] = Numbering.CHAIN

    def next_page(self, answer: Answer, found: object, source: str) -> Following:
        """What a way on means beside `has_more`.

        Raises:
            PagingError: More pages follow, but nothing leads there.
        """
        more, cursor = self.more(answer), _text(found, source)
        if more is False:
            return Following(has_more=False)
        if more and cursor is None:
            raise PagingError(
                f"{self.has_more} says that more pages follow, but {source} does not lead to the next one",
                "Name where the response says how the next page is requested.",
            )
        return Following(cursor, more)


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
        return PageRequest({self.parameter: cursor, **self.size_parameters()}, with_params=not self.first_only)

    def follow(self, answer: Answer) -> Following:
        return self.next_page(answer, answer.source(self.source), self.source)


class LastId(Chain):
    """The last record's id requests the next page."""

    type: Literal["last_id"] = "last_id"

    parameter: Parameter = Field(description="The parameter that takes it, such as starting_after.")
    source: PathText = Field(default="id", alias="from", description="Where a record holds its id.")

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        if cursor is None:
            return PageRequest(self.size_parameters())
        return PageRequest({self.parameter: cursor, **self.size_parameters()})

    def follow(self, answer: Answer) -> Following:
        last = answer.last_record()
        found = ABSENT if last is ABSENT else follow(last, parse_path(self.source))
        if last is not ABSENT and _text(found, self.source) is None:
            raise PagingError(
                f"the page's last record has no {self.source}, which requests the next page",
                "Name where a record holds its id (pages.from).",
            )
        return self.next_page(answer, found, f"the last record's {self.source}")


class NextUrl(Chain):
    """Each response holds the next page's address, absolute or relative."""

    type: Literal["next_url"] = "next_url"

    source: Source = Field(alias="from", description="Where the response holds it, such as links.next.")

    def sources(self) -> tuple[str, ...]:
        return (self.source, *super().sources())

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        return PageRequest(self.size_parameters()) if cursor is None else PageRequest(address=cursor)

    def follow(self, answer: Answer) -> Following:
        return _located(self.next_page(answer, answer.source(self.source), self.source), answer)


class LinkHeader(Chain):
    """The `Link` header (RFC 8288) holds the next page's address."""

    type: Literal["link_header"] = "link_header"

    rel: str = Field(default="next", min_length=1, description="The relation of the link.")

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        return PageRequest(self.size_parameters()) if cursor is None else PageRequest(address=cursor)

    def follow(self, answer: Answer) -> Following:
        found = parse_links(answer.headers.get("link", "")).get(self.rel.lower(), ABSENT)
        return _located(self.next_page(answer, found, f"the Link header (rel={self.rel})"), answer)


def _located(following: Following, answer: Answer) -> Following:
    if following.next_cursor is None:
        return following
    return Following(path_and_query(following.next_cursor, answer.url), following.has_more)


def _text(found: object, source: str) -> str | None:
    """A cursor as text; None if there is none. Some APIs say 0 or false in place of nothing."""
    if found is ABSENT or found is None or found is False or found == 0:
        return None
    if isinstance(found, str):
        return found if found.strip() else None
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    raise PagingError(f"{source} is {kind_of(found)}, not a cursor", "Name where the response holds a cursor.")

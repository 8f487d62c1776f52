"""Listings whose pages can be requested in any order: by page number, by offset, or all at once. Pure."""

from typing import ClassVar, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, model_validator

from customer_assets.api.crawl.extent import Numbering
from customer_assets.api.paging.base import Answer, Following, PageRequest, Paging, PagingError, Parameter
from customer_assets.api.paging.links import parse_links
from customer_assets.core.configuration import SettingError


class PageNumber(Paging):
    """Pages by their number.

    The last page follows from the total, the number of pages, the `last` link (RFC 8288), `has_more`, or an empty page:
    whichever the API offers.
    """

    type: Literal["page_number"] = "page_number"
    numbering: ClassVar[Numbering] = Numbering.PAGES

    parameter: Parameter = Field(default="page", description="The parameter that asks for a page.")
    size_parameter: Parameter | None = Field(
        default="per_page", description="The parameter that asks for a page size; null: there is none."
    )
    first: Literal[0, 1] = Field(default=1, description="The number of the API's first page: 0 or 1.")

    @model_validator(mode="after")
    def validate_parameters(self) -> Self:
        """Refuse one parameter for both."""
        if self.parameter == self.size_parameter:
            raise SettingError(
                f"{self.size_parameter!r} is the page's parameter too", "Name another.", field="size_parameter"
            )
        return self

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        return PageRequest({self.parameter: number - 1 + self.first, **self.size_parameters()})

    def follow(self, answer: Answer) -> Following:
        more, links = self.more(answer), parse_links(answer.headers.get("link", ""))
        if answer.total_pages is not None or "last" not in links:
            return Following(has_more=True if more is None and "next" in links else more)
        numbers = parse_qs(urlsplit(links["last"]).query).get(self.parameter, [""])
        is_number = numbers[0].isascii() and numbers[0].isdigit() and len(numbers[0]) < len(str(10**15))
        return Following(has_more=more, total_pages=int(numbers[0]) + 1 - self.first if is_number else None)


class Offset(Paging):
    """Pages by the position of their first record.

    The page size is what comes, not what was asked for: where a page brings fewer records, the next request begins
    right after them.
    """

    type: Literal["offset"] = "offset"
    numbering: ClassVar[Numbering] = Numbering.RECORDS

    parameter: Parameter = Field(default="offset", description="The parameter that asks for the first record.")
    first: Literal[0, 1] = Field(default=0, description="The position of the API's first record: 0 or 1.")
    format: str | None = Field(
        default=None,
        description="For a parameter that holds offset and size at once: '{offset},{size}'. Empty: the offset alone.",
    )

    @model_validator(mode="after")
    def validate_format(self) -> Self:
        """Refuse a format that leaves the offset out, or needs a size that is not set."""
        if self.format is None:
            return self
        try:
            text = self.format.format(offset="\x00", size="\x01")
        except (ValueError, LookupError, AttributeError):
            text = ""
        if "\x00" not in text:
            raise SettingError(f"{self.format!r} is not a format", "Write it like '{offset},{size}'.", field="format")
        if "\x01" in text and self.size is None:
            raise SettingError("it is missing, and the format uses it", "Set the page size.", field="size")
        return self

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        offset: str | int = number - 1 + self.first
        if self.format is not None:
            offset = self.format.format(offset=offset, size=self.size)
        return PageRequest({self.parameter: offset, **self.size_parameters()})

    def follow(self, answer: Answer) -> Following:
        return Following(has_more=self.more(answer))


class Single(Paging):
    """All customers in one response."""

    type: Literal["single"] = "single"
    numbering: ClassVar[Numbering] = Numbering.PAGES

    def request(self, number: int, cursor: str | None) -> PageRequest:  # noqa: ARG002
        return PageRequest(self.size_parameters())

    def follow(self, answer: Answer) -> Following:
        if "next" in parse_links(answer.headers.get("link", "")):
            raise PagingError("the Link header leads to another page", "Set pages: {type: link_header}.")
        return Following(total_pages=1)

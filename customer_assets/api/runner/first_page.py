"""Checks, by further requests, that the settings describe the API's way of paging.

With a wrong setting, a listing can seem to end early, or to begin late. A total shows that; these checks are for APIs
that name none. What a single response shows belongs in `api/paging/` and `api/responses/`.
"""

import logging
from collections.abc import Callable, Sequence

from customer_assets.api.crawl.consistency import PassTotals, looks_full
from customer_assets.api.crawl.extent import Numbering
from customer_assets.api.paging import Offset, PageNumber, Paging
from customer_assets.api.runner.stats import CrawlStats
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.models import Page

logger = logging.getLogger("customer_assets.api")

LookUp = Callable[[Paging, int, CrawlStats], Page | None]
"""Requests a page in a given way of paging. None if the API does not return it."""

Ids = Callable[[Page], Sequence[object]]
"""The customers of a page, in order; None for a record without a usable id."""

NO_WAY_ON = "neither the first page nor a smaller one leads to the next, although there are more customers"
COUNTED_FROM_0 = "the API counts its pages from 0, so its first page is never read"
COUNTED_FROM_1 = "the first page is empty and the second is not, so the API counts its pages from 1"
NO_OFFSET = "the second half of the first page is not found by its offset, so the API does not count customers there"


def validate_end(look_up: LookUp, paging: Paging, count: int, figures: CrawlStats) -> None:
    """Check a chain that ends with its first page: the settings can name a wrong place for the way on.

    Half of the page must lead to the other half.

    Args:
        look_up: Requests a page.
        paging: The way of paging that is configured.
        count: The page's records.
        figures: Counts requests.

    Raises:
        ConfigurationError: There are more customers, but no page leads to them.
    """
    half, page = count // 2, None
    if paging.size_parameter is not None:
        page = look_up(paging.model_copy(update={"size": half}), 1, figures)
    if page is None or not 0 < page.record_count <= half:
        logger.warning("The first page, of %d records, leads to no other; if the API has more, check pages.", count)
    elif page.next_cursor is None:
        raise ConfigurationError("pages", NO_WAY_ON, "Name where a response says how the next page is requested.")


def validate_numbers(look_up: LookUp, paging: Paging, totals: PassTotals, ids: Ids, figures: CrawlStats) -> None:
    """Check that the API counts pages, or customers, as the settings say. Does nothing if the API names a total.

    The second half of the first page, requested on its own, must not be elsewhere. Customers who join or leave
    meanwhile can make it look so; a further request rules that out.

    Args:
        look_up: Requests a page.
        paging: The way of paging that is configured.
        totals: What was read.
        ids: Returns the customers of a page.
        figures: Counts requests.

    Raises:
        ConfigurationError: The API counts them otherwise.
    """
    first = totals.first
    if totals.total is not None or first is None:
        return
    if isinstance(paging, Offset):
        if looks_full(first.record_count) and first.record_count >= (paging.size or 0):
            second_half = look_up(paging, first.record_count // 2 + 1, figures)
            if second_half is None or {*ids(second_half)} & {*ids(first)}:
                return
            first = look_up(paging, 1, figures)
            if first is not None and not {*ids(second_half)} & {*ids(first)}:
                raise ConfigurationError("pages", NO_OFFSET, "If it counts pages, set pages: {type: page_number}.")
    elif isinstance(paging, PageNumber) and paging.size_parameter is not None:
        size = first.record_count if totals.pages > 1 else paging.size or first.record_count
        if first.record_count == 0:
            _validate_emptiness(look_up, paging, ids, figures)
        elif looks_full(size) and paging.first == 1:
            _validate_number(look_up, paging, size // 2, ids(first), ids, figures)


def validate_first_page(look_up: LookUp, paging: Paging, ids: Ids, figures: CrawlStats) -> None:
    """Check the same for a listing that is read in slices, none of which names a total."""
    totals = PassTotals(paging.numbering)
    for number in (1, 2) if paging.numbering is Numbering.PAGES else (1,):
        if (page := look_up(paging, number, figures)) is not None:
            totals.add(page)
    validate_numbers(look_up, paging, totals, ids, figures)


def _validate_number(
    look_up: LookUp, paging: PageNumber, half: int, known: Sequence[object], ids: Ids, figures: CrawlStats
) -> None:
    """Check that page 1 is the first one, and that no page 0 comes before it."""
    second_half = look_up(paging.model_copy(update={"size": half}), 2, figures)
    if second_half is None or not second_half.record_count or ids(second_half) != known[:half]:
        return
    before = look_up(paging.model_copy(update={"first": 0}), 1, figures)
    if before is not None and before.record_count and not {*ids(before)} & {*known}:
        raise ConfigurationError("pages", COUNTED_FROM_0, "Set pages: {first: 0}.")


def _validate_emptiness(look_up: LookUp, paging: PageNumber, ids: Ids, figures: CrawlStats) -> None:
    """Check that an empty first page means an empty listing, not that the API counts its pages from another number."""
    if paging.first == 1:
        second = look_up(paging.model_copy(update={"size": 1}), 1, figures)
        if second is not None and second.record_count:
            page = look_up(paging.model_copy(update={"first": 0}), 1, figures)
            if page is not None and ids(page)[1:2] == ids(second):
                raise ConfigurationError("pages", COUNTED_FROM_0, "Set pages: {first: 0}.")
        return
    second = look_up(paging, 2, figures)
    if second is not None and second.record_count:
        page = look_up(paging, 1, figures)
        if page is not None and not page.record_count:
            raise ConfigurationError("pages", COUNTED_FROM_1, "Set pages: {first: 1}.")

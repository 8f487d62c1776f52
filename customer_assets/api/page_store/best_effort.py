"""A page store that never fails a crawl: after its first error it is disabled with one warning."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from customer_assets.api.page_store.base import PageStore
from customer_assets.core.errors import PageStoreError
from customer_assets.core.models import Page

logger = logging.getLogger("customer_assets.api")

Result = TypeVar("Result")


class BestEffortStore:
    """The stored pages of one crawl, as far as the store works.

    Args:
        open_store: Opens the store; called once, when it is first needed.
        crawl: The crawl's identity.
        resume_ttl_s: Seconds for which the pages of an unfinished crawl are stored.
    """

    def __init__(self, open_store: Callable[[], PageStore], crawl: str, resume_ttl_s: float) -> None:
        self._open, self._crawl, self._resume_ttl_s = open_store, crawl, resume_ttl_s
        self._store: PageStore | None = None
        self._disabled = False

    def __iter__(self) -> Iterator[Page]:
        """Every stored page that is intact, ascending."""
        nothing: Iterable[int] = ()
        for number in self._try(lambda store: store.numbers(self._crawl), nothing):
            page = self._get(number)
            if page is not None:
                yield page

    def put(self, page: Page) -> None:
        """Store a page."""
        self._try(lambda store: store.put(self._crawl, page, self._resume_ttl_s), None)

    def set_ttl(self, ttl_s: float) -> None:
        """Keep all pages for `ttl_s` seconds from now; 0 drops them."""
        self._try(lambda store: store.set_ttl(self._crawl, ttl_s), None)

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._try(lambda store: store.close(), None)
            self._store = None

    def _get(self, number: int) -> Page | None:
        return self._try(lambda store: store.get(self._crawl, number), None)

    def _try(self, use: Callable[[PageStore], Result], otherwise: Result) -> Result:
        if self._disabled:
            return otherwise
        try:
            self._store = self._store or self._open()
            return use(self._store)
        except PageStoreError as error:
            self._disabled = True
            logger.warning("%s The crawl goes on without it, and cannot be resumed if it fails from here on.", error)
            return otherwise

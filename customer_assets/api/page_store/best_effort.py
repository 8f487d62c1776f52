"""How a crawl uses its page store: a store that fails is left with one warning, and the crawl goes on without it."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from customer_assets.api.page_store.base import PageStore
from customer_assets.errors import PageStoreError
from customer_assets.models import Page

logger = logging.getLogger("customer_assets.api")

Result = TypeVar("Result")


class BestEffortStore:
    """The pages of one crawl, as far as its store can keep them.

    Args:
        open_store: Opens the store; called once, when it is first needed.
        crawl: The crawl's identity.
        resume_ttl_s: Seconds for which pages of an unfinished crawl are kept.
    """

    def __init__(self, open_store: Callable[[], PageStore], crawl: str, resume_ttl_s: float) -> None:
        self._open, self._crawl, self._resume_ttl_s = open_store, crawl, resume_ttl_s
        self._store: PageStore | None = None
        self._left = False

    def __iter__(self) -> Iterator[Page]:
        """Every page that is kept and whole, ascending."""
        nothing: Iterable[int] = ()
        for number in self._tried(lambda store: store.numbers(self._crawl), nothing):
            page = self._get(number)
            if page is not None:
                yield page

    def put(self, page: Page) -> None:
        """Keep a page."""
        self._tried(lambda store: store.put(self._crawl, page, self._resume_ttl_s), None)

    def keep(self, ttl_s: float) -> None:
        """Keep all pages for so many seconds from now; 0 drops them."""
        self._tried(lambda store: store.keep(self._crawl, ttl_s), None)

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._tried(lambda store: store.close(), None)
            self._store = None

    def _get(self, number: int) -> Page | None:
        return self._tried(lambda store: store.get(self._crawl, number), None)

    def _tried(self, use: Callable[[PageStore], Result], otherwise: Result) -> Result:
        if self._left:
            return otherwise
        try:
            self._store = self._store or self._open()
            return use(self._store)
        except PageStoreError as error:
            self._left = True
            logger.warning("%s The crawl goes on without it: what fails from here on cannot be resumed.", error)
            return otherwise

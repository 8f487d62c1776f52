"""A page store that never fails a crawl: after its first error it is disabled with one warning."""

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from uuid import uuid4

from customer_assets.api.page_store.base import PageStore
from customer_assets.core.errors import PageStoreError
from customer_assets.core.models import Page

logger = logging.getLogger("customer_assets.api")

Result = TypeVar("Result")

PAUSE = 0
"""The number under which the margin notes the time at which the pages before a pause began to be read."""


class BestEffortStore:
    """The stored pages of one crawl, as far as the store works.

    Beside the pages there is a margin, under a name of its own: when a crawl under a quota began, and the former
    versions of pages that have changed since.

    Args:
        open_store: Opens the store; called when it is first needed, and again in a process that was forked.
        crawl: The crawl's identity.
        resume_ttl_s: Seconds for which the pages of an unfinished crawl are stored.
    """

    def __init__(self, open_store: Callable[[], PageStore], crawl: str, resume_ttl_s: float) -> None:
        self._open, self._crawl, self._resume_ttl_s = open_store, crawl, resume_ttl_s
        self._name, self._ttl_s = crawl, resume_ttl_s
        self._store: PageStore | None = None
        self._process = os.getpid()
        self._inherited: list[object] = []
        self._whole: BestEffortStore | None = None
        self._disabled = self._has_margin = False

    def part(self, name: str) -> "BestEffortStore":
        """The stored pages of a part of the crawl: a store of their own that fails with this one."""
        part = BestEffortStore(self._open, f"{self._name}-{name}", self._resume_ttl_s)
        part._whole = self
        return part

    def begin(self) -> None:
        """Take the stored pages over, unless another crawl is using them: then this one has pages of its own."""
        self._name, self._ttl_s, self._has_margin = self._crawl, self._resume_ttl_s, False
        if not self._try(self._claim, otherwise=True):
            self._name = f"{self._crawl}-{uuid4().hex[:8]}"
            logger.warning("Another crawl is reading this API into the same page store; this one reads all pages.")

    def end(self) -> None:
        """Leave the stored pages to the next crawl; drop them if they were this one's own."""
        if self._name != self._crawl:
            self.set_ttl(0)
        else:
            self._try(lambda store: getattr(store, "release", lambda _crawl: None)(self._crawl), None)
        self._name = self._crawl

    def __iter__(self) -> Iterator[Page]:
        """Every stored page that is intact, ascending."""
        return self._pages(self._name)

    def pages(self, numbers: Iterable[int]) -> dict[int, Page]:
        """Some stored pages by their numbers, as far as they are intact."""
        found = ((number, self._get(self._name, number)) for number in numbers)
        return {number: page for number, page in found if page is not None}

    def put(self, page: Page) -> None:
        """Store a page."""
        self._try(lambda store: store.put(self._name, page, self._ttl_s), None)

    def forget(self, page: Page) -> None:
        """Drop one page."""
        self._try(lambda store: store.put(self._name, page, 0.0), None)

    def set_ttl(self, ttl_s: float) -> None:
        """Keep all pages for `ttl_s` seconds from now; 0 drops them."""
        self._try(lambda store: store.set_ttl(self._name, ttl_s), None)
        if self._has_margin:
            self._try(lambda store: store.set_ttl(self._margin, ttl_s), None)
            self._has_margin = ttl_s > 0

    def keep_until(self, pause_s: float, since_s: float) -> None:
        """Keep all pages until a pause is over, and long enough after it to resume.

        Args:
            pause_s: Seconds until the API accepts requests again.
            since_s: When the first of the pages was read, in seconds since 1970.
        """
        self._ttl_s = pause_s + self._resume_ttl_s
        self._put_margin(Page(PAUSE, None, None, None, 0, json.dumps(since_s).encode()))
        self.set_ttl(self._ttl_s)

    def paused_since(self) -> float | None:
        """When the first of the stored pages was read, if the API has named a long pause since then."""
        margin = self._get(self._margin, PAUSE)
        self._has_margin = self._has_margin or margin is not None
        return None if margin is None else float(json.loads(margin.data))

    def keep_former(self, page: Page) -> None:
        """Keep the former version of a page that has changed during a long pause."""
        self._put_margin(page)

    def former_versions(self) -> Iterator[Page]:
        """Every version that was kept."""
        return (page for page in self._pages(self._margin) if page.number != PAUSE)

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._try(lambda store: store.close(), None)
            self._store = None

    @property
    def _margin(self) -> str:
        return f"{self._name}-margin"

    def _put_margin(self, page: Page) -> None:
        self._has_margin = True
        self._try(lambda store: store.put(self._margin, page, self._ttl_s), None)

    def _pages(self, name: str) -> Iterator[Page]:
        nothing: Iterable[int] = ()
        for number in self._try(lambda store: store.numbers(name), nothing):
            page = self._get(name, number)
            if page is not None:
                yield page

    def _get(self, name: str, number: int) -> Page | None:
        return self._try(lambda store: store.get(name, number), None)

    def _claim(self, store: PageStore) -> bool:
        claim = getattr(store, "claim", None)
        return True if claim is None else bool(claim(self._crawl))

    def _try(self, use: Callable[[PageStore], Result], otherwise: Result) -> Result:
        if self._whole is not None:
            return self._whole._try(use, otherwise)  # noqa: SLF001 - the same class
        if self._disabled:
            return otherwise
        try:
            if self._process != os.getpid():  # connections do not survive a fork, nor can they be closed in the child
                self._inherited.append(self._store)
                self._process, self._store = os.getpid(), None
            self._store = self._store or self._open()
            return use(self._store)
        except PageStoreError as error:
            self._disabled = True
            logger.warning("%s The crawl goes on without it, and cannot be resumed if it fails from here on.", error)
            return otherwise

"""Page store in this process's memory: for tests and small crawls."""

from collections.abc import Callable, Iterable

from customer_assets.core.models import Page


class MemoryPageStore:
    """Keeps pages in a dictionary; they end with the process.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pages: dict[str, dict[int, tuple[Page, float]]] = {}

    def numbers(self, crawl: str) -> Iterable[int]:
        """The numbers of the pages that are stored and have not expired, ascending."""
        now = self._clock()
        return sorted(number for number, (_, expires) in self._pages.get(crawl, {}).items() if expires > now)

    def get(self, crawl: str, number: int) -> Page | None:
        """Return a page; None if it is not kept or has expired."""
        page, expires = self._pages.get(crawl, {}).get(number, (None, 0.0))
        return page if expires > self._clock() else None

    def put(self, crawl: str, page: Page, ttl_s: float) -> None:
        """Store a page for `ttl_s` seconds."""
        self._pages.setdefault(crawl, {})[page.number] = (page, self._clock() + ttl_s)

    def set_ttl(self, crawl: str, ttl_s: float) -> None:
        """Let all of a crawl's pages expire in `ttl_s` seconds; 0 drops them."""
        pages = self._pages.pop(crawl, {})
        if ttl_s > 0:
            self._pages[crawl] = {number: (page, self._clock() + ttl_s) for number, (page, _) in pages.items()}

    def close(self) -> None:
        """Nothing to close."""

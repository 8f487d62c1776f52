"""Crawls as steps: reading a listing yields the crawls that it needs, and the caller runs them.

`drive` runs those of one listing, `sliced.py` those of many slices side by side. Which crawls a listing needs is
decided in `passes.py`.
"""

from collections.abc import Callable, Generator
from typing import NamedTuple, TypeVar

from customer_assets.api.crawl.crawl import Crawl
from customer_assets.api.crawl.events import GiveUp
from customer_assets.core.models import Page

Result = TypeVar("Result")


class CrawlStep(NamedTuple):
    """A crawl that has to be run now, and who receives its pages."""

    crawl: Crawl
    on_page: Callable[[Page], None]


RunCrawl = Callable[[CrawlStep], GiveUp | None]
"""Runs a crawl to its end: returns None, or why the pages that it held are stale; raises for every other end."""

Steps = Generator[CrawlStep, GiveUp | None, Result]
"""Yields crawls. What `RunCrawl` returns is sent in, and what it raises is thrown in."""


def drive(steps: Steps[Result], run: RunCrawl) -> Result:
    """Run one crawl after the other; return what the steps return."""
    try:
        step = next(steps)
        while True:
            try:
                stale = run(step)
            except BaseException as error:  # noqa: BLE001 - `steps` raises it again unless it has an answer
                step = steps.throw(error)
            else:
                step = steps.send(stale)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return] # the generator's result

"""Hand-written loops on `requests`: one page after another with retries, or only fetching and parsing on threads."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any

import requests

from customer_assets_tests.benchmarks.crawler_baselines.measurement import measure

OK, TOO_MANY = 200, 429
sessions = local()


def get_page(base_url: str, page: int) -> requests.Response:
    """Request a page over this thread's own connection."""
    session = getattr(sessions, "session", None) or requests.Session()
    sessions.session = session
    return session.get(f"{base_url}/users", params={"page": page}, headers={"x-api-key": "any"}, timeout=30)


def get_page_with_retries(base_url: str, page: int) -> dict[str, Any]:
    """Request a page up to four times, 1, 2 and 4 s apart; after a 429, wait as long as it asks."""
    waits_s = iter((1.0, 2.0, 4.0))
    while (answer := get_page(base_url, page)).status_code != OK:
        if answer.status_code == TOO_MANY:
            time.sleep(float(answer.headers.get("retry-after", "1")))
        else:
            wait_s = next(waits_s, None)
            if wait_s is None:
                answer.raise_for_status()
            time.sleep(wait_s or 0.0)
    return dict(answer.json())


def crawl(options: dict[str, Any]) -> list[int]:
    """Crawl one page after another; with `threads`, fetch and parse in parallel (without retries)."""
    base_url = options["base_url"]
    if "threads" in options:
        with ThreadPoolExecutor(options["threads"]) as pool:
            pages = pool.map(lambda page: json.loads(get_page(base_url, page).content), range(1, options["pages"] + 1))
            return [record["id"] for page in pages for record in page["data"]]
    ids, page, last = list[int](), 1, 1
    while page <= last:
        answer = get_page_with_retries(base_url, page)
        ids += [record["id"] for record in answer["data"]]
        page, last = page + 1, answer["total_pages"]
    return ids


if __name__ == "__main__":
    measure(crawl)

"""A loopback API that kills whoever crawls it, and the lives that it takes: processes that resume one crawl."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from customer_assets_tests.harness.apis.paged_api import Answered, Asked, PagedAPI

LIVES = """
import json, os, sys
from customer_assets.api import CustomerAPIClient
url, store, customers, options = sys.argv[1:]
options = dict(retry_waits_s=(0.001, 0.002, 0.004), **json.loads(options))
options["cache_ttl_s"] = 600  # a kill can come after the end
for _ in sys.stdin:
    life = os.fork()
    if life == 0:
        with CustomerAPIClient(url, "key", page_store=store, **options) as client:
            ids = sorted(customer["id"] for customer in client.fetch_all_customers())
        os._exit(0 if ids == list(range(1, int(customers) + 1)) else 7)
    print(life, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(life, 0)[1]), flush=True)
"""
"""Crawls in a process of its own each time; what they import is imported once."""

PACKAGE = Path(__file__).parents[3]


class DeadlyAPI(PagedAPI):
    """Kills whoever crawls it, after some requests."""

    life: int | None = None
    requests_left = 0

    def respond(self, asked: Asked, headers: dict[str, str]) -> Answered:
        """Answer, or kill in place of an answer, or shortly after it."""
        self.requests_left -= 1
        if self.requests_left <= 0 and self.life is not None:
            os.kill(self.life, signal.SIGKILL)
        return super().respond(asked, headers)

    def take_lives(self, path: str, store: str, options: dict[str, Any], *, most: int = 24) -> int:
        """Let lives crawl, kill each at a random request until one has everybody; return how many were killed.

        Args:
            path: Where the customers are.
            store: The page store's address.
            options: The client's.
            most: The latest request that kills a life.
        """
        command = [sys.executable, "-c", LIVES, f"{self.url}{path}", store, str(self.customers), json.dumps(options)]
        statuses: list[int] = []
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PACKAGE) as lives:
            assert lives.stdin is not None
            assert lives.stdout is not None
            while not statuses or statuses[-1] == -signal.SIGKILL:
                self.requests_left = self.dice.randrange(2, most)
                lives.stdin.write("live\n")
                lives.stdin.flush()
                self.life = int(lives.stdout.readline())
                statuses.append(int(lives.stdout.readline()))
                self.life = None
            lives.stdin.close()
        assert statuses[-1] == 0, "the last life has everybody, once each"
        return len(statuses) - 1

"""What hostile answers and records cost in memory: a few times their limit, measured in a process of their own."""

import json
import subprocess
import sys
from pathlib import Path

from customer_assets_tests.harness.apis.scripted_server import ScriptedServer, body, http
from customer_assets_tests.harness.apis.wire import LIBRARIES, endless
from customer_assets_tests.harness.hostile.answers import CHUNKED, LONG_HEADS, OK, PACKED

READ = """
import resource, sys
from customer_assets.api import CustomerAPIClient
from customer_assets.core.errors import CustomerAssetsError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def read(url):
    options = {"transport": sys.argv[2], "timeout_s": 1.0, "max_body_bytes": 2**22, "retry_waits_s": (), "rounds": 1}
    with CustomerAPIClient(url, "canary-key-c0ffee", **options) as client:
        return client.fetch_all_customers()

assert len(read(sys.argv[1])) == 12
before = peak()
for url in sys.argv[3:]:
    try:
        read(url)
        raise SystemExit("a hostile answer was read")
    except CustomerAssetsError:
        pass
print(peak() - before)
"""
LARGEST_GROWTH_BYTES = 48 * 2**20
"""A dozen times the limit for a body: room for copies and for what allocators keep, not for a gigabyte."""

HOSTILE = {
    **{name: answer for name, (answer, _) in PACKED.items() if "bomb" in name},
    **{name: answer for name, answer in LONG_HEADS.items() if "end" in name},
    "a body": endless(OK + b"\r\n", b"x" * 65_536),
    "a chunk's size": endless(CHUNKED, b"0" * 65_536),
    "a chunk's extension": endless(CHUNKED + b"0;x=", b"y" * 65_536),
    "a trailer": endless(CHUNKED + b"0\r\nX: ", b"y" * 65_536),
    "a body of another status": endless(b"HTTP/1.1 503 X\r\n\r\n", b"x" * 65_536),
}


@LIBRARIES
def test_a_hostile_answer_costs_no_memory(library: str) -> None:
    """Bombs, and whatever else may come without an end: one after the other, in one process."""
    good = ScriptedServer([], lambda page: http(200, body(page)))
    servers = [ScriptedServer([answer], lambda _page: b"") for answer in HOSTILE.values()]
    finished = subprocess.run(
        [sys.executable, "-c", READ, good.url, library, *(server.url for server in servers)],
        capture_output=True,
        text=True,
        check=False,
    )
    for server in [good, *servers]:
        server.close()
    assert finished.returncode == 0, finished.stderr
    assert int(finished.stdout) < LARGEST_GROWTH_BYTES


LAND = """
import json, resource, sys
from customer_assets.core.models import Page
from customer_assets.processing.landing.writer import LandingWriter

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

with LandingWriter(sys.argv[1] + "/raw.parquet", sys.argv[1] + "/rejected.parquet") as landing:
    landing.start_pass()
    for number in range(1, 151):
        if number == 10:
            before = peak()
        records = [{"id": number, "first_name": str(number) * 400_000}, {"email": str(number) * 400_000}]
        landing.add(Page(number, 2, 300, 150, 2, json.dumps(records).encode()))
print((peak() - before) * 1024)
"""


def test_large_records_are_written_as_they_come(tmp_path: Path) -> None:
    """Three hundred records of a megabyte each, landed and rejected: a row group is closed by its bytes as well."""
    finished = subprocess.run([sys.executable, "-c", LAND, str(tmp_path)], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) < 600 * 2**20

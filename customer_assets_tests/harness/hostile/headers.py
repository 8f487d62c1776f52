"""Hostile headers of the response to the request for page 2 of 2."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from customer_assets.core.errors import CrawlPausedError, RequestRefusedError
from customer_assets_tests.harness.apis.scripted_server import http
from customer_assets_tests.harness.hostile.answers import OK, PAGE
from customer_assets_tests.harness.hostile.outcomes import Case, Refused, Survived, Taken, Waited

IN_TWO_DAYS = format_datetime(datetime.now(UTC) + timedelta(days=2), usegmt=True)
OWN_PAUSE_S = 10.0
"""The longest pause that the client chooses by itself after a single 429."""

PAUSES = {
    "7": (7, 7),
    " 7 ": (7, 7),
    "0": (0, OWN_PAUSE_S),
    "59.5": (59.5, 60),
    "Thu, 01 Jan 1970 00:00:00 GMT": (0, OWN_PAUSE_S),
    "Thu, 01 Jan 2026 00:00:30 GMT": (29, 31),
    "Fri, 31 Dec 9999 23:59:59 GMT": (0, OWN_PAUSE_S),
    "Thu, 99 Foo 2026 25:61:61 GMT": (0, OWN_PAUSE_S),
    "Thu, 01 Jan 2026 00:00:30 +9999": (0, OWN_PAUSE_S),
    "-1": (0, OWN_PAUSE_S),
    "+7": (0, OWN_PAUSE_S),
    "nan": (0, OWN_PAUSE_S),
    "inf": (0, OWN_PAUSE_S),
    "1e3": (0, OWN_PAUSE_S),
    "0x10": (0, OWN_PAUSE_S),
    "7 seconds": (0, OWN_PAUSE_S),
    "3, 5": (0, OWN_PAUSE_S),
    "soon": (0, OWN_PAUSE_S),
    "": (0, OWN_PAUSE_S),
    "9" * 10_000: (0, OWN_PAUSE_S),
    "9" * 400: (0, OWN_PAUSE_S),
    "<script>alert(1)</script>": (0, OWN_PAUSE_S),
    "\xb2": (0, OWN_PAUSE_S),
    "7\t": (7, 7),
}
"""What a 429 asks for in `Retry-After`, and how long the crawl waits."""

HARMLESS = {
    "RateLimit-Remaining": ["-1", "nan", "9" * 10_000, "\xb2", ""],
    "RateLimit-Policy": ["0;w=0", '"a";q=0;w=1', "q=q;w=w", ";" * 1_000, '"' * 1_001, "1;w=" + "9" * 400],
    "RateLimit": ["limit=0, remaining=-5, reset=-5", '"' + "a" * 60_000, "r=1e9;t=nan"],
    "X-RateLimit-Limit": ["0", "-1", "inf"],
    "Date": ["", "yesterday", "Thu, 99 Foo 2026 25:61:61 GMT", "9" * 1_000],
    "Set-Cookie": ["x-api-key=stolen; Path=/", "a=" + "b" * 60_000],
    "Content-Type": ["", "application/json; charset=" + "x" * 10_000, "text/html; charset=utf-7"],
    "Location": ["http://evil.example/", "javascript:alert(1)"],
    "Refresh": ["0; url=http://evil.example/"],
    "Alt-Svc": ['h3="evil.example:443"'],
    "Strict-Transport-Security": ["max-age=99999999999999999999"],
    "X": ["\xff\xfe\xfd", "\x01\x02", "=?utf-8?b?PHNjcmlwdD4=?="],
}
"""Headers of a 200 that change nothing."""

LENGTHS = {
    "a Content-Length of -5": b"Content-Length: -5\r\n",
    "a Content-Length in words": b"Content-Length: many\r\n",
    "a Content-Length of 10^18": b"Content-Length: 1000000000000000000\r\n",
    "a Content-Length of 10,000 digits": b"Content-Length: " + b"9" * 10_000 + b"\r\n",
    "a Content-Length of 0": b"Content-Length: 0\r\n",
    "a Content-Length with a plus": b"Content-Length: +%d\r\n" % len(PAGE),
    "two lengths that agree": b"Content-Length: %d\r\n" % len(PAGE) * 2,
    "two lengths that differ": b"Content-Length: %d\r\nContent-Length: 7\r\n" % len(PAGE),
    "a length beside chunks": b"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
    "a transfer coding nobody knows": b"Transfer-Encoding: cow\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "a header that is folded": b"X: a\r\n b\r\n",
    "a header without a colon": b"nonsense\r\n",
    "a header without a name": b": value\r\n",
    "a name with a blank": b"X Y: value\r\n",
    "a bare carriage return": b"X: a\rContent-Length: 3\r\n",
    "NUL in a header": b"X: a\x00b\r\n",
}
"""Heads that HTTP forbids, or reads in two ways: request smuggling lives here."""

ELSEWHERE = {
    "another host": "http://evil.example/api/users?page=2",
    "another scheme": "https://127.0.0.1/api/users?page=2",
    "another port": "http://127.0.0.1:1/api/users?page=2",
    "the key's thief": "//evil.example/",
    "credentials": "http://127.0.0.1@evil.example/",
    "a backslash": "http://evil.example\\@127.0.0.1/",
    "a file": "file:///etc/passwd",
    "a script": "javascript:alert(1)",
    "data": "data:application/json,{}",
    "no address": "http://[",
    "a port of no size": "http://127.0.0.1:999999/",
    "nothing": "",
}
"""Where a 302 leads that is not followed."""


def headers() -> Iterator[Case]:
    """Make the cases."""
    for value, (at_least_s, at_most_s) in PAUSES.items():
        name = f"429 with Retry-After {shorten(value)}"
        yield Case(name, http(429, Retry_After=value), Waited(at_least_s, at_most_s))
    pause = Refused(CrawlPausedError, "run again after that")
    for value in ("61", "86400", "31622400"):
        yield Case(f"429 with Retry-After {value}", http(429, Retry_After=value), pause)
    yield Case("429 until the day after tomorrow", http(429, Retry_After=IN_TWO_DAYS), pause)
    for name, values in HARMLESS.items():
        for value in values:
            yield Case(f"{name}: {shorten(value)}", raw_http(name, value), Taken())
    for name, lines in LENGTHS.items():
        yield Case(name, OK + b"Connection: close\r\n" + lines + b"\r\n" + PAGE, Survived())
    for name, location in ELSEWHERE.items():
        refused = Refused(RequestRefusedError, "HTTP 302")
        yield Case(f"a redirect to {name}", http(302, Location=location), refused)


def raw_http(name: str, value: str) -> bytes:
    """Return a response of status 200 with one header of these exact bytes."""
    head = f"{name}: {value}\r\nContent-Length: {len(PAGE)}\r\nConnection: close\r\n\r\n"
    return OK + head.encode("latin-1") + PAGE


def shorten(value: str) -> str:
    """Shorten a value for a test's name."""
    text = ascii(value)[1:-1]
    return text if len(text) < 40 else f"{text[:20]}… of {len(value)}"

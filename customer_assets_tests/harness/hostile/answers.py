"""Hostile responses to the request for page 2 of 2: bodies, statuses, and bytes that are not HTTP."""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from customer_assets.core.errors import IncompleteCrawlError, RequestRefusedError
from customer_assets_tests.harness.apis.scripted_server import body, http
from customer_assets_tests.harness.apis.wire import (
    chunked,
    dripping,
    endless,
    half_closed_after,
    packed,
    reset_after,
    silent,
)
from customer_assets_tests.harness.hostile.outcomes import Case, Late, Refused, Retried, Survived, Taken

PAGE = json.dumps(body(2)).encode()
DEEP = 100_000
LIMIT_BYTES = 16 * 2**20
"""Enough for a million keys."""
NOT_JSON, NO_PAGE, OTHER_PAGE = "not JSON", "not a page of records", "another page than asked for"
RANGE, CONTRADICTION, TOO_MANY = "out of range", "contradict", "more records than the page says"
TOO_LARGE, HEAD, TIMEOUT = f"max_body_bytes, {LIMIT_BYTES}", "head exceeds its limits", "timeout_s"


def page(**fields: Any) -> bytes:
    """Return page 2 with some fields replaced."""
    return json.dumps(body(2) | fields).encode()


def without(field: str) -> bytes:
    """Return page 2 without a field."""
    return json.dumps({name: value for name, value in body(2).items() if name != field}).encode()


def written(field: str, value: bytes) -> bytes:
    """Return page 2 with these exact bytes as a field's value."""
    return page(**{field: "@@"}).replace(b'"@@"', value)


def ok(content: bytes, **headers: str) -> bytes:
    """Return a response of status 200."""
    return http(200, content, **headers)


NO_BODIES = {
    "an empty body": b"",
    "blanks": b" \r\n\t " * 100,
    "an HTML error page": b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>",
    "a login form": b"<form action='https://evil.example'><input name=password></form>",
    "XML": b"<?xml version='1.0'?><page>2</page>",
    "plain text": b"Service temporarily unavailable",
    "JSONP": b"callback(" + PAGE + b")",
    "a guard before it": b")]}',\n" + PAGE,
    "YAML": b"page: 2\ndata: []\n",
    "single quotes": PAGE.replace(b'"', b"'"),
    "a comment in it": b"/* page */" + PAGE,
    "cut off": PAGE[:-1],
    "cut off in a text": PAGE[:80],
    "twice": PAGE + PAGE,
    "something behind it": PAGE + b"x",
    "a comma too many": PAGE.replace(b"}]", b"},]"),
    "NUL bytes": bytes(1_000),
    "NUL behind it": PAGE + b"\x00",
    "two byte order marks": b"\xef\xbb\xbf" * 2 + PAGE,
    "a byte that is no UTF-8": PAGE.replace(b"x.org", b"x.\xff", 1),
    "overlong UTF-8": PAGE.replace(b"x.org", b"x\xc0\xaforg", 1),
    "a surrogate as UTF-8": PAGE.replace(b"x.org", b"x\xed\xa0\x80org", 1),
    "a code point beyond Unicode": PAGE.replace(b"x.org", b"x\xf4\x90\x80\x80org", 1),
    "a line break in a text": PAGE.replace(b"x.org", b"x\norg", 1),
    "an escape of no kind": PAGE.replace(b"x.org", rb"x\qorg", 1),
    "half an escape": PAGE.replace(b"x.org", rb"x\u12", 1),
    "arrays 100,000 deep": b"[" * DEEP + b"]" * DEEP,
    "arrays 100,000 deep, never closed": b"[" * DEEP,
    "objects 100,000 deep": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a record 100,000 deep": written("data", b'[{"id": 7, "x": ' + b"[" * DEEP + b"]" * DEEP + b"}]"),
    "another key 100,000 deep": written("support", b"[" * DEEP + b"]" * DEEP),
    "a hexadecimal number": written("total", b"0x0c"),
    "leading zeros": written("total", b"012"),
    "a plus sign": written("total", b"+12"),
    "a number in words": written("total", b"twelve"),
    "a number with an underscore": written("total", b"1_2"),
    "a number in other digits": written("total", b"\xef\xbc\x91\xef\xbc\x92"),
    "a lone minus": written("total", b"-"),
    "undefined": written("total", b"undefined"),
}

NO_PAGES = {
    "null": b"null",
    "true": b"true",
    "a number": b"42",
    "a text": b'"page"',
    "a list": b"[]",
    "an empty object": b"{}",
    "an error in a 200": b'{"error": "quota exceeded"}',
    "a list of records": json.dumps(body(2)["data"]).encode(),
    **{f"no {field}": without(field) for field in ("page", "per_page", "data")},
    **{f"{field} in words": page(**{field: "two"}) for field in ("page", "per_page", "total", "total_pages")},
    **{f"{field} with a sign": page(**{field: "+2"}) for field in ("page", "per_page", "total", "total_pages")},
    **{f"{field} null": page(**{field: None}) for field in ("page", "data")},
    "page true": page(page=True),
    "total a list": page(total=[12]),
    "total_pages and a half": page(total_pages=1.5),
    "total of 10,000 digits": written("total", b"9" * 10_000),
    "total_pages of 10,000 digits": written("total_pages", b"9" * 10_000),
    "page of 10,000 digits": written("page", b"2" * 10_000),
    "data an object": page(data={}),
    "data a text": page(data="[]"),
    "data a number": page(data=6),
    "data true": page(data=True),
}

OTHER_NUMBERS = {
    "page 1 again": (json.dumps(body(1)).encode(), OTHER_PAGE),
    "page 3": (page(page=3), OTHER_PAGE),
    "page 0": (page(page=0), OTHER_PAGE),
    "page -1": (page(page=-1), OTHER_PAGE),
    "page 10^18": (page(page=10**18), OTHER_PAGE),
    "total_pages -2": (page(total_pages=-2), RANGE),
    "total_pages 10^18": (page(total_pages=10**18), RANGE),
    "total_pages 10^30": (page(total_pages=10**30), RANGE),
    "total_pages beyond total": (page(total_pages=13), CONTRADICTION),
    "total -2": (page(total=-2), RANGE),
    "total 10^18": (page(total=10**18), RANGE),
    "total 1 beside records": (page(total=1), TOO_MANY),
    "fewer customers than records": (page(total=5), TOO_MANY),
    "per_page -1": (page(per_page=-1), RANGE),
    "per_page 10^18": (page(per_page=10**18), RANGE),
}

RETRIED_STATUSES = (204, 205, 206, 226, 300, 304, 305, 306, 408, 500, 501, 502, 503, 504, 507, 508, 511, 520, 599, 999)
REFUSED_STATUSES = (301, 302, 307, 308, 400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 418, 422, 425, 431, 451, 499)

GZIP = 16 + zlib.MAX_WBITS
QUICKLY = 1
"""The level of compression for bombs: every test process makes them before it runs anything."""

GZIPPED = gzip.compress(PAGE)
BOMB = gzip.compress(bytes(50_000_000), QUICKLY)


def flushed_zeros() -> tuple[bytes, bytes]:
    """A gzip body of zeros that has no end: its beginning, and a part that can follow any number of times."""
    packing = zlib.compressobj(wbits=GZIP)
    begin, part = (packing.compress(bytes(1_000_000)) + packing.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return begin, part


ZEROS = flushed_zeros()
PACKED = {
    "a bomb": (packed(BOMB), TOO_LARGE),
    "a bomb of zlib": (packed(zlib.compress(bytes(50_000_000), QUICKLY), "deflate"), TOO_LARGE),
    "a bomb in members": (packed(gzip.compress(bytes(500_000)) * 50), TOO_LARGE),
    "a bomb of JSON": (packed(gzip.compress(b"[" + b"0," * 20_000_000 + b"0]", QUICKLY)), TOO_LARGE),
    "a bomb in a bomb": (packed(gzip.compress(BOMB, QUICKLY), "gzip, gzip"), "packed in a way that was not asked for"),
    "a thousand empty members": (packed(gzip.compress(b"") * 1_000), "too many parts"),
    "gzip without its end": (packed(GZIPPED[:-9]), "ends early"),
    "gzip of another size": (packed(GZIPPED[:-4] + b"1234"), "cannot be unpacked"),
    "gzip of another checksum": (packed(GZIPPED[:-8] + b"12345678"), "cannot be unpacked"),
    "no gzip": (packed(GZIPPED[:2] + PAGE), "cannot be unpacked"),
    "deflate that is neither": (packed(b"\xff\xff" + PAGE, "deflate"), "cannot be unpacked"),
    "deflate of one byte": (packed(b"x", "deflate"), "ends early"),
    "a member that is none": (packed(GZIPPED + b"\x1fmore"), "cannot be unpacked"),
    "brotli": (packed(PAGE, "br"), "packed in a way that was not asked for"),
    "zstd": (packed(b"\x28\xb5\x2f\xfd" + PAGE, "zstd"), "packed in a way that was not asked for"),
    "compress": (packed(PAGE, "compress"), "packed in a way that was not asked for"),
}

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = {
    "closed at once": b"",
    "half closed at once": half_closed_after(b""),
    "reset at once": reset_after(b""),
    "reset in the head": reset_after(OK[:12]),
    "reset in the body": reset_after(ok(PAGE)[:-9]),
    "a byte short": ok(PAGE)[:-1],
    "half closed, a byte short": half_closed_after(ok(PAGE)[:-1]),
    "no last chunk": chunked(PAGE, end=b""),
    "a chunk of no size": chunked(PAGE, end=b"zz\r\n"),
    "a chunk of negative size": chunked(end=b"-1\r\n"),
    "a chunk of 10,000 digits": chunked(end=b"1" * 10_000 + b"\r\n"),
    "a chunk cut off": chunked(end=b"ffff\r\nabc"),
    "not HTTP": b"nonsense\r\n\r\n",
    "TLS instead": b"\x16\x03\x01\x02\x00\x01\x00\x01",
    "SSH instead": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2 instead": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18),
    "a status in words": b"HTTP/1.1 two hundred\r\n\r\n",
    "a status of 1,000 digits": b"HTTP/1.1 " + b"2" * 1_000 + b" OK\r\n\r\n",
    "a negative status": b"HTTP/1.1 -200 OK\r\n\r\n",
}

ENDLESS = {
    "a body without end": endless(OK + b"\r\n", b"x" * 65_536),
    "JSON without end": endless(OK + b"\r\n" + PAGE[:-2], b"," + b'{"id": 7}' * 5_000),
    "white space without end": endless(OK + b"\r\n", b" " * 65_536),
    "chunks without end": endless(CHUNKED, b"1000\r\n" + b"x" * 4_096 + b"\r\n"),
    "a text of a gigabyte": endless(OK + b"Content-Length: 1000000000\r\n\r\n" + b'{"page": "', b"x" * 65_536),
    "a packed body without end": endless(OK + b"Content-Encoding: gzip\r\n\r\n" + ZEROS[0], ZEROS[1]),
}
SLOW = {
    "silence": silent,
    "a head that drips": dripping(ok(PAGE)),
    "a body that drips": dripping(OK + b"\r\n" + PAGE),
    "chunks that drip": dripping(chunked(*(bytes([byte]) for byte in PAGE)), 0.004),
    "100 without end": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
TRICKLING = {
    "tiny chunks without end": endless(CHUNKED, b"1\r\nx\r\n" * 8_192),
    "trailers without end": endless(CHUNKED + b"0\r\n", b"X-More: 1\r\n"),
    "a chunk's extension without end": endless(CHUNKED + b"0;x=", b"y" * 65_536),
    "a chunk's size without end": endless(CHUNKED, b"0" * 65_536),
}
"""One library stops at a size limit, the other at the time limit."""
LONG_HEADS = {
    "a header of 100 kB": ok(PAGE, X="x" * 100_000),
    "a header's name of 100 kB": ok(PAGE, **{"X" * 100_000: "x"}),
    "200 headers": ok(PAGE, **{f"X{n}": "1" for n in range(200)}),
    "50,000 headers": ok(PAGE, **{f"X{n}": "1" for n in range(50_000)}),
    "10,000 cookies": OK + b"Set-Cookie: a=b\r\n" * 10_000 + b"\r\n" + PAGE,
    "headers without end": endless(OK, b"X-More: 1\r\n"),
    "a header without end": endless(OK + b"X: ", b"x" * 4_096),
    "a status line without end": endless(b"HTTP/1.1 200 ", b"x" * 4_096),
}
ODD = {
    "HTTP/0.9": PAGE,
    "HTTP/9.9": b"HTTP/9.9 200 OK\r\n\r\n" + PAGE,
    "status 0": b"HTTP/1.1 000 X\r\n\r\n",
    "status 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + PAGE,
    "line feeds alone": b"HTTP/1.1 200 OK\nConnection: close\n\n" + PAGE,
    "a chunk's extension of 60 kB": chunked(PAGE, end=b"0;x=" + b"y" * 60_000 + b"\r\n\r\n"),
}
AS_GOOD_AS_ANY = {
    "a byte order mark": ok(b"\xef\xbb\xbf" + PAGE),
    "UTF-16": ok(PAGE.decode().encode("utf-16")),
    "UTF-16 without a mark": ok(PAGE.decode().encode("utf-16-le")),
    "UTF-32": ok(PAGE.decode().encode("utf-32")),
    "a million other keys": ok(PAGE[:-1] + b',"k%d":0' * 1_000_000 % tuple(range(1_000_000)) + b"}"),
    "a key twice": ok(b'{"page": 7, ' + PAGE[1:]),
    "keys that are no names": ok(b'{"": 1, "__proto__": {}, "\\u0000": 2, ' + PAGE[1:]),
    "per_page 0": ok(page(per_page=0)),
    "more records than per_page": ok(page(per_page=5)),
    **{f"{field} in a text": ok(page(**{field: "2"})) for field in ("page", "per_page", "total_pages")},
    "total in a text": ok(page(total=" 12 ")),
    "total with a point": ok(page(total=12.0)),
    "total with a point in a text": ok(page(total="12.0")),
    "per_page null": ok(page(per_page=None)),
    **{f"no {field} on page 2": ok(without(field)) for field in ("total", "total_pages")},
    **{
        f"{field} {value} on page 2": ok(page(**{field: value}))
        for field in ("total", "total_pages")
        for value in (None, 0, -1)
    },
    **{f"total {word} on page 2": ok(written("total", word.encode())) for word in ("NaN", "Infinity", "1e400")},
    "another key with NaN": ok(written("support", b"NaN")),
    "another key of 9,000 digits": ok(written("support", b"9" * 9_000)),
    "another key with half a surrogate pair": ok(written("support", rb'"\ud800"')),
    "as text/html": ok(PAGE, Content_Type="text/html"),
    "something behind the gzip": packed(GZIPPED + b"more"),
    "zeros behind the gzip": packed(GZIPPED + bytes(512)),
    "something behind the zlib": packed(zlib.compress(PAGE) + b"more", "deflate"),
    "deflate without its head": packed(zlib.compress(PAGE)[2:-4], "deflate"),
    **{f"{word} in place of a coding": packed(PAGE, word) for word in ("UTF-8", "none", "binary")},
    "a coding of 10,000 letters": packed(PAGE, "x" * 10_000),
    "a coding that a proxy has undone": packed(PAGE),
    "gzip without a coding": ok(GZIPPED),
    "gzip that is called deflate": packed(GZIPPED, "deflate"),
    "zlib that is called gzip": packed(zlib.compress(PAGE)),
    "201": http(201, PAGE),
    "identity beside gzip": packed(GZIPPED, "gzip, identity"),
    "gzip in members": packed(gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:])),
    "a byte a chunk": chunked(*(bytes([byte]) for byte in PAGE)),
    "white space around it": ok(b"\n" * 10_000 + PAGE + b" " * 10_000),
}
DISBELIEVED = {
    "ten million pages and one": (page(total=10**9, total_pages=10_000_001), "more than the 10000000"),
    "growth without end": (page(total=10**6, total_pages=10**5), "grew from 2 to 100000 pages"),
}


def answers() -> Iterator[Case]:
    """Make the cases."""
    tables: list[tuple[dict[str, bytes], str]] = [(NO_BODIES, NOT_JSON), (NO_PAGES, NO_PAGE)]
    for contents, words in tables:
        yield from (Case(name, ok(content), Retried(words)) for name, content in contents.items())
    yield from (Case(name, ok(content), Retried(words)) for name, (content, words) in OTHER_NUMBERS.items())
    yield from (Case(name, answer, Retried(words)) for name, (answer, words) in PACKED.items())
    for status in RETRIED_STATUSES:
        yield Case(f"status {status}", http(status, b"" if status in (204, 304) else b"x"), Retried(f"HTTP {status}"))
    for status in REFUSED_STATUSES:
        yield Case(f"status {status}", http(status, PAGE), Refused(RequestRefusedError, f"HTTP {status}"))
    yield Case("a byte too many", ok(bytes(LIMIT_BYTES + 1)), Retried(TOO_LARGE))
    yield Case("a byte too many, unpacked", packed(gzip.compress(bytes(LIMIT_BYTES + 1), QUICKLY)), Retried(TOO_LARGE))
    yield from (Case(name, answer, Retried("")) for name, answer in BROKEN.items())
    yield from (Case(name, answer, Retried(TOO_LARGE)) for name, answer in ENDLESS.items())
    yield from (Case(name, answer, Late(TIMEOUT)) for name, answer in SLOW.items())
    yield from (Case(name, answer, Late("")) for name, answer in TRICKLING.items())
    yield from (Case(name, answer, Retried(HEAD)) for name, answer in LONG_HEADS.items())
    yield from (Case(name, answer, Survived()) for name, answer in ODD.items())
    yield from (Case(name, answer, Taken()) for name, answer in AS_GOOD_AS_ANY.items())
    for name, (content, words) in DISBELIEVED.items():
        yield Case(name, ok(content), Refused(IncompleteCrawlError, words))

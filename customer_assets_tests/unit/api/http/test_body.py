"""Bodies that arrive in pieces of any size."""

import gzip
import zlib

import pytest

from customer_assets.api.http.base import TransportError
from customer_assets.api.http.body import BodyDecoder

TEXT = b'{"data": [1, 2, 3]}' * 20
RAW = zlib.compress(TEXT)[2:-4]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        pytest.param("gzip", gzip.compress(TEXT), id="gzip"),
        pytest.param("gzip;q=1.0", gzip.compress(TEXT), id="a parameter"),
        pytest.param("gzip", gzip.compress(TEXT) + b"\0" * 9 + b"\x1f\x8b", id="more behind"),
        pytest.param("gzip", gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]), id="members"),
        pytest.param("deflate", zlib.compress(TEXT), id="zlib"),
        pytest.param("deflate", zlib.compress(TEXT) + b"more", id="more behind zlib"),
        pytest.param("deflate", RAW, id="raw"),
        pytest.param("deflate", RAW + b"more", id="more behind raw"),
        pytest.param("none", TEXT, id="none"),
        pytest.param("identity, UTF-8", TEXT, id="list"),
        pytest.param("application/json", TEXT, id="a content type"),
        pytest.param("aws-chunked", TEXT, id="a storage's own"),
        pytest.param("x-unknown", TEXT, id="nothing that exists"),
        pytest.param("", TEXT, id="plain"),
        pytest.param("", gzip.compress(TEXT), id="gzip without a label"),
        pytest.param("identity", gzip.compress(TEXT), id="gzip that is called identity"),
        pytest.param("deflate", gzip.compress(TEXT), id="gzip that is called deflate"),
        pytest.param("gzip", zlib.compress(TEXT), id="zlib that is called gzip"),
        pytest.param("gzip", TEXT, id="plain that is called gzip"),
    ],
)
def test_a_body_is_the_same_however_it_is_cut(coding: str, sent: bytes, size: int) -> None:
    """However it is labelled; what stands behind a compressed body does not belong to it."""
    decoder = BodyDecoder(coding, 10_000)
    for start in range(0, len(sent), size):
        decoder.add(sent[start : start + size])
    assert decoder.finish() == TEXT


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "gzip, gzip", "x-compress"])
def test_what_nobody_asked_for_is_refused(coding: str) -> None:
    """Only gzip is asked for."""
    with pytest.raises(TransportError, match="not asked for"):
        BodyDecoder(coding, 10)


def test_what_stands_behind_a_body_counts_towards_its_limit() -> None:
    """It is received all the same."""
    decoder = BodyDecoder("gzip", 1_000)
    decoder.add(gzip.compress(TEXT))
    with pytest.raises(TransportError, match="exceeds max_body_bytes"):
        decoder.add(bytes(2_000))


@pytest.mark.parametrize(("coding", "sent"), [("gzip", b""), ("", b""), ("", b"7"), ("none", b"[]")])
def test_a_body_can_be_shorter_than_a_head(coding: str, sent: bytes) -> None:
    decoder = BodyDecoder(coding, 10)
    decoder.add(sent)
    assert decoder.finish() == sent


def test_a_packed_body_of_one_byte_ends_early() -> None:
    decoder = BodyDecoder("gzip", 10)
    decoder.add(b"\x1f")
    with pytest.raises(TransportError, match="ends early"):
        decoder.finish()

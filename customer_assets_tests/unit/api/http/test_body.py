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
        ("gzip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT) + b"\0" * 9 + b"\x1f\x8b"),
        ("gzip", gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT) + b"more"),
        ("deflate", RAW),
        ("deflate", RAW + b"more"),
        ("none", TEXT),
        ("identity, UTF-8", TEXT),
        ("", TEXT),
    ],
    ids=[
        "gzip",
        "more behind",
        "members",
        "zlib",
        "more behind zlib",
        "raw",
        "more behind raw",
        "none",
        "list",
        "plain",
    ],
)
def test_a_body_is_the_same_however_it_is_cut(coding: str, sent: bytes, size: int) -> None:
    """What stands behind a compressed body does not belong to it, even if it looks like a member later on."""
    decoder = BodyDecoder(coding, 10_000)
    for start in range(0, len(sent), size):
        decoder.add(sent[start : start + size])
    assert decoder.finish() == TEXT


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "gzip, gzip", "x-unknown"])
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

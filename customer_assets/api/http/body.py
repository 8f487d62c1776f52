"""Decodes a response body chunk by chunk and stops as soon as it exceeds its limit. No I/O."""

import zlib

from customer_assets.api.http.base import TransportError
from customer_assets.core.metrics import FailureCause

GZIP = 16 + zlib.MAX_WBITS
WINDOW_BITS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": zlib.MAX_WBITS}
"""zlib's `wbits` for each content coding that we understand."""

OTHER_CODINGS = {"aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd"}
"""The other codings that exist (IANA's registry). Whatever else servers put into Content-Encoding, `none` or a
character set, say, names no coding, so the body is as it comes."""

GZIP_HEAD = b"\x1f\x8b"
"""Begins each member of a gzip file. Whatever else follows one is not part of the body: programs ignore it."""

RAW_DEFLATE = -zlib.MAX_WBITS
"""Some servers leave out the head that `deflate` has (RFC 9110, 8.4.1.2)."""

HEAD_BYTES = 2

MAX_MEMBERS = 100
"""A gzip file can consist of several members; thousands of empty ones only serve to cost time."""


class BodyDecoder:
    """One response body under construction.

    Args:
        content_encoding: The header's value.
        max_bytes: The body's limit, both compressed and decompressed.

    Raises:
        TransportError: The body is compressed in a way that we did not ask for.
    """

    def __init__(self, content_encoding: str, max_bytes: int) -> None:
        named = [name.partition(";")[0].strip() for name in content_encoding.lower().split(",")]
        codings = [name for name in named if name in WINDOW_BITS or name in OTHER_CODINGS]
        if len(codings) > 1 or not set(codings) <= WINDOW_BITS.keys():
            raise TransportError(FailureCause.BAD_BODY, "the body is packed in a way that was not asked for")
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._received = self._size = 0
        self._members, self._head, self._is_over = 1, b"", False
        self._window_bits = WINDOW_BITS[codings[0]] if codings else None
        self._decompressor: zlib._Decompress | None = None

    def add(self, chunk: bytes) -> None:
        """Take the next chunk from the wire.

        Raises:
            TransportError: The body is too large, or damaged.
        """
        self._received += len(chunk)
        if self._received > self._max_bytes:
            raise self._too_large()
        if len(self._head) < HEAD_BYTES:
            chunk = self._head = self._head + chunk
            if len(chunk) < HEAD_BYTES:
                return
            self._window_bits = _window_bits(self._window_bits, chunk)
            self._decompressor = None if self._window_bits is None else zlib.decompressobj(self._window_bits)
        if self._decompressor is None:
            self._append(chunk)
            return
        try:
            self._decompress(chunk)
        except zlib.error:
            raise TransportError(FailureCause.BAD_BODY, "the body cannot be unpacked") from None

    def finish(self) -> bytes:
        """Return the body, now that its last chunk was added.

        Raises:
            TransportError: The body is compressed and its end is missing.
        """
        if len(self._head) < HEAD_BYTES and self._window_bits is None:
            return self._head
        if self._window_bits is not None and self._received and not (self._decompressor and self._decompressor.eof):
            raise TransportError(FailureCause.BAD_BODY, "the packed body ends early")
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def _decompress(self, chunk: bytes) -> None:
        while chunk and self._decompressor is not None:
            if self._decompressor.eof:
                self._is_over = self._is_over or self._window_bits != GZIP or not chunk.startswith(GZIP_HEAD[:1])
                if self._is_over:
                    return
                self._members += 1
                if self._members > MAX_MEMBERS:
                    raise TransportError(FailureCause.BAD_BODY, "the body is packed in too many parts")
                self._decompressor = zlib.decompressobj(GZIP)
            self._append(self._decompressor.decompress(chunk, self._max_bytes - self._size + 1))
            chunk = self._decompressor.unused_data

    def _append(self, decompressed: bytes) -> None:
        self._size += len(decompressed)
        if self._size > self._max_bytes:
            raise self._too_large()
        self._chunks.append(decompressed)

    def _too_large(self) -> TransportError:
        return TransportError(FailureCause.BAD_BODY, f"the body exceeds max_body_bytes, {self._max_bytes}")


def _window_bits(label: int | None, head: bytes) -> int | None:
    """How a body is compressed: by its label, unless its first bytes say otherwise; no JSON begins like gzip."""
    if head.startswith(GZIP_HEAD):
        return GZIP
    if label == GZIP:
        return zlib.MAX_WBITS if _is_zlib(head) else None
    return RAW_DEFLATE if label == zlib.MAX_WBITS and not _is_zlib(head) else label


def _is_zlib(head: bytes) -> bool:
    """Whether a body begins as RFC 1950 has it: the method, and a check of the first two bytes."""
    return head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:HEAD_BYTES], "big") % 31 == 0

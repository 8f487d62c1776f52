"""How a body is gathered: unpacked chunk by chunk, and given up where it outgrows its limit. No I/O."""

import zlib

from customer_assets.api.http.base import TransportError
from customer_assets.metrics import FailureCause

GZIP = 16 + zlib.MAX_WBITS
FORMATS = {"": None, "identity": None, "gzip": GZIP, "x-gzip": GZIP, "deflate": zlib.MAX_WBITS}
"""zlib's word for each content coding that is understood; None: not packed."""

MEMBERS_AT_MOST = 100
"""A gzip file may be several in a row; thousands of empty ones are there to cost time."""


class Body:
    """One answer's body under construction.

    Args:
        content_encoding: The header's value.
        max_bytes: What it may weigh, unpacked; packed too.

    Raises:
        TransportError: It is packed in a way that was not asked for.
    """

    def __init__(self, content_encoding: str, max_bytes: int) -> None:
        coding = content_encoding.strip().lower()
        if coding not in FORMATS:
            raise TransportError(FailureCause.BAD_BODY, "the body is packed in a way that was not asked for")
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._received = self._size = 0
        self._members = 1
        self._format = FORMATS[coding]
        self._unpacker = None if self._format is None else zlib.decompressobj(self._format)

    def add(self, chunk: bytes) -> None:
        """Take what came over the wire next.

        Raises:
            TransportError: The body is too large, or damaged.
        """
        self._received += len(chunk)
        if self._received > self._max_bytes:
            raise self._too_large()
        if self._unpacker is None:
            self._keep(chunk)
            return
        try:
            self._unpack(chunk)
        except zlib.error:
            raise TransportError(FailureCause.BAD_BODY, "the body cannot be unpacked") from None

    def whole(self) -> bytes:
        """Return the body, now that its last chunk was added.

        Raises:
            TransportError: It is packed, and its end is missing.
        """
        if self._unpacker is not None and self._received and not self._unpacker.eof:
            raise TransportError(FailureCause.BAD_BODY, "the packed body ends early")
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def _unpack(self, chunk: bytes) -> None:
        while chunk and self._unpacker is not None:
            if self._unpacker.eof:
                self._next_member()
            self._keep(self._unpacker.decompress(chunk, self._max_bytes - self._size + 1))
            chunk = self._unpacker.unused_data

    def _next_member(self) -> None:
        self._members += 1
        if self._members > MEMBERS_AT_MOST:
            raise TransportError(FailureCause.BAD_BODY, "the body is packed in too many parts")
        self._unpacker = zlib.decompressobj(self._format or GZIP)

    def _keep(self, unpacked: bytes) -> None:
        self._size += len(unpacked)
        if self._size > self._max_bytes:
            raise self._too_large()
        self._chunks.append(unpacked)

    def _too_large(self) -> TransportError:
        return TransportError(FailureCause.BAD_BODY, f"the body exceeds max_body_bytes, {self._max_bytes}")

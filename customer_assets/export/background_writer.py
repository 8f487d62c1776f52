"""How a long file is made: pieces ahead of time, on other threads; flushed as it grows. Knows nothing of the data."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

WORKERS = 2
ITEMS_AHEAD = 4
FLUSH_EVERY_BYTES = 64 * 2**20
"""The disk works while the file grows, so that little is left to flush at its end."""


def parallel_map(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Make something of each item, in order, a few ahead of whoever takes them; like `map`, but on other threads."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Made]] = deque()
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > ITEMS_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class HashingWriter:
    """A new file: hashed by whoever writes, written and flushed on threads of its own meanwhile.

    Used as a context; at its end the file is whole and on the disk.

    Raises:
        OSError: It could not be written or flushed; raised by a later call, at the latest when the block ends.
    """

    def __init__(self, path: Path) -> None:
        """Create the file."""
        self._file = path.open("wb", buffering=0)
        self._digest = hashlib.sha256()
        self._writer, self._flusher = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()
        self._flushed = self._flush()
        self._unflushed = 0

    def write(self, piece: bytes | memoryview, *, hashed: bool = True) -> None:
        """Write a piece after those before it; `hashed`: it counts for the hash. A few pieces may wait."""
        if hashed:
            self._digest.update(piece)
        if len(self._waiting) == ITEMS_AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._writer.submit(self._write, piece))

    def hexdigest(self) -> str:
        """Return the hash of what was written so far."""
        return self._digest.hexdigest()

    def _write(self, piece: bytes | memoryview) -> None:
        left = memoryview(piece)
        while left:
            left = left[self._file.write(left) :]
        self._unflushed += len(piece)
        if self._unflushed >= FLUSH_EVERY_BYTES and self._flushed.done():
            self._flushed.result()
            self._flushed, self._unflushed = self._flush(), 0

    def _flush(self) -> Future[None]:
        return self._flusher.submit(os.fdatasync, self._file.fileno())

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write what waits and flush it, unless the block failed; close the file."""
        try:
            if kind is None:
                for written in self._waiting:
                    written.result()
                self._flush().result()
        finally:
            self._writer.shutdown(cancel_futures=True)
            self._flusher.shutdown()
            self._file.close()

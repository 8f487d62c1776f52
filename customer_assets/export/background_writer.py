"""Writing a long file fast: other threads make its pieces ahead, write and flush them. Knows nothing of customers."""

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
"""The disk works while the file grows, so that little remains to be flushed at the end."""


def parallel_map(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Like `map`, but on other threads: results come in order, and a few are made before they are asked for."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Made]] = deque()
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > ITEMS_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class HashingWriter:
    """A new file, hashed by its caller's thread while threads of its own write and flush it.

    Used as a context. At its end the file is complete and on the disk.

    Raises:
        OSError: The file could not be written or flushed. A later call raises it, the context's end at the latest.
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
        """Write the next piece, and add it to the hash if `hashed`. Waits only if several are still unwritten."""
        if hashed:
            self._digest.update(piece)
        if len(self._waiting) == ITEMS_AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._writer.submit(self._write, piece))

    def hexdigest(self) -> str:
        """Return the hash of the pieces so far."""
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

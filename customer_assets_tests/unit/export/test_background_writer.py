"""How long files are made."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from customer_assets.export import background_writer as writing
from customer_assets.export.background_writer import ITEMS_AHEAD, HashingWriter, parallel_map


def test_what_is_made_ahead_keeps_its_order() -> None:
    """Whichever is made first."""
    assert list(parallel_map(lambda item: item * 2, range(100))) == [2 * item for item in range(100)]


def test_only_a_few_items_are_taken_ahead() -> None:
    """Memory stays flat, however many there are."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    made = parallel_map(str, items())
    assert next(made) == "0"
    assert len(taken) <= ITEMS_AHEAD + 1
    assert len(list(made)) == 99


def test_a_failure_reaches_whoever_takes() -> None:
    """And no thread stays behind."""
    before = threading.active_count()
    made = parallel_map(lambda item: 1 / item, [1, 0, 1])
    assert next(made) == 1
    with pytest.raises(ZeroDivisionError):
        list(made)
    assert threading.active_count() == before


def test_a_file_is_hashed_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And flushed as it grows, which changes nothing of it."""
    monkeypatch.setattr(writing, "FLUSH_EVERY_BYTES", 3)
    with HashingWriter(tmp_path / "out") as file:
        file.write(b"head", hashed=False)
        for _ in range(100):
            file.write(memoryview(b"abc"))
        assert file.hexdigest() == hashlib.sha256(b"abc" * 100).hexdigest()
    assert (tmp_path / "out").read_bytes() == b"head" + b"abc" * 100


def fill(path: Path) -> None:
    """Write more than fits a buffer."""
    with HashingWriter(path) as file:
        for _ in range(100):
            file.write(b"x" * 4096)


def test_a_piece_that_cannot_be_written_is_told() -> None:
    """A full disk, say; at the latest when the file ends."""
    with pytest.raises(OSError, match="No space left"):
        fill(Path("/dev/full"))

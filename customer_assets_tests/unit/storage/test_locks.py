"""Locks end with their process; where there are none, age decides."""

import errno
import fcntl
import logging
import os
import time
from pathlib import Path

import pytest

from customer_assets.storage import locks
from customer_assets.storage.locks import LEFT_BEHIND_AFTER_S, NO_LOCKS, locked_file, share_lock, try_lock_orphan


def test_a_locked_file_is_no_orphan(tmp_path: Path) -> None:
    """Until whoever locked it lets go."""
    path = tmp_path / "file"
    descriptor = locked_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert try_lock_orphan(path) is None
    os.close(descriptor)
    orphan = try_lock_orphan(path)
    assert orphan is not None
    os.close(orphan)


def test_a_shared_lock_keeps_sweeps_away_from_every_name(tmp_path: Path) -> None:
    path, second = tmp_path / "file", tmp_path / "second"
    path.write_text("x")
    os.link(path, second)
    descriptors = [share_lock(path), share_lock(second)]
    assert try_lock_orphan(path) is None
    assert try_lock_orphan(second) is None
    for descriptor in descriptors:
        os.close(descriptor)


def test_what_is_missing_or_no_file_is_no_orphan(tmp_path: Path) -> None:
    assert try_lock_orphan(tmp_path / "missing") is None
    assert try_lock_orphan(tmp_path) is None


def test_a_file_that_is_swept_before_it_is_locked_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flock, sweeps = tmp_path / "file", fcntl.flock, iter([True])

    def swept(descriptor: int, operation: int) -> None:
        if next(sweeps, False):
            path.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", swept)
    descriptor = locked_file(path)
    assert os.path.samestat(path.stat(), os.fstat(descriptor))
    os.close(descriptor)


@pytest.mark.parametrize("code", NO_LOCKS)
def test_without_locks_a_file_is_an_orphan_after_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """As on some network file systems; the folder is named once."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    locks._warn_of_missing_locks.cache_clear()
    path = tmp_path / "file"
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            os.close(locked_file(path))
            os.close(share_lock(path))
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path} has no file locks (flock): what a killed run leaves there is removed after a week."
    ]
    assert try_lock_orphan(path) is None
    long_ago = time.time() - LEFT_BEHIND_AFTER_S - 1
    os.utime(path, (long_ago, long_ago))
    orphan = try_lock_orphan(path)
    assert orphan is not None
    os.close(orphan)


def test_another_error_of_a_lock_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", refuse)
    for lock in (locked_file, share_lock):
        with pytest.raises(OSError, match="Input/output error") as raised:
            lock(tmp_path / "file")
        assert raised.value.filename == str(tmp_path / "file")

"""Every file operation of a piece of work: counted, and the n-th one made to fail, to kill or to wait.

Python reports its file operations as audit events, so nothing has to be patched but `fsync`, which it does not report.
An operation is reported just before it happens. Only the thread that does the work is looked at, and only what it does
below one directory.
"""

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OPERATIONS = {
    "open",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.listdir",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.scandir",
    "os.truncate",
    "shutil.copyfile",
    "shutil.rmtree",
    "fsync",
}
ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS)

Act = Callable[[int, str], None]
"""What to do at an operation, by its number from 0 and its path."""


class _Watch:
    """What is looked at now; the audit hook cannot be removed, so there is one for all tests."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.folder, self.count = "", 0
        self.act: Act = lambda *_: None

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in OPERATIONS or self.thread != threading.get_ident():
            return
        paths = [os.fsdecode(each) for each in arguments if isinstance(each, str | bytes | os.PathLike)]
        below = [path for path in paths if path.startswith(self.folder)]
        if below:
            number, self.count = self.count, self.count + 1
            self.act(number, below[-1])


_watch = _Watch()
_installed: list[bool] = []


def _install() -> None:
    """Add the hook once a process."""
    if _installed:
        return
    _installed.append(True)
    sys.addaudithook(_watch.audit)
    fsync: Callable[[Any], None] = os.fsync

    def audited(descriptor: Any) -> None:
        _watch.audit("fsync", (Path(f"/proc/self/fd/{descriptor}").readlink(),))
        fsync(descriptor)

    os.fsync = audited  # type: ignore[assignment] # it takes whatever fsync does


@contextmanager
def watched(folder: Path, act: Act = lambda *_: None) -> Iterator[Callable[[], int]]:
    """Act at each file operation of this thread in the block; gives how many there were so far."""
    _install()
    _watch.thread, _watch.folder, _watch.count, _watch.act = threading.get_ident(), str(folder), 0, act
    try:
        yield lambda: _watch.count
    finally:
        _watch.thread = None


def count(folder: Path, work: Callable[[], object]) -> int:
    """Do the work; count its file operations."""
    with watched(folder) as counted:
        work()
        return counted()


def fail_at(number: int, code: int) -> Act:
    """Let one operation fail."""

    def act(reached: int, path: str) -> None:
        if reached == number:
            raise OSError(code, os.strerror(code), path)

    return act


def kill_at(folder: Path, number: int, work: Callable[[], object]) -> bool:
    """Do the work in a process of its own, which dies just before one operation; return whether it came so far."""
    child = os.fork()
    if child == 0:  # nothing of this process may go on in the child, whatever happens

        def act(reached: int, _: str) -> None:
            if reached == number:
                os._exit(9)

        try:
            with watched(folder, act):
                work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 9


def pause_at(folder: Path, number: int, work: Callable[[], object], meanwhile: Callable[[], object]) -> list[Exception]:
    """Do the work on a thread that stops just before one operation until something else was done; return its errors."""
    reached, go_on = threading.Event(), threading.Event()
    errors: list[Exception] = []

    def act(at: int, _: str) -> None:
        if at == number:
            _watch.thread = None
            reached.set()
            go_on.wait(60)

    def run() -> None:
        try:
            with watched(folder, act):
                work()
        except Exception as error:  # noqa: BLE001 - the test judges it
            errors.append(error)
        finally:
            reached.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert reached.wait(60)
    meanwhile()
    go_on.set()
    thread.join(60)
    return errors

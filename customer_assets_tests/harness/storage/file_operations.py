"""Every file operation of a piece of work: counted, and the n-th one made to fail, to kill, to wait or to take turns.

Python reports its file operations as audit events, so nothing has to be patched but `fsync`, which it does not report;
operations of the object store in memory are reported by `store_operations`. An operation is reported just before it
happens. Only threads that are watched count, and only what they do below one directory.
"""

import errno
import os
import queue
import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

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
STORE_OPERATIONS = ("cat_file", "cp_file", "get_file", "ls", "mv", "pipe_file", "put_file", "rm_file")
ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS)
BLOCKED_AFTER_S = 1.0
"""A thread that reaches no operation in this time waits for another that waits for its turn."""

Act = Callable[[int, str], None]
"""What to do at an operation, by its number from 0 and its path."""


@dataclass
class _Watched:
    """What is looked at on one thread."""

    folder: str
    act: Act
    count: int = 0

    def report(self, path: str) -> None:
        number, self.count = self.count, self.count + 1
        self.act(number, path)


_watched: dict[int, _Watched] = {}
_installed: list[bool] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in OPERATIONS or threading.get_ident() not in _watched:
        return
    watched_here = _watched[threading.get_ident()]
    paths = [os.fsdecode(each) for each in arguments if isinstance(each, str | bytes | os.PathLike)]
    below = [path for path in paths if path.startswith(watched_here.folder)]
    if below:
        watched_here.report(below[-1])


def _install() -> None:
    """Add the hook, which cannot be removed, once a process."""
    if _installed:
        return
    _installed.append(True)
    sys.addaudithook(_audit)
    fsync: Callable[[Any], None] = os.fsync

    def audited(descriptor: Any) -> None:
        _audit("fsync", (Path(f"/proc/self/fd/{descriptor}").readlink(),))
        fsync(descriptor)

    os.fsync = audited  # type: ignore[assignment] # it takes whatever fsync does


@pytest.fixture
def store_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report operations of the object store in memory, too.

    Its readers share one file and one position in it, which those of a real store do not: each gets a copy here.
    """

    def fetch(store: MemoryFileSystem, path: str, target: str, **_: Any) -> None:
        path = store._strip_protocol(path)
        if path not in store.store:
            raise FileNotFoundError(path)
        content = store.store[path].getvalue()
        Path(target).write_bytes(content)

    monkeypatch.setattr(MemoryFileSystem, "get_file", fetch)

    def reported(name: str) -> Callable[..., Any]:
        method = getattr(MemoryFileSystem, name)

        def report(store: MemoryFileSystem, path: str, *arguments: Any, **options: Any) -> Any:
            if threading.get_ident() in _watched:
                _watched[threading.get_ident()].report(f"memory:/{path}")
            return method(store, path, *arguments, **options)

        return report

    for name in STORE_OPERATIONS:
        monkeypatch.setattr(MemoryFileSystem, name, reported(name))


@contextmanager
def watched(folder: Path, act: Act = lambda *_: None) -> Iterator[Callable[[], int]]:
    """Act at each file operation of this thread in the block; gives how many there were so far."""
    _install()
    here = _watched[threading.get_ident()] = _Watched(str(folder), act)
    try:
        yield lambda: here.count
    finally:
        _watched.pop(threading.get_ident(), None)


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


def interleave(folder: Path, works: Sequence[Callable[[], object]], dice: random.Random) -> list[Exception | None]:
    """Do several pieces of work on threads that take turns at every operation, at random; return their errors."""
    errors: list[Exception | None] = [None] * len(works)
    arrived: queue.Queue[tuple[int, bool]] = queue.Queue()
    turns = [threading.Event() for _ in works]

    def run(worker: int) -> None:
        def act(_: int, __: str) -> None:
            arrived.put((worker, True))
            turns[worker].wait(60)
            turns[worker].clear()

        try:
            with watched(folder, act):
                works[worker]()
        except Exception as error:  # noqa: BLE001 - the test judges it
            errors[worker] = error
        finally:
            arrived.put((worker, False))

    threads = [threading.Thread(target=run, args=(worker,)) for worker in range(len(works))]
    for thread in threads:
        thread.start()
    waiting: list[int] = []
    running, ended = len(works), 0
    while ended < len(works):
        while running and (len(waiting) + ended < len(works)):
            try:
                worker, goes_on = arrived.get(timeout=BLOCKED_AFTER_S if waiting else 60)
            except queue.Empty:
                break  # whoever runs is blocked by one that waits
            running -= 1
            if goes_on:
                waiting.append(worker)
            else:
                ended += 1
        if waiting:
            chosen = waiting.pop(dice.randrange(len(waiting)))
            running += 1
            turns[chosen].set()
    for thread in threads:
        thread.join(60)
    return errors

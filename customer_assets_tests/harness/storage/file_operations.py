"""Every file operation of a piece of work: traced, and the n-th one made to fail, to kill, to wait or to take turns.

Python reports its file operations as audit events, but not `fsync`: `report_flush` stands in for it in all tests.
Operations of the object store in memory are reported by `store_operations`. An operation is reported just before it
happens. Only threads that are watched count, and only what they do below one directory.
"""

import errno
import os
import pickle
import queue
import random
import re
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

PATIENCE_S = 240.0
"""How long a thread waits for another. Beyond any work of a test, even on a machine that does much else."""

EVERY = "EVERY_FILE_OPERATION"
"""Set this variable to have nothing left out: tests then stop a sync at each of its operations."""

ONE_IN = 8
"""A run of the suite stops at one in eight of the operations worth stopping at. All of them take several minutes."""

LONGEST_S = 14_400 if os.environ.get(EVERY) else 900
"""For all operations of a sync on a busy machine; without `EVERY`, for a few of them."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

Act = Callable[[int, str], None]
"""What to do at an operation, by its number from 0 and its path."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        event: What is done: Python's name of it, or the store's; `read` where a file is opened for reading.
        path: What it is done to, relative to the watched directory, with `*` for what differs from run to run.
    """

    event: str
    path: str

    @property
    def changes_files(self) -> bool:
        """Whether anything is different afterwards, for a process that is killed; only a power cut notices a flush."""
        return self.event not in {"read", "fsync", "os.listdir", "os.scandir", "cat_file", "get_file", "ls"}

    @property
    def is_shared(self) -> bool:
        """Whether another run can notice it, or be noticed by it: it touches more than this run's own new files."""
        is_own_file = ".staging" in self.path or self.path.endswith(".tmp")
        return not is_own_file or self.event in {"os.link", *STORE_OPERATIONS}


@dataclass
class _Watched:
    """What is looked at on one thread."""

    folder: str
    act: Act
    trace: list[Operation]

    def report(self, event: str, path: str) -> None:
        number = len(self.trace)
        relative = path.removeprefix(self.folder).lstrip("/")
        self.trace.append(Operation(event, re.sub(r"[0-9a-f]{8,}|\d{8}T\d{6}Z|\d{6,}", "*", relative)))
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
        reads = event == "open" and not (int(arguments[2] or 0) & WRITES)
        watched_here.report("read" if reads else event, below[-1])


def _install() -> None:
    """Add the hook, which cannot be removed, once a process."""
    if _installed:
        return
    _installed.append(True)
    sys.addaudithook(_audit)


def report_flush(descriptor: Any) -> None:
    """Stand in for `fsync`: report it as an operation, and do nothing."""
    if threading.get_ident() in _watched:
        _audit("fsync", (Path(f"/proc/self/fd/{descriptor}").readlink(),))


@pytest.fixture(autouse=True)
def unflushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush nothing in any test: only a power cut would show the difference. Programs that tests start do flush."""
    monkeypatch.setattr(os, "fsync", report_flush)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


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
                _watched[threading.get_ident()].report(name, f"memory:/{path}")
            return method(store, path, *arguments, **options)

        return report

    for name in STORE_OPERATIONS:
        monkeypatch.setattr(MemoryFileSystem, name, reported(name))


@contextmanager
def watched(folder: Path, act: Act = lambda *_: None) -> Iterator[list[Operation]]:
    """Act at each file operation of this thread in the block; gives those that there were so far."""
    _install()
    here = _watched[threading.get_ident()] = _Watched(str(folder), act, [])
    try:
        yield here.trace
    finally:
        _watched.pop(threading.get_ident(), None)


def trace(folder: Path, work: Callable[[], object]) -> list[Operation]:
    """Do the work; return its file operations."""
    with watched(folder) as operations:
        work()
    return operations


def trace_of_process(folder: Path, work: Callable[[], object]) -> list[Operation]:
    """Do the work in a process of its own; return its file operations."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of this process may go on in the child, whatever happens
        try:
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(trace(folder, work), pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return list(pickle.loads(content))  # noqa: S301 - our own child wrote it


def count(folder: Path, work: Callable[[], object]) -> int:
    """Do the work; count its file operations."""
    return len(trace(folder, work))


def first_of_each_kind(operations: Sequence[Operation]) -> list[int]:
    """Return the numbers of operations that are the first of their event and path; of all if `EVERY` is set."""
    firsts = {operation: number for number, operation in reversed(list(enumerate(operations)))}
    return _thinned(sorted(firsts.values()), operations)


def after_each_change(operations: Sequence[Operation]) -> list[int]:
    """Return numbers at which a killed process leaves files that no other number leaves; all if `EVERY` is set."""
    changed = [number for number in range(len(operations)) if number == 0 or operations[number - 1].changes_files]
    return _thinned(changed, operations)


def shared(operations: Sequence[Operation]) -> list[int]:
    """Return the numbers of operations that other runs have to do with; of all if `EVERY` is set."""
    touching = [number for number, operation in enumerate(operations) if operation.is_shared]
    return _thinned(touching, operations)


def _thinned(numbers: list[int], operations: Sequence[Operation]) -> list[int]:
    return list(range(len(operations))) if os.environ.get(EVERY) else numbers[::ONE_IN]


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
    """Do the work on a thread that stops just before one operation until something else was done; return its errors.

    Raises:
        TimeoutError: One of them took longer than anybody waits: then they ran at once, which shows nothing.
    """
    reached, go_on = threading.Event(), threading.Event()
    errors: list[Exception] = []
    late: list[str] = []

    def act(at: int, path: str) -> None:
        if at == number:
            reached.set()
            if not go_on.wait(PATIENCE_S):
                late.append(path)

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
    is_reached = reached.wait(PATIENCE_S)
    meanwhile()
    go_on.set()
    thread.join(PATIENCE_S)
    if late or thread.is_alive() or not is_reached:
        raise TimeoutError(f"operation {number}: {late or 'the work'} took longer than {PATIENCE_S:.0f} s")
    return errors


def interleave(
    folder: Path, works: Sequence[Callable[[], object]], dice: random.Random, look: Callable[[], object] = lambda: None
) -> list[Exception | None]:
    """Do several pieces of work on threads that take turns at every operation, at random; return their errors.

    Args:
        folder: Operations below it count.
        works: What to do.
        dice: Choose whose turn it is.
        look: Called before each turn, while all of them wait: what a reader sees at that instant.
    """
    errors: list[Exception | None] = [None] * len(works)
    turns = [threading.Event() for _ in works]
    arrived: queue.Queue[tuple[int, bool]] = queue.Queue()

    def run(worker: int) -> None:
        def act(_: int, __: str) -> None:
            arrived.put((worker, True))
            turns[worker].wait(PATIENCE_S)
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
    _take_turns(len(works), dice, arrived, lambda worker: turns[worker].set(), look)
    for thread in threads:
        thread.join(PATIENCE_S)
    return errors


def interleave_processes(
    folder: Path, works: Sequence[Callable[[], object]], dice: random.Random, look: Callable[[], object] = lambda: None
) -> list[str | None]:
    """The same in processes; return the names of their errors."""
    errors: list[str | None] = [None] * len(works)
    arrived: queue.Queue[tuple[int, bool]] = queue.Queue()
    children = [_Child.start(folder, work) for work in works]

    def listen(worker: int) -> None:
        while (word := children[worker].hear()) == TURN:
            arrived.put((worker, True))
        errors[worker] = word or None
        arrived.put((worker, False))

    threads = [threading.Thread(target=listen, args=(worker,)) for worker in range(len(works))]
    for thread in threads:
        thread.start()
    _take_turns(len(works), dice, arrived, lambda worker: children[worker].go_on(), look)
    for thread, child in zip(threads, children, strict=True):
        thread.join(PATIENCE_S)
        child.close()
    return errors


TURN = "waits for its turn"


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that waits at each of its file operations until it is told to go on."""

    process: int
    words: int
    orders: int

    @classmethod
    def start(cls, folder: Path, work: Callable[[], object]) -> "_Child":
        words, says = os.pipe()
        hears, orders = os.pipe()
        process = os.fork()
        if process:
            os.close(says)
            os.close(hears)
            return cls(process, words, orders)
        error = ""
        try:  # nothing of this process may go on in the child, whatever happens

            def act(_: int, __: str) -> None:
                os.write(says, f"{TURN}\n".encode())
                os.read(hears, 1)

            with watched(folder, act):
                work()
        except BaseException as caught:  # noqa: BLE001 - the test judges it
            error = type(caught).__name__
        finally:
            os.write(says, f"{error}\n".encode())
            os._exit(0)

    def hear(self) -> str:
        """Its next word: `TURN`, or at its end the name of its error, blank if there was none."""
        word = b""
        while not word.endswith(b"\n"):
            letter = os.read(self.words, 1)
            if not letter:
                return "killed"
            word += letter
        return word.decode().rstrip("\n")

    def go_on(self) -> None:
        os.write(self.orders, b".")

    def close(self) -> None:
        os.waitpid(self.process, 0)
        os.close(self.words)
        os.close(self.orders)


def _take_turns(
    workers: int,
    dice: random.Random,
    arrived: "queue.Queue[tuple[int, bool]]",
    go_on: Callable[[int], object],
    look: Callable[[], object],
) -> None:
    waiting: list[int] = []
    running, ended = workers, 0
    while ended < workers:
        while running and (len(waiting) + ended < workers):
            try:
                worker, goes_on = arrived.get(timeout=BLOCKED_AFTER_S if waiting else PATIENCE_S)
            except queue.Empty:
                break  # whoever runs is blocked by one that waits
            running -= 1
            if goes_on:
                waiting.append(worker)
            else:
                ended += 1
        if waiting:
            look()
            chosen = waiting.pop(dice.randrange(len(waiting)))
            running += 1
            go_on(chosen)

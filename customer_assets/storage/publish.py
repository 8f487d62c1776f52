"""How a file is published: written aside, flushed, and put in place in one step. Knows nothing of what is in it."""

import glob
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from upath import UPath

from customer_assets.errors import PublishError
from customer_assets.storage.locks import locked_file, try_lock_orphan
from customer_assets.storage.private_files import make_private, private_directory

OWNER_ONLY = 0o600
TEMPORARY = ".tmp"


@contextmanager
def atomic_write(path: Path, mode: int = OWNER_ONLY) -> Iterator[Path]:
    """Give a temporary file to write in place; publish it at `path` when the block ends well.

    Readers see the version before or the new one, whole, whatever happens. If the block fails, the version before
    stays and the temporary file goes; that of a killed process goes when the same path is published next.

    Raises:
        PublishError: The file could not be written or put in place.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY}")
    try:
        private_directory(path.parent)
        _refuse_a_directory(path)
        _sweep(path)
        lock = locked_file(temporary)
        try:
            yield temporary
            temporary.chmod(mode)
            _put(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(lock)
    except OSError as error:
        raise PublishError(str(path), f"{error.strerror or error}; free or make writable {path.parent}") from error


def publish(staged: Path, path: Path, mode: int = OWNER_ONLY) -> None:
    """Publish a finished file at `path`; on another disk, by way of a temporary file there.

    Raises:
        PublishError: It could not be put in place; the version before is unchanged.
    """
    try:
        private_directory(path.parent)
        if staged.stat().st_dev == path.parent.stat().st_dev:
            staged.chmod(mode)
            _put(staged, path)
            return
    except OSError as error:
        raise PublishError(str(path), f"{error.strerror or error}; free or make writable {path.parent}") from error
    with atomic_write(path, mode) as temporary:
        shutil.copyfile(staged, temporary)
    staged.unlink()


def publish_to(staged: Path, target: UPath) -> None:
    """Publish a finished file of this machine at `target`: another path, or an object in a store.

    Raises:
        PublishError: It could not be put in place; what was there before is unchanged.
    """
    if is_local(target):
        publish(staged, Path(target.path))
        return
    temporary_name = str(target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp").path)
    try:
        target.fs.makedirs(str(target.parent.path), exist_ok=True)
        target.fs.put_file(str(staged), temporary_name)
        target.fs.mv(temporary_name, str(target.path))
    except Exception as error:  # every store has exceptions of its own
        with suppress(Exception):
            target.fs.rm_file(temporary_name)
        raise PublishError(str(target), f"{type(error).__name__}; see that {target.parent} can be written") from error
    staged.unlink()


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, under which it stays what it is when another is published in its place.

    On another disk, or one that knows no links, it is copied. Only its owner may read either.
    """
    try:
        os.link(source, target)
    except OSError:
        make_private(target)
        shutil.copyfile(source, target)


def is_local(path: UPath) -> bool:
    """Whether a path is in this machine's file system."""
    return path.protocol in ("", "file", "local")


def _refuse_a_directory(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(21, "it is a directory", str(path))


def _put(temporary: Path, path: Path) -> None:
    _refuse_a_directory(path)
    _flush(temporary)
    temporary.replace(path)
    _flush(path.parent)


def _sweep(path: Path) -> None:
    """Remove the temporary files of processes that are gone."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY}"):
        lock = try_lock_orphan(left)
        if lock is not None:
            left.unlink(missing_ok=True)
            os.close(lock)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

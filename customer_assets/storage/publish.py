"""Publishing: a file is written aside, flushed, and put in place in one step. Knows nothing of the content.

A published path that is a symbolic link is followed: the file it points to is replaced, in that file's directory, and
the link stays.
"""

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from upath import UPath

from customer_assets.core.errors import PublishError
from customer_assets.storage.locks import locked_file, share_lock
from customer_assets.storage.private_files import (
    OWNER_ONLY,
    failing_file,
    make_private,
    private_directory,
    with_filename,
)
from customer_assets.storage.store_folder import StoreFolder, is_local
from customer_assets.storage.succession import ANY_MARK, Succession
from customer_assets.storage.temporaries import sweep_temporaries, temporary_name

NO_DIRECTORY_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EACCES)
"""How file systems (FUSE, SMB, 9p) refuse to flush a directory. They write renames in an order of their own."""


@contextmanager
def atomic_write(path: Path, succession: Succession | None = None) -> Iterator[Path]:
    """Give the block a temporary file to write; publish it at `path` when the block succeeds.

    Readers see the old version or the new one, whole, whatever happens. If the block fails, the old version stays and
    the temporary file is removed; that of a killed process is removed when the same path is published next. A new
    file is private; one that replaces another keeps its mode and group.

    Args:
        path: Where to publish.
        succession: Refuses to replace a newer edition.

    Raises:
        PublishError: The file could not be written or put in place; says which.
        SupersededError: A newer edition is in place.
    """
    with _publish_errors(path):
        target = resolve(path)
        private_directory(target.parent)
        sweep_temporaries(target.parent, re.escape(target.name), ANY_MARK)
        temporary = target.with_name(temporary_name(target.name, succession.mark if succession else ""))
        lock = locked_file(temporary)
        try:
            yield temporary
            with succession.turn(target) if succession else nullcontext():
                _keep_mode_and_group(temporary, target)
                _put_in_place(temporary, target)
        finally:
            with suppress(OSError):  # the file is in place, or its own error says more
                temporary.unlink(missing_ok=True)
            os.close(lock)


def atomic_move(staged: Path, path: Path) -> None:
    """Publish a finished file at `path`, and remove `staged`. If `path` is on another disk, copy the file there first.

    Raises:
        PublishError: The file could not be put in place; says whether the old version is unchanged.
    """
    with _publish_errors(path):
        target = resolve(path)
        private_directory(target.parent)
        is_on_this_disk = staged.stat().st_dev == target.parent.stat().st_dev
        if is_on_this_disk:
            staged.chmod(OWNER_ONLY)
            _put_in_place(staged, target)
    if not is_on_this_disk:
        with atomic_write(path) as temporary:
            _copy(staged, temporary)
        staged.unlink()


def publish_to(staged: Path, target: UPath) -> None:
    """Publish a finished file of this machine at `target`, another path or an object, and remove `staged`.

    Raises:
        PublishError: The file could not be put in place; says whether the old version is unchanged.
    """
    if is_local(target):
        atomic_move(staged, Path(target.path))
        return
    try:
        StoreFolder(target.parent).publish(staged, target.name)
    except OSError as error:
        problem = f"{error.strerror or error}; see that {target.parent} can be written"
        raise PublishError(str(target), problem) from error
    staged.unlink()


def publish_link(source: Path, path: Path) -> None:
    """Publish a finished file under a second name: a hard link, or a copy where the file system has no links.

    Raises:
        PublishError: The name could not be put in place; says whether the old version is unchanged.
    """
    with _publish_errors(path):
        target = resolve(path)
        private_directory(target.parent)
        sweep_temporaries(target.parent, re.escape(target.name))
        lock = share_lock(source)  # the link shares it, so no other run's sweep takes the link away
        temporary = target.with_name(temporary_name(target.name))
        try:
            is_linked = _try_link(source, temporary)
            if is_linked:
                _put_in_place(temporary, target, is_flushed=True)
        finally:
            with suppress(OSError):  # renaming a link onto a link of the same file leaves both
                temporary.unlink(missing_ok=True)
            os.close(lock)
    if not is_linked:
        with atomic_write(path) as temporary:
            _copy(source, temporary)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second, new name, which keeps its content when another file is published in the source's place.

    On another disk, or without links, the file is copied. Only the owner can read either.
    """
    if not _try_link(source, target):
        make_private(target)
        _copy(source, target)


def resolve(path: Path) -> Path:
    """Follow symbolic links to the file that is replaced when `path` is published.

    Raises:
        OSError: The links form a loop, or the path is a directory.
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a directory", str(path))
    return target


def flush(path: Path) -> None:
    """Wait until the file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        os.close(descriptor)


def flush_directory(folder: Path) -> None:
    """Wait until the directory's entries are on the disk, where the file system can do that."""
    try:
        flush(folder)
    except OSError as error:
        if error.errno not in NO_DIRECTORY_FLUSH:
            raise


def _copy(source: Path, target: Path) -> None:
    with with_filename(target):  # where nothing but reading and writing copies, Python names no file
        shutil.copyfile(source, target)


def _put_in_place(temporary: Path, target: Path, *, is_flushed: bool = False) -> None:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a directory", str(target))
    if not is_flushed:
        flush(temporary)
    temporary.replace(target)
    try:
        flush_directory(target.parent)
    except OSError as error:
        problem = f"the disk did not confirm it ({error.strerror}): after a power cut the old version can be back"
        raise PublishError(str(target), f"{problem}. Check the disk of {target.parent}", in_place=True) from error


def _keep_mode_and_group(temporary: Path, target: Path) -> None:
    try:
        before = target.stat()
    except FileNotFoundError:
        temporary.chmod(OWNER_ONLY)
        return
    mode = stat.S_IMODE(before.st_mode) & 0o777
    try:
        os.chown(temporary, -1, before.st_gid)
    except PermissionError:  # only members of a group can give it a file; another group gets no access
        mode = mode if temporary.stat().st_gid == before.st_gid else mode & ~stat.S_IRWXG
    temporary.chmod(mode)


def _try_link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:  # another disk, or a file system without links
        return False
    return True


@contextmanager
def _publish_errors(path: Path) -> Iterator[None]:
    """Turn a disk's errors into ours: which file, what happened, what to do."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or str(error)
        where = os.fsdecode(failing_file(error) or path)
        is_beside = Path(where).parent == path.parent and Path(where).name.startswith(f".{path.name}.")
        if Path(where) != path and not is_beside:
            raise PublishError(str(path), f"{problem} ({where}); free or make writable {Path(where).parent}") from error
        raise PublishError(str(path), f"{problem}; free or make writable {path.parent}") from error

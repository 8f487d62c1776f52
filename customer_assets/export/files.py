"""How a file is published: written aside, flushed, and put in place in one step. Knows nothing of what is in it."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from upath import UPath

from customer_assets.errors import PublishError

OWNER_ONLY = 0o600


@contextmanager
def published(path: Path, mode: int = OWNER_ONLY) -> Iterator[Path]:
    """Give a temporary file to write; publish it at `path` when the block ends well.

    Readers see the version before or the new one, whole, whatever happens. If the block fails, the version before
    stays and the temporary file goes.

    Raises:
        PublishError: The file could not be written or put in place.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.is_dir():
            raise IsADirectoryError(21, "it is a directory", str(path))
        yield temporary
        temporary.chmod(mode)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise PublishError(str(path), f"{error.strerror or error}; free or make writable {path.parent}") from error
    finally:
        temporary.unlink(missing_ok=True)


def move_into_place(staged: Path, target: UPath) -> None:
    """Publish a finished file of this machine at `target`: another path, or an object in a store.

    Raises:
        PublishError: It could not be put in place; what was there before is unchanged.
    """
    if is_local(target):
        with published(Path(target.path)) as temporary:
            shutil.move(staged, temporary)
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


def is_local(path: UPath) -> bool:
    """Whether a path is in this machine's file system."""
    return path.protocol in ("", "file", "local")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""How a file is published: written aside, flushed, and put in place in one step. Knows nothing of what is in it."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

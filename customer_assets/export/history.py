"""Where past exports are kept: beside the export, a file a run, the oldest removed. Knows nothing of what they hold."""

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from customer_assets.errors import PublishError
from customer_assets.storage.publish import link_or_copy

FOLDER = "history"


def keep_export(export: Path, keep: int) -> Path | None:
    """Keep the export as it is now in `history/`, and of those kept before it only the newest.

    A kept file is named by the instant at which it was published, appears whole or not at all, and takes no room of
    its own while it is the newest: it is another name for the same file where the file system has such.

    Args:
        export: The published document.
        keep: How many to keep, this one included; 0: none, and what was kept before stays.

    Raises:
        PublishError: It could not be kept; the export itself is published.
    """
    if keep < 1:
        return None
    folder = export.parent / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        kept = folder / _name(export)
        _put(export, kept)
        for old in sorted(folder.glob(f"{export.stem}-*{export.suffix}"))[:-keep]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise PublishError(str(folder), f"{error.strerror or error}; free or make writable {folder}") from error
    return kept


def _name(export: Path) -> str:
    """Name an export by when it was published: `customers-20261124T030000.000123Z.json`; names sort as they came."""
    published_at = datetime.fromtimestamp(export.stat().st_mtime, UTC)
    return f"{export.stem}-{published_at:%Y%m%dT%H%M%S.%f}Z{export.suffix}"


def _put(export: Path, kept: Path) -> None:
    temporary = kept.with_name(f".{kept.name}.{uuid.uuid4().hex}.tmp")
    try:
        link_or_copy(export, temporary)
        temporary.replace(kept)
    finally:
        with suppress(FileNotFoundError):  # renaming one name of a file to another of its names leaves both
            temporary.unlink()

"""Past exports: kept beside the export, one file per run, the oldest removed. Knows nothing of what they hold."""

import re
from datetime import UTC, datetime
from pathlib import Path

from customer_assets.core.errors import PublishError
from customer_assets.storage.private_files import private_directory
from customer_assets.storage.publish import publish_link, resolve
from customer_assets.storage.temporaries import sweep_temporaries

FOLDER = "history"
STAMP = r"\d{8}T\d{6}\.\d{6}Z"


def keep_export(export: Path, keep: int) -> Path | None:
    """Keep the present export in `history/`, and remove all but the newest of those kept before.

    A kept file is named after the instant at which it was published. While it is the newest, it takes no room of its
    own: it is a hard link, where the file system has them. Only files named just like that are ever removed.

    Args:
        export: The published document.
        keep: How many to keep, this one included. With 0 nothing is added and nothing removed.

    Raises:
        PublishError: The export could not be kept. It is published all the same.
    """
    if keep < 1:
        return None
    folder = export.parent / FOLDER
    ours = rf"{re.escape(export.stem)}-{STAMP}{re.escape(export.suffix)}"
    try:
        published = resolve(export)
        kept = folder / _name(export, published)
        private_directory(folder)
        sweep_temporaries(folder, ours)
        publish_link(published, kept)
        for old in sorted(path for path in folder.iterdir() if re.fullmatch(ours, path.name))[:-keep]:
            old.unlink(missing_ok=True)
    except PublishError as error:
        raise PublishError(str(export), f"not kept: {str(error).rstrip('.')}", in_place=True) from error
    except OSError as error:
        problem = f"not kept in {folder}: {error.strerror or error}; free or make writable {folder}"
        raise PublishError(str(export), problem, in_place=True) from error
    return kept


def _name(export: Path, published: Path) -> str:
    """Name an export by when it was published: `customers-20261124T030000.000123Z.json`. Names sort by time."""
    published_at = datetime.fromtimestamp(published.stat().st_mtime, UTC)
    return f"{export.stem}-{published_at:%Y%m%dT%H%M%S.%f}Z{export.suffix}"

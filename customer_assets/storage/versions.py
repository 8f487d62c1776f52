"""What is on record of a published file: one small document a version of it, found by the file's hash."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel
from upath import UPath

from customer_assets.errors import ConfigurationError
from customer_assets.storage.publish import publish_to

Record = TypeVar("Record", bound=BaseModel)

KEPT = 20
"""So many versions may be on their way to being published at once, by runs that overlap or were killed."""

logger = logging.getLogger(__name__)


class TableVersions(Generic[Record]):
    """The records of one asset's versions.

    A file and its record cannot be published in one step, and two runs may publish at once. So no record takes
    another's place: it is published before its file, and whichever file is in place then is found on record by its
    hash.

    Args:
        directory: Where records are.
        asset: Whose they are.
        kind: What they say.
        staged_file: Names a new file on this machine.
    """

    def __init__(self, directory: UPath, asset: str, kind: type[Record], staged_file: Callable[[str], Path]) -> None:
        self._directory, self._asset, self._kind, self._staged_file = directory, asset, kind, staged_file

    def publish(self, record: Record, digest: str) -> None:
        """Publish the record of the file with this hash, which is published next.

        Raises:
            PublishError: It could not be published.
        """
        staged = self._staged_file(f"{self._asset}.json")
        staged.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        publish_to(staged, self._directory / f"{self._asset}.{self._next_number():09}.{digest}.json")

    def forget_old(self, digest: str | None) -> None:
        """Remove all but the newest records, and that of the file with this hash, which is in place."""
        try:
            for old in self._versions()[:-KEPT]:
                if old.name.split(".")[2] != digest:
                    with suppress(FileNotFoundError):  # another run was faster
                        old.fs.rm_file(old.path)
        except Exception as error:  # noqa: BLE001 - every store has exceptions of its own
            logger.warning("%s: old records could not be removed: %s", self._directory, type(error).__name__)

    def tell_of(self, digest: str) -> bool:
        """Whether the file with this hash is on record."""
        return bool(self._versions(digest))

    def read(self, digest: str | None = None) -> Record:
        """Read the record of the file with this hash; of the one published last if None.

        Raises:
            ConfigurationError: There is none, or it cannot be read.
        """
        versions = self._versions(digest)
        return self._read(versions[-1] if versions else self._directory / f"{self._asset}.*.{digest or '*'}.json")

    def all(self) -> Iterator[Record]:
        """Read all records, the one published last first.

        Raises:
            ConfigurationError: One cannot be read.
        """
        return map(self._read, reversed(self._versions()))

    def _read(self, file: UPath) -> Record:
        try:
            return self._kind.model_validate_json(file.read_bytes())
        except (FileNotFoundError, ValueError):
            raise ConfigurationError(
                "CUSTOMER_DATA_DIR", f"{file} is missing or unreadable", f"Materialise {self._asset} first."
            ) from None

    def _next_number(self) -> int:
        """Number versions as they come: clocks are set back."""
        versions = self._versions()
        return int(versions[-1].name.split(".")[1]) + 1 if versions else 1

    def _versions(self, digest: str | None = None) -> list[UPath]:
        """Files of records, the oldest first; of one hash if it is told."""
        ours = re.compile(rf"{re.escape(self._asset)}\.\d{{9}}\.{digest or '[0-9a-f]{64}'}\.json")
        files = self._directory.fs
        files.invalidate_cache()  # another machine publishes there, too
        try:
            names = [path.rpartition("/")[-1] for path in files.ls(self._directory.path, detail=False)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [self._directory / name for name in sorted(names) if ours.fullmatch(name)]

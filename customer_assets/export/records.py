"""What is on record of a published file: one small document a version, found by the version's hash."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel
from upath import UPath

from customer_assets.errors import ConfigurationError, PublishError
from customer_assets.export.files import move_into_place

Record = TypeVar("Record", bound=BaseModel)

KEPT = 20
"""So many versions may be on their way to being published at once, by runs that overlap or were killed."""


class Records(Generic[Record]):
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
        """Publish the record of the file with this hash, and remove those that are too old for anybody.

        Raises:
            PublishError: It could not be published, or those could not be removed.
        """
        staged = self._staged_file(f"{self._asset}.json")
        staged.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        move_into_place(staged, self._directory / f"{self._asset}.{_instant()}.{digest}.json")
        try:
            for old in self._versions()[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            problem = f"{error.strerror or error}; see that files in {self._directory} can be removed"
            raise PublishError(str(self._directory), problem) from error

    def tell_of(self, digest: str) -> bool:
        """Whether the file with this hash is on record."""
        return bool(self._versions(digest))

    def read(self, digest: str | None) -> Record:
        """Read the record of the file with this hash; of the newest if None.

        Raises:
            ConfigurationError: There is none, or it cannot be read.
        """
        file = self._directory / f"{self._asset}.*.json"
        try:
            file = self._versions(digest)[-1]
            return self._kind.model_validate_json(file.read_bytes())
        except (IndexError, FileNotFoundError, ValueError):
            raise ConfigurationError(
                "CUSTOMER_DATA_DIR", f"{file} is missing or unreadable", f"Materialise {self._asset} first."
            ) from None

    def _versions(self, digest: str | None = None) -> list[UPath]:
        """Files of records, the oldest first; of one hash if it is told."""
        start, end = f"{self._asset}.", ".json" if digest is None else f".{digest}.json"
        self._directory.fs.invalidate_cache()  # another process publishes there, too
        try:
            names = [path.name for path in self._directory.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [self._directory / name for name in sorted(names) if name.startswith(start) and name.endswith(end)]


def _instant() -> str:
    """Name now, such that names sort as they came."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z"

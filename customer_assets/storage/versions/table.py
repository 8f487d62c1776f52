"""Tables: a Parquet file and the facts about it, both committed by replacing one small document, the pointer.

    lake/raw_customers.json            the pointer: which files are the table now, their hashes, the facts, a checksum
    lake/versions/raw_customers-….parquet       the version that it names; never changed, removed once superseded
    lake/raw_customers.parquet         the same file under a name that stays, for readers outside this package

A reader follows the pointer, so file and facts always belong together, whatever other runs do. `raw_customers.parquet`
follows a moment later: on a disk it is a hard link (a copy where there are none), in an object store a copy made there.
A table that has to pass a gate first (`is_gated`) gets that name once it did; until then the last version that passed
keeps it.

Several files can make one version: the quarantine is committed with the raw customers that it belongs to. How files
are put in place belongs in `publish.py`, where they are in `layout.py`, what the pointer says in `pointer.py`.
"""

import logging
import os
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Generic

from pydantic import ValidationError

from customer_assets.core.errors import DamagedTableError, NotMaterializedError, PublishError, TableError
from customer_assets.storage.folders import Folder
from customer_assets.storage.parquet import file_digest
from customer_assets.storage.private_files import failing_file, private_directory
from customer_assets.storage.publish import publish_link, resolve
from customer_assets.storage.staging import OWNER, StagingArea
from customer_assets.storage.succession import require_parent
from customer_assets.storage.versions.pointer import Facts, Part, Version, read_pointer, write_pointer

VERSIONS = "versions"
STRANGERS_KEPT = timedelta(days=1)
"""How long a file is kept that no pointer names and another machine wrote. A commit takes minutes, not a day."""

ATTEMPTS = 10
"""Another run can supersede and remove a version while this one fetches or shows it; then the newer one is tried."""

logger = logging.getLogger(__name__)


class Table(Generic[Facts]):
    """A table of the lake.

    Args:
        folder: The lake.
        name: The table's name.
        facts: The model of its facts.
        staging: Opens this process's staging area.
        shown: Further parts of a version, each with the path that it is published at.
        is_gated: Whether a version is read under the name that stays only after a call of `show`.
    """

    def __init__(
        self,
        folder: Folder,
        name: str,
        facts: type[Facts],
        staging: Callable[[], StagingArea],
        shown: Mapping[str, Path] | None = None,
        *,
        is_gated: bool = False,
    ) -> None:
        self._is_gated = is_gated
        self.name, self._folder, self._facts, self._staging = name, folder, facts, staging
        self._shown = shown or {}

    @property
    def file(self) -> str:
        """Where the table's file can be read under a name that stays."""
        return self._folder.where(self._shown_as)

    @property
    def path(self) -> str:
        """Where the version committed last can be found: its file, or, before that passed its gate, the pointer."""
        return self.pointer if self._is_gated else self.file

    @property
    def pointer(self) -> str:
        """Where the pointer is."""
        return self._folder.where(self._pointer)

    def current(self) -> Version[Facts]:
        """Read what the pointer names.

        Raises:
            NotMaterializedError: Nothing was ever committed.
            DamagedTableError: The pointer is damaged.
        """
        try:
            content = self._folder.read(self._pointer)
        except FileNotFoundError:
            raise NotMaterializedError(self.name, self._folder.where("")) from None
        try:
            return read_pointer(content, self.name, self._facts)
        except (ValueError, ValidationError) as error:
            raise DamagedTableError(self.pointer, str(error), self.name) from None

    def fetch(self) -> tuple[Version[Facts], Path]:
        """Read the current version; return it and its file, at a path of this process where it stays as it is.

        Raises:
            NotMaterializedError: Nothing was ever committed.
            DamagedTableError: The pointer or the file is damaged.
        """
        version, files = self.fetch_parts([self.name])
        return version, files[self.name]

    def fetch_parts(self, names: Sequence[str]) -> tuple[Version[Facts], dict[str, Path]]:
        """Read some files of the current version, as `fetch` does."""
        tried: Version[Facts] | None = None
        for _ in range(ATTEMPTS):
            version = self.current()
            if version == tried:
                break
            tried = version
            files: dict[str, Path] = {}
            for name in names:
                part = version.parts.get(name)
                local = None if part is None else self._fetch_part(part)
                if local is None:
                    missing = part.file if part is not None else name
                    break
                files[name] = local
            else:
                return version, files
            for local in files.values():
                local.unlink()
        raise DamagedTableError(self.file, f"{missing} is missing", self.name)

    def commit(self, staged: Path, facts: Facts, more: Mapping[str, Path] | None = None) -> Version[Facts]:
        """Commit a finished file and the facts about it; remove the version that they supersede.

        Args:
            staged: The file. It stays where it is, as it is.
            facts: The facts.
            more: The further parts.

        Raises:
            PublishError: They could not be committed; says whether the old version is still current.
            AbandonedStepError: The process that started this one has ended.
        """
        require_parent(self.file)
        files = {self.name: staged, **(more or {})}
        pending, owner = self._staging().pending, self._staging().owner
        made = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{owner}"  # so that a sweep can see since when, and who writes
        names = {part: f"{VERSIONS}/{part}-{made}-{uuid.uuid4().hex[:8]}.parquet" for part in files}
        pending.update(names.values())
        try:
            version = self._commit(files, names, facts)
        finally:
            pending.difference_update(names.values())
        if not self._is_gated:
            self._show()
        self._prune(version)
        return version

    def hide(self) -> None:
        """Remove the name that stays, so that nobody reads an earlier version under it."""
        self._folder.remove(self._shown_as)

    def show(self, facts: Facts) -> None:
        """Put the version with these facts under the names that stay, if it is still the current one.

        A directory there is another program's, such as Spark's: it is what readers are meant to see, and stays.

        Raises:
            PublishError: A name could not be given; the version is committed.
        """
        try:
            self._folder.check_replaceable(self._shown_as)
        except (OSError, PublishError) as error:
            if isinstance(error.__cause__ or error, IsADirectoryError):
                return
        current = self._current()
        if current is not None and current.facts == facts:
            self._show(current)

    def _commit(self, files: Mapping[str, Path], names: Mapping[str, str], facts: Facts) -> Version[Facts]:
        """Store the files under new names, and let the pointer name them."""
        parts: dict[str, Part] = {}
        try:
            self._check_replaceable()
            version = Version(parts, facts, self._find_superseded())
            for name, path in files.items():
                parts[name] = Part(file=names[name], sha256=file_digest(path))
                self._folder.add(path, parts[name].file)
            self._folder.replace(self._pointer, write_pointer(version))
        except (OSError, PublishError) as error:
            raise self._failed_commit(parts, error) from error
        return version

    def set_aside(self) -> None:
        """Rename a damaged version to `….damaged`, where nothing looks for it."""
        for name in (self._pointer, self._shown_as):
            self._folder.rename(name, f"{name}.damaged")

    def remove_set_aside(self) -> None:
        """Remove what was set aside."""
        self._remove([f"{name}.damaged" for name in (self._pointer, self._shown_as)])

    @property
    def _pointer(self) -> str:
        return f"{self.name}.json"

    @property
    def _shown_as(self) -> str:
        return f"{self.name}.parquet"

    def _fetch_part(self, part: Part) -> Path | None:
        """Bring a file here; None if it is gone.

        Raises:
            DamagedTableError: It is not what was committed.
        """
        local = self._staging().file(f"reading-{part.file.rpartition('/')[-1]}")
        try:
            self._folder.fetch(part.file, local)
        except FileNotFoundError:
            return None
        if file_digest(local) != part.sha256:
            local.unlink()
            problem = f"{part.file} is not what was committed: it was damaged, cut off, or changed by hand"
            raise DamagedTableError(self.file, problem, self.name)
        return local

    def _current(self) -> Version[Facts] | None:
        try:
            return self.current()
        except TableError:
            return None

    def _find_superseded(self) -> frozenset[str]:
        """Name the files that the next commit supersedes, and those of earlier versions that are still there."""
        try:
            current = self._current()
        except OSError:  # something that is no pointer stands in its place; it is replaced
            current = None
        if current is None:
            return frozenset()
        return current.files | (current.superseded & frozenset(self._folder.names(VERSIONS)))

    def _show(self, only: Version[Facts] | None = None) -> None:
        """Put the current version under the names that stay; again, if another run commits meanwhile.

        Args:
            only: Leave it at this version: another run's has not passed its gate.

        Raises:
            PublishError: A name could not be given; the version is committed.
        """
        try:
            for _ in range(ATTEMPTS):
                current = self._current()
                if only is not None and current != only:
                    return
                try:
                    self._show_parts(current.parts if current else {})
                except (OSError, PublishError) as error:
                    if not isinstance(error.__cause__ or error, FileNotFoundError):
                        raise
                if current == self._current():
                    return
        except (OSError, PublishError) as error:
            problem = f"not under all its names: {str(error).rstrip('.')}"
            raise PublishError(self.pointer, problem, in_place=True) from error

    def _show_parts(self, parts: Mapping[str, Part]) -> None:
        for name, part in parts.items():
            if name == self.name:
                self._folder.show(part.file, self._shown_as)
            elif name in self._shown:
                local = self._staging().file(f"{name}.parquet")
                self._folder.fetch(part.file, local)
                try:
                    publish_link(local, self._shown[name])
                finally:
                    local.unlink(missing_ok=True)

    def _check_replaceable(self) -> None:
        """Raise an error if anything stands in the way of a name that stays: before anything is committed."""
        self._folder.check_replaceable(self._pointer)
        self._folder.check_replaceable(self._shown_as)
        for path in self._shown.values():
            private_directory(path.parent)
            resolve(path)

    def _failed_commit(self, parts: Mapping[str, Part], error: OSError | PublishError) -> PublishError:
        """Remove the files of a commit that failed, unless the pointer names them all the same."""
        files = {part.file for part in parts.values()}
        try:
            current = self._current()
            is_current = current is not None and not files.isdisjoint(current.files)
        except OSError:  # a store that cannot be asked can still have taken the pointer
            is_current = False
        else:
            if not is_current:
                self._remove(sorted(files))
        if isinstance(error, PublishError):
            return error
        where = os.fsdecode(failing_file(error) or self._folder.where(self._pointer))
        problem = f"{error.strerror or error} ({where}); free or make writable {where.rpartition('/')[0]}"
        return PublishError(self.file, problem, in_place=is_current)

    def _prune(self, committed: Version[Facts]) -> None:
        """Remove what a commit superseded, and what runs left behind that cannot commit it any more.

        What is left behind is judged before the pointer is read: whoever commits meanwhile has changed the pointer.
        """
        superseded = committed.superseded | committed.files  # by now, another run can have superseded ours
        try:
            names = self._folder.names(VERSIONS)
            pending = frozenset(self._staging().pending)
            removable = [name for name in names if name in superseded or self._is_left(name, pending)]
            current = self._current()
        except OSError as error:
            logger.warning("%s: old versions were not removed: %s.", self.file, error.strerror or error)
            return
        self._remove([name for name in removable if current is None or name not in current.files])

    def _is_left(self, name: str, pending: frozenset[str]) -> bool:
        """Whether a file is this table's, and whoever wrote it does not commit it any more; the pointer can name it."""
        parts = "|".join(map(re.escape, (self.name, *self._shown)))
        ours = re.fullmatch(
            rf"{VERSIONS}/(?:{parts})-(\d{{8}}T\d{{6}}Z)-({OWNER.pattern})-[0-9a-f]{{8}}\.parquet", name
        )
        if ours is None:
            return False
        if ours[2] == self._staging().owner:
            return name not in pending
        is_gone = self._staging().is_gone(ours[2])
        if is_gone is None:
            written = datetime.strptime(ours[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return datetime.now(UTC) - written > STRANGERS_KEPT
        return is_gone

    def _remove(self, names: list[str]) -> None:
        for name in names:
            try:
                self._folder.remove(name)
            except OSError as error:
                logger.warning("%s could not be removed: %s.", self._folder.where(name), error.strerror or error)

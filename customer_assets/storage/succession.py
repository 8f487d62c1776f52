"""The order of editions: a file made from older data never replaces one made from newer data, however late it comes.

A run can be held up at any instant, so looking first and publishing then is not enough; and a lock that a stopped
process holds would stop everybody else. Instead:

1. A run writes its edition to a temporary file whose name says which edition it is.
2. When it is ready, it claims its turn with an empty file, `.customers.json.<edition>.claim`.
3. It looks for newer claims, and at the edition on record as published. If one is newer, it gives up.
4. It removes the temporary files of older editions: a run that was held up after its own look finds its file gone.
5. It puts its file in place, and the edition on record; then it removes its claim.

Of two runs, either the older one sees the newer one's claim or record, or the newer one sees the older one's file.

An edition can be several files: each has its claim, and all claims stay until the edition is on record.
"""

import multiprocessing
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from customer_assets.core.errors import AbandonedStepError, SupersededError
from customer_assets.storage.private_files import OWNER_ONLY
from customer_assets.storage.temporaries import find_temporaries

MARK = r"(?P<number>\d{20})-(?P<content>[0-9a-f]+)\."
ANY_MARK = rf"({MARK})?"


@dataclass(frozen=True, slots=True)
class Edition:
    """What orders the files that are published at one path.

    Attributes:
        number: Grows with every edition.
        content: Hexadecimal digits that stand for the data. An edition of the same data is never older.
    """

    number: int
    content: str

    @property
    def mark(self) -> str:
        """What the names of its files hold."""
        return f"{self.number:020}-{self.content}."

    def is_older_than(self, other: "Edition | None") -> bool:
        """Whether the other edition was made from newer data."""
        return other is not None and self.number < other.number and self.content != other.content


class Succession:
    """One edition's place in the order. Used as a context that ends once the edition is on record as published.

    Each file of the edition takes its turn within the context.

    Args:
        edition: What is to be published.
        published: Reads which edition is on record as published; None if none is.
    """

    def __init__(self, edition: Edition, published: Callable[[], Edition | None]) -> None:
        self._edition, self._published = edition, published
        self._targets: dict[Path, bool] = {}

    @property
    def mark(self) -> str:
        """What the name of this edition's temporary file holds."""
        return self._edition.mark

    @contextmanager
    def turn(self, target: Path) -> Iterator[None]:
        """Claim the turn to publish at `target` in the block.

        Raises:
            SupersededError: A newer edition is published already, or is being published.
            AbandonedStepError: The process that started this one has ended.
        """
        require_parent(str(target))
        self._targets[target] = False
        os.close(os.open(self._claim(target), os.O_CREAT | os.O_WRONLY, OWNER_ONLY))
        if self._is_superseded(target):
            raise SupersededError(str(target))
        for temporary, match in find_temporaries(target.parent, re.escape(target.name), MARK):
            if _edition(match).is_older_than(self._edition):
                temporary.unlink(missing_ok=True)
        try:
            yield
            self._targets[target] = True
        except FileNotFoundError as error:
            if self._is_superseded(target):  # by an edition that removed our temporary file
                raise SupersededError(str(target)) from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Remove the claim, and those that killed runs left for older editions.

        What is in place but not on record keeps its claim: it stays newer than older editions all the same.
        """
        for target, is_in_place in self._targets.items():
            if not (is_in_place and kind is not None):
                self._remove_claims(target)

    def _remove_claims(self, target: Path) -> None:
        with suppress(OSError):
            self._claim(target).unlink(missing_ok=True)
            for claim, edition in _claims(target):
                if edition.number < self._edition.number:
                    claim.unlink(missing_ok=True)

    def _claim(self, target: Path) -> Path:
        return target.with_name(f".{target.name}.{self.mark}claim")

    def _is_superseded(self, target: Path) -> bool:
        claimed = [edition for _, edition in _claims(target)]
        return any(map(self._edition.is_older_than, [*claimed, self._published()]))


def require_parent(path: str) -> None:
    """Refuse to publish at a path for a run that has ended: a killed run's steps can outlive it in processes of theirs.

    Raises:
        AbandonedStepError: The process that started this one has ended.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        raise AbandonedStepError(path)


def newest_claim(target: Path) -> int:
    """Return the largest number that is claimed at `target`; 0 if none is."""
    try:
        return max((edition.number for _, edition in _claims(target)), default=0)
    except OSError:
        return 0


def _claims(target: Path) -> list[tuple[Path, Edition]]:
    ours = re.compile(rf"\.{re.escape(target.name)}\.{MARK}claim")
    return [(path, _edition(match)) for path in target.parent.iterdir() if (match := ours.fullmatch(path.name))]


def _edition(match: re.Match[str]) -> Edition:
    return Edition(int(match["number"]), match["content"])

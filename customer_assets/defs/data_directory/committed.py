"""What a frame carries whose rows are a committed version of a table: the facts that belong to them.

Frames pass from asset to asset within a run, and another run can commit meanwhile. Reading a committed version belongs
in `io_managers.py`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from customer_assets.processing.rules import Frame

Facts = TypeVar("Facts", bound=BaseModel)

_COMMITTED = "customer_assets_committed"


@dataclass(frozen=True, slots=True)
class Committed:
    """What a frame carries whose rows are a committed version of a table.

    Attributes:
        facts: The facts that were committed with the rows.
        staged: This process's own file of them, if it committed them.
    """

    facts: BaseModel
    staged: Path | None = None


def with_committed(frame: Frame, facts: BaseModel, staged: Path | None = None) -> Frame:
    """Let a frame carry what was committed with its rows, so that both reach the next asset together.

    Frames derived from it carry nothing.
    """
    setattr(frame, _COMMITTED, Committed(facts, staged))
    return frame


def committed(frame: object) -> Committed | None:
    """Return what a frame carries; None if another IO manager made it."""
    return getattr(frame, _COMMITTED, None)


def carried_facts(frame: Frame, facts: type[Facts]) -> Facts | None:
    """Return the facts that a frame carries; None if it carries none of that kind."""
    found = committed(frame)
    return found.facts if found is not None and isinstance(found.facts, facts) else None

"""Applies the changes that a page describes: diffs without line numbers, which outlive edits elsewhere in a file.

A drill is a `diff` block. `--- path` names a file, `@@` starts a change in it. In a change, a line that begins with a
space is there and stays, `-` is there and goes, `+` is new. The lines that are there must be found exactly once.
"""

import re
from pathlib import Path


class DrillError(Exception):
    """A drill does not fit the files: a line it quotes is missing, or is there more than once."""


def apply_drill(text: str, root: Path) -> list[Path]:
    """Make every change of a drill in the files below `root`; return the files it changed.

    Raises:
        DrillError: A change cannot be made. Earlier ones have been.
    """
    changed = []
    for name, changes in _files(text):
        path = root / name
        content = path.read_text(encoding="utf-8")
        for change in changes:
            content = _changed(content, change, name)
        path.write_text(content, encoding="utf-8")
        changed.append(path)
    return changed


def added_lines(text: str) -> int:
    """How many lines of code a drill adds; blank ones are not counted."""
    return sum(bool(re.match(r"\+\s*\S", line)) for line in text.splitlines())


def _files(text: str) -> list[tuple[str, list[list[str]]]]:
    files: list[tuple[str, list[list[str]]]] = []
    for line in text.splitlines():
        if line.startswith("--- "):
            files.append((line.removeprefix("--- ").strip(), []))
        elif not files:
            raise DrillError(f"{line!r} comes before any `--- path`")
        elif line.strip() == "@@":
            files[-1][1].append([])
        elif line[:1] not in ("", " ", "+", "-") or not files[-1][1]:
            raise DrillError(f"{line!r} is no line of a change")
        else:
            files[-1][1][-1].append(line or " ")
    return files


def _changed(content: str, change: list[str], name: str) -> str:
    before = "".join(f"{line[1:]}\n" for line in change if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in change if line[0] in " +")
    starts = [match.start() for match in re.finditer(rf"^{re.escape(before)}", content, re.MULTILINE)]
    if len(starts) != 1:
        raise DrillError(f"{name} holds these lines {len(starts)} times, not once:\n{before}")
    return content[: starts[0]] + after + content[starts[0] + len(before) :]

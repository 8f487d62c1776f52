"""What a change costs: the drills of EXTENDING.md stay as small as they are promised to be."""

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from customer_assets_tests.harness.drills import added_lines

EXTENDING = Path(__file__).parents[2] / "EXTENDING.md"


def drill(section: str) -> str:
    """Return the change that a section of the page makes; `test_documentation.py` applies it and runs the rest."""
    text = EXTENDING.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (found,) = (token.content for token in MarkdownIt().parse(text) if token.info.strip() == "diff")
    return found


@pytest.mark.parametrize(("section", "files", "lines"), [("A setting", 3, 5)])
def test_a_change_touches_few_files(section: str, files: int, lines: int) -> None:
    """Where a fact stands once, so does its change."""
    change = drill(section)
    assert change.count("--- ") <= files
    assert added_lines(change) <= lines

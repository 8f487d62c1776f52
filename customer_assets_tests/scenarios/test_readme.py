"""The table of promises names tests; each of them is there."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
README = (TESTS / "README.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", README)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids="::".join)
def test_a_named_test_exists(file: str, name: str) -> None:
    """The file, and in it the function."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert not name or name in functions


def test_every_case_names_a_test() -> None:
    """A row without one is a promise that nobody keeps."""
    rows = [
        row for row in README.splitlines() if row.startswith("| ") and not re.match(r"\| (promise|hostile case)", row)
    ]
    assert len(rows) > 40
    assert [row for row in rows if ".py" not in row] == []

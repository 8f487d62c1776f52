"""The tests' README: every test that the table of promises names exists, and every row names one."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
README = (TESTS / "README.md").read_text(encoding="utf-8")
PROMISES = README.partition("# Which test holds which promise")[2]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PROMISES)))
FILES = sorted(set(re.findall(r"`([\w/]+\.py)(?:::\w+)?`", README)) - {"api/client.py"})
"""Paths below the tests' folder; `api/client.py` is the example of a module."""


@pytest.mark.parametrize("file", FILES)
def test_a_named_test_exists(file: str) -> None:
    """The file, and in it each function."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert [name for named_file, name in NAMED if named_file == file and name not in functions] == []


def test_every_case_names_a_test() -> None:
    """A row without one is a promise that nobody keeps."""
    rows = [row for row in PROMISES.splitlines() if re.match(r"\| (?!(promise|hostile case) \|)", row)]
    assert len(rows) > 40
    assert [row for row in rows if ".py" not in row] == []

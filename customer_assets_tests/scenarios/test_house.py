"""The house stays easy to find one's way in: what can be counted from its files may shrink, and does not grow.

`benchmarks/house.py` does the counting. Where a figure still exceeds its target, the excess is named here, so that
nothing joins it; lower it whenever you can.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from customer_assets_tests.benchmarks import house

TESTS = Path(__file__).parents[1]
MODULES = house.read_modules(house.PROJECT)

MOST_ENTRIES = 12

PRIVATE_DAGSTER = "customer_assets/defs/operations/"

UPWARD: set[tuple[str, str]] = set()

PLAIN_ENGLISH = re.compile(r"\btells? .* (from|apart)\b")
"""Everything but this becomes a verb that says what is done: log, report, notify, return."""

MOST_RAVIOLI = 20


@pytest.mark.parametrize("room", sorted(house.room_entries(house.list_files(house.PROJECT))))
def test_a_room_can_be_taken_in_at_a_glance(room: str) -> None:
    entries = house.room_entries(house.list_files(house.PROJECT))[room]
    assert entries <= MOST_ENTRIES


def test_the_harness_can_be_taken_in_at_a_glance() -> None:
    files = [path.relative_to(TESTS).as_posix() for path in (TESTS / "harness").rglob("*.py")]
    entries = house.room_entries(files)
    assert entries["harness"] > 6
    assert {room: count for room, count in entries.items() if count > MOST_ENTRIES} == {}


def test_no_file_leads_back_to_itself() -> None:
    assert house.circles(MODULES) == []


def test_no_import_runs_upwards() -> None:
    assert set(house.upward_arrows(MODULES, house.read_layers(house.PROJECT))) <= UPWARD


def test_what_dagster_keeps_to_itself_is_used_in_one_room() -> None:
    """An upgrade of Dagster can break these imports, so whoever upgrades finds them together."""
    found = house.private_dagster_imports(MODULES)
    assert found
    assert [each for each in found if not each.startswith(PRIVATE_DAGSTER)] == []


def test_nobody_tells() -> None:
    assert [found for found in house.telling(MODULES) if not PLAIN_ENGLISH.search(found)] == []


def test_functions_are_split_for_a_reader_not_for_a_counter() -> None:
    assert len(house.ravioli(MODULES)) <= MOST_RAVIOLI


MIRRORED = {"harness": TESTS, "benchmarks": TESTS}
"""Folders of `unit/` that mirror the tests' own tools; all others mirror the package."""


def test_a_unit_test_lies_where_its_module_does() -> None:
    """`unit/api/test_client.py` tests `api/client.py`, or the package `api/client/`. Any other test is a scenario."""
    astray = [path for path in (TESTS / "unit").rglob("test_*.py") if not _has_module(path.relative_to(TESTS / "unit"))]
    assert astray == []


def _has_module(path: Path) -> bool:
    module = MIRRORED.get(path.parts[0], house.PROJECT / house.PACKAGE) / path.parent / path.stem.removeprefix("test_")
    return module.with_suffix(".py").is_file() or (module / "__init__.py").is_file()


def test_nothing_is_imported_from_a_test() -> None:
    """What two tests share belongs in `harness/`; a `conftest.py` offers its fixtures."""
    shared = [
        f"{path.relative_to(TESTS)}: {name}"
        for path in TESTS.rglob("*.py")
        for name in _imported_names(ast.parse(path.read_text(encoding="utf-8")))
        if name.rpartition(".")[2] == "conftest" or name.rpartition(".")[2].startswith("test_")
    ]
    assert shared == []


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Name each module of these tests that a file imports, and each name that can be one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(TESTS.name):
            yield node.module or ""
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(TESTS.name))

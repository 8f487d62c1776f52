"""Drills: changes by the lines around them."""

from pathlib import Path

import pytest

from customer_assets_tests.harness.drills import DrillError, added_lines, apply_drill

CODE = "a = 1\nb = 2\n\nc = 3\nb = 2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "code.py").write_text(CODE, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(" a = 1\n+x = 0\n", "a = 1\nx = 0\nb = 2\n\nc = 3\nb = 2\n", id="after a line"),
        pytest.param("+x = 0\n c = 3\n", "a = 1\nb = 2\n\nx = 0\nc = 3\nb = 2\n", id="before a line"),
        pytest.param("-c = 3\n+c = 4\n", "a = 1\nb = 2\n\nc = 4\nb = 2\n", id="replaced"),
        pytest.param("-c = 3\n", "a = 1\nb = 2\n\nb = 2\n", id="removed"),
        pytest.param(" b = 2\n\n+x = 0\n", "a = 1\nb = 2\n\nx = 0\nc = 3\nb = 2\n", id="a blank line is context"),
        pytest.param(" a = 1\n+x\n@@\n c = 3\n+y\n", "a = 1\nx\nb = 2\n\nc = 3\ny\nb = 2\n", id="two changes"),
    ],
)
def test_a_change_is_made_where_its_lines_are(change: str, expected: str, root: Path) -> None:
    assert apply_drill(f"--- code.py\n@@\n{change}", root) == [root / "code.py"]
    assert (root / "code.py").read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    "drill",
    [
        pytest.param("--- code.py\n@@\n b = 2\n+x\n", id="its lines are there twice"),
        pytest.param("--- code.py\n@@\n d = 4\n+x\n", id="its lines are not there"),
        pytest.param("--- code.py\n@@\n = 1\n+x\n", id="half a line"),
        pytest.param("--- code.py\n@@ -1,2 +1,3 @@\n a = 1\n+x\n", id="a line number"),
        pytest.param("@@\n a = 1\n+x\n", id="no file"),
    ],
)
def test_a_drill_that_does_not_fit_is_refused(drill: str, root: Path) -> None:
    with pytest.raises(DrillError):
        apply_drill(drill, root)
    assert (root / "code.py").read_text(encoding="utf-8") == CODE


def test_added_lines_are_counted() -> None:
    assert added_lines("--- code.py\n@@\n a = 1\n+x = 1\n+\n-y\n+z = 2\n") == 2

"""The list of presets, as a command prints it."""

from pathlib import Path

import pytest

from customer_assets.apis import load_preset, preset_names
from customer_assets.apis.__main__ import capabilities, main

README = Path(__file__).parents[3] / "README.md"


def test_all_presets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, and that none was tried."""
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(preset_names())]] == preset_names()
    assert lines[0].split() == ["preset", "API", "pages", "total", "incremental", "deletions"]
    paddle = next(line for line in lines if line.startswith("paddle "))
    assert paddle.split()[1:5] == ["Paddle", "Billing", "last_id", "estimate"]
    assert "none was tried on the live API" in lines[-1]


def test_one_preset_is_shown_with_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    """Its values, its secrets, and what else there is to know."""
    assert main(["commercetools"]) == 0
    shown = capsys.readouterr().out
    assert "CUSTOMER_API_PRESET_VALUES=region=…,project=…" in shown
    assert "CUSTOMER_API_CLIENT_SECRET=…  its secret" in shown
    assert main(["intercom"]) == 0
    assert "In Europe or Australia, set base_url" in capsys.readouterr().out


def test_an_unknown_preset_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strip"]) == 2
    assert capsys.readouterr().err == "preset: there is no preset 'strip'. Did you mean stripe?\n"


def test_the_readme_shows_what_each_preset_can_do() -> None:
    """Row by row, in the same order."""
    rows = [f"| `{name}` | {' | '.join(capabilities(load_preset(name)))} |" for name in preset_names()]
    shown = README.read_text(encoding="utf-8").splitlines()
    start = shown.index(rows[0])
    assert shown[start : start + len(rows)] == rows
    assert not shown[start + len(rows)]

"""How numbers, shares, durations and instants are written."""

import math

import pytest

from customer_assets.report import formats


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0, 0, "0"),
        (1_234_567, 0, "1,234,567"),
        (-3, 0, "−3"),
        (98.333, 1, "98.3"),
        (99.25, 1, "99.3"),
        (0.05, 1, "0.1"),
        (-0.25, 1, "−0.3"),
        (-0.04, 1, "0.0"),
        (None, 1, "–"),
        (math.nan, 1, "–"),
    ],
)
def test_numbers(value: float | None, digits: int, text: str) -> None:
    """With thousands, a real minus sign, and a dash for nothing."""
    assert formats.number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 0, ""),
        (0, 0, "no change"),
        (0.04, 1, "no change"),
        (1_200, 0, "+1,200"),
        (-3, 0, "−3"),
        (-0.25, 1, "−0.3"),
        (0.31, 1, "+0.3"),
    ],
)
def test_differences(value: float | None, digits: int, text: str) -> None:
    """With their sign; one that rounds to nothing is no change."""
    assert formats.difference(value, digits) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"),
        (0.000_1, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.417, "41.7 %"),
        (0.0625, "6.3 %"),
        (0.0105, "1.1 %"),
        (0.999_99, "> 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_shares(share: float, text: str) -> None:
    """A little is not shown as nothing, nor nearly all as all."""
    assert formats.percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (95.4, "95 s"), (119.6, "2 min 0 s"), (725.0, "12 min 5 s")],
)
def test_durations(seconds: float, text: str) -> None:
    """With no more digits than mean something."""
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("iso", "text"), [("2026-11-05T03:04:05Z", "5 November 2026, 03:04 UTC"), ("yesterday", "yesterday")]
)
def test_instants(iso: str, text: str) -> None:
    """A text that is not an instant stays as it is: an earlier report can hold anything."""
    assert formats.instant(iso) == text


def test_words() -> None:
    """Identifiers become words, and words a sentence."""
    assert formats.words("mobile_app") == "mobile app"
    assert formats.sentence("last name of McX") == "Last name of McX"
    assert formats.sentence("") == ""
    assert [formats.pluralize(1, "run"), formats.pluralize(1_200, "run")] == ["1 run", "1,200 runs"]

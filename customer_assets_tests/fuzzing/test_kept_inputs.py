"""Runs every kept input of every target: past findings, and inputs that reach code no other input reaches."""

import importlib
import time
import zlib
from pathlib import Path

import pytest

from customer_assets_tests.fuzzing import running
from customer_assets_tests.fuzzing.cleaning import check_on
from customer_assets_tests.fuzzing.running import (
    CORPUS,
    FINDINGS,
    PUMPED_BYTES,
    Check,
    TooSlowError,
    inputs,
    pumped,
    timed,
)

TARGETS = ["cleaning", "crawl_answers", "dates", "landing", "page_decoding", "rate_headers", "text_columns"]
LARGEST_CORPUS_BYTES = 200_000


def check_of(target: str) -> Check:
    """Return a target's law."""
    check: Check = importlib.import_module(f"customer_assets_tests.fuzzing.{target}").check
    return check


@pytest.mark.parametrize("target", TARGETS)
def test_law(target: str) -> None:
    """Every input of the corpus and every past finding obeys the target's law, in time."""
    check = check_of(target)
    check(b"")
    kept = inputs(target)
    assert len(kept) >= 5
    for path in kept:
        timed(check, path.read_bytes())


@pytest.mark.parametrize("path", inputs("cleaning"), ids=lambda path: path.name)
def test_duckdb_cleans_the_corpus_too(path: Path) -> None:
    """The fuzzer tries most inputs on Polars only."""
    check_on("duckdb", path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_time_is_linear(target: str) -> None:
    """A long, repetitive input takes no more time than its length allows."""
    check = check_of(target)
    check(b"")
    for path in inputs(target)[:12]:
        data = path.read_bytes()
        timed(check, pumped(data, zlib.crc32(data)))


def test_every_target_is_held() -> None:
    """Every target has a corpus, and every folder belongs to a target."""
    assert sorted(path.name for path in CORPUS.iterdir()) == TARGETS
    assert {path.name for path in FINDINGS.glob("*")} <= set(TARGETS)


def test_the_corpus_is_small() -> None:
    """It is part of the repository."""
    sizes = [path.stat().st_size for folder in (CORPUS, FINDINGS) for path in folder.rglob("*") if path.is_file()]
    assert sum(sizes) < LARGEST_CORPUS_BYTES


def test_quadratic_time_is_noticed() -> None:
    """A target whose time grows with the square of the length breaks the limit, even at 2 ns a step."""
    now_s = 0.0

    def quadratic(data: bytes) -> None:
        nonlocal now_s
        now_s += 2e-9 * len(data) ** 2

    timed(quadratic, b"ab" * 20, lambda: now_s)
    with pytest.raises(TooSlowError, match=r"took 8\.\d\d s, 3\.\d\d s are allowed"):
        timed(quadratic, pumped(b"ab" * 20, 3), lambda: now_s)


def test_without_a_clock_the_processors_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the process's own time counts, not what the machine did meanwhile."""
    monkeypatch.setattr(running, "FREE_S", 0.01)

    def busy(_: bytes) -> None:
        began_s = time.process_time()
        while time.process_time() - began_s < 0.02:
            pass

    with pytest.raises(TooSlowError, match="0 bytes took"):
        timed(busy, b"")


@pytest.mark.parametrize("choice", [0, 3, 11, 2**31, 2**32 - 1])
def test_a_pumped_input_is_long_and_keeps_its_ends(choice: int) -> None:
    """One piece is repeated; what comes before and after it is kept."""
    data = b"0123456789"
    long = pumped(data, choice)
    first = choice % len(data)
    assert PUMPED_BYTES - 12 <= len(long) <= PUMPED_BYTES + len(data)
    assert long.startswith(data[: first + 1])
    assert pumped(b"", choice) == b""

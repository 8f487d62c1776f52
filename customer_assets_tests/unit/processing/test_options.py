"""The settings of cleaning."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from customer_assets.processing import engines
from customer_assets.processing.options import ProcessingOptions


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-01-31T00:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T01:00:00+01:00", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_the_as_of_instant_is_iso_8601(written: str, instant: datetime) -> None:
    """Without an offset: UTC."""
    assert ProcessingOptions(as_of=written).instant() == instant


def test_without_an_instant_it_is_now() -> None:
    """With a time zone, as every instant here."""
    before = datetime.now(UTC)
    assert before <= ProcessingOptions().instant() <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [("as_of", "yesterday", "'yesterday' is not an ISO 8601 instant"), ("engine", "pandas", "'pandas' is unknown")],
)
def test_what_cannot_be_used_is_refused(field: str, value: str, problem: str) -> None:
    """When the options are made."""
    with pytest.raises(ValidationError, match=problem):
        ProcessingOptions.model_validate({field: value})


def test_an_engine_of_ones_own_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it was registered."""
    monkeypatch.setattr(engines, "_registered", {"arrow": object})
    assert ProcessingOptions(engine="arrow").engine == "arrow"

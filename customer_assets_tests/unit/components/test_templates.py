"""Templates that name a variable which is not set."""

from typing import Any

import pytest

from customer_assets.components.templates import refuse_unset_variables
from customer_assets.core.errors import ConfigurationError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable is set, the other is not."""
    monkeypatch.setenv("ACME_SET", "None of your business")
    monkeypatch.delenv("ACME_UNSET", raising=False)


@pytest.mark.parametrize(
    ("raw", "rendered", "place"),
    [
        pytest.param({"a": "{{ env.ACME_UNSET }}"}, {"a": None}, "a", id="alone"),
        pytest.param({"a": {"b": "x{{ env.ACME_UNSET }}y"}}, {"a": {"b": "xNoney"}}, "a.b", id="within a text"),
        pytest.param({"a": ["x", "{{ env.ACME_UNSET }}"]}, {"a": ["x", None]}, "a", id="in a list"),
        pytest.param(
            {"a": "{{ env.ACME_SET }}{{ env.ACME_UNSET }}"}, {"a": "None of your businessNone"}, "a", id="the second"
        ),
    ],
)
def test_an_unset_variable_is_named_with_its_place(raw: Any, rendered: Any, place: str) -> None:
    """And with both ways out."""
    with pytest.raises(ConfigurationError) as caught:
        refuse_unset_variables("", raw, rendered)
    assert str(caught.value) == (
        f"{place}: the environment variable ACME_UNSET is not set. "
        "Set it, or write a default: {{ env('ACME_UNSET', '…') }}."
    )


@pytest.mark.parametrize(
    ("raw", "rendered"),
    [
        pytest.param({"a": None, "b": 1}, {"a": None, "b": 1}, id="no template"),
        pytest.param({"a": "None"}, {"a": "None"}, id="the word itself"),
        pytest.param({"a": "{{ env.ACME_SET }}"}, {"a": "None of your business"}, id="set"),
        pytest.param({"a": "{{ env.ACME_UNSET or 'x' }}"}, {"a": "x"}, id="a default"),
    ],
)
def test_what_was_filled_in_is_left_alone(raw: Any, rendered: Any) -> None:
    """Whatever it was filled in with."""
    refuse_unset_variables("", raw, rendered)

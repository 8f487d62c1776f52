"""What all settings have in common: their variables, and how an unusable one is reported."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field, field_validator, model_validator

from customer_assets.core.configuration import (
    NO_VARIABLE,
    SECRET,
    LocalPath,
    SettingError,
    Settings,
    Variable,
    by_variable,
    configuration_errors,
    rename_fields,
    secret_variables,
    suggest,
    validate_choice,
    values_from,
    variables,
)
from customer_assets.core.errors import ConfigurationError


class Inner(Settings):
    """Settings within settings."""

    variable_prefix: ClassVar[str] = "CUSTOMER_INNER"
    share: float = Field(default=0.5, ge=0, le=1)


class Outer(Settings):
    """One field of each kind."""

    variable_prefix: ClassVar[str] = "CUSTOMER_OUTER"
    count: int = Field(default=3, gt=0, lt=10)
    limit: float | None = None
    kind: Literal["a", "b"] = "a"
    is_on: bool = False
    waits_s: list[float] = Field(default=[1.0])
    names: dict[str, Any] = Field(default={})
    text: str = ""
    password: Annotated[str, Variable("CUSTOMER_PASSWORD")] = Field(default="", json_schema_extra=SECRET)
    pin: int = Field(default=0, json_schema_extra=SECRET)
    hidden: Annotated[str, NO_VARIABLE] = ""
    place: LocalPath = ""
    inner: Inner = Inner()

    @field_validator("text")
    @classmethod
    def validate_text(cls, text: str) -> str:
        """Refuse one word."""
        if text == "bad":
            raise SettingError("'bad' is bad", "Write good.")
        return text

    @model_validator(mode="after")
    def validate_together(self) -> "Outer":
        """Refuse two fields together."""
        if self.kind == "b" and not self.is_on:
            raise SettingError("it is off", "Switch it on.", field="is_on")
        return self


def made(**given: Any) -> Outer:
    """Make the settings as somebody does who set them by their variables."""
    with rename_fields(by_variable(Outer)), configuration_errors(Outer):
        return Outer(**given)


def test_a_variable_is_the_prefix_and_the_field() -> None:
    """Unless the field names its own, or has none; those of a sub-model have the sub-model's prefix."""
    assert variables(Outer) == {
        "CUSTOMER_OUTER_COUNT": "count",
        "CUSTOMER_OUTER_LIMIT": "limit",
        "CUSTOMER_OUTER_KIND": "kind",
        "CUSTOMER_OUTER_IS_ON": "is_on",
        "CUSTOMER_OUTER_WAITS_S": "waits_s",
        "CUSTOMER_OUTER_NAMES": "names",
        "CUSTOMER_OUTER_TEXT": "text",
        "CUSTOMER_PASSWORD": "password",
        "CUSTOMER_OUTER_PIN": "pin",
        "CUSTOMER_OUTER_PLACE": "place",
        "CUSTOMER_INNER_SHARE": "inner.share",
    }
    assert secret_variables(Outer) == {"CUSTOMER_PASSWORD": "password", "CUSTOMER_OUTER_PIN": "pin"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, Outer(), id="nothing is set"),
        pytest.param({"CUSTOMER_OUTER_COUNT": " 7 "}, Outer(count=7), id="a number, trimmed"),
        pytest.param({"CUSTOMER_OUTER_COUNT": "  "}, Outer(), id="blank is unset"),
        pytest.param({"CUSTOMER_OUTER_LIMIT": "0.5"}, Outer(limit=0.5), id="an optional number"),
        pytest.param({"CUSTOMER_OUTER_WAITS_S": "1, 2.5"}, Outer(waits_s=[1.0, 2.5]), id="a list"),
        pytest.param({"CUSTOMER_OUTER_IS_ON": "true"}, Outer(is_on=True), id="a switch"),
        pytest.param({"CUSTOMER_INNER_SHARE": "1"}, Outer(inner=Inner(share=1.0)), id="of a sub-model"),
        pytest.param({"CUSTOMER_OUTER_HIDDEN": "x", "hidden": "x", "": "x"}, Outer(), id="none of ours"),
    ],
)
def test_the_environment_fills_a_model(environ: dict[str, str], expected: Outer) -> None:
    """By the fields' variables."""
    assert made(**values_from(Outer, environ)) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "CUSTOMER_OUTER_COUNT: 0 is not above 0. Set a number above 0."),
        ({"count": 10}, "CUSTOMER_OUTER_COUNT: 10 is not below 10. Set a number below 10."),
        ({"count": "many"}, "CUSTOMER_OUTER_COUNT: 'many' is not a whole number. Set it to a whole number."),
        ({"count": 1.5}, "CUSTOMER_OUTER_COUNT: 1.5 is not a whole number. Set it to a whole number."),
        ({"limit": "fast"}, "CUSTOMER_OUTER_LIMIT: 'fast' is not a number. Set it to a number."),
        ({"limit": "nan"}, "CUSTOMER_OUTER_LIMIT: 'nan' is not a number. Set it to a number."),
        ({"kind": "c"}, "CUSTOMER_OUTER_KIND: 'c' is unknown. Choose 'a' or 'b'."),
        ({"is_on": "maybe"}, "CUSTOMER_OUTER_IS_ON: 'maybe' is neither true nor false. Set it to true or false."),
        ({"waits_s": 5}, "CUSTOMER_OUTER_WAITS_S: 5 is not a list. Set it to a list."),
        ({"waits_s": [1, "x"]}, "CUSTOMER_OUTER_WAITS_S: 'x' is not a number. Set it to a number."),
        ({"names": 5}, "CUSTOMER_OUTER_NAMES: 5 is not a mapping. Set it to a mapping."),
        ({"text": None}, "CUSTOMER_OUTER_TEXT: it is null, not text. Write it as text; in YAML, in quotes."),
        ({"text": "bad"}, "CUSTOMER_OUTER_TEXT: 'bad' is bad. Write good."),
        ({"kind": "b"}, "CUSTOMER_OUTER_IS_ON: it is off. Switch it on."),
        ({"inner": {"share": 7}}, "CUSTOMER_INNER_SHARE: 7 is above 1. Set 1 or less."),
        ({"inner": {"share": -1}}, "CUSTOMER_INNER_SHARE: -1 is below 0. Set 0 or more."),
        ({"cuont": 1}, "cuont: there is no such setting. Did you mean count?"),
        ({"zzz": 1}, "zzz: there is no such setting. Leave it out."),
    ],
)
def test_an_unusable_value_is_reported_in_plain_words(given: dict[str, Any], message: str) -> None:
    """Which setting, what is wrong with it, what to set instead."""
    with pytest.raises(ConfigurationError) as caught:
        made(**given)
    assert str(caught.value) == message


def test_a_secret_is_never_quoted() -> None:
    """Neither by the error nor by the one behind it, which a traceback would show."""
    with pytest.raises(ConfigurationError) as caught:
        made(pin="canary")
    assert str(caught.value) == "CUSTOMER_OUTER_PIN: its value cannot be used. Set it to a whole number."
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "canary" not in f"{caught.value.__context__!r} {caught.value.__context__}"


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only at the beginning; a home that does not exist is refused."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert made(place="~/data").place == f"{tmp_path}/data"
    assert made(place="/a/~/b").place == "/a/~/b"
    assert made(place="s3://bucket/~").place == "s3://bucket/~"
    with pytest.raises(ConfigurationError, match=r"^CUSTOMER_OUTER_PLACE: '~no-such-user/data' names a home directory"):
        made(place="~no-such-user/data")


def test_a_misspelt_name_is_met_with_the_nearest() -> None:
    """Or with what else to do."""
    assert suggest("CUSTOMER_ENGIN", ["CUSTOMER_ENGINE", "CUSTOMER_OWNERS"], "Look.") == "Did you mean CUSTOMER_ENGINE?"
    assert suggest("zzz", ["CUSTOMER_ENGINE"], "Look.") == "Look."


def test_a_choice_is_one_of_several() -> None:
    """All are named in the remedy."""
    assert validate_choice("a", ["a", "b"]) == "a"
    with pytest.raises(SettingError, match=r"'c' is unknown\. Choose one of a, b\."):
        validate_choice("c", ["a", "b"])

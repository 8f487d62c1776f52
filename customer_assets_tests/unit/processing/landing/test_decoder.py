"""The decoder: what it finds on a page that fits, and what it leaves to others."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing.landing.decoder import PageDecoder, PathConflictError


def decoded(options: dict[str, Any], data: bytes) -> dict[str, list[Any]]:
    """Decode a page."""
    count, values = PageDecoder(RecordMapping.model_validate(options)).decode(data)
    assert {len(found) for found in values.values()} == {count}
    return {name: list(found) for name, found in values.items()}


def test_paths_are_followed_in_one_pass() -> None:
    """Into objects and lists, past whatever else there is; absent and null are None where it makes no difference."""
    options = {
        "id_type": "text",
        "email": "a.emails[1].value",
        "avatar": "a.pic",
        "fields": {"first": "a.emails[0].value"},
    }
    page = b"""[{"id": "x", "a": {"emails": [{"value": "1"}, {"value": "2", "x": [[]]}], "pic": null, "y": {}}, "z": 1},
                {"id": 5, "a": null}, {"id": "y", "a": {"emails": [null]}}, {"id": "z"}]"""
    found = decoded(options, page)
    assert found["id"] == ["x", 5, "y", "z"]
    assert found["email"] == ["2", None, None, None]
    assert found["first"] == ["1", None, None, None]
    assert found["avatar"] == [None] * 4
    assert found["engagement_score"] == [UNSET] * 4


@pytest.mark.parametrize(
    "record",
    [
        b"{}",
        b'{"id": null}',
        b'{"id": 1.0}',
        b'{"id": true}',
        b'{"id": "N/A"}',
        b'{"id": "-7"}',
        b'{"id": 9223372036854775808}',
        b'{"id": 1, "email": {}}',
        b"[]",
        b"null",
    ],
)
def test_what_does_not_fit_is_refused(record: bytes) -> None:
    """And never converted without a word: those who read records one by one rely on it."""
    with pytest.raises(msgspec.DecodeError):
        decoded({}, b"[" + record + b"]")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"fields": {"whole": "a", "part": "a.b"}}, id="through a scalar"),
        pytest.param({"fields": {"part": "a.b", "whole": "a"}}, id="the other way round"),
        pytest.param({"fields": {"key": "a.b", "element": "a[0]"}}, id="an object and a list"),
        pytest.param({"id": "ids[0]"}, id="an id in a list"),
    ],
)
def test_paths_that_are_in_each_others_way_are_refused(options: dict[str, Any]) -> None:
    """They are followed record by record instead."""
    with pytest.raises(PathConflictError):
        PageDecoder(RecordMapping.model_validate(options))

"""Paths: which texts are paths, and where a path leads."""

from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from customer_assets.core.paths import ABSENT, follow, parse_path
from customer_assets.core.record_mapping import RecordMapping
from customer_assets_tests.harness.records import reference
from customer_assets_tests.harness.records.dirty import any_record


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("email", ("email",)),
        ("contact.email", ("contact", "email")),
        ("emails[0].value", ("emails", 0, "value")),
        ("a[0][12]", ("a", 0, 12)),
        ('["a.b"]', ("a.b",)),
        ('a["b.c"].d["e"][3]', ("a", "b.c", "d", "e", 3)),
        ("odd key é", ("odd key é",)),
        ("merge_fields.FNAME", ("merge_fields", "FNAME")),
        ("@id", ("@id",)),
    ],
)
def test_paths(text: str, path: tuple[str | int, ...]) -> None:
    """Keys, elements of lists, and keys that hold a dot themselves."""
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        'a"b',
        "a\\b",
        "a\nb",
        "[0]",
        "a[x]",
        "a[]",
        "a[-1]",
        "a[0]b",
        '["a"]b',
        'a.["b"]',
        'a[""]',
        "a[",
    ],
)
def test_what_is_not_a_path_is_refused(text: str) -> None:
    """With an example of one; the field is named."""
    with pytest.raises(ValueError, match="is not a path"):
        parse_path(text)
    with pytest.raises(ValidationError, match=r"first_name[\s\S]*is not a path"):
        RecordMapping.model_validate({"first_name": text})


RECORD = {"a": {"b": [1, {"c": None}], "d.e": 5}, "n": None, "s": "x"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b[0]", 1),
        ("a.b[1].c", None),
        ('a["d.e"]', 5),
        ("a.b[2]", ABSENT),
        ("a.x", ABSENT),
        ("n.x", None),
        ("s.x", None),
        ("s[0]", None),
        ("a[0]", None),
        ("a.b.c", None),
    ],
)
def test_following_a_path(path: str, found: object) -> None:
    """Absent is not the same as null; what has no parts leads to null."""
    assert follow(RECORD, parse_path(path)) is found or follow(RECORD, parse_path(path)) == found


@settings(deadline=None)
@given(any_record)
def test_paths_are_followed_as_the_reference_follows_them(record: Any) -> None:
    """In any record."""
    for path in ("extra", "extra.a", "extra.a[0]", "extra[0]", "email.x"):
        mine, theirs = follow(record, parse_path(path)), reference.follow(record, path)
        if isinstance(record, dict):
            assert (mine is ABSENT) == (theirs is reference.ABSENT)
            assert mine is ABSENT or mine is theirs

"""What records say, in names and counts."""

import pytest

from customer_assets.api.responses.survey import describe_envelope, describe_fields, describe_mapping
from customer_assets.core.record_mapping import RecordMapping

RECORDS = [
    {"id": 1, "contact": {"email": "canary@x.org", "tags": [{"name": "canary"}]}, "note": None},
    {"id": "2", "contact": {"email": None}, "note": None, "canary@x.org": 1, "a.b": True},
]


def test_fields_are_described_by_path() -> None:
    """With what they hold and how often; a key that may be an address is not shown."""
    assert describe_fields(RECORDS) == [
        '["a.b"]: true or false; filled in 1 of 2',
        "[...]: a number; filled in 1 of 2",
        "contact.email: text; filled in 1 of 2",
        "contact.tags[0].name: text; filled in 1 of 2",
        "id: a number, text; filled in 2 of 2",
        "note: null; filled in 0 of 2",
    ]


def test_what_is_no_record_is_described_too() -> None:
    assert describe_fields([7, None]) == ["(a record): a number; filled in 1 of 2"]


def test_what_stands_beside_the_records_is_described() -> None:
    """Totals and ways to the next page, by name and kind; a key that may be an address is not shown."""
    body = b'{"meta": {"next": "canary", "n": 7}, "a@b.org": 1, "data": {"items": [{"id": 1}], "more": true}}'
    assert describe_envelope(body, ("data", "items")) == (
        "meta.next (text), meta.n (a number), [...] (a number), data.more (true or false)"
    )


@pytest.mark.parametrize(
    ("body", "path"),
    [(b"[1]", ()), (b'{"d": []}', ("d",)), (b"<", ("d",)), (b'{"a": 1}', ("d", "x")), (b"[1]", ("d",))],
)
def test_nothing_beside_the_records(body: bytes, path: tuple[str, ...]) -> None:
    assert describe_envelope(body, path) in ("nothing", "a (a number)")


def test_a_mapping_is_described_by_its_columns() -> None:
    """What was never sent is to be mapped, or set to null."""
    mapping = RecordMapping.model_validate({"email": "contact.email", "first_name": None, "avatar": "picture"})
    lines = describe_mapping(RECORDS, mapping)
    assert lines[0] == "id (integer): usable in 2 of 2"
    assert "email: sent in 2 of 2, filled in 1 of 2" in lines
    assert "avatar: sent in 0 of 2, filled in 0 of 2; map it, or set it to null" in lines
    assert "engagement_score: sent in 0 of 2, filled in 0 of 2; generated, unless you map it" in lines
    assert not any(line.startswith("first_name") for line in lines)

"""How a mapping fits a page: by the names of keys alone."""

import json

import pytest

from customer_assets.core.record_mapping import FILTER, RecordMapping
from customer_assets.processing.landing.sample import PageSample, sample_page

RECORDS = [
    {"id": n, "contact": {"email": "a@x.org", "phones": [{"no": 1}]}, "avatar": None, f"user{n}@x.org": 1, f"odd{n}": 1}
    for n in range(3)
]


def test_a_mistyped_path_is_found() -> None:
    """A key that is there and null is no mistake; a path through what has no parts is one."""
    mapping = RecordMapping.model_validate(
        {"email": "contact.mail", "first_name": "contact.email.first", "last_name": None, "last_active_at": None}
    )
    assert sample_page(json.dumps(RECORDS).encode(), mapping) == PageSample(
        absent_paths={
            "email": "contact.mail",
            "first_name": "contact.email.first",
            "engagement_score": "engagement_score",
        },
        keys=("id", "contact.email", "contact.phones[0].no", "avatar"),
    )


@pytest.mark.parametrize(
    ("path", "absent"), [("avatar", {}), ("statu", {FILTER: "statu"}), ("contact.phones[0].no", {})]
)
def test_a_mistyped_path_of_the_filter_is_found(path: str, absent: dict[str, str]) -> None:
    """It would drop nothing, and deleted customers would be published."""
    mapping = RecordMapping.model_validate({"exclude": {"field": path, "values": ["deleted"]}})
    found = sample_page(json.dumps(RECORDS).encode(), mapping).absent_paths
    assert {name: each for name, each in found.items() if name == FILTER} == absent


@pytest.mark.parametrize("data", [b"", b"[", b"{}", b"[1, null]", b"[" * 5_000, b"\xff"])
def test_a_page_without_records_shows_nothing(data: bytes) -> None:
    """Whatever it is."""
    assert sample_page(data, RecordMapping()) == PageSample()

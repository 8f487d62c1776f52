"""Small hostile worlds: pages of records of which it is known beforehand what becomes of each."""

from typing import Any

from hypothesis import strategies as st

IDS: list[tuple[Any, int | None]] = [
    (1, 1),
    (2, 2),
    (3, 3),
    ("1", 1),
    (" 002 ", 2),
    (2**63 - 1, 2**63 - 1),
    (-(2**63), -(2**63)),
    (0, 0),
    (None, None),
    ("", None),
    ("one", None),
    (True, None),
    (1.0, None),
    (2**63, None),
    ([1], None),
    ({}, None),
    ("9" * 30, None),
]
"""Ids as an API may send them, and the customer that each names."""

TEXTS: st.SearchStrategy[Any] = st.sampled_from(
    ["Ada", "", " ", "ada@x.org", "no address", None, 7, [], "<b>", "\U0001f600", "a\x00b"]
)
FIELDS = ("email", "first_name", "last_name", "avatar", "engagement_score", "last_active_at", "other")
NO_RECORDS = st.sampled_from([None, True, 3, "text", [], [{"id": 1}]])

Record = tuple[Any, int | None]
"""A record as JSON has it, and the customer that it names; None: nobody."""


def _with_id(chosen: tuple[Any, int | None], fields: dict[str, Any]) -> Record:
    return {**fields, "id": chosen[0]}, chosen[1]


with_fields = st.dictionaries(st.sampled_from(FIELDS), TEXTS, max_size=5)
records: st.SearchStrategy[Record] = st.one_of(
    st.builds(_with_id, st.sampled_from(IDS), with_fields),
    with_fields.map(lambda fields: (fields, None)),
    NO_RECORDS.map(lambda value: (value, None)),
)
pages: st.SearchStrategy[list[list[Record]]] = st.lists(st.lists(records, max_size=8), min_size=1, max_size=6)
"""Pages of records, in order."""

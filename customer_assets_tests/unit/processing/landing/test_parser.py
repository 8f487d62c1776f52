"""Records: which are read at once, which one by one, and which are rejected and why."""

import json
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing.landing.batches import raw_batch
from customer_assets.processing.landing.parser import ParsedPage, RecordParser, parse_objects, parse_page
from customer_assets.processing.schemas import raw_schema
from customer_assets_tests.harness.records import reference
from customer_assets_tests.harness.records.dirty import any_record, each_edge_case


def _json(objects: list[Any]) -> bytes:
    return json.dumps(objects).encode()


def _ids(page: ParsedPage) -> list[Any]:
    return raw_batch([page]).column("id").to_pylist()


def _codes(page: ParsedPage) -> list[tuple[int, str]]:
    return [(record.position, record.reason_code) for record in page.rejected]


def test_a_good_page_is_typed_at_once() -> None:
    """Every record keeps its position; an absent key stays distinct from a null."""
    page = parse_page(3, b'[{"id": 1, "engagement_score": null}, {"id": 2, "last_active_at": "2026-01-01", "x": [1]}]')
    assert (page.number, list(page.positions), list(page.rejected)) == (3, [0, 1], [])
    assert page.values["id"] == (1, 2)
    assert page.values["engagement_score"] == (None, UNSET)
    assert page.values["last_active_at"] == (UNSET, "2026-01-01")
    assert page.values["email"] == (None, None)


def test_a_page_of_text_ids() -> None:
    """Ids that are all text land as the numbers they are, one after a zero or beside a number as well."""
    assert _ids(parse_page(1, b'[{"id": "7"}, {"id": "0012", "email": "a"}]')) == [7, 12]
    assert _ids(parse_page(1, b'[{"id": "7"}, {"id": 8}, {"id": "7 "}]')) == [7, 8, 7]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        pytest.param(b"5", "not_an_object", id="number"),
        pytest.param(b"null", "not_an_object", id="null"),
        pytest.param(b"[]", "not_an_object", id="array"),
        pytest.param(b'"id"', "not_an_object", id="text"),
        pytest.param(b"{}", "id_missing", id="empty object"),
        pytest.param(b'{"id": null}', "id_missing", id="null id"),
        pytest.param(b'{"id": " \\u3000"}', "id_missing", id="blank id"),
        pytest.param(b'{"ID": 1}', "id_missing", id="key in another case"),
        pytest.param(b'{"id": true}', "id_not_an_integer", id="boolean"),
        pytest.param(b'{"id": 1.0}', "id_not_an_integer", id="float"),
        pytest.param(b'{"id": 1e3}', "id_not_an_integer", id="exponent"),
        pytest.param(b'{"id": "-1"}', "id_not_an_integer", id="signed text"),
        pytest.param(b'{"id": "\\u0663"}', "id_not_an_integer", id="Arabic digit"),
        pytest.param(b'{"id": [1]}', "id_not_an_integer", id="array id"),
        pytest.param(b'{"id": NaN}', "id_not_an_integer", id="NaN"),
        pytest.param(b'{"id": 9223372036854775808}', "id_out_of_range", id="2^63"),
        pytest.param(b'{"id": -9223372036854775809}', "id_out_of_range", id="-2^63-1"),
        pytest.param(b'{"id": "9223372036854775808"}', "id_out_of_range", id="2^63 as text"),
        pytest.param(b'{"id": ' + b"9" * 10_000 + b"}", "id_out_of_range", id="10,000 digits"),
        pytest.param(b'{"id": -' + b"9" * 10_000 + b"}", "id_out_of_range", id="minus 10,000 digits"),
        pytest.param(b'{"id": "' + b"9" * 10_000 + b'"}', "id_out_of_range", id="10,000 digits as text"),
        pytest.param(b'{"id": 1, "id": "x"}', "id_not_an_integer", id="duplicate key, the last one counts"),
    ],
)
def test_rejected_with_a_reason(record: bytes, code: str) -> None:
    """A record without a usable id is rejected as it came, and its neighbours land."""
    page = parse_page(1, b'[{"id": 1}, ' + record + b', {"id": 2}]')
    assert _ids(page) == [1, 2]
    assert list(page.positions) == [0, 2]
    (rejected,) = page.rejected
    assert (rejected.page, rejected.position, rejected.reason_code) == (1, 1, code)
    assert rejected.reason.endswith(".")


def test_the_record_is_kept_as_it_came() -> None:
    """The quarantine holds the record's own bytes, not a re-written form."""
    page = parse_page(1, b'[{"id" : 1e3,  "email":"\\u00e9"}]')
    assert page.rejected[0].record == '{"id" : 1e3,  "email":"\\u00e9"}'


@pytest.mark.parametrize(
    ("data", "expected_id"),
    [
        pytest.param(b'[{"id": "007"}]', 7, id="zeros before"),
        pytest.param(b'[{"id": " 42 "}]', 42, id="blanks around"),
        pytest.param(b'[{"id": "' + b"0" * 5_000 + b'3"}]', 3, id="5,000 zeros before"),
        pytest.param(b'[{"id": -9223372036854775808}]', -(2**63), id="smallest"),
        pytest.param(b'[{"id": -0}]', 0, id="minus zero"),
        pytest.param(
            b'[{"id": 5, "first_name": 1, "email": {}, "avatar": false}]', 5, id="other fields of wrong types"
        ),
        pytest.param(b'[{"id": 5, "engagement_score": "high", "last_active_at": 17}]', 5, id="wrong optional types"),
        pytest.param(b'[{"id": 5, "engagement_score": 1e999}]', 5, id="a number that no float holds"),
        pytest.param(b'[{"id": 5, "engagement_score": ' + b"9" * 10_000 + b"}]", 5, id="a score of 10,000 digits"),
        pytest.param(b'[{"id": 5, "engagement_score": NaN, "last_active_at": -Infinity}]', 5, id="NaN in the JSON"),
        pytest.param(b'[{"id": 5, "email": "\\ud800@x.org"}]', 5, id="a lone surrogate"),
        pytest.param(b'[{"id": 5, "email": "\xff@x.org"}]', 5, id="bytes that are not UTF-8"),
    ],
)
def test_salvaged(data: bytes, expected_id: int) -> None:
    """A record with a usable id lands, whatever its other fields are."""
    page = parse_page(1, data)
    assert _ids(page) == [expected_id]
    assert not page.rejected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"[",
        b'[{"id": 1}] x',
        b"<html>",
        b"[" * 100_000,
        b'[{"id": 1, "x": ' + b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_is_no_array_is_one_rejected_record(data: bytes) -> None:
    """A page that cannot be read at all is quarantined whole; nothing is raised."""
    assert _codes(parse_page(1, data)) == [(0, "unreadable")]


def test_a_record_nested_too_deep_is_rejected() -> None:
    """Nesting beyond what a parser bears costs one record at most, or the page; never the process."""
    page = parse_page(1, b'[{"id": 1, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]")
    assert [record.reason_code for record in page.rejected] == ["unreadable"]


def test_nesting_of_any_depth_costs_one_record_at_most() -> None:
    """Where splitting a page bears more than reading a record does, the record is rejected and its neighbour lands."""
    for depth in range(850, 1_000):
        deep = b"[" * depth + b"]" * depth
        page = parse_page(1, b'[{"id": 1}, {"id": true, "x": ' + deep + b"}]")
        codes = [record.reason_code for record in page.rejected]
        assert (len(page.positions), codes) in [(1, ["id_not_an_integer"]), (1, ["unreadable"]), (0, ["unreadable"])]


@pytest.mark.parametrize(
    ("value", "record"),
    [
        pytest.param({"id": None, "when": object}, '{"id": null, "when": "<type>"}', id="a part without a JSON form"),
        pytest.param({1, 2}, '"<set>"', id="not JSON at all"),
        pytest.param({"id": None, (1, 2): 3}, '{"id": null}', id="a key that is no text"),
        pytest.param({"id": "x\ud800"}, '{"id": "x\\ud800"}', id="a lone surrogate"),
    ],
)
def test_python_objects_in_the_quarantine(value: object, record: str) -> None:
    """A Python object is written as JSON as far as it goes."""
    assert parse_objects(1, [value]).rejected[0].record == record


def test_an_endless_object_in_the_quarantine() -> None:
    """An object that contains itself is named by its type."""
    endless: dict[str, Any] = {"id": None}
    endless["self"] = endless
    assert parse_objects(1, [endless]).rejected[0].record == "<dict>"


@settings(deadline=None)
@given(records=st.lists(any_record, max_size=8))
def test_json_and_python_objects_land_alike(records: list[Any]) -> None:
    """A page of JSON lands as the same records do when they are Python objects already."""
    from_json, from_objects = parse_page(1, _json(records)), parse_objects(1, records)
    assert raw_batch([from_json]).equals(raw_batch([from_objects]))
    assert _codes(from_json) == _codes(from_objects)


@settings(deadline=None)
@given(records=st.lists(any_record, max_size=8))
def test_all_at_once_and_one_by_one_agree(records: list[Any]) -> None:
    """A record lands the same whether its page was typed at once or salvaged because of a neighbour."""
    alone = [parse_page(1, _json([record])) for record in records]
    beside_a_bad_one = parse_page(1, _json([*records, None]))
    landed = raw_batch([beside_a_bad_one]).drop_columns("position")
    assert landed.equals(raw_batch(alone).drop_columns("position"))


@settings(deadline=None)
@given(data=st.binary(max_size=64))
def test_any_bytes_are_accepted(data: bytes) -> None:
    """Whatever bytes come, they are typed or rejected."""
    page = parse_page(1, data)
    assert all(len(values) == len(page.positions) for values in page.values.values())


def test_every_edge_case_lands_as_the_reference_says() -> None:
    """Value by value, by a second writing of what each field may be."""
    for record in each_edge_case():
        landed = raw_batch([parse_page(1, _json([record]))]).to_pylist()
        if not landed:
            assert reference.parse_id(record) is None
            continue
        assert landed[0]["id"] == reference.parse_id(record)
        for field in ("email", "first_name", "last_name", "avatar"):
            assert landed[0][field] == reference.text_at(record, field, {})
        assert landed[0]["email_domain"] == reference.email_domain(reference.text_at(record, "email", {}))
        score = reference.value_at(record, "engagement_score", {})
        assert landed[0]["engagement_score"] == (None if isinstance(score, str) else reference.number(score))
        assert landed[0]["last_active_at"] == reference.instant(reference.value_at(record, "last_active_at", {}))
        for field in ("engagement_score", "last_active_at"):
            assert landed[0][f"{field}_supplied"] is (field in record)


THEIRS = {"id": "customerNo", "email": "e mail", "first_name": "given", "last_name": "family", "avatar": "picture"}
FLAT = {**THEIRS, "engagement_score": "score", "last_active_at": "seen"}
NESTED = {**THEIRS, "email": "contact.email", "engagement_score": "use.score", "last_active_at": "use.seen"}


def theirs(names: dict[str, str], record: Any) -> Any:
    """Write a record of ours by an API's names; whatever else it has stays."""
    if not isinstance(record, dict):
        return record
    written: dict[str, Any] = {}
    for key, value in record.items():
        *outer, last = names.get(key, f"other_{key}").split(".")
        place = written
        for step in outer:
            place = place.setdefault(step, {})
        place[last] = value
    return written


def _landed_alike(ours: ParsedPage, others: ParsedPage, mapping: RecordMapping) -> bool:
    """Whether both pages land the same values; what a mapping names itself is always supplied, if as null."""
    one, other = raw_batch([ours]), raw_batch([others], mapping)
    supplied = ["engagement_score_supplied", "last_active_at_supplied"]
    unequal = [*supplied, "engagement_score"]  # which may be a text where the mapping names it
    return one.drop_columns(unequal).equals(other.drop_columns(unequal)) and all(
        False not in other.column(name).to_pylist() for name in supplied
    )


@pytest.mark.parametrize("names", [pytest.param(FLAT, id="flat"), pytest.param(NESTED, id="nested")])
@settings(deadline=None, max_examples=60)
@given(st.lists(any_record, max_size=6))
def test_other_names_land_as_ours_do(names: dict[str, str], objects: list[Any]) -> None:
    """Whatever records there are; those that are rejected are kept as they came, by their own names."""
    mapping = RecordMapping.model_validate(names)
    ours, others = parse_objects(1, objects), [theirs(names, each) for each in objects]
    parser = RecordParser(mapping)
    for landed in (parser.parse_objects(1, others), parser.parse_page(1, _json(others))):
        assert _landed_alike(ours, landed, mapping)
        assert _codes(landed) == _codes(ours)
    assert [json.loads(each.record) for each in parser.parse_objects(1, others).rejected] == json.loads(
        _json([others[each.position] for each in ours.rejected])
    )


OPTIONS: list[dict[str, Any]] = [
    {"id_type": "text", "fields": {"a": {"from": "extra[0].a"}, "b": {"from": "extra[1]", "type": "number"}}},
    {"id": "extra.id", "email": "extra.email", "fields": {"extra_": "other"}},
    {"fields": {"whole": "extra", "part": "extra.a"}},
    {
        "full_name": "email",
        "fields": {"same": {"from": "email"}, "score": {"from": "engagement_score", "type": "number"}},
    },
    {"exclude": {"field": "first_name", "values": ["Ada"]}, "id": "extra[0]", "customer_tier": "avatar"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=["lists", "id in an object", "in the way", "shared", "id in a list"])
@settings(deadline=None, max_examples=60)
@given(records=st.lists(any_record, max_size=6))
def test_any_mapping_lands_pages_as_it_lands_objects(options: dict[str, Any], records: list[Any]) -> None:
    """Whatever its paths lead through."""
    mapping = RecordMapping.model_validate(options)
    parser = RecordParser(mapping)
    from_json, from_objects = parser.parse_page(1, _json(records)), parser.parse_objects(1, records)
    assert raw_batch([from_json], mapping).equals(raw_batch([from_objects], mapping))
    assert _codes(from_json) == _codes(from_objects)
    assert raw_batch([from_json], mapping).schema.equals(raw_schema(mapping))


def test_a_field_that_the_api_has_not_is_missing() -> None:
    """Whatever stands under our own name for it; a score that is not read was not supplied."""
    mapping = RecordMapping(avatar=None, engagement_score=None)
    page = RecordParser(mapping).parse_page(1, b'[{"id": 1, "avatar": "x", "engagement_score": 1}]')
    (landed,) = raw_batch([page], mapping).to_pylist()
    assert (landed["id"], landed["avatar"], landed["engagement_score"]) == (1, None, None)
    assert landed["engagement_score_supplied"] is False


def test_two_fields_may_be_one() -> None:
    """A name in full as the first name, the login as the id."""
    mapping = RecordMapping.model_validate({"id": "login", "first_name": "name", "last_name": "name"})
    page = RecordParser(mapping).parse_page(1, b'[{"login": "7", "name": "Ada"}]')
    (landed,) = raw_batch([page], mapping).to_pylist()
    assert (landed["id"], landed["first_name"], landed["last_name"]) == (7, "Ada", "Ada")


@pytest.mark.parametrize(
    ("ids", "spellings"),
    [
        pytest.param([7, 8], [0, 0], id="numbers"),
        pytest.param(["7", "8"], [1, 1], id="texts"),
        pytest.param([7, "7", " 7 ", "007", "0", "000"], [0, 1, 1, 3, 1, 3], id="mixed"),
        pytest.param(["0" * 5_000 + "3"], [5_001], id="5,000 zeros"),
    ],
)
def test_how_an_id_was_written_is_kept(ids: list[Any], spellings: list[int]) -> None:
    """So that merged spellings can be counted."""
    batch = raw_batch([parse_page(1, _json([{"id": each} for each in ids]))])
    assert batch.column("id_spelling").to_pylist() == spellings


def test_a_text_ids_hash_is_its_crc() -> None:
    """Of the trimmed id's UTF-8: a standard that every engine could compute again."""
    mapping = RecordMapping(id_type="text")
    page = RecordParser(mapping).parse_page(1, '[{"id": " 123456789 "}, {"id": "é"}, {"id": 123456789}]'.encode())
    batch = raw_batch([page], mapping)
    assert batch.column("id").to_pylist() == ["123456789", "é", "123456789"]
    assert batch.column("id_hash").to_pylist() == [0xCBF43926, crc32("é".encode()), 0xCBF43926]

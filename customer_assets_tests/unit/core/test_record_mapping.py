"""The record mapping: what it can say, and what follows from it."""

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from customer_assets.core.fields import CLEAN_FIELDS, RAW_FIELDS, RECORD_COLUMNS, Expected, Kind, names_of
from customer_assets.core.record_mapping import DEFAULT_RECORD, RecordMapping, record_mapper
from customer_assets_tests.harness.records.record_cases import GROUPS

NESTED = RecordMapping.model_validate(
    {"id": "ref.no", "email": "contact.email", "avatar": None, "engagement_score": "score"}
)


@pytest.mark.parametrize(
    ("record", "known"),
    [
        pytest.param({"ref": {"no": 7}, "contact": {"email": "a@x.org"}}, {"id": 7, "email": "a@x.org"}, id="nested"),
        pytest.param({"ref": {"no": 7}, "avatar": "x"}, {"id": 7}, id="a field that the API has not is not read"),
        pytest.param({"ref": {"no": 7}, "score": None}, {"id": 7, "engagement_score": None}, id="null stays null"),
        pytest.param({"ref": {"no": 7}, "contact": {}}, {"id": 7}, id="absent stays absent"),
        pytest.param(
            {"ref": 7, "contact": None}, {"id": None, "email": None}, id="what leads through no object is null"
        ),
        pytest.param([1], [1], id="not an object"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_record_is_given_our_names(record: Any, known: Any) -> None:
    """Null and absent stay what they are."""
    assert record_mapper(NESTED)(record) == known


@settings(deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_our_own_names_change_nothing(record: Any) -> None:
    """The record itself comes back."""
    assert record_mapper(RecordMapping())(record) is record


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        pytest.param("{id: null}", r"^id\n", id="no id"),
        pytest.param("{idd: x}", r"^idd\n", id="a misspelt field"),
        pytest.param("{id_type: uuid}", r"^id_type\n.*'integer' or 'text'", id="an unknown id type"),
        pytest.param("{email: {path: x.}}", r"^email\.path\n.*is not a path", id="no path"),
        pytest.param("{email: {}}", r"^email\.from\n.*required", id="a source without a path"),
        pytest.param("{email: {from: x, values: {a: b}}}", r"^email\.values\n", id="values of an address"),
        pytest.param("{fields: {x: {type: date}}}", r"^fields\.x\.type\n.*'instant'", id="an unknown type"),
        pytest.param("{fields: {x: {from: a, form: b}}}", r"^fields\.x\.form\n", id="a misspelt option"),
        pytest.param("{fields: {x: {from: a, from: b.}}}", r"^fields\.x\.from\n", id="an extra field's bad path"),
        pytest.param("{fields: {x: {}, X: {}}}", "'X' is there twice", id="two fields of one name"),
        pytest.param("{fields: {page: {}}}", "'page' is a column already.*from: page", id="a field called page"),
        pytest.param("{fields: {Email: {}}}", "'Email' is a column already", id="a field called Email"),
        pytest.param("{fields: {full_name: {}}}", "'full_name' is a column already", id="a field called full_name"),
        pytest.param("{fields: {id_hash: {}}}", "'id_hash' is a column already", id="a field called id_hash"),
        pytest.param("{fields: {_rank: {}}}", "'_rank' cannot name a column", id="a field called _rank"),
        pytest.param("{fields: {'a b': {}}}", "'a b' cannot name a column", id="a blank in a name"),
        pytest.param("{fields: {1a: {}}}", "'1a' cannot name a column", id="a digit first"),
        pytest.param(f"{{fields: {{{'x' * 64}: {{}}}}}}", "cannot name a column", id="a name of 64 letters"),
        pytest.param("{customer_tier: {from: a, values: {a: b}, bands: {c: 1}}}", "exclude each other", id="two maps"),
        pytest.param("{customer_tier: {from: a, values: {}}}", r"^customer_tier\.values\n", id="an empty map"),
        pytest.param("{customer_tier: {from: a, values: {a: ' '}}}", "it is blank", id="a blank word"),
        pytest.param("{customer_tier: {from: a, values: {a: b, ' a': c}}}", "same once trimmed", id="one value twice"),
        pytest.param("{customer_tier: {from: a, values: {n/a: b}}}", "'n/a' counts as missing", id="a map of nothing"),
        pytest.param("{customer_tier: {from: a, bands: {b: 1, c: 1}}}", "begin at the same number", id="equal bands"),
        pytest.param("{customer_tier: {from: a, bands: {b: .nan}}}", r"^customer_tier\.bands\.b\n", id="NaN"),
        pytest.param("{engagement_level: {from: a, values: {a: huge}}}", "'huge' is not one of high", id="a level"),
        pytest.param("{activity_status: {from: a, bands: {old: 1}}}", "'old' is not one of active", id="a status"),
        pytest.param("{engagement_score: {from: a, scale: 0}}", r"^engagement_score\.scale\n", id="a scale of 0"),
        pytest.param("{exclude: {field: status}}", r"^exclude\.values\n", id="a filter without values"),
        pytest.param("{exclude: {field: status, values: []}}", r"^exclude\.values\n", id="a filter of no values"),
        pytest.param("{exclude: {field: status, values: [[1]]}}", "neither text, a number", id="a list for a value"),
        pytest.param("{missing_values: ['']}", "it is blank", id="a blank missing value"),
    ],
)
def test_what_cannot_be_meant_is_refused(section: str, problem: str) -> None:
    """The error names where it stands, and says what is wrong."""
    with pytest.raises(ValidationError) as caught:
        RecordMapping.model_validate(yaml.safe_load(section))
    message = str(caught.value).partition("\n")[2]
    assert re.search(problem, message, re.DOTALL), message


def test_ten_thousand_fields_are_refused() -> None:
    """With the number that can be."""
    with pytest.raises(ValidationError, match="at most 500 items"):
        RecordMapping.model_validate({"fields": {f"f{number}": {} for number in range(10_000)}})


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_a_mapping_survives_being_written(group: Any) -> None:
    """As JSON, in full and without what is default; and the schema that editors use takes the YAML as it stands."""
    mapping = RecordMapping.model_validate(group.options)
    for written in (mapping.model_dump_json(), mapping.model_dump_json(exclude_defaults=True)):
        again = RecordMapping.model_validate_json(written)
        assert again == mapping
        assert (again.digest, hash(again)) == (mapping.digest, hash(mapping))
    options = json.loads(json.dumps(group.options))
    jsonschema.validate(options, RecordMapping.model_json_schema())


def test_equal_mappings_are_equal() -> None:
    """Written in short or at length; the order of extra fields counts."""
    read = RecordMapping.model_validate
    assert read({"email": "email"}) == read({"email": {"from": "email"}}) == DEFAULT_RECORD
    assert read({"fields": {"a": {}, "b": {}}}) != read({"fields": {"b": {}, "a": {}}})
    assert len({RecordMapping(), RecordMapping(id="id"), RecordMapping(avatar=None)}) == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, {"email": "always", "engagement_score": "if_sent", "full_name": "never"}, id="by default"),
        pytest.param({"avatar": None}, {"avatar": "never"}, id="null"),
        pytest.param({"avatar": "pic"}, {"avatar": "always"}, id="a path"),
        pytest.param({"avatar": {"from": "pic", "expected": False}}, {"avatar": "never"}, id="not expected"),
        pytest.param({"last_active_at": "seen"}, {"last_active_at": "always"}, id="a date"),
        pytest.param(
            {"full_name": "name"}, {"full_name": "always", "first_name": "never", "last_name": "never"}, id="one name"
        ),
        pytest.param(
            {"full_name": "name", "last_name": "family"}, {"first_name": "never", "last_name": "always"}, id="two names"
        ),
        pytest.param(
            {"engagement_level": "level"}, {"engagement_score": "never", "engagement_level": "always"}, id="level"
        ),
        pytest.param({"fields": {"a": {"expected": True}, "b": "x"}}, {"a": "always", "b": "never"}, id="extra fields"),
    ],
)
def test_what_is_expected_follows_from_the_mapping(options: dict[str, Any], expected: dict[str, str]) -> None:
    """What the API does not have costs nothing."""
    mapping = RecordMapping.model_validate(options)
    assert {name: mapping.expects(name) for name in expected} == {
        name: Expected(when) for name, when in expected.items()
    }


def test_clean_fields_follow_from_the_mapping() -> None:
    """Their kinds, vocabularies and descriptions; nobody takes a generated value for the API's."""
    mapping = RecordMapping.model_validate(
        {
            "id_type": "text",
            "engagement_level": "level",
            "acquisition_channel": {"from": "src", "values": {"w": "website", "v": "unknown", "x": "website"}},
            "market_segment": "segment",
            "fields": {"country": "c", "vip": {"type": "boolean", "pii": True, "description": "Pays more."}},
        }
    )
    found = {field.name: field for field in mapping.describe_clean_fields(generated=False)}
    assert tuple(found) == (*names_of(CLEAN_FIELDS), "country", "vip")
    assert found["customer_id"].kind is Kind.TEXT
    assert found["acquisition_channel"].values == ("website", "unknown")
    assert found["market_segment"].values == ()
    assert found["engagement_level"].values == ("high", "medium", "low", "unknown")
    assert found["engagement_level"].description == "From the API's level; `unknown` where that says nothing usable."
    assert found["activity_status"].description.endswith("`unknown` where the API has no date.")
    assert found["customer_tier"].description == "Always `unknown`: the API has no such field."
    assert found["country"].description == "From the API's c; null if missing."
    assert (found["vip"].kind, found["vip"].pii, found["vip"].description) == (Kind.BOOLEAN, True, "Pays more.")
    assert RecordMapping().clean_fields == CLEAN_FIELDS


def test_no_field_and_column_share_a_name() -> None:
    """So that one table describes all."""
    assert not {*names_of(RAW_FIELDS)} & {*RECORD_COLUMNS}
    for fields in (RAW_FIELDS, CLEAN_FIELDS):
        assert len({*names_of(fields)}) == len(fields)
        assert all(field.description.endswith(".") for field in fields)

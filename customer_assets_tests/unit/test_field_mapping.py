"""By which names an API tells what we know by ours."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_assets.field_mapping import EnvelopeFields, FieldMapping, MappingError, RecordFields, record_mapper

NOTHING: Any = None

NESTED = RecordFields(id="ref.no", email="contact.email", avatar=None, engagement_score="score")


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
        pytest.param([1], [1], id="no object"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_record_is_given_our_names(record: Any, known: Any) -> None:
    """Null and absent stay what they are."""
    assert record_mapper(NESTED)(record) == known


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_our_own_names_change_nothing(record: Any) -> None:
    """The record itself comes back."""
    assert record_mapper(RecordFields())(record) is record


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", 'a"b', "a\\b", "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """The field is named."""
    with pytest.raises(MappingError, match="first_name"):
        RecordFields(first_name=name)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        pytest.param(lambda: EnvelopeFields(page="meta", total="meta.total"), "page", id="one leads through the other"),
        pytest.param(lambda: EnvelopeFields(total="n", total_pages="n"), "total", id="two are the same"),
        pytest.param(lambda: EnvelopeFields(data=NOTHING), "data", id="no records"),
        pytest.param(lambda: RecordFields(id=NOTHING), "id", id="no id"),
        pytest.param(lambda: FieldMapping(page_parameter="a&b"), "page_parameter", id="no parameter"),
        pytest.param(
            lambda: FieldMapping(per_page_parameter="page"), "per_page_parameter", id="one parameter for both"
        ),
        pytest.param(lambda: FieldMapping(first_page=2), "first_page", id="pages counted from 2"),
    ],
)
def test_a_shape_that_is_none_is_refused(make: Any, field: str) -> None:
    """The field is named."""
    with pytest.raises(MappingError, match=f"^{field}:"):
        make()

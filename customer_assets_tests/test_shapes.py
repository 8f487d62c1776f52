"""By which names an API tells what we know by ours."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_assets.shapes import AnswerNames, RecordNames, Shape, ShapeError, reshaper

NOTHING: Any = None

NESTED = RecordNames(id="ref.no", email="contact.email", avatar=None, engagement_score="score")


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
    assert reshaper(NESTED)(record) == known


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_our_own_names_change_nothing(record: Any) -> None:
    """The record itself comes back."""
    assert reshaper(RecordNames())(record) is record


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", 'a"b', "a\\b", "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """The field is named."""
    with pytest.raises(ShapeError, match="first_name"):
        RecordNames(first_name=name)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        pytest.param(lambda: AnswerNames(page="meta", total="meta.total"), "page", id="one leads through the other"),
        pytest.param(lambda: AnswerNames(total="n", total_pages="n"), "total", id="two are the same"),
        pytest.param(lambda: AnswerNames(data=NOTHING), "data", id="no records"),
        pytest.param(lambda: RecordNames(id=NOTHING), "id", id="no id"),
        pytest.param(lambda: Shape(page_parameter="a&b"), "page_parameter", id="no parameter"),
        pytest.param(lambda: Shape(per_page_parameter="page"), "per_page_parameter", id="one parameter for both"),
        pytest.param(lambda: Shape(first_page=2), "first_page", id="pages counted from 2"),
    ],
)
def test_a_shape_that_is_none_is_refused(make: Any, field: str) -> None:
    """The field is named."""
    with pytest.raises(ShapeError, match=f"^{field}:"):
        make()

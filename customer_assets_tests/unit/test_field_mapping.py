"""By which names an API's answers tell what we know by ours."""

from typing import Any

import pytest

from customer_assets.field_mapping import EnvelopeFields, FieldMapping, MappingError

NOTHING: Any = None


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", 'a"b', "a\\b", "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """The part of the answer is named."""
    with pytest.raises(MappingError, match="total"):
        EnvelopeFields(total=name)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        pytest.param(lambda: EnvelopeFields(page="meta", total="meta.total"), "page", id="one leads through the other"),
        pytest.param(lambda: EnvelopeFields(total="n", total_pages="n"), "total", id="two are the same"),
        pytest.param(lambda: EnvelopeFields(data=NOTHING), "data", id="no records"),
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

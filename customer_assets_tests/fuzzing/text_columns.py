"""Fuzzes how text becomes canonical: a column is what its values are one by one, and stays so when done again."""

from customer_assets.core.json_values import MissingValues, canonical_text
from customer_assets.processing.landing.columns import domains, texts
from customer_assets.processing.landing.emails import email_domain
from customer_assets_tests.fuzzing.running import fuzz
from customer_assets_tests.harness.records import reference

MISSING = MissingValues(reference.MISSING)


def check(data: bytes) -> None:
    """Any texts, parted by `|`, are canonical texts with domains, or missing; `~` is a null among them."""
    values = [None if text == "~" else text for text in _decoded(data).split("|")]
    canonical = [canonical_text(value, MISSING) for value in values]
    assert canonical == [reference.text(value, {}) for value in values]
    column = texts(values, MISSING)
    assert column.to_pylist() == canonical
    assert [canonical_text(value, MISSING) for value in canonical] == canonical
    found = [email_domain(value) for value in canonical]
    assert domains(column).to_pylist() == found
    assert found == [reference.email_domain(value) for value in canonical]
    for domain in found:
        assert domain is None or reference.domain(domain) == domain


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    fuzz(check)

"""Fuzzes how text becomes canonical: a column is what its values are one by one, and stays so when done again."""

from customer_assets.models import canonical_email, canonical_text
from customer_assets.processing.landing.columns import emails, texts
from customer_assets_tests.fuzzing.running import fuzz
from customer_assets_tests.harness import reference


def check(data: bytes) -> None:
    """Any texts, parted by `|`, are canonical texts and emails or missing; `~` is a null among them."""
    values = [None if text == "~" else text for text in _decoded(data).split("|")]
    canonical = [canonical_text(value) for value in values]
    assert canonical == [reference.text(value) for value in values]
    assert texts(values).to_pylist() == canonical
    assert [canonical_text(value) for value in canonical] == canonical
    addresses = [canonical_email(value) for value in values]
    assert emails(values).to_pylist() == addresses
    assert [canonical_email(value) for value in addresses] == addresses
    for address in addresses:
        assert address is None or address.encode()


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    fuzz(check)

"""Bodies in the encoding that their header states."""

import pytest

from customer_assets.api.responses.charsets import to_utf8

TEXT = '{"first_name": "José"}'


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("ISO-8859-1", "iso-8859-1"),
        ('"iso-8859-1"', "iso-8859-1"),
        ("latin1", "latin-1"),
        ("iso-8859-15", "iso-8859-15"),
        ("windows-1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("UTF-16LE", "utf-16-le"),
        ("utf-32", "utf-32"),
        ("utf-8", "utf-8"),
        ("ISO-8859-1", "utf-8"),
    ],
)
def test_a_stated_encoding_is_read(charset: str, encoding: str) -> None:
    """What is UTF-8 in truth stays so, whatever the header says."""
    assert to_utf8(TEXT.encode(encoding), f"application/json; charset={charset}") == TEXT.encode()


def test_latin_1_is_read_as_browsers_do() -> None:
    """Quotes and dashes that only Windows-1252 has; bytes that not even that has stay control characters."""
    assert to_utf8("“x”".encode("cp1252"), "text/json; charset=iso-8859-1") == "“x”".encode()
    assert to_utf8(b"\xe9\x81", "text/json; charset=iso-8859-1") == "é\x81".encode()


@pytest.mark.parametrize(
    "charset", ["", "utf-7", "idna", "punycode", "unicode_escape", "zlib", "x" * 10_000, "\x00", "16"]
)
def test_other_encodings_are_left_alone(charset: str) -> None:
    """Some would take long, or read what nobody wrote; the body is no JSON then, and named as that."""
    content = TEXT.encode("iso-8859-1")
    assert to_utf8(content, f"application/json; charset={charset}") == content


@pytest.mark.parametrize("content_type", ["application/json", "", "application/json; charset=utf-8"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_first_bytes_state_an_encoding(encoding: str, content_type: str) -> None:
    """A byte order mark, or the zeros in ASCII, with which JSON begins; whatever the header says."""
    assert to_utf8(TEXT.encode(encoding), content_type) == TEXT.encode()


@pytest.mark.parametrize("content", [b"", b"\0", b"\0" * 9, b"\xff\xfe\x00", b"{\0\0\0}"])
def test_zeros_that_are_no_text_are_left_alone(content: bytes) -> None:
    """They are not JSON, and named as that."""
    assert to_utf8(content, "application/json") in (content, content.decode("utf-16-be", "replace").encode())


def test_without_a_charset_nothing_changes() -> None:
    """JSON is UTF-8."""
    assert to_utf8(b"\xff", "application/json") == b"\xff"

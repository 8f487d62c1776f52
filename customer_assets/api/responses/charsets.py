"""Bodies in other encodings than UTF-8, which JSON must have but older servers state and send. Pure."""

import json
import re
from email.message import Message

SINGLE_BYTE = re.compile(r"iso-?8859-\d{1,2}|latin-?1|us-ascii|windows-125\d|cp125\d")
LATIN_1 = ("iso-8859-1", "latin-1", "latin1")
WIDE = re.compile(r"utf-?(16|32)(-?[bl]e)?")
"""Python knows many more, some of which take quadratic time or execute what they decode."""


def to_utf8(content: bytes, content_type: str) -> bytes:
    """Return a body in UTF-8, if its first bytes or its header state another encoding, and as it is if that fails."""
    by_first_bytes = json.detect_encoding(content)
    if not by_first_bytes.startswith("utf-8"):
        return _decode(content, by_first_bytes)
    if "charset" not in content_type.lower():
        return content
    header = Message()
    header["content-type"] = content_type
    charset = (header.get_content_charset() or "").replace("_", "-")
    if SINGLE_BYTE.fullmatch(charset) and not is_utf8(content):  # UTF-8 is often labelled otherwise
        # Browsers read ISO-8859-1 as Windows-1252, which most servers mean by it.
        decoded = _decode(content, "cp1252") if charset in LATIN_1 else content
        return _decode(content, charset) if decoded is content else decoded
    return _decode(content, charset) if WIDE.fullmatch(charset) else content


def _decode(content: bytes, charset: str) -> bytes:
    try:
        return content.decode(charset).encode()
    except (LookupError, UnicodeError):
        return content


def is_utf8(content: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True

"""Finds the email address in what people wrote, and brings its domain into one form. Pure."""

import re
import unicodedata
from functools import lru_cache

import idna

LONGEST_LOCAL_PART, LONGEST_LABEL, LONGEST_DOMAIN = 64, 63, 253
"""Bytes, by RFC 5321, section 4.5.3.1, and RFC 1035, section 2.3.4."""

_UNSEEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Zero-width and bidirectional characters, and the soft hyphen: pasted along from web pages, never meant."""

_WRAPPERS_AT_MOST = 4
_QUOTES = {
    *('""', "''", "\u201c\u201d", "\u201d\u201d", "\u201e\u201c", "\u2018\u2019", "\u2019\u2019", "\u201a\u2018"),
    *("\u00ab\u00bb", "\u00bb\u00ab", "\u2039\u203a", "\u203a\u2039"),
}
"""What people and their word processors put around an address: an opening mark and its closing one."""
_PUNCTUATION_IN_NAMES = "\u00b7\u05f3\u05f4\u0f0b\u30fb"
"""All the punctuation beyond ASCII that a name can hold, by RFC 5892. UTS 46 by itself takes quotes, too."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")


def email_domain(text: str | None) -> str | None:
    """Return the domain of a well-formed address in lower-case ASCII; else None.

    Well-formed: one `@` outside a quoted part; a local part without white space, of at most 64 bytes; a domain that
    `canonical_domain` accepts. A name beside the address, `mailto:`, surrounding quotes and a trailing `;` or `,` do no
    harm: `Ada <ada@X.org>;` → `x.org`, `mailto:ada@x.org?subject=Hi` → `x.org`.
    """
    if text is None or "@" not in text:
        return None
    local, _, domain = _unwrapped(_UNSEEN.sub("", text).strip()).rpartition("@")
    if (
        not local
        or len(local.encode()) > LONGEST_LOCAL_PART
        or "@" in _QUOTED.sub("", local)
        or local.split() != [local]
    ):
        return None
    return canonical_domain(domain)


def _unwrapped(address: str) -> str:
    for _ in range(_WRAPPERS_AT_MOST):
        bare = address.rstrip(" ;,")
        name, opening, inside = bare[:-1].rpartition("<")
        if bare.endswith(">") and opening and ">" not in name:  # with one before, these are several addresses
            bare = inside.strip()
        if len(bare) > 1 and bare[0] + bare[-1] in _QUOTES:
            bare = bare[1:-1].strip()
        if bare[:7].lower() == "mailto:":
            bare = bare[7:].partition("?")[0].strip()
        if bare == address:
            break
        address = bare
    return address


@lru_cache(maxsize=65_536)
def canonical_domain(domain: str) -> str | None:
    """Return a domain as UTS 46 has it, in its ASCII form; None if it is not one.

    At least two labels of letters, digits and inner hyphens, and of what is registered beside them, such as emoji; 63
    bytes a label and 253 in all; no address of a machine: `MÜNCHEN.example` → `xn--mnchen-3ya.example`; `x`, `x..org`,
    `-x.org`, `192.0.2.1`, `[192.0.2.1]` → None.
    """
    if len(domain) > LONGEST_DOMAIN:
        return None
    if domain.isascii():
        found = domain.lower()
    else:
        try:
            labels = idna.uts46_remap(domain, std3_rules=False, transitional=False).split(".")
        except idna.IDNAError:
            return None
        found = ".".join(label if label.isascii() else _ascii_label(label) for label in labels)
    if len(found) > LONGEST_DOMAIN or _DOMAIN.fullmatch(found) is None:
        return None
    labels = found.split(".")
    return None if labels[-1].isdigit() or max(map(len, labels)) > LONGEST_LABEL else found


def _ascii_label(label: str) -> str:
    """Return the label's ASCII form; empty, and thereby refused, if it begins with a mark or holds punctuation."""
    foreign = [char for char in label if not char.isascii() and char not in _PUNCTUATION_IN_NAMES]
    has_punctuation = any(unicodedata.category(char).startswith("P") for char in foreign)
    begins_with_mark = unicodedata.category(label[0]).startswith("M")
    return "" if has_punctuation or begins_with_mark else f"xn--{label.encode('punycode').decode()}"

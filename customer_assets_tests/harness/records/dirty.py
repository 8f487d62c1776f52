"""Dirty records: each edge case by hand, and any number of them by hypothesis or by seeded dice."""

import random
from typing import Any

from hypothesis import strategies as st

WHITE = [" ", "\t", "\n", "\r\n", "\x0b", "\x1c", "\x85", "\xa0", "\u2003", "\u2028", "\u3000"]
UNSEEN = ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u202e", "\x00", "\x7f"]
NAMES = [
    "Ada",
    "  Ada  Maria ",
    "Jose\u0301",
    "José",
    "\u212bngstro\u0308m",
    "张伟",
    "مَرْيَم",
    "שרה",
    "👩\u200d🔬 Émilie",
    "\U0001d504da",
    "Σίσυφος",
    "İpek",
    "ẞtraße",
    "<script>alert(1)</script>",
    "=1+1",
    "O'Brien",
    '"; DROP TABLE',
    "\ud800Half",
    "\ud83d\ude00",
    "a" * 5_000,
    "\U000110d5",
    "\U00010d50",
]
EMAILS = [
    "ada@x.org",
    " Ada@X.ORG ",
    "ada@ÉXAMPLE.org",
    "ada@e\u0301xample.org",
    "ada@ΟΔΟΣ.gr",
    "ada@İstanbul.com.tr",
    "ada@x",
    "ada@.org",
    "ada@x.",
    "ada@x..org",
    "@x.org",
    "ada@",
    "@",
    "a@b@c.org",
    "ada x.org",
    "ada@x .org",
    "ada@x\n.org",
    "a da@x.org",
    "ada@x.o\u200brg",
    "ada@\U00010d50.org",
    "ada@a-b.c.d.e",
    "ada@-.-",
]
DATES = [
    "2026-11-24T12:00:00Z",
    "2026-11-24T12:00:00.000001Z",
    "2026-11-24T12:00:01Z",
    "2026-08-26T12:00:00Z",
    "2026-08-26T11:59:59.999999Z",
    "2026-11-24",
    "20261101",
    "2026-11-01 10:00:00+0530",
    "2026-11-24T23:59:59+14:00",
    "2026-11-24t12:00:00z",
    "2026-W45",
    "2026-W45-7",
    "2026W457",
    "2026-11-24T24:00:00Z",
    "2026-11-24T24:00:01Z",
    "Thu Nov 26 12:00:00 2026",
    "Tue Nov 24 12:00:00 +0100 2026",
    "Tue Nov 24 2026 12:00:00 GMT+0100 (CET)",
    "1970-01-01T00:00:00+01:00",
    "2026-11-24T12",
    "2026-11-24T12:00:00,5Z",
    "2026-11-24T11:00:00.123456789Z",
    "2024-02-29",
    "2024-02-29T10:00:00Z",
    "2023-02-29",
    "2023-02-30T00:00:00Z",
    "2023-04-31T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-01:00",
    "0001-01-01T00:00:00+01:00",
    "0001-01-01",
    "0000-01-01T00:00:00Z",
    "1500-02-28T12:00:00Z",
    "2026-11-24T12:00:60Z",
    "2026-13-01",
    "2026-11",
    "2026-330",
    "1764000000",
    "yesterday",
    "24/11/2026",
    "2026-11-24T12:00:00+24:00",
    "2026-11-24T12:00:00+05:60",
    "\uff12\uff10\uff12\uff16-11-24",
    "2026-11-24T",
    "2026-11-24T12:00:00 Z",
]
SCORES = [0, 1, 0.0, -0.0, 0.33, 0.329999, 0.66, 0.659999, 1.0, 1.0000001, -0.1, 80, 1e308, 5e-324, 10**30, 10**400]
NOT_NUMBERS = [float("nan"), float("inf"), float("-inf"), True, "0.7", "", [], {}]
IDS = [
    0,
    1,
    7,
    -7,
    2**31,
    -(2**31) - 1,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    "42",
    " 0042 ",
    "9223372036854775807",
    "0" * 5_000 + "3",
]
NO_IDS: list[Any] = [
    None,
    "",
    " \u3000",
    True,
    1.0,
    2**63,
    -(2**63) - 1,
    10**400,
    "-1",
    "1e3",
    "٣",
    "9" * 5_000,
    "abc",
    [],
    {},
]
OTHER = [None, 5, 1.5, True, [], {}, [None], {"a": 1}, "", " ", "\u200b", "\ufeff"]

NOT_OBJECTS: list[Any] = [None, 5, "text", [], [1], True, float("nan")]


def each_edge_case() -> list[Any]:
    """Every listed value in its field once, on records that are good otherwise, and each record that is none."""
    good = {"email": "ada@x.org", "first_name": "Ada", "last_name": "Lovelace", "avatar": "https://x.org/a.png"}
    fields: dict[str, list[Any]] = {
        "email": [*EMAILS, *OTHER],
        "first_name": [*NAMES, *OTHER, *(f"{a}A{a}{a}b{a}" for a in (*WHITE, *UNSEEN))],
        "last_name": [*NAMES, *OTHER],
        "avatar": OTHER,
        "engagement_score": [*SCORES, *NOT_NUMBERS, *OTHER],
        "last_active_at": [*DATES, *OTHER],
    }
    cases: list[Any] = [
        {"id": 1_000 + n, **good, field: value} for field in fields for n, value in enumerate(fields[field])
    ]
    cases = [{**case, "id": 1_000 + n} for n, case in enumerate(cases)]
    cases += [{**good, "id": customer_id} for customer_id in (*IDS, *NO_IDS)]
    return [*cases, good, {}, *NOT_OBJECTS, {"id": 5}, {"id": 6, "extra": {"deep": [1]}, "ID": 7}]


def dirty_records(count: int, seed: int) -> list[Any]:
    """Mix the listed values at random, with duplicates and with text glued from them; the same for a seed."""
    dice = random.Random(seed)
    return [_record(dice, count) for _ in range(count)]


def _record(dice: random.Random, count: int) -> Any:
    if dice.random() < 0.01:
        return dice.choice(NOT_OBJECTS)
    record: dict[str, Any] = {"id": _id(dice, count)}
    for field, values in (("email", EMAILS), ("first_name", NAMES), ("last_name", NAMES), ("avatar", NAMES)):
        if dice.random() < 0.9:
            record[field] = dice.choice(OTHER) if dice.random() < 0.1 else _text(dice, values)
    if dice.random() < 0.6:
        record["engagement_score"] = dice.choice([dice.random(), *SCORES, *NOT_NUMBERS, None])
    if dice.random() < 0.6:
        record["last_active_at"] = dice.choice([*DATES, *OTHER])
    return record


def _id(dice: random.Random, count: int) -> Any:
    draw = dice.random()
    return dice.choice(IDS) if draw < 0.02 else dice.choice(NO_IDS) if draw < 0.04 else dice.randrange(count)


def _text(dice: random.Random, values: list[str]) -> str:
    if dice.random() < 0.7:
        return dice.choice(values)
    return "".join(dice.choice([*values[:8], *WHITE, *UNSEEN]) for _ in range(dice.randrange(1, 4)))


any_text = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(categories=["Cs", "Zs", "Mn", "Lu", "Cf", "Cc"]), max_size=6),
    st.lists(st.sampled_from([*NAMES[:19], *WHITE, *UNSEEN]), max_size=4).map("".join),
)
_wrappers = st.sampled_from(
    ["{}", "<{}>", "Ada <{}>", "mailto:{}?subject=x", '"{}"', "'{}'", "{};", " {} , ", "<{}", "{}>"]
)
any_email = st.one_of(
    st.sampled_from(EMAILS),
    st.builds("{}@{}.{}".format, any_text, any_text, any_text),
    st.builds(
        lambda wrapper, inner, local, domain: wrapper.format(inner.format(f"{local}@{domain}")),
        _wrappers,
        _wrappers,
        st.sampled_from(["ada", '"a@b"', "o'brien", "a\u200bb", "a b", "", "\uff41", "a" * 65]),
        st.sampled_from(
            ["x.org", "MÜNCHEN.example", "xn--mnchen-3ya.example", "x", "x\u202e.org", "-x.org", "1.2.3.4"]
        ),
    ),
)
"""An address as people write it, or nearly one."""
any_date = st.one_of(
    st.sampled_from(DATES),
    st.from_regex(
        r"\A[0-9]{4}-?[01][0-9]-?[0-3][0-9]"
        r"([T ][0-2][0-9]:?[0-6][0-9](:[0-5][0-9](\.[0-9]{1,8})?)?)?(Z|[+-][0-2][0-9]:?[0-5][0-9])?\Z"
    ),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
)
any_value = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), any_text, st.just([]), st.just({"a": [None]})
)
any_record = st.one_of(
    any_value,
    st.fixed_dictionaries(
        {
            "id": st.one_of(
                st.integers(0, 20), st.integers(-(2**64), 2**64), st.sampled_from([*IDS, *NO_IDS]), any_value
            )
        },
        optional={
            "email": st.one_of(any_email, any_value),
            "first_name": st.one_of(any_text, any_value),
            "last_name": st.one_of(any_text, any_value),
            "avatar": st.one_of(any_text, any_value),
            "engagement_score": st.one_of(st.floats(0, 1), st.sampled_from(SCORES), any_value),
            "last_active_at": st.one_of(any_date, any_value),
            "extra": any_value,
        },
    ),
)
"""Any JSON value at all, records above all; NaN and ±inf among the numbers."""

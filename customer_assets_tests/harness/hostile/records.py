"""Hostile records, each sent between two good ones on a flawless page."""

import json
from collections.abc import Iterator
from typing import Any

from customer_assets.processing.landing.parser import RECORD_BYTES_AT_MOST
from customer_assets_tests.harness.hostile.outcomes import Case, Landed, Quarantined

SCRIPT = "<script>alert(1)</script>"
HUGE = "x" * 500_000

NO_OBJECTS = {
    "null": "null",
    "true": "true",
    "a number": "17",
    "a text": '"customer"',
    "a list": "[2]",
    "an empty list": "[]",
    "a list of records": '[{"id": 2}]',
    "a number beyond measure": "9" * 10_000,
}
NO_ID = {
    "an empty object": "{}",
    "no id": '{"email": "a@x.org"}',
    "id null": '{"id": null}',
    "id blank": '{"id": " \\t "}',
    "id empty": '{"id": ""}',
    "another case of id": '{"ID": 2}',
    "id of other letters": '{"\\u0456d": 2}',
}
NO_INTEGERS = {
    "true": "true",
    "7.0": "7.0",
    "7.5": "7.5",
    "1e3": "1e3",
    "a name": '"two"',
    "-7 in a text": '"-7"',
    "7.0 in a text": '"7.0"',
    "1e3 in a text": '"1e3"',
    "0x2 in a text": '"0x2"',
    "SQL": '"1; DROP TABLE customers"',
    "a list": "[2]",
    "an object": '{"$gt": 0}',
    "digits of another script": '"\\u0662"',
    "a superscript": '"\\u00b2"',
    "digits with an underscore": '"1_000"',
    "a NUL in a text": '"2\\u0000"',
}
NO_64_BITS = {
    "2^63": str(2**63),
    "-2^63-1": str(-(2**63) - 1),
    "10^30": str(10**30),
    "10,000 digits": "9" * 10_000,
    "-10,000 digits": "-" + "9" * 10_000,
    "10,000 digits in a text": json.dumps("9" * 10_000),
    "20 digits in a text": json.dumps("9" * 20),
}
IDS = {
    "0": ("0", 0),
    "-7": ("-7", -7),
    "2^63-1": (str(2**63 - 1), 2**63 - 1),
    "-2^63": (str(-(2**63)), -(2**63)),
    "zeros before it": ('"007"', 7),
    "blanks around it": ('" 7 "', 7),
    "10,000 zeros before it": (json.dumps("0" * 10_000 + "7"), 7),
    "-0": ("-0", 0),
}
TEXTS: dict[str, tuple[Any, str | None]] = {
    "a script": (SCRIPT, SCRIPT),
    "a Markdown link": ("[a](javascript:alert(1))", "[a](javascript:alert(1))"),
    "a Mermaid block": ("```mermaid\ngraph TD\n```", "```mermaid graph TD ```"),
    "a CSV formula": ('=HYPERLINK("http://evil.example")', '=HYPERLINK("http://evil.example")'),
    "SQL": ("Robert'); DROP TABLE customers;--", "Robert'); DROP TABLE customers;--"),
    "a shell": ("$(reboot)`reboot`", "$(reboot)`reboot`"),
    "a format": ("%s%n{0}{x.__class__}", "%s%n{0}{x.__class__}"),
    "a path": ("../../../etc/passwd\x00.txt", "../../../etc/passwd.txt"),
    "a terminal's escape": ("\x1b[2J\x1b]0;x\x07", "[2J]0;x"),
    "right to left": ("\u202eadA", "\u202eadA"),
    "a zero-width joiner": ("A\u200dB", "A\u200dB"),
    "half a surrogate pair": ("A\ud800B", "A\ufffdB"),
    "a pair the wrong way round": ("\udc00\ud800", "\ufffd\ufffd"),
    "NUL": ("A\x00B", "AB"),
    "a byte order mark": ("\ufeffAda", "\ufeffAda"),
    "a noncharacter": ("\uffff\U0010ffff", "\ufffd\ufffd"),
    "marks stacked": ("A" + "\u0316" * 1_000, "A" + "\u0316" * 1_000),
    "half a megabyte": (HUGE, HUGE),
    "white space of every kind": ("\u2003\u00a0A \n\t\u3000 B\u2028", "A B"),
    "blanks alone": (" \u2003\t", None),
    "a number": (7, None),
    "a list": (["Ada"], None),
    "an object": ({"$ne": None}, None),
    "true": (True, None),
}
SCORES: dict[str, tuple[str, float | None]] = {
    "NaN": ("NaN", None),
    "Infinity": ("Infinity", None),
    "1e400": ("1e400", None),
    "-1e400": ("-1e400", None),
    "10,000 digits": ("9" * 10_000, None),
    "10,000 digits behind the point": ("0." + "3" * 10_000, 1 / 3),
    "1e-400": ("1e-400", 0.0),
    "-0.0": ("-0.0", 0.0),
    "a text": ('"0.5"', None),
    "true": ("true", None),
    "a list": ("[0.5]", None),
}
DATES = {
    "no date": "soon",
    "day 30 of February": "2026-02-30",
    "the year 0": "0000-01-01",
    "the year 10000": "10000-01-01",
    "second 61": "2026-01-01T00:00:61Z",
    "hour 25": "2026-01-01T25:00:00Z",
    "an offset of 99 hours": "2026-01-01T00:00:00+99:00",
    "after the last instant": "9999-12-31T23:59:59-01:00",
    "10,000 digits": "2" * 10_000,
    "digits of another script": "\u0662\u0660\u0662\u0666-01-01",
    "half a surrogate pair": "2026-01-01\ud800",
    "a script": SCRIPT,
}
KEYS = {
    "80,000 keys": ('{"id": 2' + "".join(f',"k{n}":0' for n in range(80_000)) + "}", Landed({"id": 2})),
    "id twice": ('{"id": 9, "id": 2}', Landed({"id": 2})),
    "a name twice": ('{"id": 2, "first_name": "A", "first_name": "B"}', Landed({"first_name": "B"})),
    "nested 500 deep": ('{"id": 2, "x": ' + "[" * 500 + "]" * 500 + "}", Landed({"id": 2})),
    "a prototype": ('{"id": 2, "__proto__": {"id": 9}, "constructor": null}', Landed({"id": 2})),
    "page and position": ('{"id": 2, "page": 99, "position": 99}', Landed({"position": 1})),
    "a key with NaN": ('{"id": 2, "x": NaN}', Landed({"id": 2})),
    "a record of two megabytes": (
        '{"id": 2, "x": "' + "x" * 2 * RECORD_BYTES_AT_MOST + '"}',
        Quarantined("record_too_large"),
    ),
}


def records() -> Iterator[Case]:
    """Make the cases."""
    for table, code in ((NO_OBJECTS, "not_an_object"), (NO_ID, "id_missing")):
        yield from (Case(f"a record: {name}", record, Quarantined(code)) for name, record in table.items())
    for table, code in ((NO_INTEGERS, "id_not_an_integer"), (NO_64_BITS, "id_out_of_range")):
        yield from (Case(f"id {name}", f'{{"id": {value}}}', Quarantined(code)) for name, value in table.items())
    mended = Quarantined("id_not_an_integer", '{"id": "\ufffd"}')
    yield Case("id half a surrogate pair", '{"id": "\\ud800"}', mended)
    for name, (digits, number) in IDS.items():
        yield Case(f"id {name}", f'{{"id": {digits}}}', Landed({"id": number}))
    for name, (text, name_landed) in TEXTS.items():
        record = {"id": 2, "first_name": text, "last_name": "L"}
        yield Case(f"a name: {name}", json.dumps(record), Landed({"first_name": name_landed, "last_name": "L"}))
    for name, (value, score) in SCORES.items():
        given = f'{{"id": 2, "engagement_score": {value}}}'
        yield Case(f"a score: {name}", given, Landed({"engagement_score": score, "engagement_score_supplied": True}))
    for name, date in DATES.items():
        given = json.dumps({"id": 2, "last_active_at": date})
        yield Case(f"a date: {name}", given, Landed({"last_active_at": None, "last_active_at_supplied": True}))
    yield from (Case(f"a record: {name}", given, outcome) for name, (given, outcome) in KEYS.items())

"""One table of records: what comes in, how the mapping reads it, and what must come out. Written by hand.

Every engine and the plain-Python reference are held to it. A case names only the columns that it is about.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

AS_OF = datetime(2026, 11, 24, 12, tzinfo=UTC)

ADA = {"email": "ada@x.org", "first_name": "Ada", "last_name": "Lovelace", "avatar": "https://x.org/a.png"}
"""A flawless record by our own names, but for its id."""


@dataclass(frozen=True)
class Case:
    """One record.

    Attributes:
        name: What it is about.
        record: As the API sends it; without an id it is given one of its own.
        expected: Columns of the clean customer; None: there is none.
        rejected: The reason's code, if the record is rejected.
    """

    name: str
    record: Any
    expected: dict[str, Any] | None = None
    rejected: str = ""


@dataclass(frozen=True)
class Group:
    """Cases that are read by the same options, in one call.

    Attributes:
        name: What they have in common.
        cases: The cases; no two of the same customer.
        options: The record mapping, as YAML has it.
        generate: Whether values are generated where there are none.
    """

    name: str
    cases: tuple[Case, ...]
    options: dict[str, Any] = field(default_factory=dict)
    generate: bool = True

    def records(self) -> list[Any]:
        """The records, each with an id."""
        id_name = self.options.get("id", "id")
        return [
            {id_name: 1_000 + number, **case.record}
            if isinstance(case.record, dict) and "." not in id_name
            else case.record
            for number, case in enumerate(self.cases)
        ]


def _emails() -> tuple[Case, ...]:
    table = {
        "Ada <ada@firm.example>": "firm.example",
        "Ada <ada@firm.example>;": "firm.example",
        "ada@firm.example;": "firm.example",
        "ada@firm.example, ": "firm.example",
        "mailto:ada@firm.example?subject=Hi": "firm.example",
        "MAILTO:ada@Firm.Example": "firm.example",
        '"ada@firm.example"': "firm.example",
        "“ada@firm.example”": "firm.example",
        "«ada@firm.example»": "firm.example",
        "ada@firm.example”": "unknown",
        "ada@firm.example <ada@firm.example>": "firm.example",
        "Ada <ada@firm.example>, Bob <bob@other.example>": "unknown",
        "'ada@firm.example'": "firm.example",
        "<mailto:ada@firm.example>": "firm.example",
        " Ada@FIRM.example ": "firm.example",
        "ada@fi\u200brm.example": "firm.example",
        "\ufeffada@firm.example": "firm.example",
        "ada@firm\u202e.example": "firm.example",
        "ada@fi\x00rm.example": "firm.example",
        "ada@münchen.example": "xn--mnchen-3ya.example",
        "ada@MÜNCHEN.example": "xn--mnchen-3ya.example",
        "ada@xn--mnchen-3ya.example": "xn--mnchen-3ya.example",
        "ada@XN--MNCHEN-3YA.example": "xn--mnchen-3ya.example",
        "ada@straße.example": "xn--strae-oqa.example",
        "ada@\uff46\uff49\uff52\uff4d.example": "firm.example",
        "ada@firm\u3002example": "firm.example",
        '"a@b"@firm.example': "firm.example",
        "o'brien+news@firm.example": "firm.example",
        f"{'a' * 64}@firm.example": "firm.example",
        f"{'a' * 65}@firm.example": "unknown",
        f"ada@{'a' * 63}.example": f"{'a' * 63}.example",
        f"ada@{'a' * 64}.example": "unknown",
        f"ada@{'a.' * 123}example": f"{'a.' * 123}example",
        f"ada@{'a.' * 124}example": "unknown",
        "a b@c.de": "unknown",
        "ada@[192.0.2.1]": "unknown",
        "ada@192.0.2.1": "unknown",
        "a@b@c.de": "unknown",
        "ada@firm": "unknown",
        "ada@firm..example": "unknown",
        "ada@-firm.example": "unknown",
        "ada@firm-.example": "unknown",
        "ada@fi_rm.example": "unknown",
        "ada@firm.example.": "unknown",
        "@firm.example": "unknown",
        "ada@": "unknown",
        "N/A": "unknown",
    }
    cases = [
        Case(
            f"email {email[:40]!r} of {len(email)}",
            {**ADA, "email": email},
            {"email_domain": domain, "data_quality_score": score},
        )
        for email, domain in table.items()
        for score in [90 if domain == "unknown" else 100]
    ]
    others: tuple[Any, ...] = (None, 7, [], {})
    wrong = [Case(f"email {value!r}", {**ADA, "email": value}, {"email_domain": "unknown"}) for value in others]
    return (*cases, *wrong)


def _names() -> tuple[Case, ...]:
    table: list[tuple[Any, Any, str]] = [
        ("Ada", "Lovelace", "Ada Lovelace"),
        ("  Ada \n Maria ", "Lovelace", "Ada Maria Lovelace"),
        ("Jose\u0301", "A", "José A"),
        ("A\x00da", "Love\x07lace", "Ada Lovelace"),
        ("A\ud800da", "L", "A\ufffdda L"),
        ("A\uffffda", "L", "A\ufffdda L"),
        ("\u0645\u200c\u0646", "L", "\u0645\u200c\u0646 L"),
        ("N/A", "N/A", "unknown"),
        ("n/a", "Lovelace", "Lovelace"),
        ("N/A N/A", "Lovelace", "Lovelace"),
        ("-", "--", "unknown"),
        ("Undefined", "?", "unknown"),
        ("Anna-Lena", "N/Aidoo", "Anna-Lena N/Aidoo"),
        ("\x00", "\x1b", "unknown"),
        (7, True, "unknown"),
        ("", " \u3000", "unknown"),
    ]
    return tuple(
        Case(f"name {first!r} {last!r}", {**ADA, "first_name": first, "last_name": last}, {"full_name": whole})
        for first, last, whole in table
    )


def _dates() -> tuple[Case, ...]:
    table: dict[Any, str] = {
        "2026-11-24T12:00:00Z": "active",
        "2026-11-24T12:00:05Z": "active",
        "2026-11-24T12:05:00Z": "active",
        "2026-11-24T12:05:01Z": "unknown",
        "2026-08-26T12:00:00Z": "active",
        "2026-08-26T11:59:59Z": "inactive",
        "2026-11-24 12:00:00 UTC": "active",
        "2026-11-24T12:00:00Z[UTC]": "active",
        "2026-11-24 12:00:00 +0000": "active",
        "Tue, 24 Nov 2026 13:00:00 +0100": "active",
        "24 Nov 2026 12:00 GMT": "active",
        "Tue, 24 Nov 2026 12:00:00 +0000 (UTC)": "active",
        "2026-11-24T13:00:00+01:00[Europe/Berlin]": "active",
        "20261124120000": "active",
        20261124120000: "unknown",
        "Tue, 24 Nov 2026 07:00:00 EST": "active",
        "Tue, 24 Nov 2026 12:00:00 +2500": "unknown",
        1_795_521_600: "active",
        1_795_521_600.5: "active",
        "1795521600": "active",
        1_795_521_600_123: "active",
        "1795521600123": "active",
        1_700_000_000: "inactive",
        20261124: "unknown",
        "20261124": "active",
        0: "unknown",
        "1970-01-01T00:00:00Z": "unknown",
        "1970-01-01T00:00:01Z": "unknown",
        "1970-01-01T00:00:00+01:00": "unknown",
        "1970-01-01T00:00:00-05:00": "unknown",
        "1969-12-31T19:00:00-05:00": "unknown",
        "1969-12-31T23:00:00Z": "unknown",
        "1970-01-01T14:00:00Z": "unknown",
        "1970-01-01T14:00:01Z": "inactive",
        "1969-12-31T09:59:59Z": "inactive",
        "1900-01-01T00:00:00-05:00": "unknown",
        "0001-01-01T00:00:00+01:00": "unknown",
        "2026-11-24T24:00:00Z": "unknown",
        "2026-11-23T24:00:00Z": "active",
        "2026-11-24 24:00:00 +1400": "active",
        "2026-08-25T24:00:00Z": "inactive",
        "2026-11-23T24:00:01Z": "unknown",
        "Tue Nov 24 12:00:00 2026": "active",
        "Tue Nov  3 12:00:00 2026": "active",
        "Tue Nov 24 12:00:00 UTC 2026": "active",
        "Tue Nov 24 13:00:00 +0100 2026": "active",
        "Tue Nov 24 2026 13:00:00 GMT+0100 (Central European Standard Time)": "active",
        "Thu Jan  1 00:00:00 1970": "unknown",
        "0001-01-01": "unknown",
        "1900-01-01T00:00:00": "unknown",
        "0000-00-00": "unknown",
        "2026-02-30": "unknown",
        "yesterday": "unknown",
        "N/A": "unknown",
        10**400: "unknown",
    }
    cases = [
        Case(
            f"date {str(date)[:40]!r} {type(date).__name__}",
            {**ADA, "last_active_at": date},
            {"activity_status": status, "data_quality_score": score},
        )
        for date, status in table.items()
        for score in [90 if status == "unknown" else 100]
    ]
    others: tuple[Any, ...] = (None, True, [], {})
    wrong = [
        Case(f"date {value!r}", {**ADA, "last_active_at": value}, {"activity_status": "unknown"}) for value in others
    ]
    return (*cases, *wrong)


def _scores() -> tuple[Case, ...]:
    table: list[tuple[Any, str]] = [
        (0.66, "high"),
        (1, "high"),
        (0.33, "medium"),
        (0.6599, "medium"),
        (0, "low"),
        (-0.0, "low"),
        (-0.1, "unknown"),
        (1.1, "unknown"),
        ("0.7", "unknown"),
        (True, "unknown"),
        (None, "unknown"),
        (10**400, "unknown"),
    ]
    return tuple(
        Case(
            f"score {str(score)[:20]!r} {type(score).__name__}",
            {**ADA, "engagement_score": score},
            {"engagement_level": level},
        )
        for score, level in table
    )


STRIPE = {
    "id_type": "text",
    "full_name": "name",
    "avatar": None,
    "fields": {
        "created": {"type": "instant"},
        "balance": {"type": "integer"},
        "delinquent": {"type": "boolean"},
        "phone": {"pii": True},
    },
}
ZENDESK = {
    "full_name": "name",
    "avatar": "photo.content_url",
    "last_active_at": "last_login_at",
    "activity_status": {"from": "suspended", "values": {"true": "inactive", False: "active"}},
    "market_segment": "time_zone",
    "exclude": {"field": "active", "values": [False]},
}
SHOPIFY = {
    "avatar": None,
    "customer_tier": {"from": "total_spent", "bands": {"basic": 0, "premium": 1000, "enterprise": 10_000}},
    "acquisition_channel": {
        "from": "source_name",
        "values": {"web": "website", "ios": "mobile_app", "android": "mobile_app"},
    },
    "fields": {
        "country": "default_address.country_code",
        "total_spent": {"type": "number"},
        "orders": {"from": "orders_count", "type": "integer", "expected": True},
    },
}
HELP_SCOUT = {
    "email": "_embedded.emails[0].value",
    "first_name": "firstName",
    "last_name": "lastName",
    "avatar": {"from": "photoUrl", "expected": False},
    "engagement_level": {"from": "props.engagement"},
    "fields": {"second_email": {"from": "_embedded.emails[1].value", "pii": True}, "dotted": '["a.b"].c'},
}
SCALED = {"engagement_score": {"from": "health", "scale": 100}}
EVERYTHING = {
    "engagement_score": {"from": "stars", "scale": 5},
    "last_active_at": "seen",
    "acquisition_channel": "via",
    "market_segment": "region",
    "customer_tier": "plan",
}
OF_FIVE = {"engagement_score": {"from": "stars", "scale": 5}}
UNNAMED = {
    "email": None,
    "first_name": None,
    "last_name": None,
    "avatar": None,
    "engagement_score": None,
    "last_active_at": None,
}
WORDS = {"missing_values": ["keine Angabe", "—"], "market_segment": "segment"}
MANY = {
    **UNNAMED,
    "fields": {f"f{number}": {"type": "text", "expected": True} for number in range(12)},
}

GROUPS = (
    Group("email", _emails()),
    Group("name", _names()),
    Group("date", _dates()),
    Group("score", _scores()),
    Group(
        "integer ids",
        (
            Case("7", {**ADA, "id": 7}, {"customer_id": 7}),
            Case("008", {**ADA, "id": "008"}, {"customer_id": 8}),
            Case("text with blanks", {**ADA, "id": " 9 "}, {"customer_id": 9}),
            Case("negative", {**ADA, "id": -7}, {"customer_id": -7}),
            Case("largest", {**ADA, "id": 2**63 - 1}, {"customer_id": 2**63 - 1}),
            Case("beyond", {**ADA, "id": 2**63}, rejected="id_out_of_range"),
            Case("word", {**ADA, "id": "cus_81"}, rejected="id_not_an_integer"),
            Case("NUL", {**ADA, "id": "7\x00"}, rejected="id_not_an_integer"),
            Case("float", {**ADA, "id": 7.0}, rejected="id_not_an_integer"),
            Case("boolean", {**ADA, "id": True}, rejected="id_not_an_integer"),
            Case("null", {**ADA, "id": None}, rejected="id_missing"),
            Case("N/A", {**ADA, "id": "N/A"}, rejected="id_missing"),
            Case("not an object", [1], rejected="not_an_object"),
        ),
    ),
    Group(
        "text ids",
        (
            Case("007", {**ADA, "id": "007"}, {"customer_id": "007", "data_quality_score": 100}),
            Case("7 as text", {**ADA, "id": "7"}, {"customer_id": "7"}),
            Case("8 as an integer", {**ADA, "id": 8}, {"customer_id": "8"}),
            Case("a word", {**ADA, "id": " cus_81 "}, {"customer_id": "cus_81"}),
            Case("upper case", {**ADA, "id": "CUS_81"}, {"customer_id": "CUS_81"}),
            Case("decomposed", {**ADA, "id": "e\u0301"}, {"customer_id": "e\u0301"}),
            Case("composed", {**ADA, "id": "é"}, {"customer_id": "é"}),
            Case("a blank within", {**ADA, "id": "a  b"}, {"customer_id": "a  b"}),
            Case("255 characters", {**ADA, "id": "x" * 255}, {"customer_id": "x" * 255}),
            Case("256 characters", {**ADA, "id": "x" * 256}, rejected="id_too_long"),
            Case("beyond 64 bits", {**ADA, "id": 2**70}, {"customer_id": str(2**70)}),
            Case("negative", {**ADA, "id": -7}, {"customer_id": "-7"}),
            Case("NUL", {**ADA, "id": "a\x00b"}, rejected="id_not_text"),
            Case("half a surrogate pair", {**ADA, "id": "a\ud800"}, rejected="id_not_text"),
            Case("float", {**ADA, "id": 7.5}, rejected="id_not_text"),
            Case("boolean", {**ADA, "id": False}, rejected="id_not_text"),
            Case("list", {**ADA, "id": ["a"]}, rejected="id_not_text"),
            Case("blank", {**ADA, "id": " \u3000"}, rejected="id_missing"),
            Case("undefined", {**ADA, "id": "Undefined"}, rejected="id_missing"),
        ),
        {"id_type": "text"},
    ),
    Group(
        "Stripe",
        (
            Case(
                "flawless",
                {
                    "id": "cus_A",
                    "email": "ada@x.org",
                    "name": "Ada Lovelace",
                    "created": 1_764_000_000,
                    "balance": -120,
                    "delinquent": False,
                    "phone": "+1 555",
                },
                {
                    "customer_id": "cus_A",
                    "full_name": "Ada Lovelace",
                    "engagement_level": "unknown",
                    "market_segment": "unknown",
                    "data_quality_score": 100,
                    "created": datetime(2025, 11, 24, 16, tzinfo=UTC),
                    "balance": -120,
                    "delinquent": False,
                    "phone": "+1 555",
                },
            ),
            Case(
                "extras of wrong types",
                {
                    "id": "cus_B",
                    "email": "ada@x.org",
                    "name": "Ada",
                    "created": "soon",
                    "balance": 1.5,
                    "delinquent": "maybe",
                    "phone": 555,
                },
                {"created": None, "balance": None, "delinquent": None, "phone": None, "data_quality_score": 100},
            ),
            Case(
                "extras in texts",
                {
                    "id": "cus_C",
                    "email": None,
                    "name": "Ada",
                    "created": "2026-01-31",
                    "balance": "42",
                    "delinquent": "TRUE",
                    "phone": "-",
                },
                {
                    "created": datetime(2026, 1, 31, tzinfo=UTC),
                    "balance": 42,
                    "delinquent": True,
                    "phone": None,
                    "data_quality_score": 90,
                },
            ),
            Case(
                "nothing but an id",
                {"id": "cus_D"},
                {"full_name": "unknown", "data_quality_score": 80, "created": None},
            ),
            Case("an integer beyond 64 bits", {"id": "cus_E", "balance": 2**64}, {"balance": None}),
            Case(
                "a boolean as 1",
                {"id": "cus_F", "delinquent": 1, "balance": True},
                {"delinquent": True, "balance": None},
            ),
            Case(
                "first and last name beside",
                {"id": "cus_G", "first_name": "Ada", "last_name": "L"},
                {"full_name": "Ada L", "data_quality_score": 80},
            ),
        ),
        STRIPE,
        generate=False,
    ),
    Group(
        "Zendesk",
        (
            Case(
                "flawless",
                {
                    "id": 1,
                    "email": "a@x.org",
                    "name": "Ada",
                    "photo": {"content_url": "u"},
                    "last_login_at": "2026-11-01",
                    "suspended": False,
                    "time_zone": "Berlin",
                    "active": True,
                },
                {
                    "full_name": "Ada",
                    "activity_status": "active",
                    "market_segment": "Berlin",
                    "data_quality_score": 100,
                },
            ),
            Case(
                "suspended, without a picture",
                {
                    "id": 2,
                    "email": "a@x.org",
                    "name": "Ada",
                    "photo": None,
                    "last_login_at": "2026-11-01",
                    "suspended": True,
                    "time_zone": "Berlin",
                },
                {"activity_status": "inactive", "data_quality_score": 90},
            ),
            Case("deleted", {"id": 3, "name": "Ada", "active": False}),
            Case("deleted in a text", {"id": 4, "name": "Ada", "active": "false"}),
            Case(
                "nothing usable",
                {"id": 5, "suspended": "perhaps", "time_zone": "N/A", "photo": []},
                {"activity_status": "unknown", "market_segment": "unknown", "data_quality_score": 40},
            ),
        ),
        ZENDESK,
    ),
    Group(
        "Shopify",
        (
            Case(
                "flawless",
                {
                    "id": 1,
                    "email": "a@x.org",
                    "first_name": "A",
                    "last_name": "B",
                    "total_spent": "1999.65",
                    "source_name": "web",
                    "orders_count": 3,
                    "default_address": {"country_code": "DE"},
                },
                {
                    "customer_tier": "premium",
                    "acquisition_channel": "website",
                    "data_quality_score": 100,
                    "country": "DE",
                    "total_spent": 1999.65,
                    "orders": 3,
                },
            ),
            Case(
                "exactly at a band",
                {"id": 2, "total_spent": 10_000, "source_name": "android"},
                {"customer_tier": "enterprise", "acquisition_channel": "mobile_app", "country": None, "orders": None},
            ),
            Case(
                "below every band",
                {"id": 3, "total_spent": -0.01, "source_name": "pos"},
                {"customer_tier": "unknown", "acquisition_channel": "unknown"},
            ),
            Case("not a number", {"id": 4, "total_spent": "1,000"}, {"customer_tier": "unknown", "total_spent": None}),
            Case("minus zero", {"id": 5, "total_spent": -0.0}, {"customer_tier": "basic", "total_spent": 0.0}),
            Case(
                "no number can hold it",
                {"id": 6, "total_spent": "1e999"},
                {"customer_tier": "unknown", "total_spent": None},
            ),
            Case("an address that is a text", {"id": 7, "default_address": "Berlin"}, {"country": None}),
        ),
        SHOPIFY,
    ),
    Group(
        "Help Scout",
        (
            Case(
                "flawless",
                {
                    "id": 1,
                    "firstName": "A",
                    "lastName": "B",
                    "_embedded": {"emails": [{"value": "a@x.org"}, {"value": "b@y.org"}]},
                    "props": {"engagement": "high"},
                    "a.b": {"c": "d"},
                },
                {
                    "email_domain": "x.org",
                    "full_name": "A B",
                    "engagement_level": "high",
                    "data_quality_score": 100,
                    "second_email": "b@y.org",
                    "dotted": "d",
                },
            ),
            Case(
                "no address",
                {
                    "id": 2,
                    "firstName": "A",
                    "lastName": "B",
                    "_embedded": {"emails": []},
                    "props": {"engagement": "low"},
                },
                {"email_domain": "unknown", "second_email": None, "data_quality_score": 90},
            ),
            Case(
                "an object in the list's place",
                {"id": 3, "_embedded": {"emails": {"0": {"value": "a@x.org"}}}},
                {"email_domain": "unknown"},
            ),
            Case(
                "a word that no report knows",
                {"id": 4, "props": {"engagement": "enormous"}},
                {"engagement_level": "unknown"},
            ),
            Case(
                "a null in the list",
                {"id": 5, "_embedded": {"emails": [None, {"value": "b@y.org"}]}},
                {"email_domain": "unknown", "second_email": "b@y.org"},
            ),
        ),
        HELP_SCOUT,
    ),
    Group(
        "scaled scores",
        (
            Case("66", {**ADA, "health": 66}, {"engagement_level": "high", "data_quality_score": 100}),
            Case("33 in a text", {**ADA, "health": "33"}, {"engagement_level": "medium"}),
            Case("0.66 but for the last bit", {**ADA, "health": 65.99999999999999}, {"engagement_level": "medium"}),
            Case("101", {**ADA, "health": 101}, {"engagement_level": "unknown", "data_quality_score": 90}),
            Case("absent where it is mapped", {**ADA}, {"engagement_level": "unknown", "data_quality_score": 90}),
        ),
        SCALED,
    ),
    Group(
        "scores that engines divide differently",
        (
            Case("3.3 of 5", {**ADA, "stars": 3.3}, {"engagement_level": "medium"}),
            Case("1.65 of 5", {**ADA, "stars": 1.65}, {"engagement_level": "low"}),
            Case("5 of 5", {**ADA, "stars": 5}, {"engagement_level": "high", "data_quality_score": 100}),
            Case("5.000000000000001 of 5", {**ADA, "stars": 5.000000000000001}, {"engagement_level": "unknown"}),
        ),
        OF_FIVE,
    ),
    Group(
        "nothing is left to generate",
        (
            Case(
                "all there",
                {**ADA, "stars": 5, "seen": "2026-11-01", "via": "web", "region": "EU", "plan": "basic"},
                {
                    "engagement_level": "high",
                    "activity_status": "active",
                    "acquisition_channel": "web",
                    "market_segment": "EU",
                    "customer_tier": "basic",
                },
            ),
            Case(
                "nothing there",
                {**ADA},
                {"engagement_level": "unknown", "activity_status": "unknown", "customer_tier": "unknown"},
            ),
        ),
        EVERYTHING,
    ),
    Group(
        "no fields at all",
        (
            Case(
                "an id is enough",
                {"id": 1},
                {"full_name": "unknown", "email_domain": "unknown", "data_quality_score": 100},
            ),
            Case(
                "what is not mapped is not read",
                {"id": 2, **ADA, "engagement_score": None},
                {"full_name": "unknown", "data_quality_score": 100},
            ),
        ),
        UNNAMED,
    ),
    Group(
        "words of its own for missing",
        (
            Case(
                "as the API writes it",
                {**ADA, "first_name": "Keine  ANGABE", "segment": "—"},
                {"full_name": "Lovelace", "market_segment": "unknown", "data_quality_score": 80},
            ),
            Case(
                "ours count no longer",
                {**ADA, "first_name": "N/A", "segment": 1},
                {"full_name": "N/A Lovelace", "market_segment": "1"},
            ),
            Case(
                "numbers and booleans are words",
                {**ADA, "segment": True},
                {"market_segment": "true", "data_quality_score": 100},
            ),
            Case("a whole float", {**ADA, "segment": 2.0}, {"market_segment": "2"}),
            Case("half a float", {**ADA, "segment": 2.5}, {"market_segment": "2.5"}),
            Case("an object is missing", {**ADA, "segment": {"a": 1}}, {"market_segment": "unknown"}),
        ),
        WORDS,
    ),
    Group(
        "more defects than points",
        (
            Case("twelve", {"id": 1}, {"data_quality_score": 0}),
            Case("eleven", {"id": 2, "f3": "x"}, {"data_quality_score": 0}),
            Case("nine", {"id": 3, "f3": "x", "f4": "x", "f5": "x"}, {"data_quality_score": 10}),
        ),
        MANY,
    ),
    Group(
        "nothing is generated",
        (
            Case(
                "a record of ours",
                {**ADA},
                {
                    "engagement_level": "unknown",
                    "activity_status": "unknown",
                    "acquisition_channel": "unknown",
                    "market_segment": "unknown",
                    "customer_tier": "unknown",
                    "data_quality_score": 100,
                },
            ),
            Case(
                "what was sent is judged",
                {**ADA, "engagement_score": 1, "last_active_at": "2026-11-24"},
                {"engagement_level": "high", "activity_status": "active"},
            ),
        ),
        generate=False,
    ),
    Group(
        "one path for two fields, and one through another's value",
        (
            Case(
                "a login",
                {"login": "ada", "contact": "x"},
                {"customer_id": "ada", "full_name": "ada", "nick": "ada", "contact": "x", "mail": None},
            ),
            Case("an object", {"login": "eva", "contact": {"mail": "e@x.org"}}, {"contact": None, "mail": "e@x.org"}),
        ),
        {
            "id": "login",
            "id_type": "text",
            "full_name": "login",
            "avatar": None,
            "email": None,
            "fields": {"nick": "login", "contact": {}, "mail": "contact.mail"},
        },
    ),
    Group(
        "an id in an object",
        (
            Case("there", {"ref": {"no": 7}, "mail": "a@x.org"}, {"customer_id": 7, "email_domain": "x.org"}),
            Case("null", {"ref": None}, rejected="id_missing"),
            Case("absent", {"mail": "a@x.org"}, rejected="id_missing"),
            Case("a scalar in its place", {"ref": 7}, rejected="id_missing"),
        ),
        {"id": "ref.no", "email": "mail"},
    ),
)
"""At least 120 cases; `test_record_cases.py` counts them."""

MAPPINGS: tuple[dict[str, Any], ...] = (
    {},
    {
        "id_type": "text",
        "full_name": "first_name",
        "avatar": None,
        "activity_status": {"from": "last_name", "values": {"Ada": "active", 1: "inactive", "true": "unknown"}},
        "market_segment": "avatar",
        "customer_tier": {"from": "engagement_score", "bands": {"basic": 0, "premium": 0.5, "enterprise": 10}},
        "fields": {
            "amount": {"from": "engagement_score", "type": "number", "expected": True},
            "count": {"from": "engagement_score", "type": "integer"},
            "flag": {"from": "engagement_score", "type": "boolean"},
            "seen": {"from": "last_active_at", "type": "instant", "expected": True},
            "note": {"from": "avatar"},
        },
        "exclude": {"field": "first_name", "values": ["Ada", 5, False]},
    },
)
"""Mappings of records that have our own names: the default one, and one that uses everything there is."""

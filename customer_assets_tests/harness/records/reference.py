"""The rules again, in plain Python, record by record: what every engine is compared with.

Shares no code with the product. `options` are a record mapping as YAML has it: `{"id_type": "text", "email": "mail"}`.
"""

import hashlib
import json
import math
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import idna

Options = Mapping[str, Any]

MISSING = ("N/A", "#N/A", "-", "--", "?", "undefined")
OWN_NAMES = ("email", "first_name", "last_name", "avatar", "engagement_score", "last_active_at")
BUSINESS = {
    "engagement_level": ("high", "medium", "low"),
    "activity_status": ("active", "inactive"),
    "acquisition_channel": ("website", "mobile_app", "email_campaign"),
    "market_segment": ("US-West", "US-East", "EU-Central", "APAC"),
    "customer_tier": ("basic", "premium", "enterprise"),
}
JUDGED_BY = {"engagement_level": "engagement_score", "activity_status": "last_active_at"}
UNUSABLE = object()
"""An id that names nobody."""
ABSENT = object()


def cleaned(
    records: Iterable[Any], *, seed: int, as_of: datetime, options: Options | None = None, generate: bool = True
) -> list[dict[str, Any]]:
    """One clean record per id, in the order of the records they were taken from."""
    options = options or {}
    best: dict[Any, tuple[int, int, dict[str, Any]]] = {}
    for position, record in enumerate(records):
        customer_id = id_of(record, options)
        if customer_id is UNUSABLE or is_excluded(record, options):
            continue
        clean = clean_record(customer_id, record, seed=seed, as_of=as_of, options=options, generate=generate)
        rank = (-clean["data_quality_score"], position)
        if customer_id not in best or rank < best[customer_id][:2]:
            best[customer_id] = (*rank, clean)
    return [clean for _, _, clean in sorted(best.values(), key=lambda entry: entry[1])]


def clean_record(
    customer_id: Any, record: Any, *, seed: int, as_of: datetime, options: Options, generate: bool
) -> dict[str, Any]:
    """Every column of one record."""
    defects = defective_fields(record, as_of, options)
    extras = {name: extra_value(record, name, given, options) for name, given in options.get("fields", {}).items()}
    return {
        "customer_id": customer_id,
        "full_name": full_name(record, options),
        "email_domain": email_domain(text_at(record, "email", options)) or "unknown",
        **business_values(customer_id, record, seed=seed, as_of=as_of, options=options, generate=generate),
        "data_quality_score": max(0, 100 - 10 * len(defects)),
        **extras,
    }


# --- the mapping ----------------------------------------------------------------------------------------


def source_of(name: str, options: Options) -> dict[str, Any] | None:
    """A field's source in its long form; None: the API has no such field."""
    given = options.get(name, name if name in OWN_NAMES else None)
    return {"from": given} if isinstance(given, str) else given


def is_given(name: str, options: Options) -> bool:
    """Whether a field is mapped otherwise than by default."""
    return source_of(name, options) not in (None, {"from": name} if name in OWN_NAMES else ABSENT)


def follow(record: Any, path: str) -> Any:
    """What a path leads to; ABSENT where nothing is there, None where it leads through a scalar."""
    value = record
    for quoted, index, key in re.findall(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)', path):
        if index:
            if not isinstance(value, list):
                return None
            value = value[int(index)] if int(index) < len(value) else ABSENT
        elif isinstance(value, dict):
            value = value.get(quoted or key, ABSENT)
        else:
            return None
        if value is ABSENT:
            return ABSENT
    return value


def value_at(record: Any, name: str, options: Options) -> Any:
    """A field's JSON scalar; ABSENT where there is no key."""
    source = source_of(name, options)
    value = ABSENT if source is None else follow(record, source["from"])
    return None if isinstance(value, list | dict) else value


def text_at(record: Any, name: str, options: Options) -> str | None:
    """A field's text."""
    return text(value_at(record, name, options), options)


def expectation(name: str, options: Options) -> bool | None:
    """Whether a missing value costs points; None: only where the key was sent."""
    source = source_of(name, options)
    if source is None:
        return False
    if source.get("expected") is not None:
        return bool(source["expected"])
    if is_given(name, options):
        return True
    rivals = {"first_name": "full_name", "last_name": "full_name", **{value: key for key, value in JUDGED_BY.items()}}
    if name in rivals and source_of(rivals[name], options) is not None:
        return False
    return None if name in JUDGED_BY.values() else True


def is_sent(record: Any, name: str, options: Options) -> bool:
    """Whether there is something to judge by."""
    if source_of(name, options) is None:
        return False
    return is_given(name, options) or value_at(record, name, options) is not ABSENT


def defective_fields(record: Any, as_of: datetime, options: Options) -> list[str]:
    """The expected fields that are missing or unusable."""
    found = []
    names = (*OWN_NAMES[:4], "full_name", *OWN_NAMES[4:], *BUSINESS)
    for name in names:
        expected = expectation(name, options)
        if expected is None:
            expected = is_sent(record, name, options)
        if expected and is_defective(record, name, as_of, options):
            found.append(name)
    for name, given in options.get("fields", {}).items():
        if isinstance(given, dict) and given.get("expected") and extra_value(record, name, given, options) is None:
            found.append(name)
    return found


def is_defective(record: Any, name: str, as_of: datetime, options: Options) -> bool:
    """Whether a field is missing or unusable."""
    if name == "email":
        return email_domain(text_at(record, name, options)) is None
    if name == "engagement_score":
        return engagement_level(record, options) == "unknown"
    if name == "last_active_at":
        return activity_status(record, as_of, options) == "unknown"
    if name in BUSINESS:
        return mapped(record, name, options) == "unknown"
    return text_at(record, name, options) is None


def extra_value(record: Any, name: str, given: Any, options: Options) -> Any:
    """An extra field's value."""
    given = {"from": given} if isinstance(given, str) else given
    value = follow(record, given.get("from") or name)
    kind = given.get("type", "text")
    if isinstance(value, str) and text(value, options) is None:
        return None
    if kind == "instant":
        return instant(value)
    readers: dict[str, Callable[[Any], Any]] = {"text": text, "number": number, "integer": integer, "boolean": boolean}
    return readers[kind](value)


def is_excluded(record: Any, options: Options) -> bool:
    """Whether the filter drops a record."""
    filtered = options.get("exclude")
    if filtered is None:
        return False
    return category(follow(record, filtered["field"]), {"missing_values": ()}) in [
        category(value, {"missing_values": ()}) for value in filtered["values"]
    ]


# --- ids ------------------------------------------------------------------------------------------------


def parse_id(record: Any) -> int | None:
    """The id by the default mapping; None if it is unusable."""
    found = id_of(record, {})
    return None if found is UNUSABLE else found


def id_of(record: Any, options: Options) -> Any:
    """An integer of 64 bits, or text; else UNUSABLE."""
    value = follow(record, options.get("id", "id")) if isinstance(record, dict) else ABSENT
    if isinstance(value, str):
        value = value.strip()
        if not value or is_missing(value, options):
            return UNUSABLE
    if options.get("id_type") == "text":
        return text_id(value)
    if isinstance(value, str):
        if set(value) - set("0123456789"):
            return UNUSABLE
        value = json.loads(value[-25:].lstrip("0") or "0") if not value[:-25].strip("0") else None
    return value if type(value) is int and -(2**63) <= value < 2**63 else UNUSABLE


def text_id(value: Any) -> Any:
    """Text of at most 255 characters, none of them a control character."""
    if type(value) is int:
        value = str(value) if abs(value) < 10**300 else ABSENT
    if not isinstance(value, str) or len(value) > 255:
        return UNUSABLE
    odd = any(unicodedata.category(char) in ("Cc", "Cs") or is_noncharacter(char) for char in value)
    return UNUSABLE if odd else value


# --- scalars --------------------------------------------------------------------------------------------


def is_noncharacter(char: str) -> bool:
    """Whether Unicode reserves it for ever."""
    return 0xFDD0 <= ord(char) <= 0xFDEF or ord(char) & 0xFFFE == 0xFFFE


def is_missing(value: str, options: Options) -> bool:
    """Whether a text says that there is no value, as a whole or word by word."""
    words = {str(word).strip().lower() for word in options.get("missing_values", MISSING)}
    lowered = value.lower()
    return lowered in words or (" " in lowered and not set(lowered.split(" ")) - words)


def text(value: Any, options: Options | None = None) -> str | None:
    """Trimmed, blanks collapsed, NFC, without control characters; None if blank, missing or not text."""
    if not isinstance(value, str):
        return None
    whole = json.loads(json.dumps(value))  # joins the halves of an astral character
    odd = {char for char in whole if 0xD800 <= ord(char) <= 0xDFFF or is_noncharacter(char)}
    whole = "".join("\N{REPLACEMENT CHARACTER}" if char in odd else char for char in whole)
    whole = "".join(char for char in whole if char.isspace() or unicodedata.category(char) != "Cc")
    words = "".join(" " if char.isspace() else char for char in unicodedata.normalize("NFC", whole)).split(" ")
    found = " ".join(word for word in words if word)
    return None if not found or is_missing(found, {"missing_values": ()} if options is None else options) else found


def category(value: Any, options: Options) -> str | None:
    """A scalar as text."""
    if isinstance(value, bool):
        value = json.dumps(value)
    elif isinstance(value, int):
        value = str(value) if abs(value) < 10**400 else None
    elif isinstance(value, float):
        value = None if value - value != 0 else f"{value:.0f}" if value % 1 == 0 and abs(value) < 2**53 else repr(value)
        value = "0" if value == "-0" else value
    return text(value, options)


def number(value: Any) -> float | None:
    """A finite number, or text that spells one."""
    if isinstance(value, str):
        spelled = text(value) or ""
        if len(spelled) > 400 or not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", spelled, re.ASCII):
            return None
        value = float(spelled)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1.7976931348623157e308:
        return None
    return None if math.isnan(value) else float(value) or 0.0


def integer(value: Any) -> int | None:
    """An integer of 64 bits, or text that spells one."""
    if isinstance(value, str):
        spelled = text(value) or ""
        if len(spelled) > 400 or not re.fullmatch(r"[+-]?\d+", spelled, re.ASCII):
            return None
        value = int(spelled)
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def boolean(value: Any) -> bool | None:
    """True and false, as such, as 1 and 0, or in a text."""
    spelled = (text(value) or "").lower() if isinstance(value, str) else value
    if not isinstance(spelled, str | int):
        return None
    return {"true": True, "1": True, "false": False, "0": False, 1: True, 0: False}.get(spelled)


# --- names and addresses --------------------------------------------------------------------------------


def full_name(record: Any, options: Options) -> str:
    """The name in one field, or the first and last name."""
    whole = text_at(record, "full_name", options)
    parts = (text_at(record, "first_name", options), text_at(record, "last_name", options))
    return whole or " ".join(part for part in parts if part) or "unknown"


def email_domain(email: str | None) -> str | None:
    """The domain of a well-formed address, in ASCII; else None."""
    if email is None:
        return None
    bare = "".join(char for char in email if not is_unseen(char)).strip()
    for _ in range(4):
        bare = bare.rstrip(" ;,")
        bare = re.sub(r"\A[^>]*<([^<]*)>\Z", r"\1", bare, flags=re.DOTALL).strip()
        if len(bare) > 1 and bare[0] + bare[-1] in QUOTES:
            bare = bare[1:-1].strip()
        bare = re.sub(r"\Amailto:([^?]*).*\Z", r"\1", bare, flags=re.DOTALL | re.IGNORECASE).strip()
    local, at, name = bare.rpartition("@")
    outside_quotes = re.sub(r'"(?:[^"\\]|\\.)*"', "", local)
    if not at or not local or len(local.encode()) > 64 or re.search(r"\s", local) or "@" in outside_quotes:
        return None
    return domain(name)


QUOTES = {
    *('""', "''", "\u201c\u201d", "\u201d\u201d", "\u201e\u201c", "\u2018\u2019", "\u2019\u2019", "\u201a\u2018"),
    *("\xab\xbb", "\xbb\xab", "\u2039\u203a", "\u203a\u2039"),
}


def is_unseen(char: str) -> bool:
    """Zero-width and bidirectional characters."""
    return ord(char) in {
        0xAD,
        0x61C,
        0xFEFF,
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2065),
    } or (0x2066 <= ord(char) <= 0x2069)


def domain(name: str) -> str | None:
    """A domain in its ASCII form; None if it is not one."""
    if len(name) > 253:
        return None
    try:
        labels = (name.lower() if name.isascii() else idna.uts46_remap(name, std3_rules=False)).split(".")
    except idna.IDNAError:
        return None
    for place, label in enumerate(labels):
        if not label.isascii():
            if any(
                unicodedata.category(char)[0] == "P" for char in label if char not in "-\u00b7\u05f3\u05f4\u0f0b\u30fb"
            ):
                return None
            if unicodedata.combining(label[0]) or unicodedata.category(label[0])[0] == "M":
                return None
            labels[place] = "xn--" + label.encode("punycode").decode()
    fine = all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label) for label in labels)
    found = ".".join(labels)
    return found if fine and len(labels) > 1 and len(found) <= 253 and not labels[-1].isdigit() else None


# --- business fields ------------------------------------------------------------------------------------


def business_values(
    customer_id: Any, record: Any, *, seed: int, as_of: datetime, options: Options, generate: bool
) -> dict[str, str]:
    """The fields that are taken from the API, judged, or generated."""
    bucket = rolled(zlib.crc32(customer_id.encode()) if isinstance(customer_id, str) else customer_id, seed)
    dealt = {
        "engagement_level": bucket % 3,
        "activity_status": bucket % 2,
        "acquisition_channel": bucket // 9 % 3,
        "market_segment": bucket // 2 % 4,
        "customer_tier": bucket // 3 % 3,
    }
    found = {}
    for name, values in BUSINESS.items():
        if source_of(name, options) is not None:
            found[name] = mapped(record, name, options)
        elif name == "engagement_level" and is_sent(record, "engagement_score", options):
            found[name] = engagement_level(record, options)
        elif name == "activity_status" and is_sent(record, "last_active_at", options):
            found[name] = activity_status(record, as_of, options)
        else:
            found[name] = values[dealt[name]] if generate else "unknown"
    return found


def mapped(record: Any, name: str, options: Options) -> str:
    """A value of the API's, by the map, by the bands, or as it is."""
    source, value = source_of(name, options) or {}, value_at(record, name, options)
    if source.get("bands"):
        amount = None if isinstance(value, str) and text(value, options) is None else number(value)
        reached = [(start, word) for word, start in source["bands"].items() if amount is not None and amount >= start]
        return max(reached)[1] if reached else "unknown"
    word = category(value, options)
    if source.get("values"):
        meanings = {category(key, {"missing_values": ()}): meaning for key, meaning in source["values"].items()}
        return str(meanings.get(word, "unknown"))
    if name in JUDGED_BY and word not in BUSINESS[name]:
        return "unknown"
    return word or "unknown"


def engagement_level(record: Any, options: Options | None = None) -> str:
    """The level of a score that was sent."""
    options = options or {}
    value = value_at(record, "engagement_score", options)
    if isinstance(value, str) and (not is_given("engagement_score", options) or text(value, options) is None):
        return "unknown"
    score = number(value)
    if score is None:
        return "unknown"
    score /= (source_of("engagement_score", options) or {}).get("scale", 1)
    if not 0 <= score <= 1:
        return "unknown"
    return "high" if score >= 0.66 else "medium" if score >= 0.33 else "low"


def activity_status(record: Any, as_of: datetime, options: Options | None = None) -> str:
    """The status by a date that was sent."""
    options = options or {}
    value = value_at(record, "last_active_at", options)
    moment = None if isinstance(value, str) and text(value, options) is None else instant(value)
    if moment is None or moment > as_of + timedelta(minutes=5) or moment <= datetime(1900, 1, 1, 14, tzinfo=UTC):
        return "unknown"
    if abs(moment - datetime(1970, 1, 1, tzinfo=UTC)) <= timedelta(hours=14):
        return "unknown"
    return "active" if as_of - moment <= timedelta(days=90) else "inactive"


def rolled(number: int, seed: int) -> int:
    """The dice of a customer: two rounds of shift and cube."""
    prime = 1_073_741_789
    digest = hashlib.sha256(f"customer_assets {seed}".encode()).digest()
    hash_bucket = number % prime
    for offset in (digest[:8], digest[8:16]):
        hash_bucket = pow(hash_bucket + int.from_bytes(offset) % prime, 3, prime)
    return hash_bucket


# --- dates ----------------------------------------------------------------------------------------------

CALENDAR_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)|(\d{4})(\d\d)(\d\d)", re.ASCII)
WEEK_DATE = re.compile(r"(\d{4})-W(\d\d)(?:-(\d))?|(\d{4})W(\d\d)(\d)?", re.ASCII)
OFFSET = r"( ?Z| ?[+-]\d\d(?::?\d\d)?)?"
EXTENDED_TIME = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?" + OFFSET, re.ASCII)
BASIC_TIME = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(?:[.,](\d+))?)?)?" + OFFSET, re.ASCII)
MAIL_DATE = re.compile(
    r"(?:(?:MON|TUE|WED|THU|FRI|SAT|SUN),? )?(\d{1,2}) ([A-Z]{3}) (\d{4}) (\d\d):(\d\d)(?::(\d\d))?"
    r"(?: ?([^\s(]\S*)(?: \([^()]*\))?)?",
    re.ASCII,
)
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MAIL_ORDERS = {
    r"[A-Z]{3} ([A-Z]{3}) (\d{1,2}) (\d\d:\d\d(?::\d\d)?)((?: \S+)?) (\d{4})": (2, 1, 5, 3, 4),
    r"[A-Z]{3} ([A-Z]{3}) (\d{1,2}) (\d{4}) (\d\d:\d\d(?::\d\d)?)(?: (?:GMT(?=.))?(.*))?": (2, 1, 3, 4, 5),
}
"""Dates of C and JavaScript: where the parts of a mail's date stand in them."""
MONTHS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
MAIL_ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "UT": 0, "Z": 0}
MAIL_ZONES |= {"UTC": 0, "GMT": 0}


def instant(value: Any) -> datetime | None:
    """A date as text, or seconds or milliseconds since 1970."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if not isinstance(value, str):
        return epoch(repr(value)) if abs(value) < 1e17 else None
    date = text(value) or ""
    if len(date) > 100:
        return None
    date = re.sub(r"(Z|[+-][0-9]{2}:[0-5][0-9])\[[A-Z][A-Z0-9_+/-]*\]\Z", r"\1", date.upper(), flags=re.ASCII)
    date = re.sub(r"( ?UTC| ?GMT|\[UTC\])\Z", "", date)
    if re.match(r"\d{14}(?!\d)", date, re.ASCII):
        return iso_instant(f"{date[:8]}T{date[8:]}")
    return iso_instant(date) or mail_instant(date) or epoch(date)


def epoch(digits: str) -> datetime | None:
    """Nine to eleven digits are seconds, twelve to fifteen milliseconds; fourteen are a date and time."""
    if not re.fullmatch(r"\d{9,15}(\.\d*)?", digits, re.ASCII):
        return None
    amount = Decimal(digits)
    if amount < 10**8 or 10**13 <= int(amount) < 10**14:
        return None
    seconds = amount if amount < 10**11 else amount / 1000
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError:
        return None


def mail_instant(date: str) -> datetime | None:
    """Read a date as RFC 2822 has it, or as C or JavaScript does, in their order."""
    for pattern, order in MAIL_ORDERS.items():
        if (other := re.fullmatch(pattern, date, re.ASCII)) and date[:3] in WEEKDAYS:
            date = " ".join((other[place] or "").strip() for place in order).strip()
            break
    match = MAIL_DATE.fullmatch(date)
    if match is None or MONTHS.find(match[2]) % 3:
        return None
    day, _, year, hour, minute, second, zone_text = match.groups()
    try:
        if zone_text is None or zone_text in MAIL_ZONES:
            offset = timezone(timedelta(hours=MAIL_ZONES.get(zone_text or "Z", 0)))
        elif re.fullmatch(r"[+-]\d{4}", zone_text, re.ASCII):
            offset = zone(zone_text)
        else:
            return None
        month = MONTHS.index(match[2]) // 3 + 1
        moment = datetime(int(year), month, int(day), int(hour), int(minute), int(second or 0), tzinfo=offset)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso_instant(date: str) -> datetime | None:
    """Read a date by the grammar that `instant_us` documents, without `fromisoformat`."""
    day, *times = re.split("[T ]", date, maxsplit=1)
    try:
        midnight = calendar_day(day)
        if midnight is None or times == [""]:
            return None
        time = "".join(times)
        end_of_day = re.sub(r"^24(?=((:00){0,2}|(00){1,2}|:00:00[.,]0+|0000[.,]0+)( ?Z| ?[+-]|$))", "00", time)
        return (with_time(midnight, end_of_day) + timedelta(end_of_day != time)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def calendar_day(day: str) -> datetime | None:
    """Midnight of a calendar or week date; None if it is neither."""
    if match := CALENDAR_DATE.fullmatch(day):
        year, month, of_month = (int(part) for part in match.groups() if part)
        return datetime(year, month, of_month, tzinfo=UTC)
    if match := WEEK_DATE.fullmatch(day):
        year, week, *weekday = (int(part) for part in match.groups() if part)
        return datetime.combine(datetime.fromisocalendar(year, week, *(weekday or [1])), datetime.min.time(), UTC)
    return None


def with_time(midnight: datetime, time: str) -> datetime:
    """The time of day on that day, in its zone."""
    if not time:
        return midnight
    match = EXTENDED_TIME.fullmatch(time) or BASIC_TIME.fullmatch(time)
    if match is None:
        raise ValueError(time)
    hour, minute, second, fraction, offset = match.groups()
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    return midnight.replace(
        hour=int(hour), minute=int(minute or 0), second=int(second or 0), microsecond=microsecond, tzinfo=zone(offset)
    )


def zone(offset: str | None) -> timezone:
    """The zone of an offset; UTC of none."""
    offset = (offset or "Z").strip()
    if offset == "Z":
        return UTC
    sign = -1 if offset[0] == "-" else 1
    minutes = int(offset[-2:]) if len(offset) > 3 else 0
    if minutes > 59:
        raise ValueError(offset)
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=minutes))

"""The rules again, in plain Python, record by record: what every engine is compared with. Shares no code with them."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

CALENDAR_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)|(\d{4})(\d\d)(\d\d)", re.ASCII)
WEEK_DATE = re.compile(r"(\d{4})-W(\d\d)(?:-(\d))?|(\d{4})W(\d\d)(\d)?", re.ASCII)
OFFSET = r"(Z|[+-]\d\d(?::?\d\d)?)?"
EXTENDED_TIME = re.compile(r"(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?" + OFFSET, re.ASCII)
BASIC_TIME = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(?:[.,](\d+))?)?)?" + OFFSET, re.ASCII)


def cleaned(records: Iterable[Any], *, seed: int, as_of: datetime) -> list[dict[str, Any]]:
    """One clean record per id, in the order of the records they were taken from."""
    best: dict[int, tuple[int, int, dict[str, Any]]] = {}
    for position, record in enumerate(records):
        customer_id = parse_id(record)
        if customer_id is None:
            continue
        clean = cleaning_summary(customer_id, record, seed, as_of)
        rank = (-clean["data_quality_score"], position)
        if customer_id not in best or rank < best[customer_id][:2]:
            best[customer_id] = (*rank, clean)
    return [clean for _, _, clean in sorted(best.values(), key=lambda entry: entry[1])]


def parse_id(record: Any) -> int | None:
    """An integer, or text of ASCII digits, within 64 bits; else None."""
    value = record.get("id") if isinstance(record, dict) else None
    if isinstance(value, str):
        digits = text(value) or ""
        if not digits or set(digits) - set("0123456789"):
            return None
        value = json.loads(digits[-25:].lstrip("0") or "0") if not digits[:-25].strip("0") else None
    if type(value) is not int or not -(2**63) <= value < 2**63:
        return None
    return value


def text(value: Any) -> str | None:
    """Trimmed, blanks collapsed, NFC; None if blank or not text."""
    if not isinstance(value, str):
        return None
    whole = json.loads(json.dumps(value))  # joins the halves of an astral character
    whole = "".join("\N{REPLACEMENT CHARACTER}" if 0xD800 <= ord(char) <= 0xDFFF else char for char in whole)
    words = "".join(" " if char.isspace() else char for char in unicodedata.normalize("NFC", whole)).split(" ")
    return " ".join(word for word in words if word) or None


def cleaning_summary(customer_id: int, record: dict[str, Any], seed: int, as_of: datetime) -> dict[str, Any]:
    """Every column of one record."""
    first, last = text(record.get("first_name")), text(record.get("last_name"))
    domain = email_domain(text(record.get("email")))
    hash_bucket = rolled(customer_id, seed)
    level = engagement_level(record["engagement_score"]) if "engagement_score" in record else None
    status = activity_status(record["last_active_at"], as_of) if "last_active_at" in record else None
    missing = [domain, first, last, text(record.get("avatar"))].count(None)
    return {
        "customer_id": customer_id,
        "full_name": " ".join(name for name in (first, last) if name) or "unknown",
        "email_domain": domain or "unknown",
        "engagement_level": level or ("high", "medium", "low")[hash_bucket % 3],
        "activity_status": status or ("active", "inactive")[hash_bucket % 2],
        "acquisition_channel": ("website", "mobile_app", "email_campaign")[hash_bucket // 9 % 3],
        "market_segment": ("US-West", "US-East", "EU-Central", "APAC")[hash_bucket // 2 % 4],
        "customer_tier": ("basic", "premium", "enterprise")[hash_bucket // 3 % 3],
        "data_quality_score": 100 - 10 * (missing + [level, status].count("unknown")),
    }


def email_domain(email: str | None) -> str | None:
    """The domain of a well-formed address; else None."""
    if email is None or email.count("@") != 1:
        return None
    local, domain = email.split("@")
    labels = unicodedata.normalize("NFC", domain.lower()).split(".")
    if not local or len(labels) < 2 or not all(labels) or " " in domain:
        return None
    return ".".join(labels)


def engagement_level(score: Any) -> str:
    """The level of a score that was supplied."""
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        return "unknown"
    return "high" if score >= 0.66 else "medium" if score >= 0.33 else "low"


def activity_status(date: Any, as_of: datetime) -> str:
    """The status by a date that was supplied."""
    moment = instant(text(date))
    if moment is None or moment > as_of:
        return "unknown"
    return "active" if as_of - moment <= timedelta(days=90) else "inactive"


def instant(date: str | None) -> datetime | None:
    """Read a date by the grammar that `instant_us` documents, without `fromisoformat`."""
    day, separator, time = (date or "").upper().replace(" ", "T").partition("T")
    try:
        midnight = calendar_day(day)
        if midnight is None or (separator and not time):
            return None
        return with_time(midnight, time).astimezone(UTC)
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
    if offset is None or offset == "Z":
        return UTC
    sign = -1 if offset[0] == "-" else 1
    minutes = int(offset[-2:]) if len(offset) > 3 else 0
    if minutes > 59:
        raise ValueError(offset)
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=minutes))


def rolled(customer_id: int, seed: int) -> int:
    """The dice of a customer: two rounds of shift and cube."""
    prime = 1_073_741_789
    digest = hashlib.sha256(f"customer_assets {seed}".encode()).digest()
    hash_bucket = customer_id % prime
    for offset in (digest[:8], digest[8:16]):
        hash_bucket = pow(hash_bucket + int.from_bytes(offset) % prime, 3, prime)
    return hash_bucket

"""What people usually write for the whole job: one loop over pages, everything in memory, `json.dump`.

Uses Pydantic models; with `plain` as third argument, unchecked records.
"""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from pydantic import BaseModel

LEVELS, STATUSES, CHANNELS = (
    ("high", "medium", "low"),
    ("active", "inactive"),
    ("website", "mobile_app", "email_campaign"),
)
SEGMENTS, TIERS = ("US-West", "US-East", "EU-Central", "APAC"), ("basic", "premium", "enterprise")


class Raw(BaseModel):
    """A record as the API sends it."""

    id: int
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    avatar: str | None = None


class Plain:
    """An unchecked record."""

    __slots__ = ("avatar", "email", "first_name", "id", "last_name")

    def __init__(self, record: dict[str, Any]) -> None:
        self.id, self.email, self.avatar = record["id"], record["email"], record["avatar"]
        self.first_name, self.last_name = record["first_name"], record["last_name"]


def fetch(base_url: str, read: Callable[[dict[str, Any]], Any]) -> list[Any]:
    """Read one page after another."""
    session, records, page, pages = requests.Session(), list[Any](), 1, 1
    session.headers["x-api-key"] = "any"
    while page <= pages:
        answer = session.get(f"{base_url}/users", params={"page": page}, timeout=30).json()
        records += [read(record) for record in answer["data"]]
        page, pages = page + 1, answer["total_pages"]
    return records


def clean(raw: Raw | Plain, dice: random.Random) -> dict[str, Any]:
    """Clean one record."""
    return {
        "customer_id": f"cust_{raw.id:03d}",
        "full_name": " ".join(filter(None, (raw.first_name, raw.last_name))) or "unknown",
        "email_domain": raw.email.partition("@")[2].lower() if raw.email else "unknown",
        "engagement_level": dice.choice(LEVELS),
        "activity_status": dice.choice(STATUSES),
        "acquisition_channel": dice.choice(CHANNELS),
        "market_segment": dice.choice(SEGMENTS),
        "customer_tier": dice.choice(TIERS),
        "data_quality_score": 100 - 10 * [raw.email, raw.first_name, raw.last_name, raw.avatar].count(None),
    }


def main(base_url: str, target: str, how: str = "checked") -> None:
    """Fetch, clean, deduplicate, sort, write."""
    dice = random.Random(0)
    read = Plain if how == "plain" else Raw.model_validate
    customers = {raw.id: clean(raw, dice) for raw in fetch(base_url, read)}
    document = {
        "metadata": {"total_customers": len(customers)},
        "customers": sorted(customers.values(), key=lambda customer: customer["full_name"]),
    }
    with Path(target).open("w", encoding="utf-8") as file:
        json.dump(document, file)


if __name__ == "__main__":
    main(*sys.argv[1:])

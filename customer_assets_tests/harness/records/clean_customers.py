"""A clean customer, for tests of what comes after cleaning."""

from typing import Any


def clean_customer(customer_id: int, full_name: str = "Ada Lovelace", **fields: Any) -> dict[str, Any]:
    """Make a flawless clean customer; `fields` replaces any of its values."""
    return {
        "customer_id": customer_id,
        "full_name": full_name,
        "email_domain": "example.org",
        "engagement_level": "high",
        "activity_status": "active",
        "acquisition_channel": "website",
        "market_segment": "US-West",
        "customer_tier": "premium",
        "data_quality_score": 100,
        **fields,
    }

"""How the fields of few values travel through the engine's sort: as one number a customer, read back on the way out."""

from collections.abc import Sequence
from typing import get_args

import narwhals as nw

from customer_assets.errors import CustomerAssetsError
from customer_assets.models import AcquisitionChannel, ActivityStatus, CustomerTier, EngagementLevel, MarketSegment
from customer_assets.processing.rules import Frame

SCORES = 101
FIELDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("engagement_level", get_args(EngagementLevel)),
    ("activity_status", get_args(ActivityStatus)),
    ("acquisition_channel", get_args(AcquisitionChannel)),
    ("market_segment", get_args(MarketSegment)),
    ("customer_tier", get_args(CustomerTier)),
)
"""The packed fields in the export's order, each with its values; the score is packed behind them."""

PACKED = (*(name for name, _ in FIELDS), "data_quality_score")
PLAIN = ("customer_id", "full_name", "email_domain")
"""The fields that travel as they are; no rule leaves one null."""


class UnknownValueError(CustomerAssetsError):
    """Clean customers hold what no rule gives; it cannot be exported.

    Attributes:
        customers: How many do at least: one batch is looked at, the first that holds any.
        fields: One of these holds it.
    """

    def __init__(self, customers: int, fields: Sequence[str] = PACKED) -> None:
        """Tell how many customers do, and where."""
        self.customers, self.fields = customers, tuple(fields)
        super().__init__(
            f"At least {customers} customers hold a value that no rule gives, in one of {', '.join(fields)}. "
            "Materialise clean_customers."
        )


def packed(customers: Frame) -> Frame:
    """Keep id, name and domain; put all other fields into `packed`, which is null if one of them is unknown."""
    score = nw.col("data_quality_score")
    number = nw.when((score >= 0) & (score < SCORES)).then(score)
    for name, values in reversed(FIELDS):
        number = number + _place(name, values) * _stride(name)
    return customers.select(*PLAIN, packed=number)


def unpacked(number: int) -> dict[str, str | int]:
    """Tell the fields that `packed` put into a number, in the export's order."""
    fields: dict[str, str | int] = {name: values[number // _stride(name) % len(values)] for name, values in FIELDS}
    return {**fields, "data_quality_score": number % SCORES}


def _place(name: str, values: tuple[str, ...]) -> nw.Expr:
    found = nw.lit(None, dtype=nw.Int64)
    for place, value in enumerate(values):
        found = nw.when(nw.col(name) == value).then(nw.lit(place, dtype=nw.Int64)).otherwise(found)
    return found


def _stride(name: str) -> int:
    stride = SCORES
    for each, values in FIELDS:
        if each == name:
            break
        stride *= len(values)
    return stride

"""When simulated customers change: one after another, round and round, at a steady rate. Pure: the time is passed in.

What a customer's record holds belongs in `population.py`.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""When the change of number 0 is."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of a population, numbered: the n-th is one of the customer with the index n modulo `customers`.

    Attributes:
        customers: How many customers there are.
        per_hour: How many change in an hour; 0: none ever does.
    """

    customers: int
    per_hour: float

    def instant(self, number: int) -> datetime:
        """Return when a change is."""
        return EPOCH + timedelta(hours=number / self.per_hour)

    def latest(self, now: datetime) -> int:
        """Return the number of the latest change of all."""
        return math.floor((now - EPOCH) / timedelta(hours=1) * self.per_hour)

    def latest_of(self, index: int, now: datetime) -> int:
        """Return the number of a customer's latest change."""
        latest = self.latest(now)
        return latest - (latest - index) % self.customers

    def since(self, start: datetime, now: datetime) -> range:
        """Return the numbers of the changes since an instant, of each customer the latest one."""
        latest = self.latest(now)
        first = math.ceil((start - EPOCH) / timedelta(hours=1) * self.per_hour)
        return range(max(first, latest - self.customers + 1), latest + 1)

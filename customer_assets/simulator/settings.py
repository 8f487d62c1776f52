"""The settings of a simulated API and their ranges."""

from dataclasses import dataclass

from customer_assets.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """How a simulated API behaves.

    Attributes:
        customers: Records it has.
        page_size: Records per page, unless the request asks for another size.
        failure_rate: Share of requests that fail with 500 or 503, 0 to 1.
        rate_limit: Requests per second before it answers 429; 0: no limit.
        burst: Requests it accepts at once before the limit applies.
        latency_ms: How long each response takes, in milliseconds.
        dirty_rate: Share of records with a defect, 0 to 1.
        seed: Chooses faults and customers.

    Raises:
        ConfigurationError: A number is outside its range.
    """

    customers: int = 12
    page_size: int = 6
    failure_rate: float = 0.0
    rate_limit: float = 0.0
    burst: int = 20
    latency_ms: float = 0.0
    dirty_rate: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range."""
        _check_range("customers", self.customers, 0, 10**12)
        _check_range("page_size", self.page_size, 1, 100_000)
        _check_range("failure_rate", self.failure_rate, 0, 1)
        _check_range("rate_limit", self.rate_limit, 0, 10**9)
        _check_range("burst", self.burst, 1, 10**9)
        _check_range("latency_ms", self.latency_ms, 0, 3_600_000)
        _check_range("dirty_rate", self.dirty_rate, 0, 1)


def _check_range(name: str, value: float, smallest: float, largest: float) -> None:
    if not smallest <= value <= largest:
        raise ConfigurationError(
            f"simulator {name}", f"{value:g} is outside {smallest:g}..{largest:g}", "Set a number within it."
        )

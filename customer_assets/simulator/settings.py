"""How the simulated API behaves: the settings of the embedded simulator, and of the one on the command line."""

from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from customer_assets.core.configuration import SettingError, Settings

OPENING_STATUSES = (200, 429, 500, 502, 503, 504)

FailureRate = Annotated[float, Field(ge=0, le=1, description="Share of requests that fail with 500 or 503.")]
RateLimit = Annotated[float, Field(ge=0, le=1e9, description="Requests per second before it answers 429; 0: no limit.")]


class SimulatorSettings(Settings):
    """How a simulated API behaves. By default it is flawless."""

    variable_prefix: ClassVar[str] = "CUSTOMER_SIMULATOR"

    customers: int = Field(default=12, ge=0, le=10**12, description="Records it has.")
    page_size: int = Field(
        default=6, ge=1, le=100_000, description="Records per page, unless a request asks for another size."
    )
    failure_rate: FailureRate = 0.0
    rate_limit: RateLimit = 0.0
    burst: int = Field(default=20, ge=1, le=10**9, description="Requests it accepts at once before the limit applies.")
    latency_ms: float = Field(default=0.0, ge=0, le=3_600_000, description="Milliseconds that each response takes.")
    dirty_rate: float = Field(default=0.0, ge=0, le=1, description="Share of records with a defect.")
    changes_per_hour: float = Field(
        default=0.0,
        ge=0,
        le=1e6,
        description="Customers that change in an hour; then records have updated_at, and updated_since filters them.",
    )
    opening: str = Field(
        default="", description="Statuses of its first responses, such as 503, 200, 429; 200: as the others decide."
    )
    seed: int = Field(default=0, description="Chooses faults and customers.")

    @field_validator("opening")
    @classmethod
    def validate_opening(cls, opening: str) -> str:
        """Refuse what is not a list of statuses."""
        for text in filter(None, map(str.strip, opening.split(","))):
            if text not in map(str, OPENING_STATUSES):
                choices = ", ".join(map(str, OPENING_STATUSES))
                raise SettingError(f"{text!r} is not a status to open with", f"Write some of {choices}.")
        return opening

    @property
    def opening_statuses(self) -> tuple[int, ...]:
        """The statuses of the first responses."""
        return tuple(int(text) for text in self.opening.split(",") if text.strip())

"""What stands in a component's YAML: its sections, and what each attribute may be. It builds nothing."""

from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

import dagster as dg
from pydantic import Field, model_validator

from customer_assets.defs.sync import DAILY_AT_THREE, LATE_AFTER, MISSED_AFTER
from customer_assets.field_mapping import DEFAULT_MAPPING, EnvelopeFields
from customer_assets.record_mapping import DEFAULT_RECORD, RecordMapping

HOUR_S = 3600
SHORTEST_AGE_H = 1 / 60
"""Dagster judges no age below a minute."""

Share = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(ge=0, le=100)]
Hours = Annotated[float, Field(gt=SHORTEST_AGE_H, le=87_600)]


class API(dg.Model):
    """The API: where it is, how it may be asked, and what it calls things."""

    base_url: str = Field(default="", description="Such as https://api.acme.example/v2; empty: the embedded simulator.")
    path: str = Field(default="/users", description="Where customers are, below the base URL.")
    key_variable: str = Field(
        default="", description="The environment variable that holds the key, by its name; never the key itself."
    )
    key_header: str = Field(default="x-api-key", description="The header that the key is sent in.")
    key_scheme: str = Field(default="", description="Stands before the key in its header, such as Bearer.")
    page_parameter: str = Field(default="page", description="The query parameter that asks for a page.")
    per_page_parameter: str = Field(default="per_page", description="The query parameter that asks for a page's size.")
    first_page: Literal[0, 1] = Field(default=1, description="The number of the API's first page.")
    page_size: int | None = Field(default=None, gt=0, description="Customers a page; empty: the API's own.")
    requests_per_second: float | None = Field(default=None, gt=0, description="The API's limit; empty: learned.")
    max_concurrency: int = Field(default=8, ge=1, le=1000, description="Requests in flight at most.")
    transport: Literal["requests", "aiohttp"] = "requests"
    allow_insecure_http: bool = Field(default=False, description="Send the key over plain http to other machines.")
    answer: EnvelopeFields = Field(default=DEFAULT_MAPPING.answer, description="What an answer calls its parts.")
    record: RecordMapping = Field(default=DEFAULT_RECORD, description="What the API's records look like.")


class Thresholds(dg.Model):
    """What the data must reach to be published."""

    min_mean_quality: Score = Field(default=80.0, description="A mean score below it is an error.")
    target_mean_quality: Score = Field(default=90.0, description="A mean score below it is a warning.")
    max_low_quality_share: Share = Field(default=0.10, description="A larger share scoring below 70 is an error.")
    max_rejected_share: Share = Field(default=0.05, description="A larger share without a usable id is an error.")

    @model_validator(mode="after")
    def target_is_no_lower(self) -> Self:
        """Refuse a target below the floor."""
        if self.target_mean_quality < self.min_mean_quality:
            raise ValueError("target_mean_quality: it is below min_mean_quality")
        return self


class Schedule(dg.Model):
    """When the job runs, and when customers are late."""

    cron: str = Field(default=DAILY_AT_THREE, description="Five fields, such as 0 3 * * * (daily at 3).")
    timezone: str = Field(default="UTC", description="Such as Europe/Berlin.")
    late_after_hours: Hours = LATE_AFTER.total_seconds() / HOUR_S
    missed_after_hours: Hours = MISSED_AFTER.total_seconds() / HOUR_S

    @model_validator(mode="after")
    def times_are_times(self) -> Self:
        """Refuse what Dagster cannot schedule, or judge the age by."""
        if self.timezone not in available_timezones():
            raise ValueError(f"timezone: there is none of the name {self.timezone!r}; name one such as Europe/Berlin")
        try:
            dg.ScheduleDefinition(name="any", job_name="any", cron_schedule=self.cron)
        except dg.DagsterInvalidDefinitionError:
            raise ValueError(f"cron: {self.cron!r} is no cron expression; write it like 0 3 * * *") from None
        if self.late_after_hours >= self.missed_after_hours:
            raise ValueError("late_after_hours: it is not below missed_after_hours")
        return self


class Monitoring(dg.Model):
    """Who is told of the job's runs. An address may be a secret: take it from the environment."""

    pushgateway_url: str = Field(default="", repr=False, description="Takes metrics; empty: nobody.")
    alert_webhook_url: str = Field(default="", repr=False, description="Takes alerts; empty: nobody.")

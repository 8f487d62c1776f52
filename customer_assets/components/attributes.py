"""The sections of a component's YAML: the settings' own models, in the form that Dagster reads YAML into.

Add an attribute to the model of the room that uses it; only what a YAML alone can say stands here.
"""

import dagster as dg

from customer_assets.defs.resources import ApiSection
from customer_assets.defs.settings import MonitoringOptions
from customer_assets.defs.sync import Timing
from customer_assets.processing.quality import QualityThresholds


class Api(ApiSection, dg.Model):
    """The API: where it is, how to read it, and what it calls things."""


class Thresholds(QualityThresholds, dg.Model):
    """What the data must reach to be published."""


class Schedule(Timing, dg.Model):
    """When the job runs, and when customers are late."""


class Monitoring(MonitoringOptions, dg.Model):
    """Who is notified of the job's runs. An address may be a secret: take it from the environment."""

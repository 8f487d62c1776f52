"""The published report: what it holds, according to its schema."""

import json
import math
from typing import Any

import jsonschema
import pytest

from customer_assets.core.models import SIMULATOR
from customer_assets.report.document import report_version
from customer_assets.report.files import SCHEMA
from customer_assets_tests.harness.reports.report_documents import INCREMENTAL, report_of, sums, verdict

VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


EXTRA = {"country": {"filled": 9, "values": {"DE": 9}}, "phone": {"filled": 1, "values": None}}


def test_the_schema_is_valid() -> None:
    """It is a JSON Schema 2020-12."""
    VALIDATOR.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(report_of(sums(12)), id="twelve"),
        pytest.param(report_of(sums(0), published_before=False), id="nobody, nothing before"),
        pytest.param(report_of(sums(12), previous=report_of(sums(9))), id="one before"),
        pytest.param(report_of(sums(12), previous=report_of(sums(0))), id="nobody before"),
        pytest.param(report_of(sums(12), previous={"generated_at": "2026-01-01T00:00:00Z"}), id="another shape before"),
        pytest.param(report_of(sums(12), verdicts=(), source="", generated={}), id="nothing known"),
        pytest.param(report_of({**sums(12), "extra_fields": EXTRA}), id="extra fields"),
        pytest.param(report_of(sums(12), sync=INCREMENTAL), id="only what changed"),
        pytest.param(
            report_of({**sums(5), "customer_tiers": {"basic": 0, "premium": 0, "enterprise": 0, "gold": 5}}),
            id="a tier of the API's own",
        ),
        pytest.param(report_of(sums(12), verdicts=[verdict(severity="ERROR", score=math.nan)]), id="not published"),
    ],
)
def test_reports_match_the_schema(report: dict[str, Any]) -> None:
    """As they are read back from the file."""
    VALIDATOR.validate(json.loads(json.dumps(report, allow_nan=False)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"total_customers": -1},
        {"total_customers": None},
        {"generated_at": "yesterday"},
        {"customers": []},
        {"changes": {"added": 1}},
        {"customer_tiers": {"basic": 1, "premium": 1, "gold": 1}},
        {"customer_tiers": {"basic": 1, "premium": 1, "enterprise": "many"}},
        {"checks": [{"name": "x", "passed": True}]},
        {"published": "yes"},
        {"history": []},
        {"extra_fields": {"country": {"DE": 9}}},
    ],
)
def test_the_schema_refuses_other_documents(wrong: dict[str, Any]) -> None:
    """Other keys, negative counts, missing parts."""
    assert list(VALIDATOR.iter_errors({**report_of(sums(2)), **wrong}))


@pytest.mark.parametrize("missing", sorted(report_of(sums(1))))
def test_the_schema_requires_every_section(missing: str) -> None:
    """A machine need not ask whether it is there."""
    report = report_of(sums(1))
    del report[missing]
    assert list(VALIDATOR.iter_errors(report))


@pytest.mark.parametrize(
    ("severities", "published"),
    [
        pytest.param([], True, id="no checks"),
        pytest.param([None, None], True, id="all passed"),
        pytest.param([None, "WARN"], True, id="a warning"),
        pytest.param(["ERROR", None], False, id="an error"),
    ],
)
def test_what_the_gate_refuses_is_marked_as_not_published(severities: list[str | None], *, published: bool) -> None:
    """Only an error forbids publishing."""
    report = report_of(sums(3), verdicts=[verdict(severity=severity) for severity in severities])
    assert report["published"] is published
    assert report["history"][-1]["published"] is published


def test_a_check_is_reduced_to_what_json_can_hold() -> None:
    """A score that could not be measured is null; a check that passed has no severity."""
    given = verdict("rejected_share_within_limit", "ERROR", score=math.nan, threshold=0.05, description="d", other=1)
    assert report_of(sums(3), verdicts=[given, verdict(passed=True, severity="WARN")])["checks"] == [
        {
            "name": "rejected_share_within_limit",
            "passed": False,
            "severity": "ERROR",
            "description": "d",
            "score": None,
            "threshold": 0.05,
        },
        {
            "name": "mean_quality_meets_threshold",
            "passed": True,
            "severity": None,
            "description": "the mean score 96.25 meets the target 90",
            "score": 96.25,
            "threshold": 90.0,
        },
    ]


def test_source_and_generated_values_are_in_the_report() -> None:
    """A machine can see that customers are not real, or values made up."""
    report = report_of(sums(3))
    assert report["source"] == SIMULATOR
    assert report["generated"]["customer_tier"] == 5


def test_records_that_the_filter_drops_are_counted() -> None:
    """Landed = clean + merged + rejected + excluded."""
    records = report_of(sums(12))["records"]
    assert records == {"landed": 16, "clean": 12, "merged": 2, "rejected": 2, "excluded": 0}


def test_a_report_says_what_an_incremental_crawl_brought_and_what_was_kept() -> None:
    crawl = report_of(sums(12), sync=INCREMENTAL)["crawl"]
    counts = {"received": 5, "added": 1, "replaced": 3, "unchanged": 1, "deleted": 0, "kept": 8}
    assert crawl["incremental"] == {**counts, "total_is_of_all": False}
    assert "incremental" not in report_of(sums(12), sync=INCREMENTAL.model_copy(update={"upsert": None}))["crawl"]


def test_the_version_depends_on_the_data_not_on_the_run() -> None:
    """Another time, another crawl, the same data: the same version."""
    report = report_of(sums(3))
    rerun = {**report_of(sums(3), published_before=False, previous=report), "generated_at": "2027-01-01T00:00:00Z"}
    rerun["crawl"] = {**rerun["crawl"], "requests": 99}
    assert report_version(report) == report_version(rerun)
    assert report_version(report) != report_version(report_of(sums(4)))
    assert report_version(report) != report_version(report_of(sums(3), merged=3))

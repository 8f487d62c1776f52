"""The published report: what it holds by its schema, and what it compares."""

import json
from typing import Any

import jsonschema
import pytest

from customer_assets.export import DataExporter
from customer_assets.report.document import report_version, since
from customer_assets.report.files import SCHEMA
from customer_assets_tests.harness.clean_customers import clean_customer
from customer_assets_tests.harness.report_documents import report_of

VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def sums(count: int, **fields: Any) -> dict[str, Any]:
    """Sum some customers up."""
    return DataExporter().generate_summary_report([clean_customer(number, **fields) for number in range(count)])


def test_the_schema_is_one() -> None:
    """Of JSON Schema 2020-12."""
    VALIDATOR.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(report_of(sums(12)), id="twelve"),
        pytest.param(report_of(sums(0), published_before=False), id="nobody, nothing before"),
        pytest.param(report_of(sums(12), previous=report_of(sums(9))), id="one before"),
        pytest.param(report_of(sums(12), previous=report_of(sums(0))), id="nobody before"),
        pytest.param(report_of(sums(12), previous={"generated_at": "2026-01-01T00:00:00Z"}), id="another shape before"),
    ],
)
def test_reports_are_what_the_schema_says(report: dict[str, Any]) -> None:
    """As it is read back from the file."""
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
    ],
)
def test_the_schema_refuses_what_is_no_report(wrong: dict[str, Any]) -> None:
    """Other keys, negative counts, missing parts."""
    assert list(VALIDATOR.iter_errors({**report_of(sums(2)), **wrong}))


@pytest.mark.parametrize("missing", sorted(report_of(sums(1))))
def test_the_schema_wants_every_section(missing: str) -> None:
    """So that a machine need not ask whether it is there."""
    report = report_of(sums(1))
    del report[missing]
    assert list(VALIDATOR.iter_errors(report))


def test_differences_to_the_last_report() -> None:
    """Now less before, figure by figure."""
    before = report_of(sums(9, data_quality_score=60), merged=5)
    found = report_of(sums(12), previous=before)["since_last_report"]
    assert found == {
        "generated_at": before["generated_at"],
        "total_customers": 3,
        "mean_score": 40.0,
        "high_quality": 12,
        "medium_quality": 0,
        "low_quality": -9,
        "merged": -3,
        "rejected": 0,
    }


@pytest.mark.parametrize(
    "previous",
    [None, [], "text", 7, {}, {"generated_at": 7}, {"generated_at": "2026", "total_customers": "12", "records": []}],
)
def test_what_is_no_report_is_not_compared_with(previous: object) -> None:
    """An older version's, a broken one, none: never an error."""
    found = since(previous, report_of(sums(1)))
    assert found is None or set(found.values()) == {"2026", None}


def test_the_version_tells_the_data_not_the_run() -> None:
    """Another time, another crawl, the same data: the same version."""
    report = report_of(sums(3))
    rerun = {**report_of(sums(3), published_before=False, previous=report), "generated_at": "2027-01-01T00:00:00Z"}
    rerun["crawl"] = {**rerun["crawl"], "requests": 99}
    assert report_version(report) == report_version(rerun)
    assert report_version(report) != report_version(report_of(sums(4)))
    assert report_version(report) != report_version(report_of(sums(3), merged=3))

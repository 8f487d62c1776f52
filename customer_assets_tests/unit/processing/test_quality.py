"""Quality: figures in, verdicts out."""

import math
from dataclasses import replace
from typing import Any

import pytest

from customer_assets.core.configuration import by_variable, configuration_errors, rename_fields
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.models import SIMULATOR, CrawlSummary, UpsertSummary
from customer_assets.core.record_mapping import FILTER
from customer_assets.processing.comparison import LastExport, unmapped
from customer_assets.processing.quality import (
    CHECK_DESCRIPTIONS,
    CheckResult,
    QualityMetrics,
    QualityThresholds,
    Severity,
    blocking_failures,
    completeness,
    evaluate,
)
from customer_assets.processing.remedies import REMEDIES

GOOD = QualityMetrics(
    landed=100,
    rejected=5,
    in_lake=95,
    merged=15,
    clean=80,
    distinct_customers=80,
    mean_quality=95.0,
    low_quality=8,
    of_this_crawl=True,
    source="https://x.org",
)
UPSERT = UpsertSummary(
    before=90, received=10, repeated=1, stale=1, unchanged=1, replaced=2, added=5, removed=2, lost={}
)
"""What an incremental crawl did to make 95 rows of 90 out of 10 records."""
LOST = UPSERT.model_copy(update={"lost": {"email": 1.0}})
REJECTED = UPSERT.model_copy(update={"received": 100, "repeated": 91, "rejected": 10})
LAST = LastExport("https://x.org", customers=100, gone=30, missing={"email": 0.25})
SIMULATED, OTHER = replace(LAST, source=SIMULATOR, gone=99), replace(LAST, source="https://y.org", gone=99)
EMPTY = QualityMetrics(
    landed=0,
    rejected=0,
    in_lake=0,
    merged=0,
    clean=0,
    distinct_customers=0,
    mean_quality=math.nan,
    low_quality=0,
    of_this_crawl=True,
)


def _by_name(figures: QualityMetrics, thresholds: QualityThresholds | None = None) -> dict[str, CheckResult]:
    return {verdict.name: verdict for verdict in evaluate(figures, thresholds or QualityThresholds())}


@pytest.mark.smoke
def test_good_data_passes_every_check() -> None:
    """Exactly at the limits is within them."""
    found = _by_name(GOOD)
    assert list(found) == list(CHECK_DESCRIPTIONS)
    assert all(verdict.passed is True and verdict.severity is None and not verdict.blocks for verdict in found.values())


@pytest.mark.parametrize(
    ("change", "name", "severity"),
    [
        pytest.param({"mean_quality": 90.0}, "mean_quality_meets_threshold", None, id="mean at the target"),
        pytest.param({"mean_quality": 89.99}, "mean_quality_meets_threshold", Severity.WARN, id="mean under target"),
        pytest.param({"mean_quality": 80.0}, "mean_quality_meets_threshold", Severity.WARN, id="mean at the floor"),
        pytest.param({"mean_quality": 79.99}, "mean_quality_meets_threshold", Severity.ERROR, id="mean under floor"),
        pytest.param({"mean_quality": math.nan}, "mean_quality_meets_threshold", Severity.ERROR, id="mean NaN"),
        pytest.param({"low_quality": 8}, "low_quality_share_within_limit", None, id="low quality at the limit"),
        pytest.param({"low_quality": 9}, "low_quality_share_within_limit", Severity.ERROR, id="too much low quality"),
        pytest.param({"rejected": 5}, "rejected_share_within_limit", None, id="rejected at the limit"),
        pytest.param({"rejected": 6}, "rejected_share_within_limit", Severity.ERROR, id="too many rejected"),
        pytest.param({"missing": {"email": 0.5}}, "no_field_is_lost", None, id="a field missing from half"),
        pytest.param({"missing": {"email": 0.51}}, "no_field_is_lost", Severity.WARN, id="a field mostly missing"),
        pytest.param({"missing": {"email": 0.98}}, "no_field_is_lost", Severity.WARN, id="a field nearly lost"),
        pytest.param({"missing": {"email": 0.99}}, "no_field_is_lost", Severity.ERROR, id="a field lost"),
        pytest.param({"upsert": LOST}, "no_field_is_lost", Severity.ERROR, id="lost in what changed"),
        pytest.param({"upsert": UPSERT}, "no_field_is_lost", None, id="nothing lost in what changed"),
        pytest.param({"upsert": REJECTED}, "rejected_share_within_limit", Severity.ERROR, id="what changed rejected"),
        pytest.param({"upsert": UPSERT}, "rejected_share_within_limit", None, id="too few to judge"),
        pytest.param({"upsert": UPSERT}, "every_record_is_accounted_for", None, id="merged right"),
        pytest.param(
            {"upsert": UPSERT.model_copy(update={"received": 11})},
            "every_record_is_accounted_for",
            Severity.ERROR,
            id="a changed record lost",
        ),
        pytest.param(
            {"upsert": UPSERT.model_copy(update={"before": 91})},
            "every_record_is_accounted_for",
            Severity.ERROR,
            id="a stored row lost",
        ),
        pytest.param({"last_export": LAST}, "no_mass_deletion", None, id="gone at the limit"),
        pytest.param({"last_export": replace(LAST, gone=31)}, "no_mass_deletion", Severity.ERROR, id="too many gone"),
        pytest.param({"source": ""}, "source_is_the_same", None, id="nothing was published yet"),
        pytest.param({"last_export": LAST}, "source_is_the_same", None, id="the same API"),
        pytest.param({"last_export": SIMULATED}, "source_is_the_same", None, id="a real API after the simulator"),
        pytest.param({"last_export": OTHER}, "source_is_the_same", Severity.ERROR, id="another API"),
        pytest.param(
            {"last_export": LAST, "source": SIMULATOR}, "source_is_the_same", Severity.ERROR, id="the simulator"
        ),
        pytest.param({"distinct_customers": 79}, "customer_id_is_unique", Severity.ERROR, id="a customer twice"),
        pytest.param({"landed": 101}, "every_record_is_accounted_for", Severity.ERROR, id="a record lost"),
        pytest.param({"landed": 99}, "every_record_is_accounted_for", Severity.ERROR, id="a record too many"),
        pytest.param({"of_this_crawl": False}, "every_record_is_accounted_for", Severity.ERROR, id="another crawl's"),
        pytest.param({"in_lake": 94}, "every_record_is_accounted_for", Severity.ERROR, id="a row lost"),
        pytest.param({"in_lake": 96}, "every_record_is_accounted_for", Severity.ERROR, id="a row too many"),
        pytest.param({"merged": 14}, "every_record_is_accounted_for", Severity.ERROR, id="one merged into nothing"),
    ],
)
def test_each_check_judges_its_own_figure(change: dict[str, Any], name: str, severity: Severity | None) -> None:
    """A figure beyond its limit fails its check by name, with the severity of the limit it crossed."""
    verdict = _by_name(replace(GOOD, **change))[name]
    assert (verdict.severity, verdict.passed) == (severity, severity is None)
    assert verdict.blocks is (severity is Severity.ERROR)


@pytest.mark.parametrize(
    ("now", "unsent", "severity"),
    [
        pytest.param(0.5, 0.0, None, id="less than 30 points more"),
        pytest.param(0.56, 0.0, Severity.ERROR, id="more"),
        pytest.param(0.0, 0.56, Severity.ERROR, id="no longer sent"),
    ],
)
def test_a_field_is_compared_with_the_last_export(now: float, unsent: float, severity: Severity | None) -> None:
    """A field that many more records lack was lost; the figures are the increase and what is allowed."""
    figures = replace(GOOD, missing={"email": now}, unsent={"email": unsent}, last_export=LAST)
    verdict = _by_name(figures)["no_field_is_lost"]
    assert verdict.severity == severity
    if severity:
        assert verdict.figures == {"score": pytest.approx(0.31), "threshold": 0.3}
        assert verdict.description == (
            "email is missing or unusable in 56.00% of the records, after 25.00% in the last export"
        )


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        pytest.param({}, Severity.WARN, id="a misspelt path"),
        pytest.param({"unsent": {"country": 0.99}}, None, id="it is in some record"),
        pytest.param({"unmapped": {}}, None, id="the key is there, and always null"),
        pytest.param({"optional": ()}, None, id="nobody asked for it"),
    ],
)
def test_a_path_that_never_occurs_is_named(change: dict[str, Any], severity: Severity | None) -> None:
    """Even that of a field that need not be there: a warning, and what keys there are."""
    nowhere = replace(GOOD, unsent={"country": 1.0}, optional=("country",), unmapped={"country": "no record looked at"})
    verdict = _by_name(replace(nowhere, **change))["no_field_is_lost"]
    assert verdict.severity == severity
    if severity:
        assert verdict.description == "country is missing or unusable in 100.00% of the records: no record looked at"


def test_a_filter_whose_path_never_occurs_is_named() -> None:
    """Without a warning: many APIs send such a key with deleted records only."""
    verdict = _by_name(replace(GOOD, unmapped={FILTER: "no record looked at has statu"}))[
        "every_record_is_accounted_for"
    ]
    assert verdict.passed
    assert verdict.description == (
        "100 landed; 80 clean, 15 merged, 5 rejected, 0 excluded: no record looked at has statu"
    )


def test_another_source_is_no_baseline() -> None:
    """Neither its customers nor its fields are compared; which source it was is in the sentence."""
    found = _by_name(replace(GOOD, missing={"email": 0.5}, last_export=replace(OTHER, missing={"email": 0.0})))
    assert found["no_mass_deletion"].description == "there is no earlier export of this source to compare with"
    assert found["no_field_is_lost"].passed
    assert found["source_is_the_same"].description == (
        "the customers come from https://x.org, those of the last export came from https://y.org; "
        "set allow_other_source for one run if that is meant"
    )


def test_one_run_can_allow_what_the_gate_refuses() -> None:
    """A lost field, deleted customers and another source, each by a setting of its own."""
    allowed = QualityThresholds(
        lost_field_share=1, max_missing_increase=1, max_gone_share=1, allow_other_source=True, max_unfetched_share=0.3
    )
    assert not blocking_failures(evaluate(replace(GOOD, missing={"email": 1.0}, last_export=LAST), allowed))
    assert not blocking_failures(evaluate(replace(GOOD, last_export=OTHER), allowed))
    crawl = CrawlSummary(fingerprint="", landed=7, rejected=0, total=10, missing_customers=3)
    verdict = completeness(crawl, allowed)
    assert (verdict.passed, verdict.score, verdict.threshold) == (True, 7.0, 7.0)
    assert verdict.description == "3 of 10 customers are missing, 3 may be"
    assert completeness(crawl, QualityThresholds(max_unfetched_share=0.29)).blocks


def test_a_path_that_leads_nowhere_is_named_with_the_keys_there_are() -> None:
    """Names only: whoever mistyped a path sees what to write."""
    crawl = _crawl(2, 0).model_copy(update={"absent_paths": {"email": "contact.mail"}, "keys": ("id", "contact.email")})
    figures = replace(GOOD, missing={"email": 1.0}, unmapped=unmapped(crawl))
    assert _by_name(figures)["no_field_is_lost"].description == (
        "email is missing or unusable in 100.00% of the records: no record looked at has contact.mail; the keys there "
        "are id, contact.email; correct the mapping, or set the field to null if the API does not have it"
    )


def test_no_sentence_says_nan() -> None:
    """Where there is nothing to judge, that is what is said."""
    assert not [verdict for verdict in evaluate(EMPTY, QualityThresholds()) if "nan" in verdict.description]


def test_nothing_landed_fails() -> None:
    """Empty input meets no threshold."""
    assert [verdict.name for verdict in blocking_failures(evaluate(EMPTY, QualityThresholds()))] == [
        "mean_quality_meets_threshold",
        "low_quality_share_within_limit",
        "rejected_share_within_limit",
    ]


@pytest.mark.smoke
def test_all_rejected_fails() -> None:
    """Records that were all rejected leave nothing to publish, whatever share is allowed."""
    thresholds = QualityThresholds(max_rejected_share=1.0)
    found = _by_name(replace(EMPTY, landed=3, rejected=3), thresholds)
    assert found["rejected_share_within_limit"].passed
    assert found["mean_quality_meets_threshold"].blocks


def test_a_verdict_shows_score_and_threshold() -> None:
    """Whoever reads a failed check sees what was measured and what was asked."""
    found = _by_name(replace(GOOD, mean_quality=79.0, low_quality=40, rejected=6))
    mean, low = found["mean_quality_meets_threshold"], found["low_quality_share_within_limit"]
    assert mean.figures == {"score": 79.0, "threshold": 80.0}
    assert mean.description == "the mean score 79.00 is below the floor 80"
    assert low.figures == {"score": 0.5, "threshold": 0.1}
    assert low.description == "50.00% of the customers score below 70, 10.00% are allowed"
    assert found["rejected_share_within_limit"].figures == {"score": 0.06, "threshold": 0.05}
    assert (
        found["rejected_share_within_limit"].description == "6.00% of the records have no usable id, 5.00% are allowed"
    )


@pytest.mark.parametrize(
    ("mean", "threshold", "description"),
    [
        (95.0, 90.0, "the mean score 95.00 meets the target 90"),
        (85.0, 90.0, "the mean score 85.00 is below the target 90"),
    ],
)
def test_the_mean_is_shown_beside_the_line_it_was_held_to(mean: float, threshold: float, description: str) -> None:
    """The target unless the floor was missed."""
    verdict = _by_name(replace(GOOD, mean_quality=mean))["mean_quality_meets_threshold"]
    assert (verdict.score, verdict.threshold, verdict.description) == (mean, threshold, description)


@pytest.mark.parametrize(
    ("change", "name", "description"),
    [
        ({"mean_quality": 79.9996}, "mean_quality_meets_threshold", "the mean score 79.9996 is below the floor 80"),
        ({"mean_quality": 89.996}, "mean_quality_meets_threshold", "the mean score 89.996 is below the target 90"),
        (
            {"clean": 1_000_000, "low_quality": 100_001},
            "low_quality_share_within_limit",
            "10.0001% of the customers score below 70, 10.00% are allowed",
        ),
    ],
)
def test_no_figure_is_rounded_to_the_limit_that_it_misses(change: dict[str, Any], name: str, description: str) -> None:
    assert _by_name(replace(GOOD, **change))[name].description == description


def test_every_check_says_what_to_do() -> None:
    assert {*REMEDIES} == {*CHECK_DESCRIPTIONS, "every_customer_was_fetched"}


def test_counts_are_shown() -> None:
    """The conservation of records is told in numbers."""
    found = _by_name(GOOD)
    assert found["every_record_is_accounted_for"].description == "100 landed; 80 clean, 15 merged, 5 rejected"
    assert found["every_record_is_accounted_for"].figures == {"score": 100.0, "threshold": 100.0}
    assert found["customer_id_is_unique"].description == "80 customers have 80 distinct ids"
    assert found["customer_id_is_unique"].figures == {"score": 80.0, "threshold": 80.0}


def test_customers_of_another_crawl_account_for_nothing() -> None:
    """However equal the counts, and the sentence says what to do."""
    verdict = _by_name(replace(GOOD, of_this_crawl=False))["every_record_is_accounted_for"]
    assert verdict.description == "clean_customers were made from an earlier crawl: materialise clean_customers"
    assert verdict.figures == {"score": 100.0, "threshold": 100.0}


def test_a_raw_lake_that_lacks_records_is_told() -> None:
    """Whether it was the lake or the cleaning that lost them is another question, with another remedy."""
    verdict = _by_name(replace(GOOD, in_lake=90))["every_record_is_accounted_for"]
    assert verdict.description == (
        "100 landed; 80 clean, 15 merged, 5 rejected; the raw lake holds 90 of them: materialise raw_customers"
    )
    assert verdict.figures == {"score": 95.0, "threshold": 100.0}


@pytest.mark.parametrize(
    ("missing", "description"),
    [
        (0, "0 of 10 customers are missing"),
        (3, "3 of 10 customers are missing"),
        (-1, "1 customers more came than the 10 that the API counts"),
    ],
)
def test_completeness(missing: int, description: str) -> None:
    """A crawl that brought fewer customers than the API counts, or more, is not complete."""
    crawl = CrawlSummary(fingerprint="", landed=10, rejected=0, total=10, missing_customers=missing)
    verdict = completeness(crawl, QualityThresholds())
    assert (verdict.name, verdict.passed, verdict.blocks) == ("every_customer_was_fetched", missing == 0, missing != 0)
    assert (verdict.score, verdict.threshold) == (10 - missing, 10)
    assert verdict.description == description


def test_figures_as_dict() -> None:
    """Every figure has a name, the shares included."""
    assert GOOD.as_dict() == {
        "landed": 100,
        "rejected": 5,
        "excluded": 0,
        "merged": 15,
        "clean": 80,
        "distinct_customers": 80,
        "mean_quality": 95.0,
        "low_quality": 8,
        "low_quality_share": 0.1,
        "rejected_share": 0.05,
    }


def set_by_variables(change: dict[str, Any]) -> QualityThresholds:
    """Make thresholds as somebody does who set them by their variables."""
    with rename_fields(by_variable(QualityThresholds)), configuration_errors(QualityThresholds):
        return QualityThresholds(**change)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"min_mean_quality": -1}, "CUSTOMER_MIN_MEAN_QUALITY"),
        ({"min_mean_quality": 101, "target_mean_quality": 101}, "CUSTOMER_MIN_MEAN_QUALITY"),
        ({"min_mean_quality": math.nan}, "CUSTOMER_MIN_MEAN_QUALITY"),
        ({"target_mean_quality": 100.1}, "CUSTOMER_TARGET_MEAN_QUALITY"),
        ({"target_mean_quality": 79}, "CUSTOMER_TARGET_MEAN_QUALITY"),
        ({"max_low_quality_share": 1.1}, "CUSTOMER_MAX_LOW_QUALITY_SHARE"),
        ({"max_low_quality_share": -0.1}, "CUSTOMER_MAX_LOW_QUALITY_SHARE"),
        ({"max_rejected_share": 1.1}, "CUSTOMER_MAX_REJECTED_SHARE"),
        ({"max_rejected_share": math.inf}, "CUSTOMER_MAX_REJECTED_SHARE"),
    ],
)
def test_thresholds_outside_their_range_are_refused(change: dict[str, Any], field: str) -> None:
    """A threshold that cannot be meant is a configuration error that names its setting."""
    with pytest.raises(ConfigurationError, match=field) as caught:
        set_by_variables(change)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"max_low_quality_share": 1.5},
            "CUSTOMER_MAX_LOW_QUALITY_SHARE: 1.5 is above 1. Set 1 or less.",
        ),
        (
            {"target_mean_quality": 9},
            "CUSTOMER_TARGET_MEAN_QUALITY: the target 9 is below the floor 80. Set the target to the floor or above.",
        ),
    ],
)
def test_a_refused_threshold_says_what_to_set(change: dict[str, Any], message: str) -> None:
    """The message names the setting, its value and what would be accepted."""
    with pytest.raises(ConfigurationError) as caught:
        set_by_variables(change)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "change",
    [
        {"min_mean_quality": 0, "target_mean_quality": 0},
        {"min_mean_quality": 100, "target_mean_quality": 100},
        {"max_low_quality_share": 0, "max_rejected_share": 1},
    ],
)
def test_thresholds_at_the_ends_of_their_range(change: dict[str, Any]) -> None:
    """The ends of a range belong to it."""
    assert set_by_variables(change)


def _crawl(landed: int, rejected: int) -> CrawlSummary:
    return CrawlSummary(fingerprint="f1", landed=landed, rejected=rejected, total=landed, missing_customers=0)


@pytest.mark.parametrize("total", [None, 10])
def test_customers_who_moved_are_a_warning(total: int | None) -> None:
    """Where that can neither be settled nor counted; customers who are missing block all the same."""
    crawl = CrawlSummary(fingerprint="", landed=10, rejected=0, total=total, missing_customers=0, moved_s=90_000.0)
    verdict = completeness(crawl, QualityThresholds())
    assert (verdict.passed, verdict.severity) == (False, Severity.WARN)
    assert "over 1500 minutes" in verdict.description
    if total is not None:
        assert completeness(crawl.model_copy(update={"missing_customers": 1}), QualityThresholds()).blocks

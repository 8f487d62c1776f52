"""No text that people see says "nan", "inf" or "None": where there is nothing to count, that is what is said."""

import logging
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest

from customer_assets.defs.operations.run_report import build_run_report
from customer_assets.monitoring.run_report import Outcome
from customer_assets.monitoring.run_summary import run_summary
from customer_assets.monitoring.samples import groups
from customer_assets_tests.harness.apis.plain_api import PlainAPI, customer, with_fields
from customer_assets_tests.harness.job_runs import export_of, run

Serve = Callable[[PlainAPI], PlainAPI]
Resources = Callable[..., dict[str, Any]]

NO_TEXT = re.compile(r"(?<![\w.-])(nan|NaN|-?inf|-?Infinity|None)(?![\w.-])")
"""What Python and its libraries write for a figure that there is none of."""

NO_FIELDS = dict.fromkeys(("email", "first_name", "last_name", "avatar"))

WORLDS: dict[str, list[Any]] = {
    "nobody": [],
    "all rejected": [{"id": None}, {"id": "x"}, 7, None],
    "all null": [{"id": number, **NO_FIELDS} for number in range(1, 8)],
    "figures beyond floats": [
        customer(number, engagement_score=value, last_active_at=value)
        for number, value in enumerate((10**400, "1e999", "nan", "-inf", 0), 1)
    ],
}
"""What an API returns, by what there is not to count."""


def texts_of(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Everything that Dagster shows of a run: metadata, checks, errors."""
    for event in result.all_events:
        yield event.message or ""
        if event.is_step_failure:
            yield str(event.step_failure_data.error)
        if event.is_step_materialization:
            yield from (f"{key}: {_shown(value)}" for key, value in event.materialization.metadata.items())
    for check in result.get_asset_check_evaluations():
        yield check.description or ""
        yield from (f"{key}: {_shown(value)}" for key, value in check.metadata.items())


def _shown(value: Any) -> str:
    return str(getattr(value, "value", value))


@pytest.mark.parametrize("name", WORLDS)
def test_no_text_says_nan(
    serve_api: Serve,
    resources: Resources,
    instance: dg.DagsterInstance,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    """Whether or not it is published: log, metadata, checks, errors, the last lines, report and metrics."""
    made = resources(serve_api(PlainAPI(WORLDS[name])))
    lax = with_fields(
        made["quality_thresholds"],
        min_mean_quality=0,
        max_low_quality_share=1,
        max_rejected_share=1,
        lost_field_share=1,
    )
    seen, samples = [], []
    with caplog.at_level(logging.INFO):
        for thresholds, selected in ((made["quality_thresholds"], ()), (lax, ()), (lax, ("summary_report",))):
            result = run({**made, "quality_thresholds": thresholds}, instance, *selected)
            outcome = Outcome.SUCCEEDED if result.success else Outcome.FAILED
            report = build_run_report(instance, result.dagster_run, outcome, 0.0, 1.0)
            seen += [*texts_of(result), run_summary(report)]
            samples += [sample for group in groups(report) for sample in group.samples]
    files = [path for path in export_of(made).parent.glob("*") if path.suffix in (".md", ".html", ".json")]
    assert len(files) >= 3
    seen += [caplog.text, *(path.read_text() for path in files)]
    assert [text[max(at.start() - 60, 0) : at.end() + 20] for text in seen for at in NO_TEXT.finditer(text)] == []
    assert not [sample for sample in samples if math.isinf(sample.value)]

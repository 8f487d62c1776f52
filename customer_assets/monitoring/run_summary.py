"""What a run says last: a few lines of counts, quality, seconds and where the files are. Pure."""

from collections.abc import Iterator, Mapping

from customer_assets.monitoring.run_report import AssetReport, Outcome, RunReport, plain_name

ENDED = {Outcome.SUCCEEDED: "Done", Outcome.FAILED: "Failed", Outcome.CANCELED: "Terminated"}
DOCUMENTS = {"customer_export": "export", "summary_report": "report"}


def closing_summary(story: RunReport) -> str:
    """Sum a run up, one line a thing."""
    assets = {plain_name(name): told for name, told in story.assets.items()}  # a run is of one sync
    parts = (_data(assets), _checks(story), _documents(assets), _failures(story))
    lines = [f"  {title:<9} {text}" for part in parts for title, text in part]
    return "\n".join([f"{ENDED[story.outcome]} in {story.duration_s:.1f} s.", *lines])


def _data(assets: Mapping[str, AssetReport]) -> Iterator[tuple[str, str]]:
    raw, clean = assets.get("raw_customers"), assets.get("clean_customers")
    if raw is not None:
        brought = "nothing, the crawl failed; " if raw.materialized_at_s is None else _brought(raw.figures)
        yield "fetched", brought + _asked(raw.figures)
    if clean is not None:
        yield "cleaned", _cleaned(clean.figures)


def _checks(story: RunReport) -> Iterator[tuple[str, str]]:
    if story.checks:
        yield "checks", f"{sum(check.passed for check in story.checks)} of {len(story.checks)} hold"
    for check in story.checks:
        if not check.passed:
            yield "ERROR" if check.is_error else "WARNING", f"{check.name}: {check.description}"


def _documents(assets: Mapping[str, AssetReport]) -> Iterator[tuple[str, str]]:
    for asset, title in DOCUMENTS.items():
        if asset in assets and assets[asset].file:
            yield title, f"{assets[asset].file}"


def _failures(story: RunReport) -> Iterator[tuple[str, str]]:
    for failed in story.failed_steps:
        yield "FAILED", f"{failed.step}: {failed.message or failed.error}"


def _brought(crawl: Mapping[str, float]) -> str:
    return f"{crawl.get('records', 0):,} records on {_counted(crawl.get('pages', 0), 'page')}; "


def _asked(crawl: Mapping[str, float]) -> str:
    retries = sum(value for name, value in crawl.items() if name.startswith("retries_"))
    success = f" ({crawl['success_rate']:.1%} successful)" if "success_rate" in crawl else ""
    return (
        f"{_counted(crawl.get('requests', 0), 'request')}{success} in {crawl.get('duration_s', 0):.1f} s, "
        f"{_counted(retries, 'retry', 'retries')}, {crawl.get('throttles', 0):,} throttled"
    )


def _cleaned(clean: Mapping[str, float]) -> str:
    mean = f"{clean['mean_quality']:.1f} of 100" if "mean_quality" in clean else "unknown"
    return (
        f"{_counted(clean.get('clean', 0), 'customer')}, mean quality {mean}; "
        f"{clean.get('merged', 0):,} merged, {clean.get('rejected', 0):,} rejected"
    )


def _counted(count: float, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"

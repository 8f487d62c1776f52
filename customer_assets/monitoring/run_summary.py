"""The last lines of a run's log: counts, quality, checks and where the files are. Pure."""

from customer_assets.monitoring.run_report import Outcome, RunReport, base_name

HEADS = {Outcome.SUCCEEDED: "Done", Outcome.FAILED: "Failed", Outcome.CANCELED: "Terminated"}


def run_summary(report: RunReport) -> str:
    """Sum a run up, one line per topic."""
    assets = {base_name(name): asset for name, asset in report.assets.items()}  # a run belongs to one sync
    lines: list[tuple[str, str]] = []
    if raw := assets.get("raw_customers"):
        crawl = raw.figures
        records = "nothing, the crawl failed"
        if raw.materialized_at_s is not None:
            came = crawl.get("rows_received", crawl.get("records", 0))
            kind = " that changed" if "rows_received" in crawl else ""
            records = f"{came:,} records{kind} on {_count(crawl.get('pages', 0), 'page')}"
        retries = sum(value for name, value in crawl.items() if name.startswith("retries_"))
        success = f" ({crawl['success_rate']:.1%} successful)" if "success_rate" in crawl else ""
        text = (
            f"{records}; {_count(crawl.get('requests', 0), 'request')}{success} in {crawl.get('duration_s', 0):.1f} s, "
            f"{_count(retries, 'retry', 'retries')}, {crawl.get('throttles', 0):,} throttled"
        )
        lines.append(("fetched", text))
    if clean := assets.get("clean_customers"):
        counts = clean.figures
        mean = f"{counts['mean_quality']:.1f} of 100" if "mean_quality" in counts else "unknown"
        text = (
            f"{_count(counts.get('clean', 0), 'customer')}, mean quality {mean}; "
            f"{counts.get('merged', 0):,} merged, {counts.get('rejected', 0):,} rejected"
        )
        lines.append(("cleaned", text))
    if report.checks:
        lines.append(("checks", f"{sum(check.passed for check in report.checks)} of {len(report.checks)} passed"))
    lines += [(check.level, f"{check.name}: {check.description}") for check in report.checks if not check.passed]
    for name, title in {"customer_export": "export", "summary_report": "report"}.items():
        if name in assets and (file := assets[name].file):
            lines.append((title, file))
    lines += [("FAILED", f"{failed.step}: {failed.message or failed.error}") for failed in report.failed_steps]
    head = f"{HEADS[report.outcome]} in {report.duration_s:.1f} s."
    return "\n".join([head, *(f"  {title:<9} {text}" for title, text in lines)])


def _count(count: float, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"

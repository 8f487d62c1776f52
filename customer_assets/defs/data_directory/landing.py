"""Sums up what landed for the checks and for the next run: everything, or changes that were merged into the rest.

Adds up figures only. Files are merged in `processing/landing/`; committing them belongs in `resource.py`.
"""

import logging
from collections.abc import Mapping

from customer_assets.api import CrawlStats
from customer_assets.api.incremental import CrawlPlan, next_state
from customer_assets.core.models import CrawlSummary
from customer_assets.processing.defects import rejected_by_reason
from customer_assets.processing.landing.staged import Landing, StoredCustomers, fingerprint

IGNORES_FILTER = (
    "The API seems to ignore the filter: %d of %d records that came had not changed since %s. The customers are right, "
    "but each run may take as long as a full one. Check the parameter, field and format of incremental."
)

_logger = logging.getLogger(__name__)


def sum_up(
    landing: Landing, figures: CrawlStats, plan: CrawlPlan, stored: StoredCustomers | None = None
) -> CrawlSummary:
    """Complete a landing's files; return the facts about them.

    Args:
        landing: What landed.
        figures: What the crawl did.
        plan: What it requested.
        stored: The customers that changes are merged into; None: everything was requested.
    """
    landing.writer.close()
    if stored is not None:
        return _merge(landing, figures, plan, stored)
    return _with_state(
        landing, figures, plan, crawl_summary(landing, figures, rejected_by_reason(landing.quarantine_file))
    )


def crawl_summary(landing: Landing, figures: CrawlStats, reasons: Mapping[str, int]) -> CrawlSummary:
    """Sum up a crawl for the checks."""
    sample = landing.writer.sample()
    return CrawlSummary(
        number=landing.number,
        fingerprint=landing.writer.fingerprint(),
        landed=figures.records,
        rejected=figures.rejected,
        rejected_by_reason=dict(reasons),
        mapping=landing.writer.mapping,
        source=landing.source,
        absent_paths=sample.absent_paths,
        keys=sample.keys,
        total=figures.total,
        missing_customers=figures.missing_customers,
        moved_s=figures.moved_s,
        source_duplicates=figures.source_duplicates,
        pages=figures.pages,
        requests=figures.requests,
        retries=figures.retries.total(),
        throttles=figures.throttles,
        duration_s=figures.duration_s,
    )


def _with_state(landing: Landing, figures: CrawlStats, plan: CrawlPlan, facts: CrawlSummary) -> CrawlSummary:
    """Note, with the facts of a crawl that read everything, what the next one must know."""
    if plan.settings is None:
        return facts
    content, salt = landing.hash_content(figures.unique_ids)
    state = next_state(
        plan, figures, customers=figures.unique_ids, content=content, salt=salt, newest=landing.newest_update()
    )
    return facts.model_copy(update={"sync": state, "fingerprint": fingerprint(state, facts.mapping)})


def _merge(landing: Landing, figures: CrawlStats, plan: CrawlPlan, stored: StoredCustomers) -> CrawlSummary:
    """Merge changes into stored customers; return the facts about all of them."""
    last, since = stored.facts.sync, plan.since
    assert last is not None and since is not None  # noqa: PT018, S101 - without them, no plan requests changes only
    summary, content, newest = landing.merge_into(stored, last, since, rejected=figures.rejected)
    if summary.is_unfiltered:
        _logger.warning(IGNORES_FILTER, summary.early, summary.received, since)
    reasons = rejected_by_reason(landing.quarantine_file)
    customers, rejected = last.customers + summary.added - summary.deleted, sum(reasons.values())
    state = next_state(plan, figures, customers=customers, content=content, newest=newest, last=last, upsert=summary)
    facts = crawl_summary(landing, figures, reasons)
    missing, total = max(facts.missing_customers, 0), facts.total
    if figures.customers is not None:  # the API counts all customers apart from those that changed
        total, missing = figures.customers, max(missing, figures.customers - customers - rejected)
    sample = {} if figures.records else stored.facts.model_dump(include={"absent_paths", "keys"})
    return facts.model_copy(
        update={
            "sync": state,
            "fingerprint": fingerprint(state, facts.mapping),
            "landed": summary.after + rejected,
            "rejected": rejected,
            "total": total,
            "total_is_of_all": figures.customers is not None,
            "missing_customers": missing,
            **sample,
        }
    )

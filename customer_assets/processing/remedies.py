"""What people read about a check that fails, beside its figures. How it is judged belongs in `quality.py`."""

from collections.abc import Mapping

_SAME_AGAIN = (
    "Another run fetches the same records: correct them at the source. To publish these all the same, set {} for one "
    "run of this check, customer_export and summary_report; nothing is fetched then."
)
REMEDIES: Mapping[str, str] = {
    "every_customer_was_fetched": "Run the job again: customers may have moved while their pages were read. If the "
    "number stays the same, the API's own count is wrong: set max_unfetched_share.",
    "mean_quality_meets_threshold": _SAME_AGAIN.format("min_mean_quality or target_mean_quality"),
    "low_quality_share_within_limit": _SAME_AGAIN.format("max_low_quality_share"),
    "rejected_share_within_limit": "Look at the reasons in the quarantine. If ids are text, set id_type: text. "
    + _SAME_AGAIN.format("max_rejected_share"),
    "no_field_is_lost": "Correct the mapping, or map a field that the API does not have to null, and run the job "
    "again. " + _SAME_AGAIN.format("lost_field_share or max_missing_increase"),
    "no_mass_deletion": "See whether a filter, a tenant or a key with fewer rights hides customers. "
    + _SAME_AGAIN.format("max_gone_share"),
    "source_is_the_same": "Set CUSTOMER_API_BASE_URL. If the other source is meant, set allow_other_source for one run "
    "of this check, customer_export and summary_report; nothing is fetched then.",
    "customer_id_is_unique": "Materialise clean_customers again; nothing is fetched for that. If it stays, report a "
    "bug.",
    "every_record_is_accounted_for": "Materialise what the description names, or everything. If it stays, report a "
    "bug.",
}
"""What to do about a check that fails, and what running it again can do, by the check's name."""

NOTHING_TO_COMPARE = "there is no earlier export of this source to compare with"
MADE_FROM_ANOTHER_CRAWL = "clean_customers were made from an earlier crawl: materialise clean_customers"

MOST_DIGITS = 15
"""How many digits a float holds."""


def apart(value: float, limit: float) -> str:
    """Write a figure with two digits, or with as many as it takes to tell it from the limit: 79.996 is not 80.00."""
    digits = 2
    while value != limit and digits < MOST_DIGITS and f"{value:.{digits}f}" == f"{limit:.{digits}f}":
        digits += 1
    return f"{value:.{digits}f}"

"""The business rules, one expression a column: what every engine computes alike. No engine, no I/O, no clock.

They read the raw table, where text is canonical already, domains are extracted and dates are instants: what engines
do differently (Unicode, lenient dates) is settled when a record lands. Only comparisons, literal text operations and
integer arithmetic within 63 bits belong here. Column names that begin with an underscore are the rules' own.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import add
from typing import Any

import narwhals as nw

from customer_assets.core.fields import (
    BUSINESS_FIELDS,
    CLEAN_FIELDS,
    RAW_FIELDS,
    UNKNOWN,
    Expected,
    field_named,
    names_of,
)
from customer_assets.core.record_mapping import DEFAULT_RECORD, CategorySource, RecordMapping

Frame = nw.LazyFrame[Any]
"""A lazy frame of any engine."""

RULES_VERSION = "3"
"""Raise it with every change of an answer: Dagster shows what was cleaned by older rules."""

ACTIVE_WITHIN = timedelta(days=90)
CLOCKS_DIFFER_BY = timedelta(minutes=5)
"""An instant that lies no further ahead counts as now."""
ZONES_REACH = timedelta(hours=14)
"""How far midnight lies from that of UTC in the farthest time zone."""
NOBODY_BY = datetime(1900, 1, 1, tzinfo=UTC) + ZONES_REACH
"""No customer was active by then: 0001-01-01 is how .NET writes "never", and 1900-01-01 how spreadsheets do."""
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = (UNIX_EPOCH - ZONES_REACH, UNIX_EPOCH + ZONES_REACH)
"""How everything else writes "never": 1970-01-01 in any time zone; MySQL has it begin a second later."""
ENGAGEMENT_FROM = (0.66, 0.33)
"""Of a scaled score: from where it is high, and from where it is medium."""
JUDGED_BY = {"engagement_level": "engagement_score", "activity_status": "last_active_at"}
"""What a field follows from unless the API has it itself."""
POINTS_PER_DEFECT, DEFECTS_AT_MOST = 10, 10
"""A score of 0 is the lowest."""

CLEAN_COLUMNS = names_of(CLEAN_FIELDS)
"""The default mapping's."""
POSITION = ("page", "position")
"""Where a record stood in the API's answer."""


@dataclass(frozen=True, slots=True)
class CleaningOptions:
    """What clean customers follow from, besides the raw table.

    Attributes:
        as_of: The instant from which activity is judged, with a time zone.
        seed: Chooses the generated values.
        generate: Whether business fields are generated where the API has nothing to judge by; else they are `unknown`.
        mapping: What the records look like.
    """

    as_of: datetime
    seed: int = 0
    generate: bool = True
    mapping: RecordMapping = DEFAULT_RECORD


def clean_customers(raw: Frame, options: CleaningOptions) -> Frame:
    """Clean, score and deduplicate the raw table: one row per customer, in no particular order."""
    return clean_with_position(raw, options).select(*names_of(options.mapping.clean_fields))


def clean_with_position(raw: Frame, options: CleaningOptions) -> Frame:
    """Do the same, keeping the page and position of the record that each customer was taken from."""
    judged = without_excluded(raw, options.mapping).with_columns(_defects=defects(options))
    customers = deduplicate(judged)
    if generated_fields(options):
        customers = with_hash_bucket(customers, options)
    return customers.select(
        *POSITION,
        customer_id=nw.col("id"),
        full_name=full_name(options.mapping),
        email_domain=email_domain(),
        **business_fields(options),
        data_quality_score=data_quality_score(),
        **{field.name: nw.col(field.name) for field in options.mapping.extra_fields},
    )


def without_excluded(raw: Frame, mapping: RecordMapping) -> Frame:
    """Drop the records that the user's filter excludes."""
    return raw if mapping.exclude is None else raw.filter(~nw.col("excluded"))


def full_name(mapping: RecordMapping) -> nw.Expr:
    """Join first and last name: Ada, Lovelace → `Ada Lovelace`; Ada, null → `Ada`; null, null → `unknown`.

    A full name that the API has itself goes before.
    """
    first, last = nw.col("first_name"), nw.col("last_name")
    joined = nw.concat_str(first, last, separator=" ", ignore_nulls=True)
    if mapping.full_name is None:
        return nw.when(first.is_null() & last.is_null()).then(nw.lit(UNKNOWN)).otherwise(joined)
    return (
        nw.when(~nw.col("full_name").is_null())
        .then(nw.col("full_name"))
        .when(first.is_null() & last.is_null())
        .then(nw.lit(UNKNOWN))
        .otherwise(joined)
    )


def email_domain() -> nw.Expr:
    """Take the domain of a well-formed address; none → `unknown`."""
    return nw.col("email_domain").fill_null(UNKNOWN)


def business_fields(options: CleaningOptions) -> dict[str, nw.Expr]:
    """Compute the fields that are taken from the API, judged, or generated."""
    return {
        "engagement_level": engagement_level(options),
        "activity_status": activity_status(options),
        "acquisition_channel": acquisition_channel(options),
        "market_segment": market_segment(options),
        "customer_tier": customer_tier(options),
    }


def engagement_level(options: CleaningOptions) -> nw.Expr:
    """Grade the score: 0.66 → `high`, 0.33 → `medium`, 0 → `low`; null, -0.1, 1.1 → `unknown`; not sent → generated."""
    if options.mapping.engagement_level is not None:
        return mapped("engagement_level", options.mapping)
    score, scale = nw.col("engagement_score"), _scale(options.mapping)
    high_from, medium_from = (_smallest_reaching(level, scale) for level in ENGAGEMENT_FROM)
    return (
        nw.when(~nw.col("engagement_score_supplied"))
        .then(generated(options, 3, "high", "medium", "low"))
        .when((score >= high_from) & (score <= scale))
        .then(nw.lit("high"))
        .when((score >= medium_from) & (score < high_from))
        .then(nw.lit("medium"))
        .when((score >= 0) & (score < medium_from))
        .then(nw.lit("low"))
        .otherwise(nw.lit(UNKNOWN))
    )


def activity_status(options: CleaningOptions) -> nw.Expr:
    """Judge the date: 90 days ago → `active`, 91 → `inactive`; null, future → `unknown`; not sent → generated."""
    if options.mapping.activity_status is not None:
        return mapped("activity_status", options.mapping)
    return (
        nw.when(~nw.col("last_active_at_supplied"))
        .then(generated(options, 2, "active", "inactive"))
        .when(~_is_past(options.as_of))
        .then(nw.lit(UNKNOWN))
        .when(nw.col("last_active_at") >= options.as_of - ACTIVE_WITHIN)
        .then(nw.lit("active"))
        .otherwise(nw.lit("inactive"))
    )


def acquisition_channel(options: CleaningOptions) -> nw.Expr:
    """Take the API's, or generate `website`, `mobile_app` or `email_campaign`."""
    if options.mapping.acquisition_channel is not None:
        return mapped("acquisition_channel", options.mapping)
    return generated(options, 27, "website", "mobile_app", "email_campaign")


def market_segment(options: CleaningOptions) -> nw.Expr:
    """Take the API's, or generate `US-West`, `US-East`, `EU-Central` or `APAC`."""
    if options.mapping.market_segment is not None:
        return mapped("market_segment", options.mapping)
    return generated(options, 8, "US-West", "US-East", "EU-Central", "APAC")


def customer_tier(options: CleaningOptions) -> nw.Expr:
    """Take the API's, or generate `basic`, `premium` or `enterprise`."""
    if options.mapping.customer_tier is not None:
        return mapped("customer_tier", options.mapping)
    return generated(options, 9, "basic", "premium", "enterprise")


def mapped(name: str, mapping: RecordMapping) -> nw.Expr:
    """Take a field's value from the API: by its map, by its bands, or as it is; what they do not know → `unknown`."""
    source: CategorySource = getattr(mapping, name)
    value, allowed = nw.col(name), field_named(name, mapping.clean_fields).values
    if source.bands is not None:
        named = nw.lit(UNKNOWN)  # below the lowest band, or no number
        for band, begins_at in sorted(source.bands.items(), key=lambda each: each[1]):
            named = nw.when(value >= begins_at).then(nw.lit(band)).otherwise(named)
        return named
    if source.values is not None:
        return _by_value(value, source.values)
    known = value.is_in(allowed) if allowed else ~value.is_null()
    return nw.when(known.fill_null(value=False)).then(value).otherwise(nw.lit(UNKNOWN))


def _by_value(value: nw.Expr, values: Mapping[str, str]) -> nw.Expr:
    named = nw.lit(UNKNOWN)
    for word in dict.fromkeys(values.values()):
        given = [code for code, meaning in values.items() if meaning == word]
        named = nw.when(value.is_in(given)).then(nw.lit(word)).otherwise(named)
    return named


def data_quality_score() -> nw.Expr:
    """Take 10 points a defect from 100: none → 100; no usable email and a date in the future → 80; never below 0."""
    return 100 - POINTS_PER_DEFECT * nw.col("_defects")


def defects(options: CleaningOptions) -> nw.Expr:
    """Count the expected fields that are missing or unusable, as far as points are left."""
    each = [defect.cast(nw.Int64) for defect in defects_by_field(options).values()]
    count = reduce(add, each) if each else nw.lit(0, dtype=nw.Int64)
    if len(each) <= DEFECTS_AT_MOST:
        return count
    return nw.when(count < DEFECTS_AT_MOST).then(count).otherwise(nw.lit(DEFECTS_AT_MOST, dtype=nw.Int64))


def defects_by_field(options: CleaningOptions) -> dict[str, nw.Expr]:
    """Say of each expected field whether it is missing or unusable; never null."""
    names = (*names_of(RAW_FIELDS), *options.mapping.fields)
    expected = (name for name in names if options.mapping.expects(name) is not Expected.NEVER)
    return {name: _defect(name, options) for name in expected}


def gaps_by_field(options: CleaningOptions) -> dict[str, nw.Expr]:
    """Say of each field that has a path, but need not be there, whether it is missing or unusable; never null."""
    return {name: _defect(name, options) for name in options.mapping.optional_fields}


def _defect(name: str, options: CleaningOptions) -> nw.Expr:
    if name == "email":
        return nw.col("email_domain").is_null()
    if name == "engagement_score":
        graded = nw.col("engagement_score").is_between(0, _scale(options.mapping)).fill_null(value=False)
        return nw.col("engagement_score_supplied") & ~graded
    if name == "last_active_at":
        return is_undated(options.as_of)
    if name in BUSINESS_FIELDS:
        return mapped(name, options.mapping) == nw.lit(UNKNOWN)
    return nw.col(name).is_null()


def is_inactive(as_of: datetime) -> nw.Expr:
    """Say whether the last activity is a valid date, and too long ago; never null."""
    return (nw.col("last_active_at") < as_of - ACTIVE_WITHIN).fill_null(value=False)


def is_undated(as_of: datetime) -> nw.Expr:
    """Say whether a last activity was supplied that is not a date, or lies ahead; never null."""
    return nw.col("last_active_at_supplied") & ~_is_past(as_of)


def _scale(mapping: RecordMapping) -> float:
    return 1.0 if mapping.engagement_score is None else mapping.engagement_score.scale


def _smallest_reaching(level: float, scale: float) -> float:
    """Return the smallest score that reaches a level once it is divided by its scale: 0.66 of 100 → 66.

    Engines only compare with it. They divide differently: Polars multiplies by the reciprocal, and so 3.3 of 5 would be
    `high` there and `medium` elsewhere.
    """
    score = level * scale
    while score / scale >= level:
        score = math.nextafter(score, -math.inf)
    while score / scale < level:
        score = math.nextafter(score, math.inf)
    return score


def _is_past(as_of: datetime) -> nw.Expr:
    """Say whether the last activity is a date that has come, and does not mean "never"; not null itself."""
    date = nw.col("last_active_at")
    has_come = (date <= as_of + CLOCKS_DIFFER_BY) & (date > NOBODY_BY)
    return (has_come & ~date.is_between(*NEVER)).fill_null(value=False)


# --- duplicates ---------------------------------------------------------------------------------------

_PAGE_STEP = 2**28
"""More records than a page holds."""
_DEFECT_STEP = 2**59
"""Pages take 31 bits and positions 28; with ten defects at most, the rank stays within 63."""


def deduplicate(judged: Frame) -> Frame:
    """Keep one record per id: the fewest defects, so the highest score; then the earliest page; then position.

    Two ways to the same rows. Polars and Spark are faster with the window (10 million rows on Polars: 4.4 against
    4.9 s); DuckDB, which would sort every row for it, with the exclusion (6.2 against 7.6 s; 50 million rows in 1 GB:
    32 against 99 s).
    """
    place = nw.col("page").cast(nw.Int64) * _PAGE_STEP + nw.col("position").cast(nw.Int64)
    ranked = judged.with_columns(_rank=nw.col("_defects") * _DEFECT_STEP + place)
    return best_by_exclusion(ranked) if ranked.implementation.is_duckdb() else best_by_window(ranked)


def best_by_window(ranked: Frame) -> Frame:
    """Keep the rows that are the first of their id by `_rank`."""
    return ranked.filter(nw.col("_rank") == nw.col("_rank").min().over("id"))


def best_by_exclusion(ranked: Frame) -> Frame:
    """Drop the rows that are not, looking only at ids that come more than once: usually few."""
    repeated = ranked.group_by("id").agg(_copies=nw.len()).filter(nw.col("_copies") > 1).select("id")
    candidates = ranked.join(repeated, on="id", how="semi")
    losers = candidates.filter(nw.col("_rank") > nw.col("_rank").min().over("id")).select("id", "_rank")
    return ranked.join(losers, on=["id", "_rank"], how="anti")


# --- generated values ---------------------------------------------------------------------------------

_PRIME = 1_073_741_789
"""The largest prime below 2^30 that leaves 2 when divided by 3: then cubing permutes the residues."""


def generated_fields(options: CleaningOptions) -> tuple[str, ...]:
    """Name the business fields that are generated where the API has nothing to judge by."""
    if not options.generate:
        return ()
    supplied = {column.name for column in options.mapping.raw_columns if column.supplied is True}
    judged = {name for name, source in JUDGED_BY.items() if source in supplied}
    return tuple(name for name in BUSINESS_FIELDS if getattr(options.mapping, name) is None and name not in judged)


def with_hash_bucket(customers: Frame, options: CleaningOptions) -> Frame:
    """Add `_hash_bucket`, a number in 0..2^30 that depends on the seed and the id alone, and looks random.

    Two rounds of adding a secret of the seed's and cubing modulo a prime: a permutation of the residues, of degree
    9, so that ids in a row land far apart. Every product stays below 2^62 and no operand is negative, hence no
    engine overflows or rounds, and none differs by the sign of its remainder.
    """
    number = nw.col("id_hash" if options.mapping.id_type == "text" else "id")
    rolled = customers.with_columns(_hash_bucket=number % _PRIME)
    digest = hashlib.sha256(f"customer_assets {options.seed}".encode()).digest()
    for secret in (digest[:8], digest[8:16]):
        offset = int.from_bytes(secret) % _PRIME
        shifted = nw.col("_hash_bucket") + offset
        rolled = rolled.with_columns(_hash_bucket=shifted * shifted % _PRIME * shifted % _PRIME)
    return rolled


def generated(options: CleaningOptions, modulus: int, *values: str) -> nw.Expr:
    """Choose evenly among the values, by the leading digit of `_hash_bucket % modulus`; `unknown` if switched off.

    The modulus is a multiple of the number of values. Fields with different moduli among 3, 9, 27 (base 3) and 2, 8 are
    independent of each other: each looks at a digit of its own, and powers of 2 and 3 share no factor.
    """
    if not generated_fields(options):  # then there is no `_hash_bucket`, and no record lacks what a field follows from
        return nw.lit(UNKNOWN)
    digit, step = nw.col("_hash_bucket") % modulus, modulus // len(values)
    chosen = nw.lit(values[-1])
    for index, value in reversed([*enumerate(values[:-1], start=1)]):
        chosen = nw.when(digit < index * step).then(nw.lit(value)).otherwise(chosen)
    return chosen


# --- lineage ------------------------------------------------------------------------------------------


def lineage(options: CleaningOptions) -> dict[str, tuple[str, ...]]:
    """Say which columns of the raw table each clean column is computed from."""
    return {field.name: _sources(field.name, options) for field in options.mapping.clean_fields}


def _sources(name: str, options: CleaningOptions) -> tuple[str, ...]:
    mapping = options.mapping
    if name == "customer_id":
        return ("id",)
    if name == "full_name":
        return ("first_name", "last_name") if mapping.full_name is None else ("full_name", "first_name", "last_name")
    if name == "data_quality_score":
        return tuple(source for defective in defects_by_field(options) for source in _read_of(defective))
    if name not in BUSINESS_FIELDS or getattr(mapping, name) is not None:
        return (name,)
    judged_by = _read_of(JUDGED_BY[name]) if name in JUDGED_BY else ()
    identity = ("id_hash" if mapping.id_type == "text" else "id",)
    return (*judged_by, *identity) if name in generated_fields(options) else judged_by


def _read_of(name: str) -> tuple[str, ...]:
    """Name the raw columns that are read to judge a field."""
    if name == "email":
        return ("email_domain",)
    return (name, f"{name}_supplied") if name in JUDGED_BY.values() else (name,)

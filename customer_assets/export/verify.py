"""Where a published document is read again: every line parsed, nothing kept. Trusts nothing that it reads."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from customer_assets.errors import CustomerAssetsError
from customer_assets.export.exporter import TAIL, ExportFigures
from customer_assets.export.json_lines import BETWEEN_LINES
from customer_assets.report.aggregates import HIGH_FROM, MEDIUM_FROM

BLOCK_BYTES = 2**18
"""Its customers fit the processor's cache: four times as many take half as long again each."""
OPENING = b"{\n"
CUSTOMERS_FOLLOW = b'"customers": [\n'


class UnreadableExportError(CustomerAssetsError):
    """A published document is not what an export looks like.

    Attributes:
        path: The file.
        problem: What is wrong with it, without its content.
    """

    def __init__(self, path: str, problem: str) -> None:
        """Name the file and what is wrong."""
        self.path, self.problem = path, problem
        super().__init__(f"{path} is no export: {problem}. Materialise customer_export again.")


class _Customer(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    customer_id: str
    full_name: str
    email_domain: str
    engagement_level: Literal["high", "medium", "low", "unknown"]
    activity_status: Literal["active", "inactive", "unknown"]
    acquisition_channel: Literal["website", "mobile_app", "email_campaign"]
    market_segment: Literal["US-West", "US-East", "EU-Central", "APAC"]
    customer_tier: Literal["basic", "premium", "enterprise"]
    data_quality_score: int


class _Summary(msgspec.Struct, forbid_unknown_fields=True):
    high_quality: int
    medium_quality: int
    low_quality: int


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    total_customers: int
    export_timestamp: str
    data_quality_summary: _Summary


_metadata = msgspec.json.Decoder(_Metadata)
_customers = msgspec.json.Decoder(list[_Customer])


def read_export(path: Path) -> ExportFigures:
    """Count what a published document holds.

    Raises:
        UnreadableExportError: It is missing, malformed, or its head does not tell what it holds.
    """
    try:
        with path.open("rb") as file:
            claimed = _metadata.decode(_head(file))
            found = _body(file)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise UnreadableExportError(str(path), type(error).__name__) from None
    summary = claimed.data_quality_summary
    bands = (summary.high_quality, summary.medium_quality, summary.low_quality)
    if (claimed.total_customers, *bands) != (
        found.total_customers,
        found.high_quality,
        found.medium_quality,
        found.low_quality,
    ):
        raise UnreadableExportError(str(path), "its metadata counts other customers than it holds")
    return found


def _head(file: BinaryIO) -> bytes:
    if file.readline() != OPENING:
        raise ValueError
    metadata = file.readline().removeprefix(b'"metadata": ').removesuffix(b",\n")
    if file.readline() != CUSTOMERS_FOLLOW:
        raise ValueError
    return metadata


def _body(file: BinaryIO) -> ExportFigures:
    digest, scores, between = hashlib.sha256(), Counter[int](), b""
    for lines in _lines(file):
        scores.update([customer.data_quality_score for customer in _customers.decode(b"[%b]" % lines)])
        digest.update(between)
        digest.update(lines)
        between = BETWEEN_LINES
    high = sum(count for score, count in scores.items() if score >= HIGH_FROM)
    low = sum(count for score, count in scores.items() if score < MEDIUM_FROM)
    return ExportFigures(scores.total(), high, scores.total() - high - low, low, digest.hexdigest())


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines, many at once, without what stands between and behind them."""
    parts: list[bytes] = []
    while block := file.read(BLOCK_BYTES):
        lines, between, begun = block.rpartition(BETWEEN_LINES)
        if between:
            yield b"".join([*parts, lines])
            parts = []
        parts.append(begun)
    last = b"".join(parts)
    if not last.endswith(TAIL):
        raise ValueError
    if last != TAIL:
        yield last.removesuffix(TAIL)

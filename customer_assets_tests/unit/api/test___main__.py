"""The probe: one or two pages, described without a value of any customer."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from customer_assets.api.__main__ import main
from customer_assets.simulator import SimulatorSettings, running_simulator
from customer_assets_tests.harness.apis.paged_api import (
    Answered,
    Asked,
    PagedAPI,
    Records,
    Way,
    by_cursor,
    by_offset,
    by_page_with_header,
    paged,
)
from customer_assets_tests.harness.vendors import VENDORS, Population, VendorAPI
from customer_assets_tests.harness.vendors.base import ENVIRON, KEY
from customer_assets_tests.harness.vendors.serve import serve_vendor


def probe(name: str, api: VendorAPI, *more: str, **variables: str) -> int:
    """Probe an imitated API by its preset."""
    with serve_vendor(api) as url:
        return main(["probe", "--preset", name, "--base-url", url, *more], {**ENVIRON, **variables})


def test_an_api_is_described_in_names_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Fields, mapping, total and cost; no name, address or key."""
    api = VENDORS["intercom"](Population(523))
    assert probe("intercom", api) == 0
    shown = capsys.readouterr().out
    for line in (
        "pages: cursor, 150 records on the first",
        "more pages: yes",
        "total: 523",
        "a full crawl: 4 requests, at least 0 s, unless the API's limit is lower",
        "limit headers: none",
        "  email: text; filled in 300 of 300",
        "  id (text): usable in 300 of 300",
        "  full_name: sent in 300 of 300, filled in 300 of 300",
    ):
        assert line in shown.splitlines()
    assert len(api.requests) == 2
    assert not any(word in shown for word in ("person1", "First1", KEY, "example.org"))


def test_a_small_listing_is_read_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe("hubspot", VENDORS["hubspot"](Population(3))) == 0
    shown = capsys.readouterr().out
    assert "more pages: none; this is the whole listing" in shown
    assert "total: the API does not say" in shown
    assert "a full crawl: the API does not say how many customers there are" in shown


def test_a_mapping_that_does_not_fit_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An id of another type, and a field that is never sent; the file that was probed can be written."""
    file = tmp_path / "api.yaml"
    section = {"record": {"id_type": "integer", "email": "mail"}, "page_size": 5}
    (tmp_path / "given.yaml").write_text(yaml.safe_dump({"api": section}), encoding="utf-8")
    more = ("--config", str(tmp_path / "given.yaml"), "--write", str(file))
    assert probe("square", VENDORS["square"](Population(9)), *more, CUSTOMER_PAGE_STORE="redis://:canary@x") == 0
    shown = capsys.readouterr().out
    assert "  id (integer): usable in 0 of 9; with id_type: text in 9 of 9" in shown.splitlines()
    assert "  email: sent in 0 of 9, filled in 0 of 9; map it, or set it to null" in shown.splitlines()
    written = yaml.safe_load(file.read_text(encoding="utf-8"))["api"]
    assert (written["preset"], written["page_size"], written["record"]) == ("square", 5, section["record"])
    assert "canary" not in str(written)


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "message"),
    [
        ((), {}, 2, "base_url: no API is named"),
        (("--preset", "strip"), {}, 2, "CUSTOMER_API_PRESET: there is no preset 'strip'. Did you mean stripe?"),
        (("--preset", "stripe"), {}, 2, "CUSTOMER_API_KEY: it is not set"),
        (("--preset", "shopify"), {}, 2, "CUSTOMER_API_PRESET_VALUES: the preset shopify needs shop"),
        (("--config", "none.yaml"), {}, 2, "config: none.yaml cannot be read"),
        ((), {"CUSTOMER_API_PRESET": "chargebee", "CUSTOMER_API_PRESET_VALUES": "site=a"}, 2, "CUSTOMER_API_USER"),
    ],
)
def test_what_is_missing_is_named(
    arguments: tuple[str, ...],
    variables: dict[str, str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is sent."""
    assert main(["probe", *arguments], variables) == code
    assert capsys.readouterr().err.startswith(message)


def test_an_api_that_refuses_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do about it."""
    assert probe("stripe", VENDORS["stripe"](Population(3)), CUSTOMER_API_KEY="wrong") == 1
    assert "Check the token (CUSTOMER_API_KEY)." in capsys.readouterr().err


def by_page_from_0(asked: Asked, records: Records) -> Answered:
    """Counted from 0, without a total."""
    start = asked.number("page", 0) * 20
    return Answered({"d": records[start : start + 20]})


PAGE = {"type": "page_number"}
OFFSET = {"type": "offset", "size_parameter": "limit", "size": 20}
COUNTED = {"records": "items", "total": "total"}


@pytest.mark.parametrize(
    ("way", "pages", "answer", "line"),
    [
        (
            by_page_from_0,
            PAGE,
            {"records": "d"},
            "page 0 holds customers whom page 1 and 2 do not: set first: 0 in pages",
        ),
        (
            by_offset,
            {**PAGE, "parameter": "offset", "size_parameter": "limit"},
            COUNTED,
            "more pages: the second page shares 19 customers with the first; check pages",
        ),
        (
            by_offset,
            {**OFFSET, "parameter": "skip"},
            COUNTED,
            "more pages: the second page holds exactly the records of the first; check pages",
        ),
        (
            by_offset,
            {"type": "single"},
            COUNTED,
            "more pages: the API counts 523 customers, but lists only 20; check pages",
        ),
        (by_offset, {"type": "single"}, {"records": "items"}, "more pages: not asked for, since pages is single"),
        (
            by_cursor,
            {"type": "cursor", "from": "paging.after", "parameter": "after"},
            {"records": "results"},
            "more pages: none; this is the whole listing, unless the way on is elsewhere",
        ),
        (
            by_cursor,
            {"type": "cursor", "from": "paging.next.after", "parameter": "after"},
            {"records": "results"},
            "beside the records: paging.next.after (text)",
        ),
        (by_page_with_header, PAGE, {"records": ""}, "headers that can say more: x-wp-total"),
        (by_offset, OFFSET, COUNTED, "more pages: yes"),
    ],
)
def test_a_wrong_way_of_paging_shows(
    way: Way,
    pages: dict[str, Any],
    answer: dict[str, Any],
    line: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Before a sync is set up with it."""
    file = tmp_path / "api.yaml"
    file.write_text(yaml.safe_dump({"api": {"pages": pages, "answer": answer}}), encoding="utf-8")
    with paged(PagedAPI(way)) as api:
        assert main(["probe", "--config", str(file), "--base-url", api.url], {"CUSTOMER_API_KEY": KEY}) == 0
        assert api.requests <= 3 + 7, "an empty page is asked for again"
    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("incremental", "line"),
    [
        ({"parameter": "updated_since"}, "they can be requested"),
        (
            {"parameter": "changed_since"},
            "the API ignores the filter; check parameter, format and template of incremental",
        ),
        (
            {"parameter": "updated_since", "format": "%m", "template": "21{since}-01-01T00:00:00Z"},
            "the API shows none at all; check parameter, format and template of incremental",
        ),
        (
            {"parameter": "updated_since", "template": "2199-01-01T00:00:00Z#{since}"},
            "they cannot be requested: The API answered page 1 with HTTP 400",
        ),
    ],
    ids=["right", "another parameter", "another instant", "another format"],
)
def test_the_filter_for_changes_is_tried(
    incremental: dict[str, str], line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(yaml.safe_dump({"api": {"incremental": incremental}}), encoding="utf-8")
    with running_simulator(SimulatorSettings(customers=50, changes_per_hour=60)) as simulator:
        arguments = ["probe", "--config", str(file), "--base-url", simulator.base_url]
        assert main(arguments, {"CUSTOMER_API_KEY": KEY}) == 0
    assert f"\nchanges: {line}" in capsys.readouterr().out

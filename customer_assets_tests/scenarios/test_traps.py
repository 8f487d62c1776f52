"""What users of other tools ran into, one by one: what happens here, beside what happens there.

`TRAPS` is the whole list. "dlt" is dlt 1.31's `rest_api`, "Airbyte" an Airbyte manifest on CDK 7.39; what is said of
them was measured on imitations, or is in the issue that is named. Each trap names the test that holds ours, here or
elsewhere; the open one says so.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from customer_assets.api import CustomerAPIClient
from customer_assets.api.responses.answer import AnswerFields
from customer_assets.api.runner.collector import CustomerCollector
from customer_assets.apis import load_preset, preset_names
from customer_assets.core.errors import APIError, ConfigurationError
from customer_assets.core.models import Page
from customer_assets.core.record_mapping import RecordMapping
from customer_assets_tests.harness.vendors import VENDORS, Population, Request, Response, VendorAPI
from customer_assets_tests.harness.vendors.base import reply
from customer_assets_tests.harness.vendors.virtual import ids_of, open_vendor_client

TESTS = Path(__file__).parents[1]
PAGING = "scenarios/test_paging.py::test_a_trap_costs_no_customer"
OAUTH = "unit/api/auth/test_oauth.py"
PRESETS = "scenarios/test_presets.py"
INCREMENTAL = "unit/api/test_incremental.py"
CHANGES = "scenarios/test_incremental.py"
SLICES = "scenarios/test_slices.py"
HERE = "scenarios/test_traps.py"


@dataclass(frozen=True)
class Trap:
    """One trap.

    Attributes:
        where: Who ran into it.
        others: What happens there.
        ours: What happens here.
        tests: Where that is held; none: it is open.
    """

    where: str
    others: str
    ours: str
    tests: tuple[str, ...] = ()


TRAPS: dict[int, Trap] = {
    1: Trap("dlt #1414", "a total on the first page only ends the crawl", "it is remembered", (PAGING,)),
    2: Trap(
        "dlt #1530, #1637", "without a total, pages are requested up to a maximum", "an empty page ends", (PAGING,)
    ),
    3: Trap("dlt #2816", "offsets without a look at has_more never end", "has_more ends", (PAGING,)),
    4: Trap(
        "dlt #3358", "a cursor on the last page never ends", "an empty page ends, a cursor seen before fails", (PAGING,)
    ),
    5: Trap("dlt #2012", "a blank cursor is taken for one", "blank, null, false and absent are none", (PAGING,)),
    6: Trap("dlt #2932", "records that are null break the crawl", "an empty page", (PAGING,)),
    7: Trap("dlt #4225", "has_more without a cursor starts again", "an error that names both", (f"{HERE}::test_7",)),
    8: Trap(
        "airbyte #34883",
        "Airbyte: 100 of 523 of a clamped page size, succeeded",
        "all",
        (PAGING, f"{PRESETS}::test_a_clamped"),
    ),
    9: Trap(
        "dlt, measured",
        "123 of 523 by clamped offsets, although the total is there",
        "all",
        (PAGING, f"{PRESETS}::test_a_clamped"),
    ),
    10: Trap(
        "airbyte #19597, #20296", "the first page twice: 523 become 623", "the first page is a setting", (PAGING,)
    ),
    11: Trap(
        "dlt, measured",
        "paging that is guessed: silently less for 18 APIs of 35",
        "all or an error",
        (f"{HERE}::test_11",),
    ),
    12: Trap("airbyte CDK #1073", "a filter makes pages look short, and ends early", "what came counts", (PAGING,)),
    13: Trap(
        "airbyte #59652",
        "offsets read as page numbers lose most",
        "an error, or counted as missing",
        (f"{HERE}::test_13",),
    ),
    14: Trap(
        "airbyte #57576",
        "newest first, and every new one shifts the rest",
        "read again until steady",
        (f"{HERE}::test_14",),
    ),
    15: Trap(
        "insight #3172",
        "sorted by change: dlt 437, Airbyte 447 of 523, succeeded",
        "read again until steady",
        (f"{HERE}::test_15",),
    ),
    16: Trap(
        "airbyte #10700, #23630",
        "a window: 9,990 of 2,090,000",
        "slices, or an error",
        (f"{HERE}::test_16", f"{PRESETS}::test_a_listing_beyond_the_window"),
    ),
    17: Trap(
        "airbyte #43317",
        "10,000 of one instant loop for ever",
        "an error names the instant",
        (f"{SLICES}::test_as_many_of_one_instant",),
    ),
    18: Trap(
        "airbyte #58666", "a listing that stops early, without an error", "counted as missing", (f"{HERE}::test_18",)
    ),
    19: Trap("airbyte #31164, #33680", "a next page that is never null", "a flag or a repetition ends", (PAGING,)),
    20: Trap("airbyte #19266", "429 for ever is waited on", "it ends, resumably", (f"{HERE}::test_20",)),
    21: Trap(
        "magento #3787",
        "the last page again: Airbyte's never ends at a multiple",
        "all",
        (PAGING, f"{PRESETS}::test_a_multiple"),
    ),
    22: Trap(
        "tap-rest-api-msdk #42",
        "offsets from 1: the first record never comes",
        "the first offset is a setting",
        (PAGING,),
    ),
    23: Trap("meltano sdk #2980", "an empty page in a chain ends it", "only the cursor does", (PAGING,)),
    24: Trap(
        "Shopware's documents", "a total that counts the page only", "page 2 is asked for once", (f"{HERE}::test_24",)
    ),
    25: Trap(
        "Paddle, Zendesk",
        "dlt and Airbyte never end where next is never null",
        "has_more ends",
        (PAGING, f"{PRESETS}::test_a_multiple"),
    ),
    26: Trap(
        "airbyte #3990, #18035", "a refresh token for one use is lost", "stored before it is used", (f"{OAUTH}::",)
    ),
    27: Trap(
        "airbyte #80783, #82783",
        "a token that was replaced meanwhile",
        "read under a lock when it is used",
        (f"{OAUTH}::",),
    ),
    28: Trap("airbyte #22995", "a dead refresh token is retried", '"log in again", once', (f"{OAUTH}::",)),
    29: Trap("measured", "a token that dies early: both end with 401", "one new token", (f"{HERE}::test_29",)),
    30: Trap(
        "erpl-web #183", "dlt's next URL takes the key to any host", "an error; nothing is sent", (f"{HERE}::test_30",)
    ),
    31: Trap("openfda #107", "a next link without the key", "every request has it", (f"{HERE}::test_31",)),
    32: Trap("measured", "403 or 200 that mean throttling end the crawl", "waited out", (f"{HERE}::test_32",)),
    33: Trap(
        "dlt #2269",
        "what is committed late is never read",
        "the mark is the crawl's start, less a lookback",
        (f"{INCREMENTAL}::test_the_watermark_is",),
    ),
    34: Trap(
        "dlt #4030",
        "megabytes of hashes at a border",
        "the table replaces by id",
        (f"{CHANGES}::test_a_sync_that_lives_on_changes",),
    ),
    35: Trap("dlt #1928, #2274", "no filter at all cannot be said", "a full listing", (f"{HERE}::test_35",)),
    36: Trap("airbyte #4921, #15509", "Stripe's updates are missed", "a full listing", (f"{HERE}::test_35",)),
    37: Trap(
        "airbyte #66581",
        "an id as the mark: changes are never seen",
        "the mark is an instant",
        (f"{INCREMENTAL}::test_what_changed_since",),
    ),
    38: Trap(
        "airbyte #85372",
        "the mark moves although the result is lost",
        "table and mark are one commit",
        (f"{CHANGES}::test_a_failed_crawl_changes_nothing",),
    ),
    39: Trap(
        "verified-sources #659",
        "a border doubles customers",
        "the table replaces by id",
        (f"{CHANGES}::test_a_sync_that_lives_on_changes",),
    ),
    40: Trap(
        "estuary #2037",
        "`>` loses the same second",
        "one unit earlier is asked for",
        (f"{INCREMENTAL}::test_an_instant_is_rounded_down",),
    ),
    41: Trap("object-sync-for-salesforce #131", "ids that differ in case are one", "two", (f"{HERE}::test_41",)),
    42: Trap("Mailchimp", "an id that is the address's hash", "the preset takes contact_id", (f"{HERE}::test_42",)),
    43: Trap(
        "dlt, its schema rules", "ids as numbers and texts make two columns", "one declared type", (f"{HERE}::test_43",)
    ),
    44: Trap("Zoho, HubSpot, Shopify", "19 digits break as doubles", "exact", (f"{HERE}::test_44",)),
    45: Trap("this project, once", "ids that are no integers are rejected", "text ids", (f"{HERE}::test_45",)),
}


def test_every_trap_is_held_or_open() -> None:
    """45 of them; each test that is named exists."""
    assert list(TRAPS) == list(range(1, 46))
    for number, trap in TRAPS.items():
        assert bool(trap.tests) != trap.ours.startswith("open"), number
        for test in trap.tests:
            file, _, name = test.partition("::")
            tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
            names = [each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
            assert any(re.match(rf"{name}(_|$)" if name else "test_", each) for each in names), test


def read(name: str, api: VendorAPI, tmp: Path, **options: Any) -> tuple[list[Any], CustomerAPIClient, float]:
    """Read everybody by a preset; return their ids, the client, and the seconds that it took."""
    with open_vendor_client(name, api, tmp=tmp, **options) as (client, time):
        return ids_of(client.fetch_all_customers(), client.options.record), client, time.now_s


def same(found: list[Any], api: VendorAPI) -> bool:
    """Whether everybody came, once."""
    return sorted(map(str, found)) == sorted(str(api.key(customer)) for customer in api.customers)


def edited(api: VendorAPI, edit: Callable[[Request, Response], Response]) -> VendorAPI:
    """An API whose answers are edited."""
    answer = api.answer
    api.answer = lambda request: edit(request, answer(request))  # type: ignore[method-assign]
    return api


def test_7_more_pages_without_a_cursor_are_an_error(tmp_path: Path) -> None:
    """Not the first page again."""
    forgetful = edited(
        VENDORS["zendesk"](Population(523)),
        lambda _, response: Response(
            response.status, re.sub(rb'"after_cursor": "[^"]+"', b'"after_cursor": null', response.body)
        ),
    )
    with pytest.raises(ConfigurationError, match=r"meta.has_more says that more pages follow, but meta.after_cursor"):
        read("zendesk", forgetful, tmp_path)


@pytest.mark.parametrize("name", preset_names())
def test_11_what_is_not_described_is_not_guessed(name: str, tmp_path: Path) -> None:
    """With address and credentials but no word on paging and names: everybody, or an error."""
    preset = load_preset(name).api
    kept = {key: preset[key] for key in ("method", "params", "headers", "body") if key in preset}
    api = VENDORS[name](Population(523))
    try:
        found, client, _ = read(
            name, api, tmp_path, **kept, pages={"type": "page_number"}, answer=AnswerFields().model_dump()
        )
    except (ConfigurationError, APIError):
        assert name != "reqres", "the default settings are for an API like this one"
    else:
        assert same(found, api) or client.figures.missing_customers


OFFSETS = [name for name in preset_names() if load_preset(name).api["pages"]["type"] == "offset"]


@pytest.mark.parametrize("name", OFFSETS)
def test_13_offsets_read_as_page_numbers_are_noticed(name: str, tmp_path: Path) -> None:
    """By an error, or by the customers that are missing."""
    pages = load_preset(name).api["pages"]
    wrong = {"type": "page_number", "parameter": pages["parameter"], "size_parameter": pages.get("size_parameter")}
    api = VENDORS[name](Population(523))
    try:
        found, client, _ = read(name, api, tmp_path, pages=wrong, page_size=50)
    except (ConfigurationError, APIError):
        return
    assert same(found, api) or client.figures.missing_customers > 0


@pytest.mark.parametrize("joins_at", range(0, 30, 3))
def test_14_newest_first_costs_nobody(joins_at: int, tmp_path: Path) -> None:
    """Brevo as it sorts by itself: somebody joins while pages are read."""
    api = VENDORS["brevo"](Population(523, joins_at=joins_at))
    found, client, _ = read("brevo", api, tmp_path, params={"sort": "desc"}, page_size=20)
    assert {api.key(customer) for customer in api.population.stayed} <= set(found)
    assert client.figures.missing_customers == 0


@pytest.mark.parametrize("leaves_at", range(0, 30, 3))
def test_15_a_moving_order_costs_nobody(leaves_at: int, tmp_path: Path) -> None:
    """Mailchimp sorted by change: some join and leave while pages are read."""
    api = VENDORS["mailchimp"](Population(523, joins_at=leaves_at + 2, leaves_at=leaves_at))
    found, client, _ = read("mailchimp", api, tmp_path, params={"sort_field": "last_changed"}, page_size=20)
    assert {api.key(customer) for customer in api.population.stayed} <= set(found)
    assert client.figures.missing_customers == 0


@pytest.mark.parametrize(("name", "customers", "window"), [("commercetools", 10_600, 10_000), ("auth0", 1_101, 1_000)])
def test_16_a_listing_beyond_its_window_is_refused(name: str, customers: int, window: int, tmp_path: Path) -> None:
    """Unless it is read in slices: an error after one request, never a part of them; even if nobody knows."""
    api = VENDORS[name](Population(customers))
    with pytest.raises(ConfigurationError, match=rf"pages.window: there are {customers} .* no more than {window}"):
        read(name, api, tmp_path, slices=None)
    assert sum(request.path == api.path for request in api.requests) == 1
    pages = {**load_preset(name).api["pages"], "window": None}
    with pytest.raises(APIError):
        read(name, VENDORS[name](Population(customers)), tmp_path, pages=pages, slices=None)


def test_18_a_listing_that_stops_early_is_counted(tmp_path: Path) -> None:
    """Beyond the 200th there is nothing, although the total says otherwise."""

    def cut(request: Request, response: Response) -> Response:
        return response if int(request.query["offset"]) < 200 else reply({"total": 523, "items": []})

    found, client, _ = read("ecwid", edited(VENDORS["ecwid"](Population(523)), cut), tmp_path)
    assert (len(found), client.figures.missing_customers) == (200, 323)


@pytest.mark.parametrize("name", ["zendesk", "github", "shopify_graphql", "bigcommerce"])
def test_20_throttling_without_end_ends(name: str, tmp_path: Path) -> None:
    """Within an hour, whatever it looks like, and resumably."""
    api = VENDORS[name](Population(523))
    with open_vendor_client(name, api, tmp=tmp_path, limit=(1e-9, 1)) as (client, time):
        with pytest.raises(APIError):
            client.fetch_all_customers()
        assert time.now_s < 3_600


def test_24_a_total_that_counts_the_page_is_doubted(tmp_path: Path) -> None:
    """Shopware without `total-count-mode`: everybody comes all the same."""
    api = VENDORS["shopware"](Population(1_523))
    found, client, _ = read("shopware", api, tmp_path, body={"total-count-mode": 0})
    assert same(found, api)
    assert client.figures.total is None


@pytest.mark.parametrize("name", [name for name in preset_names() if VENDORS[name].token_path])
def test_29_a_token_that_dies_early_is_replaced(name: str, tmp_path: Path) -> None:
    """In the middle of the crawl, long before it expires."""
    api = VENDORS[name](Population(523))

    def revoke(_: Request, response: Response) -> Response:
        if len(api.requests) == 3:
            api.tokens.clear()
        return response

    size = {"page_size": 50} if load_preset(name).api["pages"].get("size_parameter") else {}
    found, _, _ = read(name, edited(api, revoke), tmp_path, **size)
    assert same(found, api)
    assert len(api.tokens) >= 1


@pytest.mark.parametrize(("name", "own"), [("klaviyo", b"vendor.example"), ("okta", b"vendor.example")])
def test_30_the_key_goes_to_no_other_host(name: str, own: bytes, tmp_path: Path) -> None:
    """A next page elsewhere is an error; the transport itself would refuse to send there."""

    def elsewhere(_: Request, response: Response) -> Response:
        headers = {key: value.replace("vendor.example", "evil.example") for key, value in response.headers.items()}
        return Response(response.status, response.body.replace(own, b"evil.example"), headers)

    with pytest.raises(ConfigurationError, match="does not lead to the API itself"):
        read(name, edited(VENDORS[name](Population(523)), elsewhere), tmp_path)


@pytest.mark.parametrize("name", ["klaviyo", "okta", "shopify", "recurly", "salesforce"])
def test_31_every_request_carries_the_key(name: str, tmp_path: Path) -> None:
    """Those for a next link as well, which has none."""
    api = VENDORS[name](Population(523))
    found, _, _ = read(name, api, tmp_path)
    assert same(found, api)
    assert all(api.authorises(request) for request in api.requests if request.path != api.token_path)


@pytest.mark.parametrize("name", ["github", "shopify_graphql", "bigcommerce", "shopify", "intercom"])
def test_32_throttling_in_every_form_is_waited_out(name: str, tmp_path: Path) -> None:
    """403 with nothing remaining, errors in a 200, milliseconds, a bucket, an epoch."""
    api = VENDORS[name](Population(523))
    found, client, _ = read(name, api, tmp_path, limit=(2.0, 3), page_size=20)
    assert same(found, api)
    assert client.figures.throttles > 0


@pytest.mark.parametrize("name", [name for name in preset_names() if "incremental" not in load_preset(name).api])
def test_35_an_api_without_a_filter_is_listed_as_a_whole(name: str, tmp_path: Path) -> None:
    """Each time: what changed at the far end of the list comes with it."""
    api = VENDORS[name](Population(30))
    for _ in range(2):
        found, _, _ = read(name, api, tmp_path)
        assert same(found, api)
        api.population.customers.pop()


def collected(records: bytes, mapping: RecordMapping) -> list[dict[str, Any]]:
    """The customers that records amount to."""
    sink = CustomerCollector(mapping)
    sink.add(Page(1, None, None, None, records.count(b"{"), records))
    return sink.customers()


def test_41_ids_that_differ_in_case_are_two() -> None:
    """Salesforce's."""
    records = b'[{"id": "0015g00000XyZ"}, {"id": "0015g00000xyz"}]'
    assert len(collected(records, RecordMapping(id_type="text"))) == 2


def test_42_a_members_id_outlives_the_address() -> None:
    """Mailchimp's `id` is the address's hash."""
    assert load_preset("mailchimp").api["record"]["id"] == "contact_id"


def test_43_an_id_has_one_type() -> None:
    """As an integer, 7 and its spellings are one; as text, each is another."""
    records = b'[{"id": 7}, {"id": "7"}, {"id": "007"}]'
    assert len(collected(records, RecordMapping())) == 1
    assert len(collected(records, RecordMapping(id_type="text"))) == 2


def test_44_long_ids_are_exact() -> None:
    """Beyond 2^53, as numbers and as digits."""
    records = b'[{"id": 3652397000000000001}, {"id": 3652397000000000002}, {"id": "3652397000000000003"}]'
    assert [len(collected(records, RecordMapping(id_type=kind))) for kind in ("integer", "text")] == [3, 3]


@pytest.mark.parametrize("name", ["drip", "lago", "shopware"])
def test_45_ids_of_text_are_ids(name: str, tmp_path: Path) -> None:
    """32 digits, UUIDs: nobody is rejected for them."""
    api = VENDORS[name](Population(523))
    found, client, _ = read(name, api, tmp_path)
    assert same(found, api)
    assert client.figures.rejected == 0

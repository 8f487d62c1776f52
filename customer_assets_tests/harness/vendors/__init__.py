"""Imitations of 41 vendors' customer APIs, made from the vendors' own documents, which the presets name.

Each is a plain function from request to response, so that it can be driven without a socket, or served on loopback by
`serve.py`. An imitation is as strict as its vendor: what the documents forbid is refused, a page size beyond the cap is
clamped or refused, faults and throttling look as the vendor's do.
"""

from customer_assets_tests.harness.vendors.base import Customer, Population, Request, Response, VendorAPI
from customer_assets_tests.harness.vendors.billing import BILLING
from customer_assets_tests.harness.vendors.filters import FILTERS
from customer_assets_tests.harness.vendors.identity import IDENTITY
from customer_assets_tests.harness.vendors.marketing import MARKETING
from customer_assets_tests.harness.vendors.shops import SHOPS
from customer_assets_tests.harness.vendors.support import SUPPORT

VENDORS: dict[str, type[VendorAPI]] = {**SHOPS, **BILLING, **MARKETING, **SUPPORT, **IDENTITY}
"""By the name of their preset."""

for _name, _filters in FILTERS.items():
    VENDORS[_name].filters = _filters

__all__ = ["VENDORS", "Customer", "Population", "Request", "Response", "VendorAPI"]

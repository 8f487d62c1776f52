"""Shops: Shopify, WooCommerce, BigCommerce, Magento, PrestaShop, Shopware, commercetools, Ecwid and Square."""

# ruff: noqa: ARG002 - not every vendor looks at all of a request

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from customer_assets_tests.harness.vendors.base import (
    KEY,
    PASSWORD,
    USER,
    Customer,
    Request,
    Response,
    VendorAPI,
    basic,
    carried,
    iso,
    reply,
    seal,
    unseal,
)

LATER_PAGE_MAY_HOLD = {"page_info", "limit", "fields"}


class Shopify(VendorAPI):
    """REST: the way on is a Link header; beside `page_info` no filter may be sent; a leaky bucket of forty."""

    cap, default_size = 250, 50
    path = "/admin/api/2025-01/customers.json"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("x-shopify-access-token") == KEY

    def throttle(self, wait_s: float) -> Response:
        return reply(
            {"errors": "Exceeded 2 calls per second"},
            429,
            Retry_After=f"{max(0.1, wait_s):.1f}",
            X_Shopify_Shop_Api_Call_Limit="40/40",
        )

    def asked_of(self, request: Request) -> Mapping[str, str]:
        cursor = request.query.get("page_info", "")
        return carried(cursor) if unseal(cursor) else request.query

    def elsewhere(self, request: Request) -> Response:
        if request.path == "/admin/api/2025-01/customers/count.json":
            return reply({"count": len(self.customers)})
        return super().elsewhere(request)

    def answer(self, request: Request) -> Response:
        if "page_info" in request.query and set(request.query) - LATER_PAGE_MAY_HOLD:
            return reply({"errors": "page_info cannot be passed with other filters"}, 400)
        number = unseal(request.query.get("page_info"))
        if number is None:
            return reply({"errors": "invalid page_info"}, 400)
        size = self.size(request.query.get("limit"))
        found, more = self.after(number, size)
        headers = {"X_Shopify_Shop_Api_Call_Limit": "12/40"}
        if more:
            query = urlencode({"limit": size, "page_info": seal(found[-1].number, self.asked_of(request))})
            headers["Link"] = f'<{self.base_url}{self.path}?{query}>; rel="next"'
        return reply({"customers": self.records(found)}, **headers)

    def record(self, customer: Customer) -> Any:
        return {
            "id": 7_000_000_000_000 + customer.number,
            "email": customer.email,
            "first_name": customer.first,
            "last_name": customer.last,
            "updated_at": customer.updated.strftime("%Y-%m-%dT%H:%M:%S-05:00"),
            "tags": "",
        }

    def key(self, customer: Customer) -> Any:
        return 7_000_000_000_000 + customer.number


class ShopifyGraphQL(VendorAPI):
    """GraphQL: the cursor goes into the body; throttling is a 200 with errors."""

    cap, default_size = 250, 50
    path = "/admin/api/2025-01/graphql.json"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("x-shopify-access-token") == KEY

    def throttle(self, wait_s: float) -> Response:
        return reply({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]})

    def answer(self, request: Request) -> Response:
        asked = request.json()
        variables = asked.get("variables", {})
        number = unseal(variables.get("after"))
        if request.method != "POST" or "customers" not in asked.get("query", "") or number is None:
            return reply({"errors": [{"message": "Invalid query"}]})
        if int(variables.get("first", 0)) > self.cap:
            return reply({"errors": [{"message": "first cannot exceed 250"}]})
        found, more = self.after(number, self.size(variables.get("first")))
        page_info = {"hasNextPage": more, "endCursor": seal(found[-1].number) if found else None}
        return reply({"data": {"customers": {"nodes": self.records(found), "pageInfo": page_info}}, "extensions": {}})

    def record(self, customer: Customer) -> Any:
        return {
            "id": self.key(customer),
            "firstName": customer.first,
            "lastName": customer.last,
            "updatedAt": iso(customer.updated),
            "defaultEmailAddress": {"emailAddress": customer.email},
        }

    def key(self, customer: Customer) -> Any:
        return f"gid://shopify/Customer/{customer.number}"


class WooCommerce(VendorAPI):
    """A bare list; the total in a header; ordered by name unless asked otherwise."""

    path = "/customers"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == basic(USER, PASSWORD)

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "1")), self.size(request.query.get("per_page"))
        ordered = list(self.customers)
        if request.query.get("orderby", "name") == "name":
            ordered.sort(key=lambda customer: customer.name)
        found = ordered[(page - 1) * size : page * size]
        pages = -(-len(ordered) // size)
        headers = {"X_WP_Total": str(len(ordered)), "X_WP_TotalPages": str(pages)}
        if page < pages:
            query = urlencode({**request.query, "page": page + 1})
            headers["Link"] = f'<{self.base_url}{self.path}?{query}>; rel="next"'
        return reply(self.records(found), **headers)

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "email": customer.email,
            "first_name": customer.first,
            "last_name": customer.last,
            "avatar_url": customer.picture,
            "date_created_gmt": customer.created.strftime("%Y-%m-%dT%H:%M:%S"),
            "date_modified_gmt": None,
        }


class BigCommerce(VendorAPI):
    """A total in `meta.pagination`; throttling ends in milliseconds."""

    cap, default_size = 250, 50
    path = "/customers"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("x-auth-token") == KEY

    def throttle(self, wait_s: float) -> Response:
        return reply(
            {"status": 429},
            429,
            X_Rate_Limit_Time_Reset_Ms=str(round(wait_s * 1000) + 1),
            X_Rate_Limit_Requests_Left="0",
        )

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "1")), self.size(request.query.get("limit"))
        total = len(self.customers)
        found = self.customers[(page - 1) * size : page * size]
        meta = {
            "total": total,
            "count": len(found),
            "per_page": size,
            "current_page": page,
            "total_pages": max(1, -(-total // size)),
        }
        return reply({"data": self.records(found), "meta": {"pagination": meta}})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "email": customer.email,
            "first_name": customer.first,
            "last_name": customer.last,
            "date_modified": iso(customer.updated),
        }


class Magento(VendorAPI):
    """Beyond the end the last page comes again; unordered unless asked."""

    cap, default_size = 300, 1000
    path = "/rest/V1/customers/search"

    def answer(self, request: Request) -> Response:
        page = int(request.query.get("searchCriteria[currentPage]", "1"))
        size = self.size(request.query.get("searchCriteria[pageSize]"))
        ordered = list(self.customers)
        if request.query.get("searchCriteria[sortOrders][0][field]") != "entity_id":
            ordered.sort(key=lambda customer: customer.hex(8))
        page = min(page, max(1, -(-len(ordered) // size)))
        found = ordered[(page - 1) * size : page * size]
        return reply({"items": self.records(found), "search_criteria": {}, "total_count": len(ordered)})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "email": customer.email,
            "firstname": customer.first,
            "lastname": customer.last,
            "updated_at": customer.updated.strftime("%Y-%m-%d %H:%M:%S"),
        }


class PrestaShop(VendorAPI):
    """Offset and count in one parameter; XML unless asked otherwise; an empty shop answers with a list."""

    path = "/customers"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == basic(USER, "")

    def answer(self, request: Request) -> Response:
        if request.query.get("output_format") != "JSON":
            return Response(200, b"<prestashop/>", {"Content-Type": "text/xml"})
        offset, _, count = request.query.get("limit", "0,1000").partition(",")
        if not count:
            offset, count = "0", offset
        found = self.customers[int(offset) : int(offset) + int(count)]
        if not found:
            return reply([])
        if request.query.get("display") != "full":
            return reply({"customers": [{"id": customer.number} for customer in found]})
        return reply({"customers": self.records(found)})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "email": customer.email,
            "firstname": customer.first,
            "lastname": customer.last,
            "active": "1",
            "date_upd": customer.updated.strftime("%Y-%m-%d %H:%M:%S"),
        }


class Shopware(VendorAPI):
    """A search by POST; the total is only the page's unless asked otherwise; JSON:API unless asked for JSON."""

    cap, default_size = 500, 100
    path, token_path = "/api/search/customer", "/api/oauth/token"

    def authorises(self, request: Request) -> bool:
        return self.has_token(request)

    def answer(self, request: Request) -> Response:
        asked = request.json()
        if request.method != "POST":
            return reply({"errors": [{"status": "405"}]}, 405)
        page, size = int(asked.get("page", 1)), self.size(asked.get("limit"))
        found = self.customers[(page - 1) * size : page * size]
        total = len(self.customers) if asked.get("total-count-mode") == 1 else len(found)
        if request.headers.get("accept") != "application/json":
            return reply(
                {"data": [{"id": self.key(each), "attributes": {}} for each in found], "meta": {"total": total}}
            )
        return reply({"total": total, "data": self.records(found), "aggregations": []})

    def record(self, customer: Customer) -> Any:
        return {
            "id": self.key(customer),
            "email": customer.email,
            "firstName": customer.first,
            "lastName": customer.last,
            "customerNumber": str(10_000 + customer.number),
            "lastLogin": None,
        }

    def key(self, customer: Customer) -> Any:
        return customer.hex(32)


class Commercetools(VendorAPI):
    """Offsets up to 10,000."""

    cap, default_size = 500, 20
    window = 10_000
    path, token_path = "/customers", "/oauth/token"

    def authorises(self, request: Request) -> bool:
        return self.has_token(request)

    def answer(self, request: Request) -> Response:
        offset, size = int(request.query.get("offset", "0")), int(request.query.get("limit", "20"))
        if offset > self.window or size > self.cap:
            return reply({"statusCode": 400, "message": "offset or limit out of range"}, 400)
        found = self.customers[offset : offset + size]
        answer: dict[str, Any] = {"limit": size, "offset": offset, "count": len(found), "results": self.records(found)}
        if request.query.get("withTotal") != "false":
            answer["total"] = len(self.customers)
        return reply(answer)

    def record(self, customer: Customer) -> Any:
        return {
            "id": self.key(customer),
            "version": 1,
            "email": customer.email,
            "firstName": customer.first,
            "lastName": customer.last,
            "lastModifiedAt": iso(customer.updated),
        }

    def key(self, customer: Customer) -> Any:
        return customer.uuid


class Ecwid(VendorAPI):
    """Offset, clamped to a hundred; one name."""

    path = "/customers"

    def answer(self, request: Request) -> Response:
        offset, size = int(request.query.get("offset", "0")), self.size(request.query.get("limit"))
        found = self.customers[offset : offset + size]
        counts = {"total": len(self.customers), "count": len(found), "offset": offset, "limit": size}
        return reply({**counts, "items": self.records(found)})

    def elsewhere(self, request: Request) -> Response:
        if request.path != "/customers/deleted" or not request.query["from_date"].isdecimal():
            return super().elsewhere(request)
        offset, gone = int(request.query["offset"]), self.population.gone
        items = [{"id": each.number, "date": "2026-11-27 02:00:00 +0000"} for each in gone[offset:]]
        return reply({"total": len(gone), "count": len(items), "offset": offset, "limit": 100, "items": items})

    def record(self, customer: Customer) -> Any:
        return {"id": customer.number, "email": customer.email, "name": customer.name, "updated": iso(customer.updated)}


class Square(VendorAPI):
    """A cursor; nobody at all is {}; pages may be short although more follow."""

    path = "/v2/customers"

    def throttle(self, wait_s: float) -> Response:
        return reply({"errors": [{"category": "RATE_LIMIT_ERROR", "code": "RATE_LIMITED"}]}, 429)

    def answer(self, request: Request) -> Response:
        size = int(request.query.get("limit", "100"))
        number = unseal(request.query.get("cursor"))
        if not 1 <= size <= self.cap or number is None:
            return reply({"errors": [{"category": "INVALID_REQUEST_ERROR"}]}, 400)
        short = size - 3 if size > 6 else size
        found, more = self.after(number, short)
        if not found:
            return reply({})
        answer: dict[str, Any] = {"customers": self.records(found)}
        if more:
            answer["cursor"] = seal(found[-1].number)
        if request.query.get("count") == "true":
            answer["count"] = len(self.customers)
        return reply(answer)

    def record(self, customer: Customer) -> Any:
        return {
            "id": self.key(customer),
            "given_name": customer.first,
            "family_name": customer.last,
            "email_address": customer.email,
            "updated_at": iso(customer.updated),
        }

    def key(self, customer: Customer) -> Any:
        return customer.letters(26)


SHOPS: dict[str, type[VendorAPI]] = {
    "shopify": Shopify,
    "shopify_graphql": ShopifyGraphQL,
    "woocommerce": WooCommerce,
    "bigcommerce": BigCommerce,
    "magento": Magento,
    "prestashop": PrestaShop,
    "shopware": Shopware,
    "commercetools": Commercetools,
    "ecwid": Ecwid,
    "square": Square,
}

"""Payments and billing: Stripe, Chargebee, Recurly, Recharge, Paystack, Lago, Lemon Squeezy, Paddle."""

# ruff: noqa: ARG002 - not every vendor looks at all of a request

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from customer_assets_tests.harness.vendors.base import (
    KEY,
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


class Stripe(VendorAPI):
    """Newest first; the last record's id leads on; 429 without a word of how long."""

    path = "/v1/customers"
    allowed = frozenset({"limit", "starting_after", "ending_before", "created[gte]", "created[lt]", "created[gt]"})

    def throttle(self, wait_s: float) -> Response:
        return reply({"error": {"type": "rate_limit_error"}}, 429)

    def answer(self, request: Request) -> Response:
        size = int(request.query.get("limit", "10"))
        if not 1 <= size <= self.cap or not set(request.query) <= self.allowed:
            return reply({"error": {"type": "invalid_request_error"}}, 400)
        newest_first = list(reversed(self.customers))
        after = request.query.get("starting_after")
        if after is not None:
            number = int(after.removeprefix("cus_"))  # one who left is still a place in the order
            newest_first = [customer for customer in newest_first if customer.number < number]
        found = newest_first[:size]
        more = len(newest_first) > size
        return reply({"object": "list", "data": self.records(found), "has_more": more, "url": self.path})

    def record(self, customer: Customer) -> Any:
        return {
            "id": self.key(customer),
            "object": "customer",
            "email": customer.email,
            "name": customer.name,
            "created": int(customer.created.timestamp()),
        }

    def key(self, customer: Customer) -> Any:
        return f"cus_{customer.number:08}"


class Chargebee(VendorAPI):
    """Each customer in an object of its own; the cursor is JSON in a text."""

    path = "/customers"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == basic(USER, "")

    def answer(self, request: Request) -> Response:
        offset = request.query.get("offset")
        try:
            number = int(json.loads(offset)[0]) if offset else 0
        except ValueError:
            return reply({"api_error_code": "invalid_request"}, 400)
        size = int(request.query.get("limit", "10"))
        if not 1 <= size <= self.cap:
            return reply({"api_error_code": "param_wrong_value"}, 400)
        found, more = self.after(number, size)
        answer: dict[str, Any] = {"list": [{"customer": self.record(customer)} for customer in found]}
        if more:
            answer["next_offset"] = json.dumps([str(found[-1].number), "230000000"])
        return reply(answer)

    def record(self, customer: Customer) -> Any:
        return {
            "id": self.key(customer),
            "first_name": customer.first,
            "last_name": customer.last,
            "email": customer.email,
            "updated_at": int(customer.updated.timestamp()),
            "deleted": False,
        }

    def key(self, customer: Customer) -> Any:
        return customer.letters(16)


class Recurly(VendorAPI):
    """The way on is a path in the body; the version is a media type."""

    cap, default_size = 200, 20
    path = "/accounts"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == basic(USER, "")

    def throttle(self, wait_s: float) -> Response:
        reset = round(self.now().timestamp() + wait_s + 1)
        return reply({"error": {"type": "rate_limited"}}, 429, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(reset))

    def answer(self, request: Request) -> Response:
        if not request.headers.get("accept", "").startswith("application/vnd.recurly.v"):
            return reply({"error": {"type": "invalid_api_version"}}, 406)
        number = unseal(request.query.get("cursor"))
        if number is None:
            return reply({"error": {"type": "bad_request"}}, 400)
        size = self.size(request.query.get("limit"))
        found, more = self.after(number, size)
        query = urlencode({**request.query, "cursor": seal(found[-1].number if found else 0)})
        return reply(
            {
                "object": "list",
                "has_more": more,
                "next": f"{self.path}?{query}" if more else "",
                "data": self.records(found),
            }
        )

    def record(self, customer: Customer) -> Any:
        return {
            "id": self.key(customer),
            "object": "account",
            "code": str(customer.number),
            "email": customer.email,
            "first_name": customer.first,
            "last_name": customer.last,
            "updated_at": iso(customer.updated),
        }

    def key(self, customer: Customer) -> Any:
        return customer.letters(12)


class Recharge(VendorAPI):
    """A cursor beside which only the size may be sent; page numbers without its version header."""

    cap, default_size = 250, 50
    path = "/customers"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("x-recharge-access-token") == KEY

    def throttle(self, wait_s: float) -> Response:
        return reply({"errors": "rate limited"}, 429)

    def asked_of(self, request: Request) -> Mapping[str, str]:
        cursor = request.query.get("cursor", "")
        return carried(cursor) if unseal(cursor) else request.query

    def answer(self, request: Request) -> Response:
        if request.headers.get("x-recharge-version") != "2021-11":
            return reply({"customers": []})
        if "cursor" in request.query and set(request.query) - {"cursor", "limit"}:
            return reply({"errors": "only limit may accompany cursor"}, 422)
        number = unseal(request.query.get("cursor"))
        if number is None:
            return reply({"errors": "bad cursor"}, 422)
        found, more = self.after(number, self.size(request.query.get("limit")))
        next_cursor = seal(found[-1].number, self.asked_of(request)) if more else None
        return reply({"next_cursor": next_cursor, "previous_cursor": None, "customers": self.records(found)})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "email": customer.email,
            "first_name": customer.first,
            "last_name": customer.last,
            "updated_at": iso(customer.updated),
        }


class Paystack(VendorAPI):
    """`meta.perPage` is a text at times."""

    default_size = 50
    path = "/customer"

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "1")), self.size(request.query.get("perPage"))
        total = len(self.customers)
        found = self.customers[(page - 1) * size : page * size]
        meta = {
            "total": total,
            "skipped": (page - 1) * size,
            "perPage": str(size),
            "page": page,
            "pageCount": -(-total // size),
        }
        return reply({"status": True, "message": "Customers retrieved", "data": self.records(found), "meta": meta})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "customer_code": f"CUS_{customer.hex(12)}",
            "email": customer.email,
            "first_name": customer.first,
            "last_name": customer.last,
        }


class Lago(VendorAPI):
    """Total in `meta`; the page size is not stated."""

    default_size = 20
    path = "/customers"

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "1")), self.size(request.query.get("per_page"))
        pages = -(-len(self.customers) // size)
        found = self.customers[(page - 1) * size : page * size]
        meta = {
            "current_page": page,
            "next_page": page + 1 if page < pages else None,
            "prev_page": page - 1 or None,
            "total_pages": pages,
            "total_count": len(self.customers),
        }
        return reply({"customers": self.records(found), "meta": meta})

    def record(self, customer: Customer) -> Any:
        return {
            "lago_id": customer.uuid,
            "sequential_id": customer.number,
            "external_id": str(customer.number),
            "name": customer.name,
            "firstname": customer.first,
            "lastname": customer.last,
            "email": customer.email,
        }

    def key(self, customer: Customer) -> Any:
        return customer.uuid


class LemonSqueezy(VendorAPI):
    """JSON:API: ids are digits in a text, fields are attributes."""

    path = "/v1/customers"

    def answer(self, request: Request) -> Response:
        if request.headers.get("accept") != "application/vnd.api+json":
            return reply({"errors": [{"status": "406"}]}, 406)
        page, size = int(request.query.get("page[number]", "1")), self.size(request.query.get("page[size]"))
        found = self.customers[(page - 1) * size : page * size]
        total = len(self.customers)
        counts = {"currentPage": page, "perPage": size, "lastPage": max(1, -(-total // size)), "total": total}
        return reply(
            {"meta": {"page": counts}, "jsonapi": {"version": "1.0"}, "links": {}, "data": self.records(found)}
        )

    def record(self, customer: Customer) -> Any:
        attributes = {"name": customer.name, "email": customer.email, "status": "subscribed"}
        return {"type": "customers", "id": str(customer.number), "attributes": attributes}


class Paddle(VendorAPI):
    """The next URL stands on the last page, too; the total is an estimate."""

    cap, default_size = 200, 50
    path = "/customers"

    def answer(self, request: Request) -> Response:
        size = self.size(request.query.get("per_page"))
        after = request.query.get("after", "ctm_0")
        if not after.startswith("ctm_"):
            return reply({"error": {"code": "invalid_field"}}, 400)
        found, more = self.after(int(after.removeprefix("ctm_").lstrip("0") or "0"), size)
        last = self.key(found[-1]) if found else after
        query = urlencode({**request.query, "after": last})
        pagination = {
            "per_page": size,
            "next": f"{self.base_url}{self.path}?{query}",
            "has_more": more,
            "estimated_total": len(self.customers) + 7,
        }
        return reply({"data": self.records(found), "meta": {"request_id": "r", "pagination": pagination}})

    def record(self, customer: Customer) -> Any:
        return {"id": self.key(customer), "name": customer.name, "email": customer.email, "status": "active"}

    def key(self, customer: Customer) -> Any:
        return f"ctm_{customer.number:010}"


BILLING: dict[str, type[VendorAPI]] = {
    "stripe": Stripe,
    "chargebee": Chargebee,
    "recurly": Recurly,
    "recharge": Recharge,
    "paystack": Paystack,
    "lago": Lago,
    "lemonsqueezy": LemonSqueezy,
    "paddle": Paddle,
}

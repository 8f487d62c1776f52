"""Marketing: Mailchimp, Klaviyo, ActiveCampaign, Brevo, Customer.io, Drip."""

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
    iso,
    reply,
    seal,
    unseal,
)


class Mailchimp(VendorAPI):
    """Offset and count; ids are the address's MD5."""

    cap = 1000
    path = "/lists/your-list-id/members"

    def answer(self, request: Request) -> Response:
        offset, size = int(request.query.get("offset", "0")), self.size(request.query.get("count"))
        ordered = list(self.customers)
        if request.query.get("sort_field") == "last_changed":
            ordered.sort(key=lambda customer: customer.updated)
        found = ordered[offset : offset + size]
        return reply({"members": self.records(found), "list_id": "l", "total_items": len(ordered)})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.hex(32),
            "contact_id": self.key(customer),
            "email_address": customer.email,
            "full_name": customer.name,
            "status": "subscribed",
            "merge_fields": {"FNAME": customer.first, "LNAME": customer.last},
            "last_changed": customer.updated.isoformat(),
        }

    def key(self, customer: Customer) -> Any:
        return customer.hex(24)


class Klaviyo(VendorAPI):
    """JSON:API; the revision header is a must; the way on is an absolute URL."""

    default_size = 20
    path = "/api/profiles"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Klaviyo-API-Key {KEY}"

    def answer(self, request: Request) -> Response:
        if "revision" not in request.headers:
            return reply({"errors": [{"code": "missing_revision"}]}, 400)
        size = int(request.query.get("page[size]", "20"))
        number = unseal(request.query.get("page[cursor]"))
        if size > self.cap or number is None:
            return reply({"errors": [{"code": "invalid"}]}, 400)
        found, more = self.after(number, size)
        query = urlencode({**request.query, "page[cursor]": seal(found[-1].number if found else 0)})
        links = {"self": f"{self.base_url}{self.path}", "next": f"{self.base_url}{self.path}?{query}" if more else None}
        return reply({"data": self.records(found), "links": links})

    def record(self, customer: Customer) -> Any:
        attributes = {
            "email": customer.email,
            "first_name": customer.first,
            "last_name": customer.last,
            "image": customer.picture,
            "updated": iso(customer.updated),
            "last_event_date": iso(customer.updated),
        }
        return {"type": "profile", "id": self.key(customer), "attributes": attributes}

    def key(self, customer: Customer) -> Any:
        return customer.letters(26)


class ActiveCampaign(VendorAPI):
    """The total is a text; pages are clamped to a hundred."""

    default_size = 20
    path = "/contacts"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("api-token") == KEY

    def answer(self, request: Request) -> Response:
        offset, size = int(request.query.get("offset", "0")), self.size(request.query.get("limit"))
        found = self.customers[offset : offset + size]
        return reply({"contacts": self.records(found), "meta": {"total": str(len(self.customers)), "page_input": {}}})

    def record(self, customer: Customer) -> Any:
        return {
            "id": str(customer.number),
            "email": customer.email,
            "firstName": customer.first,
            "lastName": customer.last,
            "deleted": "0",
            "updated_timestamp": iso(customer.updated),
        }


class Brevo(VendorAPI):
    """Newest first unless asked otherwise; attributes in capitals."""

    cap, default_size = 1000, 50
    path = "/contacts"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("api-key") == KEY

    def throttle(self, wait_s: float) -> Response:
        return reply({"code": "too_many_requests"}, 429, x_sib_ratelimit_reset=str(max(1, round(wait_s))))

    def answer(self, request: Request) -> Response:
        offset, size = int(request.query.get("offset", "0")), int(request.query.get("limit", "50"))
        if size > self.cap:
            return reply({"code": "out_of_range"}, 400)
        ordered = list(self.customers) if request.query.get("sort") == "asc" else list(reversed(self.customers))
        return reply({"contacts": self.records(ordered[offset : offset + size]), "count": len(ordered)})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "email": customer.email,
            "attributes": {"FIRSTNAME": customer.first, "LASTNAME": customer.last},
            "modifiedAt": iso(customer.updated),
        }


class CustomerIO(VendorAPI):
    """A search by POST; the cursor goes back in the query; identifiers only; a blank cursor at the end."""

    cap, default_size = 1000, 50
    path = "/v1/customers"

    def answer(self, request: Request) -> Response:
        if request.method != "POST" or "filter" not in request.json():
            return reply({"errors": [{"detail": "filter is required"}]}, 400)
        number = unseal(request.query.get("start"))
        if number is None:
            return reply({"errors": [{"detail": "bad start"}]}, 400)
        found, more = self.after(number, self.size(request.query.get("limit")))
        identifiers = self.records(found)
        return reply(
            {
                "identifiers": identifiers,
                "ids": [each["id"] for each in identifiers],
                "next": seal(found[-1].number) if more else "",
            }
        )

    def record(self, customer: Customer) -> Any:
        return {"email": customer.email, "id": str(customer.number), "cio_id": self.key(customer)}

    def key(self, customer: Customer) -> Any:
        return customer.hex(12)


class Drip(VendorAPI):
    """Page numbers with a total; ids of 32 hexadecimal digits."""

    cap, default_size = 1000, 100
    path = "/subscribers"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == basic(USER, "")

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "1")), self.size(request.query.get("per_page"))
        total = len(self.customers)
        found = self.customers[(page - 1) * size : page * size]
        meta = {"page": page, "count": len(found), "total_pages": max(1, -(-total // size)), "total_count": total}
        return reply({"links": {}, "meta": meta, "subscribers": self.records(found)})

    def record(self, customer: Customer) -> Any:
        return {
            "id": self.key(customer),
            "email": customer.email,
            "first_name": customer.first,
            "last_name": customer.last,
            "status": "active",
        }

    def key(self, customer: Customer) -> Any:
        return customer.hex(32)


MARKETING: dict[str, type[VendorAPI]] = {
    "mailchimp": Mailchimp,
    "klaviyo": Klaviyo,
    "activecampaign": ActiveCampaign,
    "brevo": Brevo,
    "customerio": CustomerIO,
    "drip": Drip,
}

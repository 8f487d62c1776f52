"""CRM and support: HubSpot, Salesforce, Pipedrive, Zoho, Zendesk, Intercom, Freshdesk, Help Scout, Gorgias."""

# ruff: noqa: ARG002 - not every vendor looks at all of a request

from typing import Any
from urllib.parse import parse_qsl, urlencode

from customer_assets_tests.harness.vendors.base import (
    CLIENT_ID,
    CLIENT_SECRET,
    KEY,
    PASSWORD,
    REFRESH_TOKEN,
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


class HubSpot(VendorAPI):
    """A cursor in `paging.next.after`; 429 without Retry-After."""

    path = "/crm/v3/objects/contacts"

    def throttle(self, wait_s: float) -> Response:
        return reply({"status": "error", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}, 429)

    def answer(self, request: Request) -> Response:
        size, number = int(request.query.get("limit", "10")), unseal(request.query.get("after"))
        if size > self.cap or number is None:
            return reply({"status": "error", "category": "VALIDATION_ERROR"}, 400)
        found, more = self.after(number, size)
        answer: dict[str, Any] = {"results": self.records(found)}
        if more:
            after = seal(found[-1].number)
            query = urlencode({**request.query, "after": after})
            answer["paging"] = {"next": {"after": after, "link": f"{self.base_url}{self.path}?{query}"}}
        return reply(answer)

    def record(self, customer: Customer) -> Any:
        properties = {
            "email": customer.email,
            "firstname": customer.first,
            "lastname": customer.last,
            "lastmodifieddate": iso(customer.updated),
        }
        return {"id": self.key(customer), "properties": properties, "archived": False}

    def key(self, customer: Customer) -> Any:
        return str(100_000_000 + customer.number)


class Salesforce(VendorAPI):
    """The way on is a path of its own; the daily quota is a 403."""

    cap = default_size = 100
    path, token_path = "/services/data/v62.0/query", "/services/oauth2/token"

    def authorises(self, request: Request) -> bool:
        return self.has_token(request)

    def elsewhere(self, request: Request) -> Response:
        cursor = request.path.removeprefix(f"{self.path}/01g-")
        if cursor == request.path or not cursor.isdigit():
            return super().elsewhere(request)
        return self._batch(int(cursor))

    def answer(self, request: Request) -> Response:
        if not request.query.get("q", "").startswith("SELECT"):
            return reply([{"errorCode": "MALFORMED_QUERY"}], 400)
        return self._batch(0)

    def _batch(self, number: int) -> Response:
        found, more = self.after(number, self.cap)
        answer: dict[str, Any] = {"totalSize": len(self.customers), "done": not more, "records": self.records(found)}
        if more:
            answer["nextRecordsUrl"] = f"{self.path}/01g-{found[-1].number}"
        return reply(answer)

    def record(self, customer: Customer) -> Any:
        return {
            "attributes": {"type": "Contact"},
            "Id": self.key(customer),
            "Email": customer.email,
            "FirstName": customer.first,
            "LastName": customer.last,
            "Name": customer.name,
            "SystemModstamp": iso(customer.updated),
        }

    def key(self, customer: Customer) -> Any:
        return customer.letters(18)


class Pipedrive(VendorAPI):
    """A cursor; addresses in a list; null when there is nobody."""

    cap, default_size = 500, 100
    path = "/api/v2/persons"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("x-api-token") == KEY

    def answer(self, request: Request) -> Response:
        number = unseal(request.query.get("cursor"))
        if number is None:
            return reply({"success": False}, 400)
        found, more = self.after(number, self.size(request.query.get("limit")))
        following = seal(found[-1].number) if more else None
        return reply(
            {"success": True, "data": self.records(found) or None, "additional_data": {"next_cursor": following}}
        )

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "name": customer.name,
            "first_name": customer.first,
            "last_name": customer.last,
            "emails": [
                {"value": customer.email, "primary": True, "label": "work"},
                {"value": f"other{customer.number}@example.net", "primary": False, "label": "home"},
            ],
            "update_time": iso(customer.updated),
        }


class Zoho(VendorAPI):
    """A refresh token; page tokens; 204 when there is nobody."""

    cap, default_size = 200, 200
    path, token_path = "/crm/v8/Contacts", "/oauth/v2/token"

    def grant(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode())) | dict(request.query)
        wanted = {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH_TOKEN,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        if {name: form.get(name) for name in wanted} != wanted:
            return reply({"error": "invalid_code"}, 400)
        return self.issue_token()

    def authorises(self, request: Request) -> bool:
        return self.has_token(request, "Zoho-oauthtoken")

    def answer(self, request: Request) -> Response:
        if "fields" not in request.query:
            return reply({"code": "REQUIRED_PARAM_MISSING", "details": {"param_name": "fields"}}, 400)
        number = unseal(request.query.get("page_token"))
        if number is None:
            return reply({"code": "INVALID_TOKEN"}, 400)
        size = self.size(request.query.get("per_page"))
        found, more = self.after(number, size)
        if not found:
            return Response(204)
        info = {
            "per_page": size,
            "count": len(found),
            "page": 1,
            "more_records": more,
            "next_page_token": seal(found[-1].number) if more else None,
        }
        return reply({"data": self.records(found), "info": info})

    def elsewhere(self, request: Request) -> Response:
        if request.path != f"{self.path}/deleted" or "if-modified-since" not in request.headers:
            return super().elsewhere(request)
        if not self.population.gone:
            return Response(204)
        gone = [{"id": self.key(each), "display_name": each.name, "type": "recycle"} for each in self.population.gone]
        page = int(request.query["page"])
        return reply({"data": gone if page == 1 else [], "info": {"page": page, "more_records": False}})

    def record(self, customer: Customer) -> Any:
        return {
            "id": self.key(customer),
            "Email": customer.email,
            "First_Name": customer.first,
            "Last_Name": customer.last,
            "Full_Name": customer.name,
            "Modified_Time": customer.updated.isoformat(),
        }

    def key(self, customer: Customer) -> Any:
        return str(3_652_397_000_000_000_000 + customer.number)


class Zendesk(VendorAPI):
    """Cursors where `page[size]` is sent; page numbers end at 10,000."""

    path = "/api/v2/users"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == basic(USER, PASSWORD)

    def answer(self, request: Request) -> Response:
        if "page[size]" not in request.query:
            return reply({"users": self.records(self.customers[:100]), "count": len(self.customers), "next_page": None})
        number = unseal(request.query.get("page[after]"))
        if number is None:
            return reply({"error": "InvalidPaginationParameter"}, 400)
        found, more = self.after(number, self.size(request.query["page[size]"]))
        meta = {"has_more": more, "after_cursor": seal(found[-1].number) if found else None, "before_cursor": None}
        return reply({"users": self.records(found), "meta": meta, "links": {}})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "name": customer.name,
            "email": customer.email,
            "active": True,
            "last_login_at": iso(customer.updated),
        }


class Intercom(VendorAPI):
    """A cursor, beside page numbers that lead nowhere."""

    cap, default_size = 150, 50
    path = "/contacts"

    def throttle(self, wait_s: float) -> Response:
        reset = round(self.now().timestamp() + wait_s + 1)
        return reply(
            {"type": "error.list"}, 429, X_RateLimit_Limit="83", X_RateLimit_Remaining="0", X_RateLimit_Reset=str(reset)
        )

    def answer(self, request: Request) -> Response:
        number = unseal(request.query.get("starting_after"))
        if number is None:
            return reply({"type": "error.list"}, 400)
        size = self.size(request.query.get("per_page"))
        found, more = self.after(number, size)
        total = len(self.customers)
        pages: dict[str, Any] = {"type": "pages", "page": 1, "per_page": size, "total_pages": -(-total // size)}
        if more:
            pages["next"] = {"page": 2, "starting_after": seal(found[-1].number)}
        return reply({"type": "list", "data": self.records(found), "total_count": total, "pages": pages})

    def record(self, customer: Customer) -> Any:
        return {
            "type": "contact",
            "id": self.key(customer),
            "email": customer.email,
            "name": customer.name,
            "avatar": customer.picture,
            "updated_at": int(customer.updated.timestamp()),
            "last_seen_at": int(customer.updated.timestamp()),
        }

    def key(self, customer: Customer) -> Any:
        return customer.hex(24)


class Freshdesk(VendorAPI):
    """A bare list; a Link while there is more."""

    default_size = 30
    path = "/api/v2/contacts"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == basic(USER, "X")

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "1")), self.size(request.query.get("per_page"))
        found = self.customers[(page - 1) * size : page * size]
        headers = {"X_RateLimit_Total": "200", "X_RateLimit_Remaining": "150"}
        if page * size < len(self.customers):
            query = urlencode({**request.query, "page": page + 1})
            headers["Link"] = f'<{self.base_url}{self.path}?{query}>; rel="next"'
        return reply(self.records(found), **headers)

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "name": customer.name,
            "email": customer.email,
            "updated_at": iso(customer.updated),
        }


class HelpScout(VendorAPI):
    """HAL: fifty a page, whatever is asked; addresses are embedded."""

    cap = default_size = 50
    path, token_path = "/v2/customers", "/v2/oauth2/token"

    def authorises(self, request: Request) -> bool:
        return self.has_token(request)

    def answer(self, request: Request) -> Response:
        page, total = int(request.query.get("page", "1")), len(self.customers)
        found = self.customers[(page - 1) * self.cap : page * self.cap]
        counts = {"size": self.cap, "totalElements": total, "totalPages": -(-total // self.cap), "number": page}
        return reply({"_embedded": {"customers": self.records(found)}, "_links": {}, "page": counts})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "firstName": customer.first,
            "lastName": customer.last,
            "photoUrl": customer.picture,
            "updatedAt": iso(customer.updated),
            "_embedded": {"emails": [{"id": 1, "value": customer.email, "type": "work"}]},
        }


class Gorgias(VendorAPI):
    """A cursor in `meta.next_cursor`, null at the end."""

    default_size = 30
    path = "/api/customers"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == basic(USER, PASSWORD)

    def answer(self, request: Request) -> Response:
        number = unseal(request.query.get("cursor"))
        if number is None:
            return reply({"error": {"msg": "invalid cursor"}}, 400)
        found, more = self.after(number, self.size(request.query.get("limit")))
        meta = {"prev_cursor": None, "next_cursor": seal(found[-1].number) if more else None}
        return reply({"data": self.records(found), "object": "list", "uri": self.path, "meta": meta})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "email": customer.email,
            "name": customer.name,
            "firstname": customer.first,
            "lastname": customer.last,
        }


SUPPORT: dict[str, type[VendorAPI]] = {
    "hubspot": HubSpot,
    "salesforce": Salesforce,
    "pipedrive": Pipedrive,
    "zoho": Zoho,
    "zendesk": Zendesk,
    "intercom": Intercom,
    "freshdesk": Freshdesk,
    "helpscout": HelpScout,
    "gorgias": Gorgias,
}

"""Identity, code and playthings: Auth0, Okta, GitHub, GitLab, reqres, DummyJSON, JSONPlaceholder, randomuser."""

# ruff: noqa: ARG002 - not every vendor looks at all of a request

from typing import Any
from urllib.parse import urlencode

from customer_assets_tests.harness.vendors.base import (
    KEY,
    Customer,
    Request,
    Response,
    VendorAPI,
    iso,
    reply,
    seal,
    unseal,
)


class Auth0(VendorAPI):
    """Pages from 0; no user beyond the 1,000th of a query."""

    default_size = 50
    window = 1_000
    path, token_path = "/api/v2/users", "/oauth/token"

    def grant(self, request: Request) -> Response:
        if b"api%2Fv2" not in request.body and b"/api/v2/" not in request.body:
            return reply({"error": "access_denied", "error_description": "audience is missing"}, 403)
        return super().grant(request)

    def authorises(self, request: Request) -> bool:
        return self.has_token(request)

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "0")), int(request.query.get("per_page", "50"))
        if (page + 1) * size > self.window or size > self.cap:
            return reply({"statusCode": 400, "errorCode": "invalid_paging"}, 400)
        matching = self.customers
        found = matching[page * size : (page + 1) * size]
        if request.query.get("include_totals") != "true":
            return reply(self.records(found))
        counts = {"start": page * size, "limit": size, "length": len(found), "total": len(matching)}
        return reply({**counts, "users": self.records(found)})

    def record(self, customer: Customer) -> Any:
        return {
            "user_id": self.key(customer),
            "email": customer.email,
            "name": customer.name,
            "given_name": customer.first,
            "family_name": customer.last,
            "picture": customer.picture,
            "last_login": iso(customer.updated),
            "created_at": iso(customer.created),
            "updated_at": iso(customer.updated),
        }

    def key(self, customer: Customer) -> Any:
        return f"auth0|{customer.hex(24)}"


class Okta(VendorAPI):
    """A bare list; self and next in Link headers; the reset is an epoch."""

    cap = default_size = 200
    path = "/api/v1/users"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"SSWS {KEY}"

    def throttle(self, wait_s: float) -> Response:
        reset = round(self.now().timestamp() + wait_s + 1)
        return reply({"errorCode": "E0000047"}, 429, X_Rate_Limit_Remaining="0", X_Rate_Limit_Reset=str(reset))

    def answer(self, request: Request) -> Response:
        number = unseal(request.query.get("after"))
        if number is None:
            return reply({"errorCode": "E0000031"}, 400)
        found, more = self.after(number, self.size(request.query.get("limit")))
        link = f'<{self.base_url}{self.path}?limit=200>; rel="self"'
        if more:
            query = urlencode({**request.query, "after": seal(found[-1].number)})
            link += f', <{self.base_url}{self.path}?{query}>; rel="next"'
        return reply(self.records(found), Link=link)

    def record(self, customer: Customer) -> Any:
        profile = {
            "email": customer.email,
            "login": customer.email,
            "firstName": customer.first,
            "lastName": customer.last,
        }
        return {
            "id": self.key(customer),
            "status": "ACTIVE",
            "lastLogin": iso(customer.updated),
            "lastUpdated": iso(customer.updated),
            "profile": profile,
        }

    def key(self, customer: Customer) -> Any:
        return f"00u{customer.letters(17)}"


class GitHub(VendorAPI):
    """A bare list; throttling is a 403 with nothing remaining."""

    default_size = 30
    path = "/orgs/your-organisation/members"

    def throttle(self, wait_s: float) -> Response:
        reset = round(self.now().timestamp() + wait_s + 1)
        return reply(
            {"message": "API rate limit exceeded"}, 403, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(reset)
        )

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "1")), self.size(request.query.get("per_page"))
        found = self.customers[(page - 1) * size : page * size]
        headers = {}
        last = -(-len(self.customers) // size)
        if page < last:
            following = urlencode({**request.query, "page": page + 1})
            final = urlencode({**request.query, "page": last})
            url = f"{self.base_url}{self.path}"
            headers["Link"] = f'<{url}?{following}>; rel="next", <{url}?{final}>; rel="last"'
        return reply(self.records(found), **headers)

    def record(self, customer: Customer) -> Any:
        return {
            "login": f"user{customer.number}",
            "id": customer.number,
            "avatar_url": customer.picture,
            "type": "User",
        }


class GitLab(VendorAPI):
    """A bare list; the total in a header, up to 10,000."""

    default_size = 20
    path = "/api/v4/users"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("private-token") == KEY

    def throttle(self, wait_s: float) -> Response:
        reset = round(self.now().timestamp() + wait_s + 1)
        seconds = str(max(1, round(wait_s)))
        return reply({}, 429, RateLimit_Remaining="0", RateLimit_Reset=str(reset), Retry_After=seconds)

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "1")), self.size(request.query.get("per_page"))
        total = len(self.customers)
        found = self.customers[(page - 1) * size : page * size]
        headers = {
            "X_Page": str(page),
            "X_Per_Page": str(size),
            "X_Next_Page": str(page + 1) if page * size < total else "",
        }
        if total <= 10_000:
            headers |= {"X_Total": str(total), "X_Total_Pages": str(max(1, -(-total // size)))}
        return reply(self.records(found), **headers)

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "username": f"user{customer.number}",
            "name": customer.name,
            "avatar_url": customer.picture,
        }


class Reqres(VendorAPI):
    """Page numbers with total and number of pages; six a page."""

    default_size = 6
    path = "/users"

    def authorises(self, request: Request) -> bool:
        return request.headers.get("x-api-key") == KEY

    def answer(self, request: Request) -> Response:
        page, size = int(request.query.get("page", "1")), self.size(request.query.get("per_page"))
        total = len(self.customers)
        found = self.customers[(page - 1) * size : page * size]
        counts = {"page": page, "per_page": size, "total": total, "total_pages": -(-total // size)}
        return reply({**counts, "data": self.records(found), "support": {}})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "email": customer.email,
            "first_name": customer.first,
            "last_name": customer.last,
            "avatar": customer.picture,
        }


class DummyJSON(VendorAPI):
    """Offset; the answer's limit is what came."""

    default_size = 30
    path = "/users"

    def authorises(self, request: Request) -> bool:
        return True

    def answer(self, request: Request) -> Response:
        skip, size = int(request.query.get("skip", "0")), int(request.query.get("limit", "30"))
        found = self.customers[skip : skip + size] if size else self.customers[skip:]
        return reply({"users": self.records(found), "total": len(self.customers), "skip": skip, "limit": len(found)})

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "firstName": customer.first,
            "lastName": customer.last,
            "email": customer.email,
            "image": customer.picture,
        }


class JSONPlaceholder(VendorAPI):
    """Everybody on one page, a bare list."""

    path = "/users"

    def authorises(self, request: Request) -> bool:
        return True

    def answer(self, request: Request) -> Response:
        return reply(self.records(self.customers))

    def record(self, customer: Customer) -> Any:
        return {
            "id": customer.number,
            "name": customer.name,
            "username": f"u{customer.number}",
            "email": customer.email,
        }


class RandomUser(VendorAPI):
    """As many as were asked for; more than 5,000 is one."""

    path = "/api/"

    def authorises(self, request: Request) -> bool:
        return True

    def answer(self, request: Request) -> Response:
        wanted = int(request.query.get("results", "1"))
        found = self.customers[: wanted if wanted <= 5_000 else 1]
        info = {"seed": request.query.get("seed", ""), "results": len(found), "page": 1, "version": "1.4"}
        return reply({"results": self.records(found), "info": info})

    def record(self, customer: Customer) -> Any:
        return {
            "gender": "female",
            "name": {"title": "Ms", "first": customer.first, "last": customer.last},
            "email": customer.email,
            "login": {"uuid": customer.uuid, "username": f"u{customer.number}"},
            "picture": {"large": customer.picture},
        }

    def key(self, customer: Customer) -> Any:
        return customer.uuid


IDENTITY: dict[str, type[VendorAPI]] = {
    "auth0": Auth0,
    "okta": Okta,
    "github": GitHub,
    "gitlab": GitLab,
    "reqres": Reqres,
    "dummyjson": DummyJSON,
    "jsonplaceholder": JSONPlaceholder,
    "randomuser": RandomUser,
}

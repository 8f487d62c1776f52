"""One API endpoint: the request for each page, and what a response to it means. Pure."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from customer_assets.api.crawl.events import FetchPage, Outcome
from customer_assets.api.http.base import HttpRequest, RawResponse
from customer_assets.api.paging import PageNumber, Paging, Single
from customer_assets.api.paging.base import PageRequest
from customer_assets.api.responses.answer import AnswerFields, TotalRequest
from customer_assets.api.responses.parser import CountParser, PageParser

USER_AGENT = "customer_assets"

ACCEPTED = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}
"""The headers of every request, unless an API has its own; `options.py` keeps it from replacing the encoding."""


class Endpoint:
    """Where pages are, how to request them and how to read them. Credentials are added by whoever sends a request.

    Args:
        url: The address of the pages, without a query.
        paging: How pages follow each other.
        answer: What a response calls its parts.
        method: `GET` or `POST`.
        params: Fixed query parameters; a list repeats its parameter.
        headers: Fixed headers.
        body: The JSON body of a `POST`.
        parser: Reads the responses; None: as pages, by `paging` and `answer`.
    """

    def __init__(
        self,
        url: str,
        paging: Paging | None = None,
        answer: AnswerFields | None = None,
        *,
        method: str = "GET",
        params: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        parser: PageParser | CountParser | None = None,
    ) -> None:
        self.url, self.paging, self.answer = url, paging or PageNumber(), answer or AnswerFields()
        self._method, self._params, self._body = method, dict(params or {}), body
        given = dict(headers or {})
        ours = ACCEPTED if method == "GET" else {**ACCEPTED, "Content-Type": "application/json"}
        replaced = {name.lower() for name in given}
        self._headers = {name: value for name, value in ours.items() if name.lower() not in replaced} | given
        self._is_conditional = "if-modified-since" in replaced  # then 304 says that nothing changed
        self._parser = parser or PageParser(self.answer, self.paging)

    def __repr__(self) -> str:
        """Show where it leads."""
        return f"<Endpoint {self._method} {self.url} {self.paging!r}>"

    def request(self, fetch: FetchPage) -> HttpRequest:
        """The request for a page."""
        page = self.paging.request(fetch.page, fetch.cursor)
        in_query = self.paging.send_in == "query"
        query: dict[str, Any] = {**self._params} if page.with_params else {}
        query.update(page.parameters if in_query else {})
        if page.address is not None:
            url = self._located(page.address)
        else:
            url = f"{self.url}?{urlencode(query, doseq=True)}" if query else self.url
        return HttpRequest(url, self._headers, self._method, self._content(page, in_query=in_query))

    def parse(self, response: RawResponse, fetch: FetchPage, now_utc: datetime) -> Outcome:
        """What the response to that request means."""
        if response.status == HTTPStatus.NOT_MODIFIED and self._is_conditional:
            response = replace(response, status=HTTPStatus.NO_CONTENT)
        address = None if fetch.cursor is None else self.paging.request(fetch.page, fetch.cursor).address
        url = self.url if address is None else self._located(address)  # relative addresses lead on from there
        return self._parser.parse(response, fetch, url, now_utc)

    def _located(self, address: str) -> str:
        scheme, host, *_ = urlsplit(self.url)
        return urlunsplit((scheme, host, *urlsplit(address)[2:]))

    def _content(self, page: PageRequest, *, in_query: bool) -> bytes | None:
        if self._method == "GET":
            return None
        body = deepcopy(dict(self._body or {}))
        if not in_query:
            place = body
            for step in self.paging.send_in.split(".")[1:]:
                if step not in page.parameters:  # `body.variables.after` names the parameter's own place
                    place = place.setdefault(step, {})
            place.update(page.parameters)
        return json.dumps(body, ensure_ascii=False).encode()


class SlicedEndpoint:
    """The endpoint of a listing that is read in slices: each has fixed parameters of its own.

    Args:
        open_slice: Makes the endpoint of a lane's slice.
    """

    def __init__(self, open_slice: Callable[[int], Endpoint]) -> None:
        self._open, self._endpoints = open_slice, dict[int, Endpoint]()

    def request(self, fetch: FetchPage) -> HttpRequest:
        """The request for a page."""
        if fetch.lane not in self._endpoints:
            self._endpoints[fetch.lane] = self._open(fetch.lane)
        return self._endpoints[fetch.lane].request(fetch)

    def parse(self, response: RawResponse, fetch: FetchPage, now_utc: datetime) -> Outcome:
        """What the response to that request means."""
        return self._endpoints[fetch.lane].parse(response, fetch, now_utc)


def count_endpoint(base_url: str, request: TotalRequest, headers: Mapping[str, str]) -> Endpoint:
    """The endpoint of a request of its own that returns the total: one page without records."""
    return Endpoint(base_url + request.path, Single(), headers=headers, parser=CountParser(request.at))

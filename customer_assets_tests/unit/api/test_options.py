"""Every setting of an API: its default, its bounds, and what contradicts it."""

import typing
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from customer_assets.api import CustomerAPIClient
from customer_assets.api.auth.secret import Secret, hide_api_key, validate_api_key
from customer_assets.api.http.base import Transport
from customer_assets.api.options import ApiKeywords, ApiOptions, ApiSettings
from customer_assets.api.paging import Offset, PageNumber
from customer_assets.core.configuration import Settings
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.record_mapping import FieldSource

HTTPS = "https://x.org"


def test_the_clients_keywords_are_the_settings() -> None:
    """Name by name and type by type; the base URL is an argument, and a transport may be an object."""
    keywords, hints = typing.get_type_hints(ApiKeywords), typing.get_type_hints(ApiSettings)
    expected: dict[str, Any] = {name: hints[name] for name in ApiSettings.model_fields if name != "base_url"}
    assert keywords == expected | {"transport": str | Transport, "retry_waits_s": Sequence[float]}


def test_every_setting_is_described() -> None:
    """In one or more sentences, for the launchpad, the YAML and the README."""
    for name, field in ApiSettings.model_fields.items():
        assert (field.description or "").endswith("."), name


def test_defaults_are_valid() -> None:
    """With them, pages have numbers, and names in answers and records are the default ones."""
    settings = ApiSettings.from_keywords(base_url=HTTPS)
    assert settings.paging == PageNumber()
    assert settings.answer.counts == {name: name for name in ("page", "per_page", "total", "total_pages")}
    assert settings.authentication.key_variable == "CUSTOMER_API_KEY"


def test_a_program_passes_structured_parts_as_mappings() -> None:
    """As a YAML has them; what is left out keeps its default."""
    settings = ApiSettings.from_keywords(base_url=HTTPS, answer={"data": "people"}, record={"email": "contact.email"})
    assert (settings.answer.records, settings.answer.total) == ("people", "total")
    assert settings.record.email == FieldSource(path="contact.email")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"timeout_s": "30"}, "timeout_s: '30' is not a number. Set it to a number."),
        ({"max_concurrency": True}, "max_concurrency: True is not a whole number. Set it to a whole number."),
        ({"page_sise": 5}, "page_sise: there is no such setting. Did you mean page_size?"),
        ({"answer": {"totl": "n"}}, "answer.totl: there is no such setting. Did you mean total?"),
        ({"answer": {"zzz": "n"}}, "answer.zzz: there is no such setting. Leave it out."),
        ({"pages": {"type": "offset", "sise": 9}}, "pages.sise: there is no such setting. Did you mean size?"),
        ({"pages": {"type": "offset", "curser": 9}}, "pages.curser: there is no such setting. Leave it out."),
        ({"record": {"emial": "x"}}, "record.emial: there is no such setting. Did you mean email?"),
        ({"pages": "offset"}, "pages: it is text, not a mapping. Write its settings below it, each with its name."),
        ({"answer": {"total": "a."}}, "answer.total: 'a.' is not a path"),
        ({"page_parameter": "per_page"}, "per_page_parameter: it is the page's parameter too"),
        ({"page_parameter": "a&b"}, "page_parameter: 'a&b' is not the name of a parameter"),
        ({"pages": {"type": "cursor"}}, "pages.from: "),
        ({"pages": {"type": "offset"}}, "answer.records: it is missing, and this way of paging has no usual place"),
        ({"pages": {"type": "page_number", "first": 2}}, "pages.first: "),
        ({"pages": {"type": "offset", "format": "{offset},{size}"}}, "pages.size: it is missing"),
        (
            {"pages": {"type": "guess"}},
            "pages: the type 'guess' is unknown. Set type to one of 'page_number', 'offset'",
        ),
        ({"pages": {"parameter": "p"}}, "pages: its type is missing. Set type."),
        ({"auth": {"type": "query"}}, "auth: the type 'query' is unknown. Set type to one of 'header', 'bearer'"),
        ({"body": {"a": 1}}, "method: a GET has no body. Set method: POST."),
        ({"pages": {"type": "page_number", "send_in": "body"}}, "method: a GET has no body."),
        ({"headers": {"Content-Length": "7"}}, "headers: Content-Length is set by every request itself."),
        ({"headers": {"X-A": "caf\u00e9"}}, "headers: X-A holds characters that no header can."),
        ({"auth": {"type": "header", "key_variable": "canary key"}}, "auth.key_variable: it is not the name"),
        ({"auth": {"type": "oauth2_client_credentials"}}, "auth.token_url: "),
        ({"answer": {"records": "list[*"}}, "answer.records: 'list[*' is not a path."),
        ({"answer": {"total": {"path": "count", "at": "n"}}}, "answer.total.path: "),
        ({"answer": {"total": {"at": "n"}}}, "answer.total.path: it is missing. Set it."),
        ({"params": {"all": True}}, "params.all: it is true or false, not text. Write it as text; in YAML, in quotes."),
        ({"headers": {"X-Version": 1.10}}, "headers.X-Version: it is a number, not text."),
        ({"path": "/users?a=b"}, "path: '/users?a=b' is not a path. Write it like /users; a query belongs in params."),
        (
            {"params": {"q": ["a"]}, "slices": {"parameters": {"from": "q", "to": "q"}, "step": "30d"}},
            "params: it is a list, and no range can be joined to it. Write one text.",
        ),
        ({"key_header": "Host"}, "key_header: 'Host' is a header that every request needs. Use, say, x-api-key."),
        ({"key_header": "a b"}, "key_header: 'a b' is not a valid header name. Use, say, x-api-key."),
        ({"base_url": "ftp://x.org"}, "base_url: it is not an http or https address."),
        ({"base_url": "http://x.org"}, "base_url: plain http would send the key in the clear."),
        ({"page_store": "redis:/:canary@host"}, "page_store: it is not the address of a page store."),
    ],
)
def test_what_a_program_cannot_mean_is_refused(given: dict[str, Any], message: str) -> None:
    """By the field's name. A text is not read as a number, unlike in YAML or the environment."""
    with pytest.raises(ConfigurationError) as caught:
        ApiSettings.from_keywords(**{"base_url": HTTPS, **given})
    assert str(caught.value).startswith(message)
    assert "canary" not in str(caught.value)


def test_what_yaml_reads_as_numbers_and_dates_is_sent_as_it_stands_there() -> None:
    """`limit: 100`, `revision: 2026-07-15`; a list repeats its parameter."""
    day = date(2026, 7, 15)
    settings = ApiSettings.from_keywords(
        base_url=HTTPS,
        method="POST",
        params={"limit": 100, "fields[]": ["a", 1], "since": day},
        headers={"revision": day},
        body={"limit": 100, "range": [{"from": day}]},
    )
    assert settings.params == {"limit": "100", "fields[]": ["a", "1"], "since": "2026-07-15"}
    assert settings.headers == {"revision": "2026-07-15"}
    assert settings.body == {"limit": 100, "range": [{"from": "2026-07-15"}]}


def test_page_size_takes_precedence_over_the_size_of_a_way_of_paging() -> None:
    """A preset has a size; its user can ask for another one."""
    pages = {"type": "offset", "size_parameter": "limit", "size": 100}
    settings = ApiSettings.from_keywords(base_url=HTTPS, pages=pages, answer={"records": "items"}, page_size=20)
    assert settings.paging == Offset(size_parameter="limit", size=20)


def test_templates_pass_until_they_are_filled_in() -> None:
    """A YAML's fields are checked with its templates still in them: only `ApiSettings` looks into their text."""
    assert ApiOptions(base_url="{{ env.URL }}", path="{{ env.PATH }}", page_store="{{ env.STORE }}")
    with pytest.raises(ValidationError):
        ApiSettings(base_url="{{ env.URL }}")


def test_a_page_store_in_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SQLite's path may begin with a tilde."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ApiSettings(page_store="sqlite:///~/p.sqlite").page_store == f"sqlite:///{tmp_path}/p.sqlite"


def test_a_page_store_is_not_shown() -> None:
    """Its address may hold a password."""
    with CustomerAPIClient(HTTPS, "k", page_store="redis://:canary@host/0") as client:
        assert "canary" not in f"{client!r} {client.options!r} {client.options}"


def test_the_models_agree_on_what_they_refuse() -> None:
    """A setting that does not exist, and numbers that are not: in every model of settings."""
    models: list[type[Settings]] = [Settings, *Settings.__subclasses__()]
    assert all(model.model_config["extra"] == "forbid" and not model.model_config["allow_inf_nan"] for model in models)


def test_a_key_is_hidden_and_trimmed() -> None:
    """In its repr and in the repr of a part of it."""
    key = validate_api_key(hide_api_key(" canary "))
    assert key == "canary"
    assert isinstance(key, Secret)
    assert "can" not in f"{key!r} {key[:3]!r}"
    with pytest.raises(ConfigurationError, match=r"^api_key: it is NoneType, not text"):
        hide_api_key(None)

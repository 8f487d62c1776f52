"""Presets: what their files say, and how a user's settings override them."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import customer_assets
from customer_assets.api.auth.settings import OAuthSettings
from customer_assets.api.options import ApiSettings
from customer_assets.api.paging import Cursor, LinkHeader
from customer_assets.api.presets import (
    apply_preset,
    complete_parts,
    load_preset,
    merge_settings,
    preset_names,
    read_api_file,
)
from customer_assets.core.configuration import SettingError
from customer_assets.core.errors import ConfigurationError
from customer_assets.core.record_mapping import FieldSource
from customer_assets_tests.harness.vendors import VENDORS

FILES = sorted(Path(customer_assets.__file__).parent.glob("apis/*/*.yaml"))


def settings_of(name: str, **given: Any) -> ApiSettings:
    """Load a preset with something for each of its values."""
    values = dict.fromkeys(load_preset(name).about.values, "acme")
    return ApiSettings(**{"preset": name, "preset_values": values, **given})


def test_every_imitated_api_has_a_preset() -> None:
    """And every preset an imitation."""
    assert preset_names() == sorted(VENDORS) == sorted(path.stem for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_preset_names_its_sources(path: Path) -> None:
    """In its first lines, with the fact that the live API was not tried."""
    head = path.read_text(encoding="utf-8").partition("about:")[0]
    assert "Facts: " in head
    assert "Never tried on the live API." in head


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_read_by_the_settings_themselves(name: str) -> None:
    """Nothing in it is unknown, but for what is planned; every value that it leaves open is explained."""
    preset, settings = load_preset(name), settings_of(name)
    assert set(preset.api) <= {*ApiSettings.model_fields}
    assert settings.base_url.startswith("https://")
    assert "{" not in settings.base_url + settings.path
    assert settings.pages is not None
    assert settings.auth is not None
    texts = [preset.api["base_url"], preset.api["path"], preset.api["auth"].get("token_url", "")]
    assert all(f"{{{value}}}" in "".join(texts) for value in preset.about.values)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_names_the_secrets_that_it_needs(name: str) -> None:
    """All of them, and no other."""
    auth = settings_of(name).auth
    assert auth is not None
    needed = {value for field, value in auth if field.endswith("variable") and value is not None}
    if getattr(auth, "password", None) is not None:
        needed.discard("CUSTOMER_API_PASSWORD")
    assert set(load_preset(name).about.secrets) == needed
    assert not isinstance(auth, OAuthSettings) or auth.token_url


def test_settings_override_a_preset_key_by_key() -> None:
    """What is left out stays the preset's, null is a value, and the preset itself does not change."""
    settings = settings_of(
        "shopify",
        path="/elsewhere",
        params={"status": "enabled"},
        answer={"total": None},
        record={"email": "contact.email", "fields": {"tags": "tags"}},
    )
    assert (settings.base_url, settings.path) == ("https://acme.myshopify.com", "/elsewhere")
    assert (settings.answer.records, settings.answer.total) == ("customers", None)
    assert (settings.record.email, settings.record.avatar) == (FieldSource(path="contact.email"), None)
    assert settings.record.fields["tags"].path == "tags"
    assert settings.pages == LinkHeader(size_parameter="limit", size=250)
    assert settings_of("shopify").answer.total is not None


def test_another_way_of_paging_replaces_the_presets_as_a_whole() -> None:
    """The same way with another detail does not."""
    cursor = {"type": "cursor", "from": "next", "parameter": "after"}
    assert settings_of("shopify", pages=cursor).pages == Cursor.model_validate(cursor)
    merged = settings_of("hubspot", pages={**cursor, "size": 10}).pages
    assert merged == Cursor.model_validate({**cursor, "size_parameter": "limit", "size": 10})


def test_a_whole_address_needs_no_values() -> None:
    """Nor does one in which the user left a place open."""
    assert ApiSettings(preset="shopify", base_url="https://shop.example").base_url == "https://shop.example"
    settings = ApiSettings(preset="shopify", base_url="https://{shop}.shop.example", preset_values={"shop": "acme"})
    assert settings.base_url == "https://acme.shop.example"


def test_values_can_be_written_as_text() -> None:
    """In an environment variable there is nothing else."""
    text = "region=europe-west1.gcp, project = acme"
    settings = ApiSettings.model_validate({"preset": "commercetools", "preset_values": text})
    assert settings.base_url == "https://api.europe-west1.gcp.commercetools.com/acme"
    assert isinstance(settings.auth, OAuthSettings)
    assert urlsplit(settings.auth.token_url).hostname == "auth.europe-west1.gcp.commercetools.com"


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("shopfy", {}, "preset: there is no preset 'shopfy'. Did you mean shopify?"),
        ("x", {}, "preset: there is no preset 'x'. `python -m customer_assets.apis` lists all presets."),
        ("shopify", {}, "preset_values: the preset shopify needs shop, the shop, as in https://acme.myshopify.com."),
        ("shopify", {"shop": ""}, "preset_values: the preset shopify needs shop"),
        ("shopify", {"sop": "acme"}, "preset_values: the preset shopify has no value 'sop'. Did you mean shop?"),
        ("stripe", {"shop": "acme"}, "preset_values: the preset stripe has no value 'shop'. It has none at all."),
    ],
)
def test_what_is_missing_is_named(name: str, values: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        apply_preset(name, values, {})
    assert str(caught.value).startswith(message)


def test_settings_are_merged_in_depth() -> None:
    below = {"a": {"x": 1, "y": {"z": 2}}, "auth": {"type": "basic", "user": "u"}}
    assert merge_settings(below, {"a": {"y": {"w": 3}}, "auth": {"type": "none"}}) == {
        "a": {"x": 1, "y": {"z": 2, "w": 3}},
        "auth": {"type": "none"},
    }
    assert below["a"] == {"x": 1, "y": {"z": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base_url: x", "has no section api:"),
        ("api: [", r"line \d+ cannot be read"),
        ("api: x", "has no section api:"),
        ("", "has no section api:"),
        ("api:\n  record:\n    fields: {a: x,\n      a: y}", "line 4 has 'a' for the second time"),
        ("api: {path: &p [x], params: *p, path: y}", "line 1 has 'path' for the second time"),
    ],
)
def test_a_file_without_an_api_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        read_api_file(str(tmp_path / "api.yaml"))
    with pytest.raises(ConfigurationError, match="FileNotFoundError"):
        read_api_file(str(tmp_path / "none.yaml"))


def test_parts_are_completed_from_the_preset() -> None:
    """A size without the way of paging could not be checked; another type, and null, replace the preset's."""
    pages = load_preset("hubspot").api["pages"]
    assert complete_parts({"preset": "hubspot", "pages": {"size": 7}, "params": {"a": "b"}}) == {
        "preset": "hubspot",
        "pages": {**pages, "size": 7},
        "params": {"a": "b"},
    }
    for whole in ({"type": "single"}, None):
        assert complete_parts({"preset": "hubspot", "pages": whole})["pages"] == whole
    for preset in ("", "{{ env.PRESET }}", "hubspt", None, 7):
        assert complete_parts({"preset": preset, "pages": {"size": 7}})["pages"] == {"size": 7}

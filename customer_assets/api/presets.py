"""APIs described in YAML: presets, merged with a user's settings, and files of a user's own.

A preset has no code and no settings of its own: its `api:` is the section of a component's YAML. What a setting means
belongs in `options.py`.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field

from customer_assets.core.configuration import SettingError, Settings, configuration_errors, suggest
from customer_assets.core.errors import ConfigurationError

FILLED_IN = (("base_url",), ("path",), ("auth", "token_url"))
"""The settings in which `{name}` stands for one of a preset's values."""

COMPLETED = ("auth", "pages", "incremental", "slices")
"""The parts that mean nothing without all their keys; a user can override single keys of a preset's."""

_PLACE = re.compile(r"\{([a-z_]+)\}")


class About(Settings):
    """What a user wants to know about a preset.

    Attributes:
        name: The API's name.
        values: What a user must set, beside secrets: what `{name}` stands for, in words.
        secrets: The variables to set, and what each holds.
        note: When something else must be set.
        deletions: How deleted customers show.
    """

    name: str
    values: dict[str, str] = Field(default={})
    secrets: dict[str, str] = Field(default={})
    note: str = ""
    deletions: str


class Preset(Settings):
    """A known API.

    Attributes:
        about: What a user wants to know.
        api: The `api:` section, unchecked.
    """

    about: About
    api: dict[str, Any] = Field(repr=False)


def preset_names() -> list[str]:
    """Return the names of all presets, in alphabetical order."""
    return sorted(_paths())


@cache
def load_preset(name: str) -> Preset:
    """Read a preset.

    Raises:
        ConfigurationError: There is none of that name.
    """
    path = _paths().get(name)
    if path is None:
        remedy = suggest(name, _paths(), "`python -m customer_assets.apis` lists all presets.")
        raise ConfigurationError("preset", f"there is no preset {name!r}", remedy)
    with configuration_errors(Preset):
        return Preset(**yaml.safe_load(path.read_text(encoding="utf-8")))


def read_api_file(path: str) -> dict[str, Any]:
    """Read the `api:` section of a YAML file, unchecked.

    Raises:
        ConfigurationError: There is no such file, it has no such section, or a key is in it twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigurationError(
            "config", f"{path}{place} cannot be read ({type(error).__name__})", "Name a YAML file with an api: section."
        ) from None
    section = content.get("api") if isinstance(content, dict) else None
    if not isinstance(section, dict):
        raise ConfigurationError("config", f"{path} has no section api:", "Write the section as in a component's YAML.")
    if (repeated := repeated_key(text)) is not None:
        key, line = repeated
        raise ConfigurationError(
            "config", f"{path}, line {line} has {key!r} for the second time", "Leave one of them out."
        )
    return section


def repeated_key(text: str) -> tuple[str, int] | None:
    """Find a key of a YAML text that is in one mapping twice, and its second line: YAML silently keeps the last."""
    nodes, looked_at = list(yaml.compose_all(text, Loader=yaml.SafeLoader)), set()
    while nodes:
        node = nodes.pop()
        if id(node) in looked_at:  # an alias
            continue
        looked_at.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if str(key.value) in seen:
                    return str(key.value), key.start_mark.line + 1
                seen.add(str(key.value))
                nodes.append(value)
    return None


def apply_preset(name: str, values: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a preset's settings, overridden by those that were given, key by key.

    Raises:
        SettingError: There is no such preset, or one of its values is missing or unknown.
    """
    try:
        preset = load_preset(name)
    except ConfigurationError as error:
        raise SettingError(error.problem, error.remedy, field=error.field) from None
    merged = merge_settings(preset.api, given)
    for unknown in sorted(set(values) - set(preset.about.values)):
        remedy = suggest(unknown, preset.about.values, f"It has {', '.join(preset.about.values) or 'none at all'}.")
        raise SettingError(f"the preset {name} has no value {unknown!r}", remedy, field="preset_values")
    for steps in FILLED_IN:
        _fill_in(merged, steps, preset.about.values, values, name)
    return merged


def complete_parts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Complete the parts that were set in part with the preset's other keys; an unknown preset changes nothing."""
    name = given.get("preset")
    if not isinstance(name, str) or name not in _paths():
        return dict(given)
    known = load_preset(name).api
    parts = {part: given[part] for part in COMPLETED if isinstance(given.get(part), Mapping)}
    return {
        **given,
        **{part: merge_settings({part: known.get(part)}, {part: own})[part] for part, own in parts.items()},
    }


def merge_settings(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings overridden by others, key by key; a part that gets another `type` is replaced as a whole."""
    merged = deepcopy(dict(below))
    for key, given in above.items():
        value = given.model_dump(by_alias=True, exclude_unset=True) if isinstance(given, BaseModel) else given
        known = merged.get(key)
        if isinstance(value, Mapping):
            known = known if isinstance(known, dict) else {}
            is_same = value.get("type", known.get("type")) == known.get("type")
            value = merge_settings(known if is_same else {}, value)
        merged[key] = value
    return merged


def _fill_in(
    settings: dict[str, Any], steps: tuple[str, ...], about: Mapping[str, str], values: Mapping[str, str], preset: str
) -> None:
    *outer, last = steps
    for step in outer:  # to the mapping that holds the text
        settings = settings.get(step, {})
    text = settings.get(last)
    if not isinstance(text, str):
        return
    for name in _PLACE.findall(text):
        if name in about and not values.get(name):
            raise SettingError(
                f"the preset {preset} needs {name}, {about[name]}", f"Set it to {name}=…", field="preset_values"
            )
    settings[last] = _PLACE.sub(lambda place: values.get(place[1], place[0]), text)


@cache
def _paths() -> dict[str, Path]:
    return {path.stem: path for path in Path(str(files("customer_assets"))).glob("apis/*/*.yaml")}

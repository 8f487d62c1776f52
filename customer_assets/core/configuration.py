"""What all settings have in common: where each is set, and how an unusable one is reported.

A setting is one field of one pydantic model, in the room that uses it: `api/options.py`, `processing/options.py`,
`processing/quality.py`, `simulator/settings.py`, `defs/data_directory/`, `defs/sync.py`, `defs/settings.py`. Nothing
here knows any of those models, and nothing here reads the environment by itself.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from customer_assets.core.errors import ConfigurationError


class KeyedModel(BaseModel):
    """A model whose fields can be had by their keys in YAML, which is how Dagster finds each key's line."""

    def __getitem__(self, key: str) -> object:
        """Return a field; `from` cannot be the name of one."""
        names = {field.alias or field.serialization_alias: name for name, field in type(self).model_fields.items()}
        return getattr(self, names.get(key, key))


class Settings(KeyedModel):
    """The base of every model of settings.

    Attributes:
        variable_prefix: A field's environment variable is this prefix and the field's name: `timeout_s` of a model with
            the prefix `CUSTOMER_API` is `CUSTOMER_API_TIMEOUT_S`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)
    variable_prefix: ClassVar[str] = "CUSTOMER"


@dataclass(frozen=True, slots=True)
class Variable:
    """Annotates a field whose environment variable has another name than the prefix and the field's name give.

    Attributes:
        name: The variable; empty: the field cannot be set by a variable.
    """

    name: str


NO_VARIABLE = Variable("")

SECRET: dict[str, Any] = {"dagster__is_secret": True}
"""The `json_schema_extra` of a secret field, in Dagster's own words: Dagster masks it, and no error quotes it."""


class SettingError(ValueError):
    """A validator's way to refuse a value: pydantic adds where it stands, `configuration_errors` does the rest.

    Attributes:
        problem: What is wrong, without the value of a secret.
        remedy: What to set instead.
        field: The field at fault, if several were checked together.
    """

    def __init__(self, problem: str, remedy: str, *, field: str = "") -> None:
        """Keep the parts, and make a sentence of them for those who see the ValidationError itself."""
        self.problem, self.remedy, self.field = problem, remedy, field
        super().__init__(f"{field}: {problem}. {remedy}" if field else f"{problem}. {remedy}")


def expand_home(path: str) -> str:
    """Return a path with its leading `~` replaced by the home directory.

    Raises:
        SettingError: There is no such home directory.
    """
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        raise SettingError(f"{path!r} names a home directory that does not exist", "Write the whole path.") from None


LocalPath = Annotated[str, AfterValidator(expand_home)]
"""A path on this machine, or the address of a store; a leading `~` is the home directory."""


def validate_choice(value: str, choices: Iterable[str]) -> str:
    """Return the value if it is one of the choices.

    Raises:
        SettingError: It is not.
    """
    known = list(choices)
    if value not in known:
        raise SettingError(f"{value!r} is unknown", f"Choose one of {', '.join(known)}.")
    return value


# --- where a setting is set -------------------------------------------------------------------------------


def variables(model: type[Settings]) -> dict[str, str]:
    """Return the environment variables of a model, each with its field; `simulator.seed` is a field of a sub-model."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        nested = _model_of(field)
        if nested is not None:
            found |= {variable: f"{name}.{inner}" for variable, inner in variables(nested).items()}
        elif variable := _variable(model, name, field):
            found[variable] = name
    return found


def secret_variables(model: type[Settings]) -> dict[str, str]:
    """Return the variables that hold a secret, each with its field."""
    return {variable: name for variable, name in variables(model).items() if is_secret(model, name)}


def is_secret(model: type[BaseModel], name: str) -> bool:
    """Whether a field holds a secret."""
    field = model.model_fields.get(name)
    return (
        field is not None
        and isinstance(field.json_schema_extra, dict)
        and SECRET.items() <= field.json_schema_extra.items()
    )


def values_from(model: type[Settings], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what the environment says of a model's fields, as text; a blank variable counts as unset.

    Sub-models become dictionaries of their own; lists are separated by commas.
    """
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        nested, variable = _model_of(field), _variable(model, name, field)
        text = environ.get(variable, "").strip() if variable else ""
        if nested is not None:
            values |= {name: inner} if (inner := values_from(nested, environ)) else {}
        elif text:
            is_list = get_origin(field.annotation) is list
            values[name] = [part.strip() for part in text.split(",")] if is_list else text
    return values


def _variable(model: type[Settings], name: str, field: FieldInfo) -> str:
    named = [each.name for each in field.metadata if isinstance(each, Variable)]
    return named[0] if named else f"{model.variable_prefix}_{name}".upper()


def _model_of(field: FieldInfo) -> type[Settings] | None:
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Settings) else None


# --- how an unusable setting is reported ------------------------------------------------------------------


@contextmanager
def configuration_errors(model: type[BaseModel]) -> Iterator[None]:
    """Turn what pydantic refuses into a `ConfigurationError` that names the first field at fault.

    Raises:
        ConfigurationError: Says what is wrong and what to set instead; never quotes a secret.
    """
    try:
        yield
    except ValidationError as error:
        raise _configuration_error(model, _first(error.errors(include_url=False))) from None


@contextmanager
def rename_fields(rename: Callable[[str], str]) -> Iterator[None]:
    """Let a `ConfigurationError` name its field as whoever set it knows it: by its variable or its place in a YAML.

    Args:
        rename: Returns the name to show for the error's own.
    """
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(rename(error.field), error.problem, error.remedy) from None


def by_variable(model: type[Settings]) -> Callable[[str], str]:
    """Return what names a model's fields by their variables, for `rename_fields`."""
    names = {field: variable for variable, field in variables(model).items()}
    return lambda field: names.get(field, field)


def suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the sentence that helps somebody who misspelt a name: the nearest known one, or what else to do."""
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"Did you mean {nearest[0]}?" if nearest else otherwise


_EXPLANATIONS = {
    "greater_than": ("{value} is not above {gt:g}", "Set a number above {gt:g}."),
    "greater_than_equal": ("{value} is below {ge:g}", "Set {ge:g} or more."),
    "less_than": ("{value} is not below {lt:g}", "Set a number below {lt:g}."),
    "less_than_equal": ("{value} is above {le:g}", "Set {le:g} or less."),
    "literal_error": ("{value!r} is unknown", "Choose {expected}."),
    "missing": ("it is missing", "Set it."),
    "string_type": ("it is {type}, not text", "Write it as text; in YAML, in quotes."),
    "union_tag_invalid": ("the type {tag!r} is unknown", "Set type to one of {expected_tags}."),
    "union_tag_not_found": ("its type is missing", "Set type."),
    "int": ("{value!r} is not a whole number", "Set it to a whole number."),
    "float": ("{value!r} is not a number", "Set it to a number."),
    "finite": ("{value!r} is not a number", "Set it to a number."),
    "bool": ("{value!r} is neither true nor false", "Set it to true or false."),
    "list": ("{value!r} is not a list", "Set it to a list."),
    "dict": ("{value!r} is not a mapping", "Set it to a mapping."),
    "model": ("it is {type}, not a mapping", "Write its settings below it, each with its name."),
}
"""Problem and remedy in plain words, by pydantic's type of an error or the first word of that type."""


_TYPES = {"NoneType": "null", "str": "text", "int": "a number", "float": "a number", "bool": "true or false"}
"""What YAML calls the values of a type."""


def _first(errors: list[ErrorDetails]) -> ErrorDetails:
    """The first error; of a mapping where text is allowed, too, what is wrong inside it."""
    first = errors[0]
    if first["type"] != "string_type" or not isinstance(first["input"], Mapping):
        return first
    outer = first["loc"][:-1]
    inner = (error for error in errors if error["loc"][: len(outer)] == outer and error["type"] != "string_type")
    return next(inner, first)


def _configuration_error(model: type[BaseModel], error: ErrorDetails) -> ConfigurationError:
    place = _place(model, error["loc"])
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SettingError):
        place = ".".join(part for part in (place, cause.field) if part)
        return ConfigurationError(place, cause.problem, cause.remedy)
    problem, remedy = _explanation(model, error)
    if is_secret(model, place):
        problem = "its value cannot be used"
    return ConfigurationError(place, problem, remedy)


def _place(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """Where a setting stands, without what pydantic adds: which member of a union it tried."""
    added = _members(model)
    return ".".join(part for part in location if isinstance(part, str) and part not in added and "[" not in part)


def _members(model: type[BaseModel]) -> set[str]:
    """The names by which pydantic tells the members of a model's unions apart."""
    names: set[str] = set()
    for field in model.model_fields.values():
        for part in _models_in(field):
            names |= _tags(part) | _members(part)
    return names


def _tags(model: type[BaseModel]) -> set[str]:
    """What pydantic calls a model as a member of a union."""
    kind = model.model_fields.get("type")
    return {model.__name__, *([kind.default] if kind is not None else [])}


def _models_in(field: FieldInfo) -> Iterator[type[BaseModel]]:
    """Every model that a field's value can be."""
    parts = [field.annotation]
    while parts:
        part = parts.pop()
        parts += get_args(part)
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part


def _names_at(model: type[BaseModel], location: Iterable[int | str]) -> set[str]:
    """The names of the settings that are allowed at a place, to suggest for one that is misspelt there."""
    models = [model]
    for part in location:
        if tagged := [each for each in models if part in _tags(each)]:
            models = tagged
        elif isinstance(part, str):
            fields = [each.model_fields[part] for each in models if part in each.model_fields]
            models = [inner for field in fields for inner in _models_in(field)]
    return {field.alias or name for each in models for name, field in each.model_fields.items()}


def _explanation(model: type[BaseModel], error: ErrorDetails) -> tuple[str, str]:
    kind, value = error["type"], error["input"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        *outer, name = error["loc"]
        return "there is no such setting", suggest(str(name), _names_at(model, outer), "Leave it out.")
    if kind == "value_error":
        problem, _, remedy = error["msg"].removeprefix("Value error, ").partition(". ")
        return problem, f"{remedy.removesuffix('.')}." if remedy else "Set another value."
    found = _EXPLANATIONS.get(kind) or _EXPLANATIONS.get(kind.partition("_")[0])
    if found is None:
        return error["msg"][:1].lower() + error["msg"][1:], "Set another value."
    named = type(value).__name__
    context = {**error.get("ctx", {}), "value": value, "type": _TYPES.get(named, named)}
    return found[0].format_map(context), found[1].format_map(context)

"""How an API's record becomes ours: where each field is found, what its values mean, which records are left out.

`RecordMapping` is the one description of it: YAML validates it as it stands, the landing writer, the processor and the
exporter take it, and the crawl's fingerprint includes it. How a path is followed belongs in `paths.py`, what a value
becomes in `json_values.py`, what a column is computed from in `processing/rules.py`, and what answers and pages are
called in `api/`.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, FiniteFloat, model_validator

from customer_assets.core.configuration import KeyedModel
from customer_assets.core.fields import (
    BUSINESS_FIELDS,
    CLEAN_FIELDS,
    RAW_FIELDS,
    RECORD_COLUMNS,
    UNKNOWN,
    Expected,
    Kind,
    field_named,
    names_of,
)
from customer_assets.core.fields import Field as FieldDefinition
from customer_assets.core.json_values import IdType, MissingValues, canonical_text, category
from customer_assets.core.paths import ABSENT, Path, PathText, follow, parse_path

FILTER = "exclude.field"
"""Names the filter's path beside those of fields; no field is called so."""

MOST_EXTRA_FIELDS = 500
"""Planning a query takes DuckDB seconds from there on; PostgreSQL's tables, the narrowest, hold 1,600 columns."""

_FIELD_NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,62}")
"""What every warehouse takes for a column's name. Names that begin with an underscore are the rules' own."""
_RESERVED = {name.lower() for name in (*names_of(RAW_FIELDS), *names_of(CLEAN_FIELDS), *RECORD_COLUMNS)}


def _canonical(text: str) -> str:
    canonical = canonical_text(text)
    if canonical is None:
        raise ValueError("it is blank")
    return canonical


def _code(value: object) -> str:
    """Write a scalar of YAML as the API's scalar is written: `true` → `"true"`, `1` → `"1"`."""
    text = category(value)
    if text is None:
        raise ValueError(f"{value!r} is neither text, a number nor a boolean")
    return text


def _codes_as_keys(values: object) -> object:
    if not isinstance(values, Mapping):
        return values
    codes = {_code(key): value for key, value in values.items()}
    if len(codes) < len(values):
        raise ValueError("two of its values are the same once trimmed")
    return codes


Code = Annotated[str, BeforeValidator(_code, json_schema_input_type=str | bool | int | float)]
Word = Annotated[str, AfterValidator(_canonical)]
Codes = Annotated[dict[str, Word], BeforeValidator(_codes_as_keys)]


class _Specification(KeyedModel):
    """Frozen, compared and hashed by its content, and never lenient about a misspelt key."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    def __eq__(self, other: object) -> bool:
        """Compare the content, the order of what stands in mappings included."""
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self) -> int:
        """Hash the content; mappings have no hash of their own."""
        return hash(repr(self))


class FieldSource(_Specification):
    """Where a field is found in a record."""

    path: PathText = Field(
        validation_alias="from",
        serialization_alias="from",
        description="The path to it, such as contact.email or emails[0].value.",
    )
    expected: bool | None = Field(
        default=None, description="Whether a missing value costs points; by default it does where a path is given."
    )


class ScoreSource(FieldSource):
    """Where the engagement score is found, and its scale."""

    scale: FiniteFloat = Field(default=1.0, gt=0, description="Divides the score first: 100 where it is a percentage.")


class CategorySource(FieldSource):
    """Where a category is found, and what its values mean."""

    values: Codes | None = Field(
        default=None, min_length=1, description="The API's values and ours, such as {web: website, ios: mobile_app}."
    )
    bands: dict[Word, FiniteFloat] | None = Field(
        default=None, min_length=1, description="Our values, each from a number on: {premium: 1000, basic: 0}."
    )

    @model_validator(mode="after")
    def meaning_is_unambiguous(self) -> Self:
        """Refuse two meanings at once, and two bands from the same number."""
        if self.values is not None and self.bands is not None:
            raise ValueError("values and bands exclude each other; give one of them")
        if self.bands is not None and len(set(self.bands.values())) < len(self.bands):
            raise ValueError("two bands begin at the same number")
        return self

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Our values, without duplicates; empty: the API's own are taken as they are."""
        return tuple(dict.fromkeys([*(self.values or {}).values(), *(self.bands or {})]))


class ExtraField(_Specification):
    """A field of the user's own: from the API's record to the export."""

    path: PathText | None = Field(
        default=None,
        validation_alias="from",
        serialization_alias="from",
        description="The path to it; empty: the field's name.",
    )
    type: Literal["text", "number", "integer", "boolean", "instant"] = "text"
    pii: bool = Field(default=False, description="Whether it is personal data: tagged, and never shown in a report.")
    expected: bool = Field(default=False, description="Whether a missing value costs points.")
    description: str = Field(default="", description="What people read about it, in the catalogue.")


class Exclusion(_Specification):
    """Which records are left out on purpose."""

    field: PathText = Field(description="The path to what decides, such as status.")
    values: tuple[Code, ...] = Field(min_length=1, description="Its values that drop a record, such as deleted.")


def _from_path(value: object) -> object:
    return {"from": value} if isinstance(value, str) else value


_Text = Annotated[FieldSource | None, BeforeValidator(_from_path, json_schema_input_type=str | FieldSource | None)]
_Score = Annotated[ScoreSource | None, BeforeValidator(_from_path, json_schema_input_type=str | ScoreSource | None)]
_Category = Annotated[
    CategorySource | None, BeforeValidator(_from_path, json_schema_input_type=str | CategorySource | None)
]
_Extra = Annotated[ExtraField, BeforeValidator(_from_path, json_schema_input_type=str | ExtraField)]
"""A source may be written as its path alone."""


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A column of the raw table that is read from the record.

    Attributes:
        name: The column.
        kind: What it holds.
        path: Where it is found; None: the API has no such field.
        is_optional: Whether a value is generated for records that do not have it: `…_supplied` says which those are.
        supplied: Whether records have it: True, False, or None for "look at each record".
    """

    name: str
    kind: Kind
    path: Path | None
    is_optional: bool = False
    supplied: bool | None = True


class RecordMapping(_Specification):
    """What an API's records look like, and what becomes of them.

    A source is a path, null ("the API has no such field": not expected, costs nothing), or a path with options. Fields
    that are left out are looked up by our own names.
    """

    id: PathText = Field(default="id", description="The path to the customer's id.")
    id_type: IdType = Field(
        default="integer", description="integer, or text: compared byte for byte, so that 007 and 7 are two customers."
    )
    email: _Text = FieldSource(path="email")
    first_name: _Text = FieldSource(path="first_name")
    last_name: _Text = FieldSource(path="last_name")
    avatar: _Text = FieldSource(path="avatar")
    full_name: _Text = Field(default=None, description="In place of first_name and last_name.")
    engagement_score: _Score = ScoreSource(path="engagement_score")
    last_active_at: _Text = FieldSource(path="last_active_at")
    engagement_level: _Category = Field(default=None, description="In place of engagement_score.")
    activity_status: _Category = Field(default=None, description="In place of last_active_at.")
    acquisition_channel: _Category = None
    market_segment: _Category = None
    customer_tier: _Category = None
    record_updated_at: _Text = Field(
        default=None, description="When the record last changed; `incremental.field` sets it. Kept in the raw table."
    )
    fields: dict[str, _Extra] = Field(
        default={}, max_length=MOST_EXTRA_FIELDS, description="Fields of your own, by name; exported in this order."
    )
    exclude: Exclusion | None = Field(default=None, description="Records to leave out on purpose.")
    missing_values: tuple[Word, ...] = Field(
        default=("N/A", "#N/A", "-", "--", "?", "undefined"),
        description="Texts by which the API says that it has no value; in any case of letters.",
    )

    @model_validator(mode="after")
    def field_names_are_usable(self) -> Self:
        """Refuse names that no column can have, that are taken, or that differ only in the case of letters."""
        seen: set[str] = set()
        for name in self.fields:
            if not _FIELD_NAME.fullmatch(name):
                raise ValueError(
                    f"fields: {name!r} cannot name a column; use letters, digits and underscores, a letter first"
                )
            if name.lower() in _RESERVED:
                raise ValueError(f"fields: {name!r} is a column already; choose another name and say `from: {name}`")
            if name.lower() in seen:
                raise ValueError(f"fields: {name!r} is there twice; engines do not distinguish upper from lower case")
            seen.add(name.lower())
        return self

    @model_validator(mode="after")
    def words_are_known(self) -> Self:
        """Refuse levels and statuses that no report knows."""
        for name in ("engagement_level", "activity_status"):
            allowed = field_named(name, CLEAN_FIELDS).values
            source = getattr(self, name)
            unknown = [] if source is None else [word for word in source.vocabulary if word not in allowed]
            if unknown:
                raise ValueError(f"{name}: {unknown[0]!r} is not one of {', '.join(allowed)}")
        return self

    @model_validator(mode="after")
    def no_meaning_is_given_in_vain(self) -> Self:
        """Refuse a meaning of what counts as missing: it would never be looked up."""
        for name in BUSINESS_FIELDS:
            source: CategorySource | None = getattr(self, name)
            vain = [] if source is None else [code for code in source.values or {} if code in self.missing]
            if vain:
                raise ValueError(f"{name}: {vain[0]!r} counts as missing; list the other words in missing_values")
        return self

    @cached_property
    def digest(self) -> str:
        """The hash of what differs from the default mapping."""
        return hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()

    @cached_property
    def missing(self) -> MissingValues:
        """The texts that say "missing"."""
        return MissingValues(self.missing_values)

    @cached_property
    def id_path(self) -> Path:
        """The path to the id."""
        return parse_path(self.id)

    @cached_property
    def extra_fields(self) -> tuple[FieldDefinition, ...]:
        """The user's own fields."""
        return tuple(
            FieldDefinition(
                name,
                Kind(extra.type),
                extra.description or f"From the API's {extra.path or name}; null if missing.",
                pii=extra.pii,
                expected=Expected.ALWAYS if extra.expected else Expected.NEVER,
            )
            for name, extra in self.fields.items()
        )

    @cached_property
    def raw_columns(self) -> tuple[RawColumn, ...]:
        """The raw table's columns that are read from the record besides its id, in order."""
        columns = []
        for field in RAW_FIELDS:
            source = getattr(self, field.name)
            # A field that is looked up by our name has a column even if the API lacks it.
            if source is not None or type(self).model_fields[field.name].default is not None:
                columns.append(self._raw_column(field, source))
        if self.record_updated_at is not None:
            columns.append(RawColumn("record_updated_at", Kind.INSTANT, parse_path(self.record_updated_at.path)))
        extras = (
            RawColumn(name, Kind(extra.type), parse_path(extra.path) if extra.path else (name,))
            for name, extra in self.fields.items()
        )
        return (*columns, *extras)

    def _raw_column(self, field: FieldDefinition, source: FieldSource | None) -> RawColumn:
        is_optional = field.expected is Expected.IF_SENT
        if source is None:
            return RawColumn(field.name, field.kind, None, is_optional, supplied=False)
        path, kind = parse_path(source.path), field.kind
        if self._is_default(field.name):
            return RawColumn(field.name, kind, path, is_optional, supplied=None if is_optional else True)
        if kind is Kind.SCORE or (isinstance(source, CategorySource) and source.bands):
            kind = Kind.NUMBER
        return RawColumn(field.name, kind, path, is_optional)

    @cached_property
    def clean_fields(self) -> tuple[FieldDefinition, ...]:
        """A clean customer's fields, in the export's order."""
        return self.describe_clean_fields(generated=True)

    def describe_clean_fields(self, *, generated: bool) -> tuple[FieldDefinition, ...]:
        """Describe a clean customer's fields; `generated`: whether values are generated where the API has none."""
        return (*(self._clean_field(field, generated=generated) for field in CLEAN_FIELDS), *self.extra_fields)

    def _clean_field(self, field: FieldDefinition, *, generated: bool) -> FieldDefinition:
        if field.name == "customer_id" and self.id_type == "text":
            return replace(field, kind=Kind.TEXT)
        if field.name not in BUSINESS_FIELDS:
            return field
        source: CategorySource | None = getattr(self, field.name)
        if source is None:
            if generated:
                return field
            text = f"Always `{UNKNOWN}`: the API has no such field."
            if getattr(DEFAULT_RECORD, field.name) is None and field.name in ("engagement_level", "activity_status"):
                text = field.description.replace("generated", f"`{UNKNOWN}`")
            return replace(field, description=text)
        described = replace(
            field, description=f"From the API's {source.path}; `{UNKNOWN}` where that says nothing usable."
        )
        if field.name in ("engagement_level", "activity_status"):
            return described
        words = source.vocabulary
        return replace(described, values=(*(word for word in words if word != UNKNOWN), UNKNOWN) if words else ())

    def expects(self, name: str) -> Expected:
        """Say when a missing value of a raw field, or of an extra field, costs points."""
        if name in self.fields:
            return Expected.ALWAYS if self.fields[name].expected else Expected.NEVER
        field = field_named(name, RAW_FIELDS)
        source: FieldSource | None = getattr(self, name)
        if source is None:
            return Expected.NEVER
        if source.expected is not None:
            return Expected.ALWAYS if source.expected else Expected.NEVER
        if not self._is_default(name):
            return Expected.ALWAYS
        is_replaced = bool(field.replaced_by) and getattr(self, field.replaced_by) is not None
        return Expected.NEVER if is_replaced else field.expected

    @cached_property
    def optional_fields(self) -> tuple[str, ...]:
        """The fields that the user gave a path, and whose values need not be there."""
        sources = {field.name: getattr(self, field.name) for field in RAW_FIELDS} | self.fields
        return tuple(name for name, source in sources.items() if source is not None and source.expected is False)

    def _is_default(self, name: str) -> bool:
        return bool(getattr(self, name) == type(self).model_fields[name].default)


DEFAULT_RECORD = RecordMapping()


def record_mapper(mapping: RecordMapping) -> Callable[[Any], Any]:
    """Make a function that gives a record our names: absent stays absent; what leads through no object is null."""
    if mapping == DEFAULT_RECORD:
        return lambda record: record
    paths = {"id": mapping.id_path} | {column.name: column.path for column in mapping.raw_columns if column.path}

    def with_our_names(record: Any) -> Any:  # noqa: ANN401 - any JSON value
        if not isinstance(record, dict):
            return record
        found = {name: follow(record, path) for name, path in paths.items()}
        return {name: value for name, value in found.items() if value is not ABSENT}

    return with_our_names

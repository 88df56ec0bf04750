"""What the models of the spec are built from: their base, their scalar types, and how their fields are described."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from generator.spec.codes import error_codes
from generator.spec.spelling import Spelling, number, text, whole

Level = Literal["CRITICAL_PLUS", "CRITICAL", "SHEDDABLE_PLUS", "SHEDDABLE"]


class Model(BaseModel):
    """Base of every section: camelCase keys, nothing unknown, immutable, schema built on first use."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=False, extra="forbid", frozen=True, defer_build=True
    )

    # The key whose value decides which other keys apply; when it changes, a mapping is replaced, not merged.
    discriminator: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class KeyRule:
    """`needed`: must be set once all levels are merged. `only`: values of the discriminator it applies to."""

    needed: bool = False
    only: tuple[str, ...] = ()


def setting(
    default: Any,
    sentence: str,
    *,
    example: Any = None,
    unit: str = "",
    needed: bool = False,
    only: tuple[str, ...] = (),
    alias: str | None = None,
    factory: Callable[[], Any] | None = None,
    **constraints: Any,
) -> Any:
    """A pydantic field with what its documentation needs: a sentence, an example as written in YAML, a unit.

    A `needed` key has no meaningful default: it may come from any level, so that it is missing shows only once
    all levels are merged (generator.spec.resolve).
    """
    extra: dict[str, Any] = {}
    if unit:
        extra["x-unit"] = unit
    if needed:
        extra["x-needed"] = True
    if only:
        extra["x-only"] = list(only)
    return Field(
        **({"default_factory": factory} if factory else {"default": default}),
        description=sentence,
        examples=None if example is None else [example],
        json_schema_extra=extra or None,
        alias=alias,
        **constraints,
    )


Int = Annotated[int, whole()]
Count = Annotated[int, whole(ge=1, le=(1 << 31) - 1)]
Bool = Annotated[bool, Spelling("true or false", core_schema.bool_schema(strict=True))]
Text = Annotated[str, text()]
Percent = Annotated[float, number("percentage, 0–100", ge=0, le=100)]
Ratio = Annotated[float, number("ratio, 0–1", ge=0, le=1)]
Port = Annotated[int, whole("port", ge=0, le=65535)]
HttpErrorStatus = Annotated[int, whole("HTTP status, 400–599", ge=400, le=599)]

_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
SELECTOR_PATTERN = rf"^(?:{_IDENTIFIER}(?:\.{_IDENTIFIER})*/(?:{_IDENTIFIER}|\*)|{_IDENTIFIER})$"
REASON_PATTERN = "^[A-Z][A-Z0-9_]+[A-Z0-9]$"
LANGUAGE_PATTERN = "^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$"

Name = Annotated[
    str, text("name", pattern="^[A-Za-z][A-Za-z0-9_-]{0,62}$", hint="a name is letters, digits, '_' and '-'")
]
HTTP_IDEMPOTENT = ("DELETE", "GET", "HEAD", "OPTIONS", "PUT")  # RFC 9110, section 9.2.2
HTTP_METHODS = (*HTTP_IDEMPOTENT, "PATCH", "POST")
_SEGMENT = r"(?:\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z0-9%:@!$&'()*+,;=._~-])*"
CallName = Annotated[
    str,
    text(
        "name or operation",
        pattern=rf"^(?:[A-Za-z][A-Za-z0-9_-]{{0,62}}|(?:{'|'.join(HTTP_METHODS)}) (?:/{_SEGMENT})+)$",
        hint="over gRPC a method's name; over HTTP a method and a path: GET /rates/{base}",
    ),
]
DependencyName = Annotated[
    str,
    text(
        "name",
        pattern="^[a-z][a-z0-9_-]{0,62}$",
        hint="a dependency's name is lower-case letters, digits, '_' and '-'",
    ),
]
Selector = Annotated[
    str,
    text(
        "selector",
        pattern=SELECTOR_PATTERN,
        hint="a selector is Method, Service/Method, package.Service/Method or Service/*",
    ),
]
Reason = Annotated[
    str,
    text(
        "reason",
        pattern=REASON_PATTERN,
        max_length=63,
        hint="a reason is UPPER_SNAKE_CASE, [A-Z][A-Z0-9_]+[A-Z0-9], at most 63 characters",
    ),
]
Language = Annotated[
    str, text("language tag", pattern=LANGUAGE_PATTERN, hint="languages are BCP 47 tags: en, zh, pt-BR")
]
MetadataName = Annotated[
    str,
    text(
        "metadata name",
        pattern="^[a-z0-9_.-]+$",
        hint="metadata names are lower-case letters, digits, '_', '-' and '.'",
    ),
]


def _status_code(value: object) -> str:
    if isinstance(value, str) and value in error_codes():
        return value
    raise PydanticCustomError("status_code", "{problem}", {"problem": "is not the name of a gRPC status code"})


CodeName = Annotated[
    str,
    Spelling(
        "gRPC status code",
        core_schema.no_info_plain_validator_function(_status_code),
        {"type": "string", "enum": list(error_codes())},
    ),
]


def _switch(value: object) -> object:
    if value is False:
        return None
    if value is True:
        problem = "is turned on by its settings: write {} for the defaults, false to turn it off"
        raise PydanticCustomError("mechanism", "{problem}", {"problem": problem})
    return value


class _Switch:
    """Lets `false` stand for None, and shows it so in the JSON schema."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_switch, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        off = {"const": False, "description": "Turns the mechanism off at this level."}
        return {"anyOf": [handler(core), off]}


def _many(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class _OneOrMany:
    """Lets a mapping stand for a list of just that one."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_many, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        several = handler(core)
        return {"anyOf": [several["items"], several]}


T = TypeVar("T")

# A mechanism: its settings, or `false` for off at this level; None is off or never named.
Switch = Annotated[T | None, _Switch()]

# A list of sections; a single one may stand without the list.
OneOrMany = Annotated[tuple[T, ...], _OneOrMany()]


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of a field: a section (`model`), a map or list of `item`, or a scalar; `switch` allows `false`."""

    kind: Literal["model", "map", "list", "scalar"]
    model: type[Model] | None = None
    item: Shape | None = None
    label: str = ""
    choices: tuple[str, ...] = ()
    hint: str = ""
    switch: bool = False
    names: Shape | None = None  # of a map: the shape of its names
    single: bool = False  # of a list: one item may stand without it


def _shape(annotation: Any, metadata: tuple[Any, ...] = ()) -> Shape:
    if get_origin(annotation) is Annotated:
        inner, *outer = get_args(annotation)
        return _shape(inner, (*outer, *metadata))
    spelling = next((entry for entry in metadata if isinstance(entry, Spelling)), None)
    if spelling:
        return Shape("scalar", label=spelling.label, hint=spelling.hint)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not types.NoneType)
        shape = _shape(inner)
        switch = any(isinstance(entry, _Switch) for entry in metadata)
        return replace(shape, switch=switch)
    if origin is Literal:
        return Shape("scalar", label="one of", choices=tuple(map(str, arguments)))
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return Shape("model", model=annotation)
    if origin is tuple:
        single = any(isinstance(entry, _OneOrMany) for entry in metadata)
        return Shape("list", item=_shape(arguments[0]), single=single)
    if origin is not None and issubclass(origin, Mapping):
        return Shape("map", item=_shape(arguments[1]), names=_shape(arguments[0]))
    return Shape("scalar", label="any value")


@dataclass(frozen=True, slots=True)
class KeyField:
    """A model's field: the key as written in YAML, its Python attribute, its shape and its rule."""

    key: str
    attribute: str
    info: FieldInfo
    shape: Shape
    rule: KeyRule


@cache
def fields(model: type[Model]) -> Mapping[str, KeyField]:
    """The fields of `model` by key, in their order."""
    found = {}
    for attribute, info in model.model_fields.items():
        written = info.alias or to_camel(attribute)
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        rule = KeyRule(bool(extra.get("x-needed")), tuple(map(str, typing.cast("list[str]", extra.get("x-only", [])))))
        found[written] = KeyField(written, attribute, info, _shape(info.annotation, tuple(info.metadata)), rule)
    return found

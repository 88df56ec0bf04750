"""Messages and enums as component schemas: what requests may have (`…-Input`), and what responses have."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence

from generator.contract.model import Contract, Enum, Field, Message
from generator.render.openapi import well_known
from generator.render.openapi.descriptions import described, field_description
from generator.render.openapi.scalars import RANGES, Schema, accepted, answered, map_keys

_LONG_SCALARS = (*RANGES, "double", "float", "bytes")
_SENTENCES = {"OUTPUT_ONLY": "readOnly", "INPUT_ONLY": "writeOnly"}


class Side(enum.Enum):
    """Which way a message goes. What is accepted is more than what is answered: ProtoJSON has several forms."""

    REQUEST = "-Input"
    RESPONSE = ""


class Schemas:
    """The component schemas, made as they are referred to."""

    def __init__(self, contract: Contract, extendable: frozenset[str], *, ignore_unknown: bool) -> None:
        """`extendable` are the messages that extensions may add members to."""
        self._contract = contract
        self._extendable = extendable
        self._ignore_unknown = ignore_unknown
        self._components: dict[str, Schema] = {}
        self._pending: list[tuple[str, Callable[[], Schema]]] = []

    def components(self) -> Mapping[str, Schema]:
        """Every component that was referred to, directly or by another, by name."""
        while self._pending:
            name, make = self._pending.pop()
            self._components[name] = make()
        return dict(sorted(self._components.items()))

    def message(self, full_name: str, side: Side) -> Schema:
        """The schema of a message that is a whole body."""
        if full_name == well_known.ANY and side is Side.REQUEST:
            return self._component(f"{full_name}{side.value}", self._packed)
        wrapped = well_known.wrapped(full_name)
        if wrapped:
            return self._scalar(wrapped, side)
        own = well_known.own_form(full_name)
        if own is not None:
            return self._component(full_name, lambda: own)
        found = self._contract.messages[full_name]
        return self._component(f"{full_name}{side.value}", lambda: self._object(found, side))

    def field(self, field: Field, side: Side) -> Schema:
        """The schema of a field's value; in requests, null stands for a field that is absent."""
        if field.is_map:
            key = map_keys(field.map_key_type)
            value = self._element(field.map_value_type, field.map_value_type_name, side)
            schema: Schema = {"type": "object", "additionalProperties": value}
            if key:
                schema["propertyNames"] = key
        elif field.repeated:
            schema = {"type": "array", "items": self._element(field.type, field.type_name, side)}
        else:
            schema = self._element(field.type, field.type_name, side)
        return nullable(schema) if side is Side.REQUEST and not takes_null(field) else schema

    def _element(self, kind: str, type_name: str, side: Side) -> Schema:
        if kind in ("message", "group"):
            return self.message(type_name, side)
        if kind == "enum":
            return self._enum(type_name, side)
        return self._scalar(kind, side)

    def _scalar(self, kind: str, side: Side) -> Schema:
        if side is Side.RESPONSE:
            return answered(kind)
        if kind in _LONG_SCALARS:
            return self._component(f"{kind}{side.value}", lambda: accepted(kind))
        return accepted(kind)

    def _enum(self, full_name: str, side: Side) -> Schema:
        if full_name == well_known.NULL_VALUE:
            return well_known.null_value() if side is Side.REQUEST else {"type": "null"}
        found = self._contract.enums[full_name]
        if side is Side.REQUEST and self._ignore_unknown:
            return self._component(f"{full_name}{side.value}", lambda: _lenient_enum(found))
        return self._component(full_name, lambda: enum_schema(found))

    def _object(self, message: Message, side: Side) -> Schema:
        schema: Schema = {"type": "object", "title": message.name + side.value}
        described(schema, message.comment, deprecated=message.deprecated)
        schema["properties"] = {field.json_name: self._property(field, side) for field in message.fields}
        if side is Side.RESPONSE and message.full_name in self._extendable:
            schema["patternProperties"] = {r"^\[.+\]$": {}}
        if side is Side.RESPONSE or not self._ignore_unknown:
            schema["additionalProperties"] = False
        choices = [choice(message, oneof.fields, side) for oneof in message.oneofs if len(oneof.fields) > 1]
        if len(choices) == 1:
            schema.update(choices[0])
        elif choices:
            schema["allOf"] = choices
        return schema

    def _property(self, field: Field, side: Side) -> Schema:
        schema = self.field(field, side)
        described(schema, field_description(field), deprecated=field.deprecated)
        for behavior, keyword in _SENTENCES.items():
            if behavior in field.behaviors:
                schema[keyword] = True
        return schema

    def _packed(self) -> Schema:
        """An Any in a request: each message that there is, under its URL."""
        return {
            "description": "A message of any of these types: its own JSON, and in `@type` the URL of its type.",
            "anyOf": [
                {"type": "object", "title": "nothing", "maxProperties": 0},
                *(self._packed_message(message) for message in self._packable()),
            ],
        }

    def _packable(self) -> Iterator[Message]:
        """The contract's own messages, and of those that it imports the ones that an Any is likely to hold."""
        for name, message in sorted(self._contract.messages.items()):
            file = self._contract.files.get(message.file)
            own = file is not None and not file.provided
            if not message.map_entry and (own or well_known.has_own_form(name) or name.startswith("google.rpc.")):
                yield message

    def _packed_message(self, message: Message) -> Schema:
        url: Schema = {"const": f"type.googleapis.com/{message.full_name}"}
        if well_known.has_own_form(message.full_name):
            value = self.message(message.full_name, Side.REQUEST)
            required = ["@type", "value"]
            return {
                "type": "object",
                "title": message.full_name,
                "properties": {"@type": url, "value": value},
                "required": required,
                "additionalProperties": False,
            }
        schema = self._object(message, Side.REQUEST)
        properties = schema["properties"]
        assert isinstance(properties, dict)  # noqa: S101 - as _object makes it
        return {
            **schema,
            "title": message.full_name,
            "properties": {"@type": url, **properties},
            "required": ["@type"],
        }

    def _component(self, name: str, make: Callable[[], Schema]) -> Schema:
        if name not in self._components:
            self._components[name] = {}
            self._pending.append((name, make))
        return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def takes_null(field: Field) -> bool:
    """Whether null is a value of the field itself, and not its absence."""
    return not field.repeated and not field.is_map and field.type_name in (well_known.VALUE, well_known.NULL_VALUE)


def choice(message: Message, names: Sequence[str], side: Side) -> Schema:
    """At most one of a oneof's members; in a request, one that is null is not there."""
    members = [field for field in message.fields if field.name in names]
    given = [_given(field, side) for field in members]
    none: Schema = {"title": "none of them", "not": {"anyOf": given}}
    titled: list[Schema] = [{"title": field.json_name, **one} for field, one in zip(members, given, strict=True)]
    return {"oneOf": [*titled, none]}


def _given(field: Field, side: Side) -> Schema:
    name = field.json_name
    if side is Side.RESPONSE or takes_null(field):
        return {"required": [name]}
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def enum_schema(found: Enum) -> Schema:
    """An enum in a body: a value's name, or its number; of an open enum, any number."""
    names: Schema = {"type": "string", "enum": [value.name for value in found.values]}
    schema: Schema = {"title": found.name}
    described(schema, _enum_description(found), deprecated=found.deprecated)
    schema["anyOf"] = [names, enum_numbers(found)]
    return schema


def enum_numbers(found: Enum) -> Schema:
    """The numbers that a field of the enum can have."""
    if found.closed:
        return {"type": "integer", "enum": sorted({value.number for value in found.values})}
    low, high = RANGES["int32"]
    return {"type": "integer", "format": "int32", "minimum": low, "maximum": high}


def _lenient_enum(found: Enum) -> Schema:
    schema = enum_schema(found)
    return {**schema, "anyOf": [{"type": "string"}, enum_numbers(found)]}


def _enum_description(found: Enum) -> str:
    """Its comment, and those of its values as a list."""
    if not any(value.comment for value in found.values):
        return found.comment
    rows = (f"- `{value.name}`: {' '.join(value.comment.split())}" for value in found.values if value.comment)
    return "\n".join([*([found.comment, ""] if found.comment else []), *rows])

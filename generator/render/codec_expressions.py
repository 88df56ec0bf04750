"""One value of a field from JSON and to JSON, as an expression of a generated codec, with the names that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from generator.contract.model import Field
from generator.render.python import literal

NULL_VALUE = "google.protobuf.NullValue"
VALUE = "google.protobuf.Value"

CODEC = ".protojson.codec"  # modules below runtime
SCALARS = ".protojson.scalars"
WELL_KNOWN = ".protojson.well_known"
READING = ".protojson.reading"
TEXTS = ".transport.query_values"
WRITING = ".protojson.writing"

_WRAPPED = MappingProxyType(
    {
        "google.protobuf.DoubleValue": "double",
        "google.protobuf.FloatValue": "float",
        "google.protobuf.Int64Value": "int64",
        "google.protobuf.UInt64Value": "uint64",
        "google.protobuf.Int32Value": "int32",
        "google.protobuf.UInt32Value": "uint32",
        "google.protobuf.BoolValue": "bool",
        "google.protobuf.StringValue": "string",
        "google.protobuf.BytesValue": "bytes",
    }
)

_READ_SPECIAL: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "google.protobuf.Any": (READING, "any_fields"),
        "google.protobuf.Timestamp": (WELL_KNOWN, "timestamp"),
        "google.protobuf.Duration": (WELL_KNOWN, "duration"),
        "google.protobuf.FieldMask": (WELL_KNOWN, "field_mask"),
        "google.protobuf.Struct": (WELL_KNOWN, "struct"),
        "google.protobuf.ListValue": (WELL_KNOWN, "list_value"),
        VALUE: (WELL_KNOWN, "any_value"),
    }
)

_WRITE_SPECIAL: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "google.protobuf.Timestamp": (WELL_KNOWN, "timestamp_json"),
        "google.protobuf.Duration": (WELL_KNOWN, "duration_json"),
        "google.protobuf.FieldMask": (WELL_KNOWN, "field_mask_json"),
        "google.protobuf.Struct": (WELL_KNOWN, "struct_json"),
        "google.protobuf.ListValue": (WELL_KNOWN, "list_value_json"),
        VALUE: (WELL_KNOWN, "value_json"),
    }
)

_TEXT_MESSAGES = frozenset(
    {"google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask", *_WRAPPED}
)

SPECIAL = frozenset({*_READ_SPECIAL, *_WRAPPED})
"""The messages whose JSON is not an object of their fields."""

_INTEGERS = frozenset(f"{kind}{bits}" for kind in ("int", "uint", "sint", "fixed", "sfixed") for bits in (32, 64))

_CHECKED = frozenset({"string", "enum", *(kind for kind in _INTEGERS if kind.endswith("32"))})
"""What the constructor looks at closely enough: it takes texts for strings, names and numbers for enums, and for integers
neither bools nor numbers out of range. Numbers in quotes, rare in these, are left over."""

Use = Callable[[str, str], str]
"""Notes that the module takes a name from the runtime's module of that path, and gives the name back."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a module calls things by; each function notes the import that the name relies on.

    `decoder`, `encoder` and `enum` are for the full names of messages and enums.
    """

    use: Use
    decoder: Callable[[str], str]
    encoder: Callable[[str], str]
    enum: Callable[[str], str]


def is_nullable(field: Field) -> bool:
    """Whether null is a value of the field, and not its absence."""
    return not field.repeated and field.type_name in (VALUE, NULL_VALUE)


def decoded(field: Field, operand: str, names: Names) -> str:
    """The expression that takes the field's JSON `operand`, which is not null, to an argument of the constructor."""
    use = names.use
    if field.is_map:
        value = _decoded_value(field.map_value_type, field.map_value_type_name, "item", names)
        keys = {"string": "members", "bool": "boolean_keys"}.get(field.map_key_type, "integer_keys")
        given = f"{use(SCALARS, keys)}({operand})"
        return given if value == "item" else f"{{key: {value} for key, item in {given}.items()}}"
    if field.repeated:
        value = _decoded_value(field.type, field.type_name, "item", names)
        given = f"{use(SCALARS, 'array')}({operand})"
        return given if value == "item" else f"[{value} for item in {given}]"
    return _decoded_value(field.type, field.type_name, operand, names)


def _decoded_value(kind: str, type_name: str, operand: str, names: Names) -> str:
    use = names.use
    if type_name in _READ_SPECIAL:
        return f"{use(*_READ_SPECIAL[type_name])}({operand})"
    if type_name in _WRAPPED:
        return f'{{"value": {use(SCALARS, _reader(_WRAPPED[type_name]))}({operand})}}'
    if type_name == NULL_VALUE:
        return f"{use(WELL_KNOWN, 'null_value')}({operand})"
    if type_name and kind != "enum":
        return f"{names.decoder(type_name)}({operand})"
    if kind in _CHECKED:
        return operand
    reader = f"{use(SCALARS, _reader(kind))}({operand})"
    expected = {"bool": "bool", "double": "float"}.get(kind, "int" if kind in _INTEGERS else "")
    return f"{operand} if type({operand}) is {expected} else {reader}" if expected else reader


def _reader(kind: str) -> str:
    if kind in _INTEGERS:
        return "integer"  # the constructor looks at the range
    return {"string": "text", "bytes": "blob", "bool": "boolean", "double": "double", "float": "single"}[kind]


def is_text_value(field: Field) -> bool:
    """Whether one text of a path or a query can be the field's value, or an element of it."""
    return not field.is_map and (not field.type_name or field.type == "enum" or field.type_name in _TEXT_MESSAGES)


def from_text(field: Field, operand: str, use: Use) -> str:
    """The expression that takes a text of a path or a query to the field's value, or an element of it."""
    if field.type_name in _WRAPPED:
        return f'{{"value": {_scalar_from_text(_WRAPPED[field.type_name], "", operand, use)}}}'
    if field.type_name in _READ_SPECIAL:
        return f"{use(*_READ_SPECIAL[field.type_name])}({operand})"
    return _scalar_from_text(field.type, field.type_name, operand, use)


def _scalar_from_text(kind: str, enum: str, operand: str, use: Use) -> str:
    if kind == "string":
        return operand
    if kind == "enum":
        return f"{use(TEXTS, 'to_enum')}({literal(enum)}, {operand})"
    if kind == "bytes":
        return f"{use(SCALARS, 'blob')}({operand})"
    return f"{use(TEXTS, text_reader(kind))}({operand})"


def text_reader(kind: str) -> str:
    """The function of the runtime that takes a text to a number or a bool."""
    named = {"bool": "to_boolean", "double": "to_double", "float": "to_single"}
    return named.get(kind) or f"to_{'u' if kind[0] in 'uf' else ''}int{kind[-2:]}"


def encoded(field: Field, operand: str, names: Names) -> str:
    """The expression that takes the field's value `operand` to what orjson takes."""
    if field.is_map:
        return _encoded_map(field, operand, names)
    if field.repeated:
        value = _encoded_value(field.type, field.type_name, "item", names)
        return f"list({operand})" if value == "item" else f"[{value} for item in {operand}]"
    return _encoded_value(field.type, field.type_name, operand, names)


def _encoded_map(field: Field, operand: str, names: Names) -> str:
    value = _encoded_value(field.map_value_type, field.map_value_type_name, "item", names)
    if field.map_key_type == "string" and value == "item":  # `items` of a map of protobuf's is five calls of Python
        return f"{{key: {operand}[key] for key in sorted({operand})}}"
    key = "key" if field.map_key_type == "string" else "str(key)"
    if field.map_key_type == "bool":
        key = f"{names.use(SCALARS, 'boolean_key_json')}(key)"
    return f"{{{key}: {value} for key, item in sorted({operand}.items())}}"


def _encoded_value(kind: str, type_name: str, operand: str, names: Names) -> str:
    use = names.use
    if type_name in _WRITE_SPECIAL:
        return f"{use(*_WRITE_SPECIAL[type_name])}({operand})"
    if type_name == "google.protobuf.Any":
        return f"{use(WRITING, 'any_json')}({operand}, style)"
    if type_name in _WRAPPED:
        return _encoded_value(_WRAPPED[type_name], "", f"{operand}.value", names)
    if type_name == NULL_VALUE:
        return "None"
    if kind == "enum":
        return f"{operand} if style.enum_numbers else {names.enum(type_name)}.get({operand}, {operand})"
    if type_name:
        return f"{names.encoder(type_name)}({operand}, style)"
    if kind in _INTEGERS and kind.endswith("64"):
        return f"str({operand})"
    if kind == "double":
        return f"{operand} if {use(SCALARS, 'finite')}({operand}) else {use(SCALARS, 'double_json')}({operand})"
    writer = {"bytes": "blob_json", "float": "single_json"}.get(kind)
    return f"{use(SCALARS, writer)}({operand})" if writer else operand

"""Random schemas, random messages of them, and their JSON with things in it that nobody expects."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import DescriptorProto, Edition, FieldDescriptorProto, FileDescriptorProto
from google.rpc.error_details_pb2 import ErrorInfo
from hypothesis import strategies as st

_PROTO = FieldDescriptorProto
_SCALARS = {
    name.removeprefix("TYPE_").lower(): number
    for name, number in _PROTO.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_GROUP", "TYPE_ENUM")
}
_KEYS = tuple(name for name in _SCALARS if name not in ("double", "float", "bytes"))
_IMPORTS = (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
_WELL_KNOWN = tuple(
    f".google.protobuf.{name}"
    for name in (
        *("Any", "Duration", "Empty", "FieldMask", "ListValue", "Struct", "Timestamp", "Value"),
        *("BoolValue", "BytesValue", "DoubleValue", "FloatValue", "Int32Value", "Int64Value"),
        *("StringValue", "UInt32Value", "UInt64Value"),
    )
)
_NAMES = ("plain", "two_words", "camelCase", "from", "class", "_led", "x__y", "n_1", "Caps", "get", "json", "value")
_PLACES = ("singular", "singular", "optional", "repeated", "map", "oneof")
_NUMBER = itertools.count(1)


@dataclass(frozen=True)
class Schema:
    """A file in the default pool, whose first message is what is tested."""

    file: FileDescriptorProto
    message: Any


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """A file with three messages, which hold one another, and an enum."""
    syntax = draw(st.sampled_from(["proto3", "proto3", "proto2", "editions"]))
    file = FileDescriptorProto(name=f"random/r{next(_NUMBER)}.proto", package=f"random.r{next(_NUMBER)}", syntax=syntax)
    if syntax == "editions":
        file.edition = Edition.EDITION_2023
        file.options.features.field_presence = draw(st.sampled_from([1, 2]))
        file.options.features.enum_type = draw(st.sampled_from([1, 2]))
    file.dependency.extend(module.DESCRIPTOR.name for module in _IMPORTS)
    enum = file.enum_type.add(name="Color")
    enum.options.allow_alias = True
    for name, number in (("RED", 0), ("GREEN", 1), ("VERT", 1), ("MINUS", -1), ("LAST", 2**31 - 1)):
        enum.value.add(name=name, number=number)
    types = [f".{file.package}.{name}" for name in ("Outer", "Inner", "Inner.Deep")]
    outer, inner = file.message_type.add(name="Outer"), file.message_type.add(name="Inner")
    for message, full_name in ((outer, types[0]), (inner, types[1]), (inner.nested_type.add(name="Deep"), types[2])):
        _add_fields(draw, message, full_name, syntax, types, f".{file.package}.Color")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName(types[0][1:]))
    return Schema(file, made)


def _add_fields(
    draw: st.DrawFn, message: DescriptorProto, full_name: str, syntax: str, types: list[str], enum: str
) -> None:
    kinds = st.sampled_from([*_SCALARS, "enum", "enum", "null", "message", "message", "well-known", "well-known"])
    optional: list[FieldDescriptorProto] = []
    for number in range(1, draw(st.sampled_from([7, 4, 2, 1, 0])) + 1):
        base = draw(st.sampled_from(_NAMES))
        name = base if base not in {field.name for field in message.field} else f"{base}_f{number}"
        place = draw(st.sampled_from(_PLACES))
        field = message.field.add(name=name, number=number, label=_PROTO.LABEL_OPTIONAL)
        if place == "map":
            entry = _map_entry(draw, message, name, number, kinds, types, enum)
            field.label, field.type, field.type_name = _PROTO.LABEL_REPEATED, _PROTO.TYPE_MESSAGE, full_name + entry
            continue
        _set_type(draw, field, draw(kinds), types, enum)
        if place == "repeated":
            field.label = _PROTO.LABEL_REPEATED
        elif place == "oneof":
            if not message.oneof_decl:
                message.oneof_decl.add(name="choice")
            field.oneof_index = 0
        elif place == "optional" and syntax == "proto3":
            optional.append(field)
        if draw(st.integers(0, 9)) == 0:
            field.json_name = f"@own.{number}"
    for field in optional:  # a synthetic oneof for each, behind the real ones
        field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")


def _map_entry(
    draw: st.DrawFn, message: DescriptorProto, name: str, number: int, kinds: Any, types: list[str], enum: str
) -> str:
    entry = message.nested_type.add(
        name="".join(part.capitalize() for part in f"{name}_m{number}".split("_")) + "Entry"
    )
    # protoc demands the name above; the field's must be the one that gives it
    message.field[-1].name = f"{name}_m{number}"
    entry.options.map_entry = True
    key = _SCALARS[draw(st.sampled_from(_KEYS))]
    entry.field.add(name="key", number=1, label=_PROTO.LABEL_OPTIONAL, type=key)
    value = entry.field.add(name="value", number=2, label=_PROTO.LABEL_OPTIONAL)
    _set_type(draw, value, draw(kinds), types, enum)
    return f".{entry.name}"


def _set_type(draw: st.DrawFn, field: FieldDescriptorProto, kind: str, types: list[str], enum: str) -> None:
    if kind in ("message", "well-known"):
        kind = draw(st.sampled_from(types if kind == "message" else _WELL_KNOWN))
    _set_kind(field, kind, enum)


def _set_kind(field: FieldDescriptorProto, kind: str, enum: str) -> None:
    """Set the type; `kind` is a scalar's name, "enum", "null", or a message's full name with its leading dot."""
    if kind == "enum":
        field.type, field.type_name = _PROTO.TYPE_ENUM, enum
    elif kind == "null":
        field.type, field.type_name = _PROTO.TYPE_ENUM, ".google.protobuf.NullValue"
    elif kind.startswith("."):
        field.type, field.type_name = _PROTO.TYPE_MESSAGE, kind
    else:
        field.type = _SCALARS[kind]


@cache
def every_kind() -> Schema:
    """A message with a field of every kind in every place: alone, in a oneof, repeated, as a map's value and key."""
    file = FileDescriptorProto(name="random/every_kind.proto", package="random.every_kind", syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in _IMPORTS)
    enum, message = file.enum_type.add(name="Color"), file.message_type.add(name="Every")
    enum.options.allow_alias = True
    for color, number in (("RED", 0), ("GREEN", 1), ("VERT", 1)):
        enum.value.add(name=color, number=number)
    file.message_type.add(name="Inner").field.add(name="a_b", number=1, label=_PROTO.LABEL_OPTIONAL, type=5)
    message.oneof_decl.add(name="choice")
    kinds = [*_SCALARS, "enum", "null", *_WELL_KNOWN, ".random.every_kind.Inner"]
    for kind in kinds:
        name = kind.rpartition(".")[2].lower()
        for place in ("singular", "oneof", "repeated"):
            field = message.field.add(
                name=f"{place}_{name}", number=len(message.field) + 1, label=_PROTO.LABEL_OPTIONAL
            )
            _set_kind(field, kind, ".random.every_kind.Color")
            if place == "repeated":
                field.label = _PROTO.LABEL_REPEATED
            elif place == "oneof":
                field.oneof_index = 0
        _add_map(message, f"map_{name}", "string", kind)
    for key in _KEYS:
        _add_map(message, f"{key}_keys", key, "int32")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return Schema(file, message_factory.GetMessageClass(pool.FindMessageTypeByName("random.every_kind.Every")))


def _add_map(message: DescriptorProto, name: str, key: str, kind: str) -> None:
    entry = message.nested_type.add(name=f"{''.join(part.capitalize() for part in name.split('_'))}Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=_PROTO.LABEL_OPTIONAL, type=_SCALARS[key])
    value = entry.field.add(name="value", number=2, label=_PROTO.LABEL_OPTIONAL)
    _set_kind(value, kind, ".random.every_kind.Color")
    number = len(message.field) + 1
    field = message.field.add(name=name, number=number, label=_PROTO.LABEL_REPEATED, type=_PROTO.TYPE_MESSAGE)
    field.type_name = f".random.every_kind.Every.{entry.name}"


def hostile_objects() -> Iterator[dict[str, Any]]:
    """JSON for `every_kind`: each hostile value in each field, alone, as an element, and as a map's value and key."""
    for field in every_kind().message.DESCRIPTOR.fields:
        for value in HOSTILE:
            yield {field.json_name: value}
            if field.name.startswith("repeated"):
                yield {field.json_name: [value]}
            elif field.name.startswith("map"):
                yield {field.json_name: {"key": value}}
            elif field.name.endswith("keys") and isinstance(value, str):
                yield {field.json_name: {value: 1}}
            elif field.name.startswith("oneof"):
                yield {field.json_name: value, "oneofString": "another"}
            else:
                yield {field.json_name: value, field.name: value}


# -- messages ---------------------------------------------------------------------------------------------------------

_TEXTS = st.sampled_from(
    ["", "a", "é/%+&=", "\x00", '"\\', "\U0001f600", "\u2028", "1", "null", "a:b", '":', "x" * 300]
)
_DOUBLES = st.sampled_from([0.0, -0.0, 1.0, 0.1, -1.5, 1e300, 5e-324, math.inf, -math.inf, math.nan, 2.0**53])
_SINGLES = st.sampled_from(
    [0.0, -0.0, 1.0, 0.1, 3.4028234663852886e38, 1.1754944e-38, 1e-45, math.inf, math.nan, 16777216]
)
_INTEGERS = {
    "int32": st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)]),
    "uint32": st.sampled_from([0, 1, 2**32 - 1]),
    "int64": st.sampled_from([0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)]),
    "uint64": st.sampled_from([0, 1, 2**53 + 1, 2**64 - 1]),
}
_DEEPEST = 4

_BY_CPP_TYPE: dict[int, st.SearchStrategy[Any]] = {
    1: _INTEGERS["int32"],
    2: _INTEGERS["int64"],
    3: _INTEGERS["uint32"],
    4: _INTEGERS["uint64"],
    5: _DOUBLES,
    6: _SINGLES,
    7: st.booleans(),
    9: _TEXTS,
}


def fill(draw: st.DrawFn, message: Any, depth: int = 0) -> Any:
    """Set some of the message's fields, and give it back."""
    special = _FILLERS.get(message.DESCRIPTOR.full_name)
    if special is not None:
        special(draw, message)
        return message
    for field in message.DESCRIPTOR.fields:
        if draw(st.booleans()) and (field.message_type is None or depth < _DEEPEST):
            _fill_field(draw, message, field, depth)
    return message


def _fill_field(draw: st.DrawFn, message: Any, field: Any, depth: int) -> None:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        values = getattr(message, field.name)
        held = entry.fields_by_name["value"]
        for _ in range(draw(st.integers(0, 2))):
            key = _scalar(draw, entry.fields_by_name["key"])
            if held.message_type is not None:
                fill(draw, values[key], depth + 1)
            else:
                values[key] = _scalar(draw, held)
    elif field.is_repeated:
        values = getattr(message, field.name)
        for _ in range(draw(st.integers(0, 2))):
            if entry is not None:
                fill(draw, values.add(), depth + 1)
            else:
                values.append(_scalar(draw, field))
    elif entry is not None:
        inner = getattr(message, field.name)
        inner.SetInParent()
        fill(draw, inner, depth + 1)
    else:
        setattr(message, field.name, _scalar(draw, field))


def _scalar(draw: st.DrawFn, field: Any) -> Any:
    if field.enum_type is not None:
        numbers = [value.number for value in field.enum_type.values]
        return draw(st.sampled_from(numbers if field.enum_type.is_closed or len(numbers) == 1 else [*numbers, 77]))
    if field.type == _PROTO.TYPE_BYTES:
        return draw(st.sampled_from([b"", b"\xfb\xef", b"a", b"\x00" * 7]))
    return draw(_BY_CPP_TYPE[field.cpp_type])


def _seconds(least: int, most: int) -> Callable[[st.DrawFn, Any], None]:
    def filler(draw: st.DrawFn, message: Any) -> None:
        message.seconds = draw(st.sampled_from([0, 1, least, most, 1_700_000_000]))
        nanos = draw(st.sampled_from([0, 1, 1000, 500_000_000, 999_999_999]))
        message.nanos = -nanos if message.seconds < 0 and least == -most else nanos

    return filler


def _field_mask(draw: st.DrawFn, message: Any) -> None:
    message.paths.extend(draw(st.lists(st.sampled_from(["a", "two_words", "a.b_c", "a1"]), max_size=3)))


def _any(draw: st.DrawFn, message: Any) -> None:
    inner = draw(
        st.sampled_from(
            [
                None,
                ErrorInfo(reason="R", metadata={"a": "b"}),
                duration_pb2.Duration(seconds=1),
                wrappers_pb2.Int64Value(value=7),
                empty_pb2.Empty(),
                struct_pb2.Value(bool_value=True),
            ]
        )
    )
    if inner is not None:
        message.Pack(inner)


_JSON = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0.0, 1.5, -2.0]) | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=5,
)


def _value(draw: st.DrawFn, message: Any) -> None:
    holder = struct_pb2.ListValue()
    holder.extend([draw(_JSON)])
    message.CopyFrom(holder.values[0])


def _struct(draw: st.DrawFn, message: Any) -> None:
    message.update(draw(st.dictionaries(_TEXTS, _JSON, max_size=2)))


def _list_value(draw: st.DrawFn, message: Any) -> None:
    message.extend(draw(st.lists(_JSON, max_size=2)))


_FILLERS: dict[str, Callable[[st.DrawFn, Any], None]] = {
    "google.protobuf.Timestamp": _seconds(-62_135_596_800, 253_402_300_799),
    "google.protobuf.Duration": _seconds(-315_576_000_000, 315_576_000_000),
    "google.protobuf.FieldMask": _field_mask,
    "google.protobuf.Any": _any,
    "google.protobuf.Value": _value,
    "google.protobuf.Struct": _struct,
    "google.protobuf.ListValue": _list_value,
}


# -- JSON -------------------------------------------------------------------------------------------------------------

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.0, 1.5, -0.0, 1e2, 1e300, 2**31, 2**32, 2**53 + 1, 2**63, 2**64 - 1, -(2**63)),
    *(3.4028235e38, 3.4028236e38, -3.5e38, 1e-400, [], {}, [None], {"a": None}, [[]], {"@type": "x"}),
    *("", " 1", "1 ", "01", "+1", "1.0", "1e2", "1e-1", "5_0", "٣", "0x1", "-0", "1.", ".5", "1" * 30, "1e400"),
    *("NaN", "nan", "Infinity", "-Infinity", "inf", "true", "false", "RED", "VERT", "red", "NULL_VALUE", "null"),
    *("AQI=", "AQI", "A", "AQ=I", "-_", "+/", "a b", "AAAA====", "é", "2020-01-01T00:00:00Z", "2020-1-1T0:0:0Z"),
    *("2020-01-01T00:00:00+08:00", "2020-01-01T00:00:00z", "2020-02-30T00:00:00Z", "2020-01-01T24:00:00Z"),
    *("0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "2020-01-01T00:00:00.1234567891Z", "1s", "-1.5s", "1.s"),
    *("+1s", "315576000001s", "1", "a,b", "a,,b", "a_b", "twoWords", "2020-01-01T00:00:00+8:00"),
    *({"true": 1}, {"1": 1}, {"01": 1}, {"RED": "RED"}, {"": ""}, {"0": None}, {"0": 1, "-0": 2}),
    {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"},
    {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s", "more": 1},
    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "R", "nope": 1},
    {"@type": "google.rpc.ErrorInfo", "reason": "R"},
)
_HOSTILE = st.sampled_from(HOSTILE).map(deepcopy)


@st.composite
def spoiled(draw: st.DrawFn, value: Any, descriptor: Any) -> Any:
    """The JSON with a few of its values exchanged, its members renamed or doubled, and strangers among them."""
    nodes = list(_nodes(value, descriptor))
    for _ in range(draw(st.integers(1, 3))):
        container, key, at = draw(st.sampled_from(nodes)) if nodes else (value, None, descriptor)
        match draw(st.sampled_from(["exchange", "exchange", "exchange", "rename", "double", "add", "set"])):
            case "exchange" if key is not None:
                container[key] = draw(_HOSTILE)
            case "rename" | "double" as act if isinstance(container, dict) and key is not None and at is not None:
                for field in at.fields:
                    if key in (field.name, field.json_name):
                        twin = field.name if key == field.json_name else field.json_name
                        container[twin] = container[key] if act == "double" else container.pop(key, None)
                        break
            case "set" if isinstance(container, dict) and at is not None and at.fields:
                field = draw(st.sampled_from(list(at.fields)))
                container[draw(st.sampled_from([field.name, field.json_name]))] = draw(_HOSTILE)
            case _ if isinstance(container, dict):
                container["stranger"] = draw(_HOSTILE)
        nodes = list(_nodes(value, descriptor))
    return value


def _nodes(value: Any, descriptor: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Every place in the JSON: the container, the key or index in it, and the message that the container is."""
    if isinstance(value, dict):
        fields = (
            {}
            if descriptor is None
            else {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
        )
        for key, item in value.items():
            yield value, key, descriptor
            field = fields.get(key)
            yield from _nodes(item, None if field is None else _inner(field))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield value, index, None
            yield from _nodes(item, descriptor)


def _inner(field: Any) -> Any:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return None
    return entry

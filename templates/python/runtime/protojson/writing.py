"""Any message to JSON, by its descriptor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from . import scalars, well_known
from .reading import NULL_VALUE, TYPE, has_own_form, resolve
from .refusal import RefusedError


@dataclass(frozen=True, slots=True)
class Style:
    """How a message is written where ProtoJSON leaves it open."""

    defaults: bool = False  # whether fields that cannot tell unset from default are written at their default
    enum_numbers: bool = False  # whether enums are written by their numbers


def to_json(message: Any, style: Style) -> Any:
    """The message as a JSON value. Raises ValueError where it has none."""
    special = _SPECIAL.get(message.DESCRIPTOR.full_name)
    return dict(_members(message, style)) if special is None else special(message, style)


def field_default(descriptor: Any, style: Style) -> object:
    """The JSON of a field that is not set."""
    if descriptor.is_repeated:
        entry = descriptor.message_type
        return {} if entry is not None and entry.GetOptions().map_entry else []
    if descriptor.message_type is None:
        return _writer(descriptor)(descriptor.default_value, style)
    return None if descriptor.message_type.full_name in _SPECIAL else {}


def any_json(message: Any, style: Style) -> dict[str, object]:
    """An Any as JSON. Raises ValueError where its type is not known, or its bytes are no message of it."""
    if not message.type_url and not message.value:
        return {}
    try:
        inner: Any = resolve(message.type_url)()
        inner.ParseFromString(message.value)
    except (RefusedError, DecodeError) as error:
        raise ValueError("an Any holds no message that is known") from error
    value = to_json(inner, style)
    if has_own_form(inner.DESCRIPTOR):
        return {TYPE: message.type_url, "value": value}
    return {TYPE: message.type_url, **value}


def _members(message: Any, style: Style) -> Iterator[tuple[str, object]]:
    for descriptor, value in message.ListFields():
        name = f"[{descriptor.full_name}]" if descriptor.is_extension else descriptor.json_name
        yield name, _written(descriptor, value, style)
    if style.defaults:
        set_already = {descriptor.number for descriptor, _ in message.ListFields()}
        for descriptor in message.DESCRIPTOR.fields:
            if not descriptor.has_presence and descriptor.number not in set_already:
                yield descriptor.json_name, field_default(descriptor, style)


def _written(descriptor: Any, value: Any, style: Style) -> object:
    if not descriptor.is_repeated:
        return _writer(descriptor)(value, style)
    entry = descriptor.message_type
    if entry is None or not entry.GetOptions().map_entry:
        write = _writer(descriptor)
        return [write(item, style) for item in value]
    write = _writer(entry.fields_by_name["value"])
    if entry.fields_by_name["key"].type == FieldDescriptor.TYPE_BOOL:
        return {scalars.boolean_key_json(key): write(item, style) for key, item in sorted(value.items())}
    return {str(key): write(item, style) for key, item in sorted(value.items())}


@cache
def _writer(descriptor: Any) -> Callable[[Any, Style], object]:
    """How one value of the field is written."""
    if descriptor.message_type is not None:
        return _SPECIAL.get(descriptor.message_type.full_name, to_json)
    if descriptor.enum_type is not None:
        return _enum_writer(descriptor.enum_type)
    write = _SCALARS.get(descriptor.type)
    return _as_it_is if write is None else lambda value, _: write(value)


def _enum_writer(enum_type: Any) -> Callable[[Any, Style], object]:
    if enum_type.full_name == NULL_VALUE:
        return _null
    names = {value.number: value.name for value in reversed(enum_type.values)}  # of several, the first
    return lambda value, style: value if style.enum_numbers else names.get(value, value)


def _null(_: Any, __: Style) -> object:
    return None


def _as_it_is(value: Any, _: Style) -> object:
    return value


_SCALARS: Mapping[int, Callable[[Any], object]] = MappingProxyType(
    {
        FieldDescriptor.TYPE_BYTES: scalars.blob_json,
        FieldDescriptor.TYPE_DOUBLE: scalars.double_json,
        FieldDescriptor.TYPE_FLOAT: scalars.single_json,
        **dict.fromkeys(
            (
                FieldDescriptor.TYPE_INT64,
                FieldDescriptor.TYPE_SINT64,
                FieldDescriptor.TYPE_SFIXED64,
                FieldDescriptor.TYPE_UINT64,
                FieldDescriptor.TYPE_FIXED64,
            ),
            str,
        ),
    }
)


def _plain(write: Callable[[Any], object]) -> Callable[[Any, Style], object]:
    return lambda message, _: write(message)


def _wrapper(message: Any, style: Style) -> object:
    return _writer(message.DESCRIPTOR.fields_by_name["value"])(message.value, style)


_SPECIAL: Mapping[str, Callable[[Any, Style], Any]] = MappingProxyType(
    {
        "google.protobuf.Any": any_json,
        "google.protobuf.Timestamp": _plain(well_known.timestamp_json),
        "google.protobuf.Duration": _plain(well_known.duration_json),
        "google.protobuf.FieldMask": _plain(well_known.field_mask_json),
        "google.protobuf.Struct": _plain(well_known.struct_json),
        "google.protobuf.ListValue": _plain(well_known.list_value_json),
        "google.protobuf.Value": _plain(well_known.value_json),
        **{
            f"google.protobuf.{name}Value": _wrapper
            for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
        },
    }
)
"""The messages whose JSON is not an object of their fields, and how each is written."""

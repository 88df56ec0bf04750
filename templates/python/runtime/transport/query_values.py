"""Text from a path or a query string as the value of one message field."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ..protojson.reading import fill
from ..protojson.refusal import RefusedError
from ..protojson.scalars import blob

_INTEGER = re.compile(r"-?[0-9]{1,20}")
_FIRST_OF_NUMBERS = frozenset("-0123456789")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BOOLS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
_WRAPPERS = frozenset(
    f"google.protobuf.{name}Value"
    for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_TEXT_MESSAGES = frozenset(f"google.protobuf.{name}" for name in ("Timestamp", "Duration", "FieldMask"))


class ValueTextError(Exception):
    """The text is no value of the field; the message is a predicate to put after the field's name."""


def is_leaf(field: Any) -> bool:
    """Whether one text can be the field's value: scalars, enums, wrappers, Timestamp, Duration, FieldMask."""
    return field.message_type is None or field.message_type.full_name in _WRAPPERS | _TEXT_MESSAGES


def set_value(message: Message, field: Any, text: str) -> None:
    """Set the field, or append to a repeated one. Raises ValueTextError."""
    if field.message_type is not None:
        _set_message(message, field, text)
        return
    value = scalar(field, text)
    try:
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    except (ValueError, TypeError) as error:
        raise ValueTextError("has a value that its type does not allow") from error


def _set_message(message: Message, field: Any, text: str) -> None:
    target = getattr(message, field.name)
    if field.is_repeated:
        target = target.add()
    name = field.message_type.full_name
    if name in _WRAPPERS:
        target.value = scalar(field.message_type.fields_by_name["value"], text)
        target.SetInParent()
        return
    try:
        fill(target, text)
    except RefusedError as refused:
        raise ValueTextError(refused.description) from refused
    target.SetInParent()


def scalar(field: Any, text: str) -> object:
    """The text as a value of the scalar or enum field's type. Raises ValueTextError."""
    if field.enum_type is not None:
        return _enum(field.enum_type, text)
    return _SCALARS[field.type](text)


def _enum(enum_type: Any, text: str) -> int:
    named = enum_type.values_by_name.get(text)
    if named is not None:
        return int(named.number)
    if _INTEGER.fullmatch(text):
        number = _int32(text)
        if not enum_type.is_closed or number in enum_type.values_by_number:
            return number
    raise ValueTextError(f"must be a value of {enum_type.full_name}")


def to_integer(text: str) -> int:
    """An integer of any size. Raises ValueTextError."""
    if not _INTEGER.fullmatch(text):
        raise ValueTextError("must be an integer")
    return int(text)


def to_enum(text: str) -> str | int:
    """A value of an enum as its constructor takes it, which knows the names. Raises ValueTextError."""
    return to_integer(text) if text[:1] in _FIRST_OF_NUMBERS else text


def _within(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = to_integer(text)
        if not low <= value <= high:
            raise ValueTextError(f"must be an integer from {low} to {high}")
        return value

    return parse


_int32 = _within(-(2**31), 2**31 - 1)
_int64 = _within(-(2**63), 2**63 - 1)
_uint32 = _within(0, 2**32 - 1)
_uint64 = _within(0, 2**64 - 1)


def to_double(text: str) -> float:
    """A double's value. Raises ValueTextError."""
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    if not _FLOAT.fullmatch(text):
        raise ValueTextError("must be a number")
    value = float(text)
    if math.isinf(value):
        raise ValueTextError("must be a number within the range of a double")
    return value


def to_single(text: str) -> float:
    """A float's value. Raises ValueTextError."""
    value = to_double(text)
    try:
        struct.pack("<f", value)
    except OverflowError as error:
        raise ValueTextError("must be a number within the range of a float") from error
    return value


def to_boolean(text: str) -> bool:
    """A bool's value. Raises ValueTextError."""
    if text not in _BOOLS:
        raise ValueTextError("must be true or false")
    return _BOOLS[text]


def to_bytes(text: str) -> bytes:
    """The value of bytes, from base64. Raises ValueTextError."""
    try:
        return blob(text)
    except RefusedError as refused:
        raise ValueTextError(refused.description) from refused


_SCALARS: Mapping[int, Callable[[str], object]] = MappingProxyType(
    {
        FieldDescriptor.TYPE_STRING: str,
        FieldDescriptor.TYPE_BYTES: to_bytes,
        FieldDescriptor.TYPE_BOOL: to_boolean,
        FieldDescriptor.TYPE_DOUBLE: to_double,
        FieldDescriptor.TYPE_FLOAT: to_single,
        **dict.fromkeys(
            (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32), _int32
        ),
        **dict.fromkeys(
            (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64), _int64
        ),
        **dict.fromkeys((FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32), _uint32),
        **dict.fromkeys((FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64), _uint64),
    }
)

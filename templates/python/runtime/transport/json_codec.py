"""Messages from JSON and to JSON: the seam for codecs, and the generic one on google.protobuf.json_format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Protocol, cast

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ..errors import ServiceError
from .faults import invalid

_IN_FIELD = re.compile(r"Failed to parse (\w+) field: ")
_UNKNOWN_FIELD = re.compile(r'Message type "[\w.]+" has no field named "([^"]{1,100})" at')
_REJECTED = (
    json_format.Error, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError
)  # fmt: skip


class Codec(Protocol):
    """JSON for one message type. A codec that is generated for the type can stand in for the generic one."""

    def merge(self, value: object, message: Message) -> None:
        """Set the message's fields from parsed JSON. Raises ServiceError, INVALID_ARGUMENT, naming the field."""

    def encode(self, message: Message) -> bytes:
        """The message as JSON, in one line. Raises ValueError where it has none."""

    def encode_field(self, message: Message, name: str) -> bytes:
        """One field's value as JSON, its default where it is not set."""


CodecFor = Callable[[type[Message]], Codec]


def parse_json(body: bytes) -> object:
    """The body's one JSON value. Raises ServiceError: not UTF-8, not JSON, a key twice, too deep, NaN, a huge number."""
    try:
        return _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise invalid("", "is not valid JSON") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice")
    return members


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class GenericCodec:
    """The codec of any message, by json_format."""

    def __init__(self, message_type: type[Message], *, emit_defaults: bool, ignore_unknown: bool) -> None:
        self._message_type = message_type
        self._emit_defaults = emit_defaults
        self._ignore_unknown = ignore_unknown
        self._is_object = not message_type.DESCRIPTOR.full_name.startswith("google.protobuf.")

    def merge(self, value: object, message: Message) -> None:
        """Set the message's fields from parsed JSON. Raises ServiceError, INVALID_ARGUMENT, naming the field."""
        if self._is_object and not isinstance(value, dict):
            raise invalid("", "must be a JSON object")
        try:
            json_format.ParseDict(cast("dict[str, Any]", value), message, ignore_unknown_fields=self._ignore_unknown)
        except _REJECTED as error:
            raise _violation(error) from error

    def encode(self, message: Message) -> bytes:
        """The message as JSON, in one line. Raises ValueError where it has none."""
        return _dumps(self._value(message))

    def encode_field(self, message: Message, name: str) -> bytes:
        """One field's value as JSON, its default where it is not set."""
        field = message.DESCRIPTOR.fields_by_name[name]
        value = self._value(message)
        if isinstance(value, dict) and field.json_name in value:
            return _dumps(value[field.json_name])
        return _dumps(_default(field))

    def _value(self, message: Message) -> Any:
        try:
            return json_format.MessageToDict(message, always_print_fields_with_no_presence=self._emit_defaults)
        except (json_format.Error, TypeError, ArithmeticError) as error:
            raise ValueError(f"this {message.DESCRIPTOR.full_name} has no JSON form") from error


def _dumps(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


def _default(field: Any) -> object:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {}
    if field.is_repeated:
        return []
    if field.message_type is not None:
        return None if field.message_type.full_name.startswith("google.protobuf.") else {}
    if field.enum_type is not None:
        return field.enum_type.values_by_number[field.default_value].name
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return str(field.default_value)
    return "" if field.type == FieldDescriptor.TYPE_BYTES else field.default_value


def _violation(error: Exception) -> ServiceError:
    """The failure with the path of the field that json_format stopped at, and nothing else of its text.

    Its messages open with the names of the fields on the way down, which are the contract's own; the value that
    it could not read stands behind them.
    """
    text, at = str(error), 0
    path: list[str] = []
    while (step := _IN_FIELD.match(text, at)) is not None:
        path.append(step.group(1))
        at = step.end()
    if (unknown := _UNKNOWN_FIELD.match(text, at)) is not None:
        return invalid(".".join([*path, unknown.group(1)]), "is no field of the request")
    return invalid(".".join(path), "has a value that its type does not allow")

"""A request by the descriptor of its message: what generated code is held against."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from runtime.definition import Kind, Route
from runtime.errors import ServiceError
from runtime.protojson.codec import Codec
from runtime.protojson.reading import fill
from runtime.protojson.refusal import RefusedError
from runtime.protojson.scalars import blob

NO_BODY = object()
_OWN_FORM = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("Timestamp", "Duration", "FieldMask", "DoubleValue", "FloatValue", "Int64Value", "UInt64Value"),
        *("Int32Value", "UInt32Value", "BoolValue", "StringValue", "BytesValue"),
    )
)
_NO_PATHS = _OWN_FORM | {f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue", "Empty")}
_INTEGERS = {
    **dict.fromkeys((FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32), (31, 31)),
    **dict.fromkeys((FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64), (63, 63)),
    **dict.fromkeys((FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32), (None, 32)),
    **dict.fromkeys((FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64), (None, 64)),
}
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class WrongError(Exception):
    """The request has no message; the text names what is wrong: a field, a parameter, "body"."""


def requested(
    route: Route, values: Sequence[str], parameters: Sequence[tuple[str, str]], body: Any, *, ignore_unknown: bool
) -> Any:
    """The request. Raises WrongError; of several things wrong in one request for the path's, then the query's first."""
    descriptor: Any = route.method.request.DESCRIPTOR
    captured = [_captured(descriptor, capture.field_path) for capture in route.captures]
    whole = route.body == "*" or (not route.body and route.method.kind is Kind.BIDI)
    asked = route.method.request()
    for fields, text in zip(captured, values, strict=True):
        _set(asked, fields, text, ".".join(field.name for field in fields))
    given = list(_placed(route, descriptor, captured, parameters, ignore_unknown))
    for index, (name, fields, text) in enumerate(given):
        if not fields:
            raise WrongError(name)
        if not fields[-1].is_repeated and any(other == fields for _, other, _ in given[:index]):
            raise WrongError(name)
        _check_oneofs(asked, fields, name)
        _set(asked, fields, text, name)
    message = _of_body(route, descriptor, body, whole)
    if not whole and route.body:
        _check_body(route, descriptor, message, asked)
    for name, fields, text in given:
        _set(message, fields, text, name)
    for fields, text in zip(captured, values, strict=True):
        _set(message, fields, text, "")
    if route.verb == "PATCH" and not whole and route.body:
        _mask(message, descriptor, descriptor.fields_by_name[route.body], body)
    return message


def _placed(
    route: Route, descriptor: Any, captured: list[Any], parameters: Sequence[tuple[str, str]], ignore_unknown: bool
) -> Any:
    """The parameters with the fields that they lead to; what is in another place is refused."""
    for name, text in parameters:
        fields = _found(descriptor, name)
        if fields is None and ignore_unknown:
            continue
        if not fields or route.body == "*" or fields[0].name == route.body or fields in captured:
            yield name, (), ""
            return
        yield name, fields, text


def _captured(descriptor: Any, path: Sequence[str]) -> tuple[Any, ...]:
    fields: list[Any] = []
    for name in path:
        fields.append((fields[-1].message_type if fields else descriptor).fields_by_name[name])
    return tuple(fields)


def _found(descriptor: Any, name: str) -> Any:
    """The fields on the way to a value; None for an unknown one, () for a way that leads to none."""
    fields: list[Any] = []
    for step in name.split(".", 32):
        if fields and (_is_value(fields[-1]) or fields[-1].is_repeated):
            return ()
        parent = fields[-1].message_type if fields else descriptor
        by_json = [field for field in parent.fields if field.json_name == step]
        field = parent.fields_by_name.get(step) or (by_json[0] if by_json else None)
        if field is None:
            return None
        fields.append(field)
    return tuple(fields) if _is_value(fields[-1]) else ()


def _is_value(field: Any) -> bool:
    return field.message_type is None or field.message_type.full_name in _OWN_FORM


def _check_oneofs(message: Any, fields: Sequence[Any], name: str) -> None:
    parent = message
    for field in fields:
        oneof = field.containing_oneof
        if oneof is not None and parent.WhichOneof(oneof.name) not in (None, field.name):
            raise WrongError(name)
        if field is not fields[-1]:
            parent = getattr(parent, field.name)


def _of_body(route: Route, descriptor: Any, body: Any, whole: bool) -> Any:
    if body is NO_BODY:
        return route.method.request()
    value = body if whole else {descriptor.fields_by_name[route.body].json_name: body}
    try:
        return Codec(route.method.request).decode(value)
    except ServiceError as error:
        raise WrongError(error.metadata["field"]) from error


def _check_body(route: Route, descriptor: Any, message: Any, asked: Any) -> None:
    """Refuse another member of the body's oneof."""
    oneof = descriptor.fields_by_name[route.body].containing_oneof
    if oneof is not None and message.WhichOneof(oneof.name) is not None:
        other = asked.WhichOneof(oneof.name)
        if other not in (None, route.body):
            raise WrongError(other)


def _set(message: Any, fields: Sequence[Any], text: str, name: str) -> None:
    for field in fields[:-1]:
        message = getattr(message, field.name)
    field = fields[-1]
    try:
        if field.message_type is None:
            value = _scalar(field, text)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
            return
        target = getattr(message, field.name)
        target = target.add() if field.is_repeated else target
        wrapped = field.message_type.full_name.endswith("Value")
        if wrapped:
            target.value = _scalar(field.message_type.fields_by_name["value"], text)
        else:
            fill(target, text)
        target.SetInParent()
    except (RefusedError, ValueError) as error:
        raise WrongError(name) from error


def _scalar(field: Any, text: str) -> Any:
    """The value. Raises ValueError or RefusedError."""
    if field.enum_type is not None:
        if text in field.enum_type.values_by_name:
            return field.enum_type.values_by_name[text].number
        number = _integer(text, 31, 31)
        if field.enum_type.is_closed and number not in field.enum_type.values_by_number:
            raise ValueError
        return number
    if field.type == FieldDescriptor.TYPE_STRING:
        return text
    if field.type == FieldDescriptor.TYPE_BYTES:
        return blob(text)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return ("false", "False", "0", "true", "True", "1").index(text) > 2
    if field.type in _INTEGERS:
        return _integer(text, *_INTEGERS[field.type])
    return _number(text, single=field.type == FieldDescriptor.TYPE_FLOAT)


def _number(text: str, *, single: bool) -> float:
    if text in ("NaN", "Infinity", "-Infinity"):
        return float(text)
    if not _NUMBER.fullmatch(text) or math.isinf(float(text)):
        raise ValueError
    try:
        struct.pack("<f" if single else "<d", float(text))
    except OverflowError as error:
        raise ValueError from error
    return float(text)


def _integer(text: str, below: int | None, above: int) -> int:
    if not re.fullmatch("-?[0-9]{1,20}", text):
        raise ValueError
    if not (-(2**below) if below else 0) <= int(text) < 2**above:
        raise ValueError
    return int(text)


def _mask(message: Any, descriptor: Any, body_field: Any, body: Any) -> None:
    masks = [
        field
        for field in descriptor.fields
        if field.message_type is not None
        and field.message_type.full_name == "google.protobuf.FieldMask"
        and not field.is_repeated
    ]
    if len(masks) == 1 and _has_paths(body_field) and isinstance(body, dict):
        mask = getattr(message, masks[0].name)
        if not mask.paths and (paths := sorted(_paths(body, body_field.message_type))):
            mask.paths.extend(paths)


def _has_paths(field: Any) -> bool:
    return field.message_type is not None and not field.is_repeated and field.message_type.full_name not in _NO_PATHS


def _paths(json: dict[str, Any], descriptor: Any) -> Any:
    named = {field.name: field for field in descriptor.fields} | {field.json_name: field for field in descriptor.fields}
    for name, value in json.items():
        field = named.get(name)
        if field is not None and _has_paths(field) and isinstance(value, dict) and value:
            yield from (f"{field.name}.{path}" for path in _paths(value, field.message_type))
        elif field is not None:
            yield field.name

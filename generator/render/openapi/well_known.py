"""JSON schemas of the well-known types whose JSON is not that of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from generator.render.openapi.scalars import Schema, spelled

ANY = "google.protobuf.Any"
EMPTY = "google.protobuf.Empty"
HTTP_BODY = "google.api.HttpBody"
NULL_VALUE = "google.protobuf.NullValue"
VALUE = "google.protobuf.Value"

_WRAPPERS = MappingProxyType(
    {
        f"google.protobuf.{kind}Value": kind.lower()
        for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
    }
)
# A Duration's seconds have up to 12 digits, and end at 315,576,000,000: some 10,000 years.
_SECONDS = "|".join(
    [
        "[0-9]{1,11}",
        "[0-2][0-9]{11}",
        "30[0-9]{10}",
        "31[0-4][0-9]{9}",
        "315[0-4][0-9]{8}",
        "3155[0-6][0-9]{7}",
        "31557[0-5][0-9]{6}",
    ]
)
_FRACTION = r"(?:\.[0-9]{1,9})?"
_DURATION: Schema = {
    "type": "string",
    "description": "Seconds, with up to nine digits after the point, and an `s`.",
    "pattern": f"^-?(?:(?:{_SECONDS}){_FRACTION}|315576000000)s$",
}
_TIMESTAMP: Schema = {
    "type": "string",
    "format": "date-time",
    "description": "A time as RFC 3339 has it, from year 1 to year 9999, with up to nine digits after the second.",
    "pattern": (
        "^(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
        "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]" + _FRACTION + "(?:Z|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
    ),
}
_FIELD_MASK: Schema = {
    "type": "string",
    "description": "Names of fields, in camelCase, with dots into messages and commas between them.",
    "pattern": "^(?:[^_,]+(?:,[^_,]+)*)?$",
}
_STRUCT: Schema = {"type": "object", "description": "Any JSON object.", "additionalProperties": True}
_LIST: Schema = {"type": "array", "description": "Any JSON array.", "items": {}}
_ANYTHING: Schema = {"description": "Any JSON value."}
_NULL: Schema = {"type": "null"}
_PACKED: Schema = {
    "type": "object",
    "description": "A message of any type: its own JSON, and in `@type` the URL of its type.",
    "properties": {"@type": {"type": "string"}},
}

_TEXTS: Mapping[str, Schema] = MappingProxyType(
    {
        "google.protobuf.Timestamp": _TIMESTAMP,
        "google.protobuf.Duration": _DURATION,
        "google.protobuf.FieldMask": _FIELD_MASK,
    }
)
_OWN_FORMS: Mapping[str, Schema] = MappingProxyType(
    {
        **_TEXTS,
        "google.protobuf.Struct": _STRUCT,
        "google.protobuf.ListValue": _LIST,
        VALUE: _ANYTHING,
        ANY: _PACKED,
    }
)


def is_leaf(full_name: str) -> bool:
    """Whether one text in a query or a path can be the message."""
    return full_name in _TEXTS or full_name in _WRAPPERS


def has_own_form(full_name: str) -> bool:
    """Whether the message's JSON is not that of its fields."""
    return full_name in _OWN_FORMS or full_name in _WRAPPERS


def wrapped(full_name: str) -> str:
    """The scalar type that a wrapper holds, "" for any other message."""
    return _WRAPPERS.get(full_name, "")


def own_form(full_name: str) -> Schema | None:
    """The JSON of a message that has a form of its own; None where it is that of its fields, or a scalar's.

    An Any in a request is narrower than this: see `schemas`.
    """
    found = _OWN_FORMS.get(full_name)
    return dict(found) if found is not None else None


def spelled_message(full_name: str) -> Schema:
    """As a path or a query spells a leaf. Raises KeyError for a message that is none."""
    if full_name in _WRAPPERS:
        return spelled(_WRAPPERS[full_name])
    return dict(_TEXTS[full_name])


def null_value() -> Schema:
    """A NullValue in a body."""
    return {"enum": [None, "NULL_VALUE", 0]}

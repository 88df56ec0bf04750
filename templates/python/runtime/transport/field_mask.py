"""The update mask that a PATCH leaves out: the fields that its body has (AIP-134)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .query_values import is_leaf

_FIELD_MASK = "google.protobuf.FieldMask"
_OPAQUE = frozenset(f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue", "Empty"))


def mask_field(descriptor: Any) -> str:
    """The name of the message's only singular FieldMask, "" where it has none or several."""
    names = [
        field.name
        for field in descriptor.fields
        if field.message_type is not None and field.message_type.full_name == _FIELD_MASK and not field.is_repeated
    ]
    return names[0] if len(names) == 1 else ""


def body_paths(value: object, descriptor: Any) -> list[str]:
    """The paths of the fields that a JSON object sets, by their proto names, sorted.

    A path goes on into a message that has members, and stops at repeated fields, maps and values of their own form
    (Timestamp, Struct and the like).
    """
    return sorted(_paths(value, descriptor, "")) if isinstance(value, dict) else []


def _paths(members: dict[str, object], descriptor: Any, prefix: str) -> Iterator[str]:
    by_name = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    for name, value in members.items():
        field = by_name.get(name)
        if field is None:
            continue
        path = prefix + field.name
        if isinstance(value, dict) and value and _has_fields(field):
            yield from _paths(value, field.message_type, path + ".")
        else:
            yield path


def _has_fields(field: Any) -> bool:
    if field.is_repeated or is_leaf(field):
        return False
    return field.message_type.full_name not in _OPAQUE

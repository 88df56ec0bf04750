"""How a caller wants its answer written: enums by name or number, and which fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from .reading import has_own_form
from .refusal import RefusedError

Mask: TypeAlias = Mapping[str, "Mask | None"]
"""The members of an object that are kept, by JSON name, each with the mask of what is inside; None keeps all of it."""

_MAX_PATHS = 1000
_MAX_STEPS = 32  # names in a path


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What of ProtoJSON is the caller's choice."""

    enum_numbers: bool = False
    mask: Mask | None = None
    pretty: bool = False  # with line breaks and indentation


AS_EVER = AnswerForm()


def read_mask(text: str, descriptor: Any) -> Mask | None:
    """The mask that a list of paths (`name,lines.sku`) is for a message of that type; "*" is everything.

    Names are JSON names or proto names; a path may lead through repeated fields. Raises RefusedError for one that leads
    to no field. Without a descriptor, what is answered has no fields.
    """
    mask: dict[str, Any] = {}
    paths = text.split(",", _MAX_PATHS)
    if len(paths) > _MAX_PATHS:
        raise RefusedError("has too many paths")
    for path in paths:
        if path == "*":
            return None
        _add(mask, descriptor, path)
    return mask


def masked(value: Any, mask: Mask) -> Any:
    """The JSON value with nothing but what the mask keeps."""
    if isinstance(value, list):
        return [masked(item, mask) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _within(item, mask[name]) for name, item in value.items() if name in mask}


def _within(value: Any, mask: Mask | None) -> Any:
    return value if mask is None else masked(value, mask)


def _add(mask: dict[str, Any], descriptor: Any, path: str) -> None:
    names = path.split(".", _MAX_STEPS)
    for position, name in enumerate(names):
        field = None if descriptor is None else _field(descriptor, name)
        if field is None:
            raise RefusedError(f"has a path that is no field of the answer: {path[:100]}")
        last = position == len(names) - 1 or names[position + 1 :] == ["*"]
        if last:
            mask[field.json_name] = None
            return
        mask = mask.setdefault(field.json_name, {})
        if mask is None:  # all of it is kept already
            return
        descriptor = _inside(field)


def _field(descriptor: Any, name: str) -> Any:
    named = descriptor.fields_by_name.get(name)
    return named or next((field for field in descriptor.fields if field.json_name == name), None)


def _inside(field: Any) -> Any:
    """The type of the messages in a field, None where it has no fields in JSON: scalars, maps, values of their own form."""
    message_type = field.message_type
    if message_type is None or message_type.GetOptions().map_entry or has_own_form(message_type):
        return None
    return message_type

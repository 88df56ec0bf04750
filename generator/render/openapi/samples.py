"""Examples of messages as JSON: every field that a caller would set, to a value of its type, the same on every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from generator.contract.model import Contract, Enum, Field, Message
from generator.render.openapi import well_known
from generator.render.openapi.scalars import RANGES
from generator.render.openapi.schemas import Side

_DEEPEST = 3  # messages in one another
_NOT_SENT = frozenset({"OUTPUT_ONLY", "IDENTIFIER"})
_NOT_ANSWERED = frozenset({"INPUT_ONLY"})
_LONG = frozenset({"int64", "sint64", "sfixed64", "uint64", "fixed64"})
_OWN_FORMS: Mapping[str, object] = MappingProxyType(
    {
        "google.protobuf.Timestamp": "2026-01-31T12:00:00Z",
        "google.protobuf.Duration": "1.5s",
        "google.protobuf.FieldMask": "",
        "google.protobuf.Struct": {"key": "value"},
        "google.protobuf.ListValue": ["value"],
        well_known.VALUE: "value",
        well_known.ANY: {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.5s"},
    }
)


def sample(contract: Contract, full_name: str, side: Side, without: Sequence[tuple[str, ...]] = ()) -> object:
    """A message of that type; `without` are the paths of fields to leave out, by proto names."""
    return _message(contract, full_name, side, {tuple(path) for path in without}, ())


def field_sample(contract: Contract, field: Field, side: Side, without: Sequence[tuple[str, ...]] = ()) -> object:
    """A value of that field; `without` begins below it."""
    return _field(contract, field, side, {(field.name, *path) for path in without}, ())


def _message(
    contract: Contract, full_name: str, side: Side, without: set[tuple[str, ...]], types: tuple[str, ...]
) -> object:
    if full_name in _OWN_FORMS:
        return _OWN_FORMS[full_name]
    if wrapped := well_known.wrapped(full_name):
        return _scalar(wrapped, "text")
    message = contract.messages[full_name]
    types = (*types, full_name)
    return {
        field.json_name: _field(contract, field, side, without, types)
        for field in _shown(message, side, without)
        if field.type_name not in types and field.map_value_type_name not in types and _fits(field, types)
    }


def _fits(field: Field, types: Sequence[str]) -> bool:
    nested = field.type_name in _OWN_FORMS or field.type not in ("message", "group")
    return nested or len(types) < _DEEPEST


def _shown(message: Message, side: Side, without: set[tuple[str, ...]]) -> list[Field]:
    """The fields to show: of each oneof the first, and none that a caller has no business with."""
    hidden = _NOT_SENT if side is Side.REQUEST else _NOT_ANSWERED
    decided: set[str] = set()
    shown = []
    for field in message.fields:
        if hidden & field.behaviors or field.deprecated or (field.name,) in without or field.oneof in decided:
            continue
        if field.oneof:
            decided.add(field.oneof)
        shown.append(field)
    return shown


def _field(
    contract: Contract, field: Field, side: Side, without: set[tuple[str, ...]], types: tuple[str, ...]
) -> object:
    below = {path[1:] for path in without if len(path) > 1 and path[0] == field.name}
    if field.is_map:
        value = _element(contract, field.map_value_type, field.map_value_type_name, field, side, below, types)
        return {_key(field.map_key_type): value}
    value = _element(contract, field.type, field.type_name, field, side, below, types)
    return [value] if field.repeated else value


def _element(
    contract: Contract,
    kind: str,
    type_name: str,
    field: Field,
    side: Side,
    without: set[tuple[str, ...]],
    types: tuple[str, ...],
) -> object:
    if kind in ("message", "group"):
        return _message(contract, type_name, side, without, types)
    if kind == "enum":
        return _enum(contract.enums[type_name])
    return _scalar(kind, field.json_name)


def _enum(found: Enum) -> object:
    if found.full_name == well_known.NULL_VALUE:
        return None
    return next((value.name for value in found.values if value.number), found.values[0].name)


def _scalar(kind: str, name: str) -> object:
    if kind in RANGES:
        return "1" if kind in _LONG else 1
    return {"double": 1.5, "float": 1.5, "bool": True, "bytes": "aGVsbG8="}.get(kind, name)


def _key(kind: str) -> str:
    if kind in RANGES:
        return "1"
    return "true" if kind == "bool" else "key"

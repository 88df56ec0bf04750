"""Rules about fields and extensions, pair by pair of the same number."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import EnumDescriptor

from generator.breaking.pairs import fields
from generator.breaking.rule import ALWAYS, EVERYBODY, JSON, ONLY_WIRE, ONLY_WIRE_JSON, SOURCE, Audience, Change, Rule
from generator.breaking.schema import FieldNode, Schema

_ANEW = "add a field of the new kind under a number of its own, and mark this one deprecated"

# Types that read each other's bytes; string to bytes is handled apart, because the way back is not safe.
_WIRE = MappingProxyType(
    {
        **dict.fromkeys(("int32", "int64", "uint32", "uint64", "bool"), "varint"),
        **dict.fromkeys(("sint32", "sint64"), "zigzag"),
        **dict.fromkeys(("fixed32", "sfixed32"), "fixed32"),
        **dict.fromkeys(("fixed64", "sfixed64"), "fixed64"),
    }
)
# Types that read each other's bytes and each other's JSON, which writes 64 bits as a string.
_WIRE_JSON = MappingProxyType(
    {
        **dict.fromkeys(("int32", "uint32"), "varint32"),
        **dict.fromkeys(("int64", "uint64"), "varint64"),
        **dict.fromkeys(("fixed32", "sfixed32"), "fixed32"),
        **dict.fromkeys(("fixed64", "sfixed64"), "fixed64"),
    }
)
_OPTIONAL = ("optional with explicit presence", "optional with implicit presence")
_CARDINALITY = MappingProxyType({**dict.fromkeys(_OPTIONAL, "optional"), **dict.fromkeys(("repeated", "map"), "list")})
_CARDINALITY_JSON = MappingProxyType(dict.fromkeys(_OPTIONAL, "optional"))


def _change(new: FieldNode, what: str) -> Change:
    # By the name that it had, the subject would change with FIELD_SAME_NAME; this is the one in the file now.
    return Change(new.full_name, f"{new.full_name} {what}", new.place, new.owner)


def _same_type(old: FieldNode, new: FieldNode) -> Iterator[Change]:
    if (old.kind, old.type) != (new.kind, new.type):
        yield _retyped(old, new)


def _retyped(old: FieldNode, new: FieldNode) -> Change:
    before, after = old.type, new.type
    if before == after:  # the same message, encoded another way
        before, after = f"{before} ({old.kind})", f"{after} ({new.kind})"
    return _change(new, f"is {after}, not {before}")


def _wire_compatible(old: FieldNode, new: FieldNode) -> Iterator[Change]:
    if (old.kind, new.kind) != ("string", "bytes") and not _compatible(old, new, _WIRE):
        yield _retyped(old, new)


def _wire_json_compatible(old: FieldNode, new: FieldNode) -> Iterator[Change]:
    if not _compatible(old, new, _WIRE_JSON):
        yield _retyped(old, new)


def _compatible(old: FieldNode, new: FieldNode, groups: Mapping[str, str]) -> bool:
    if groups.get(old.kind, old.kind) != groups.get(new.kind, new.kind):
        return False
    if old.proto.type_name == new.proto.type_name or new.kind not in ("enum", "message", "group"):
        return True
    before, after = old.descriptor.enum_type, new.descriptor.enum_type
    return before is not None and after is not None and _is_superset(before, after)


def _is_superset(before: EnumDescriptor, after: EnumDescriptor) -> bool:
    """Whether an enum has the other's short name and at least its values."""
    values = {(value.name, value.number) for value in after.values}
    return before.name == after.name and {(value.name, value.number) for value in before.values} <= values


def _same_cardinality(groups: Mapping[str, str]) -> Callable[[FieldNode, FieldNode], Iterator[Change]]:
    """Finds fields of another cardinality; those of one group count as one."""

    def check(old: FieldNode, new: FieldNode) -> Iterator[Change]:
        before, after = old.cardinality, new.cardinality
        both_entries = old.in_map_entry and new.in_map_entry
        if not both_entries and groups.get(before, before) != groups.get(after, after):
            yield _change(new, f"is {after}, not {before}")

    return check


def _same_name(old: FieldNode, new: FieldNode) -> Iterator[Change]:
    before, after = (old.full_name, new.full_name) if old.is_extension else (old.name, new.name)
    if before != after:
        yield _change(new, f"was called {before}")


def _same_json_name(old: FieldNode, new: FieldNode) -> Iterator[Change]:
    if not old.is_extension and old.proto.json_name != new.proto.json_name:
        yield _change(new, f'is "{new.proto.json_name}" in JSON, not "{old.proto.json_name}"')


def _same_oneof(old: FieldNode, new: FieldNode) -> Iterator[Change]:
    if old.oneof != new.oneof:
        before, after = (f"in oneof {name}" if name else "in no oneof" for name in (old.oneof, new.oneof))
        yield _change(new, f"is {after}, not {before}")


def _same_default(old: FieldNode, new: FieldNode) -> Iterator[Change]:
    if not (_may_have_default(old) and _may_have_default(new)):
        return
    before, after = old.descriptor.default_value, new.descriptor.default_value
    if (before or after) and not _equal(old, new):
        yield _change(new, f"is {after!r} by default, not {before!r}")


def _may_have_default(field: FieldNode) -> bool:
    return not field.descriptor.is_repeated and field.descriptor.message_type is None


def _equal(old: FieldNode, new: FieldNode) -> bool:
    """Whether two defaults are the same value, whatever their types: FIELD_SAME_TYPE is about those."""
    before, after = (_bytes(field.descriptor.default_value) for field in (old, new))
    if isinstance(before, bytes) or isinstance(after, bytes):
        return bool(before == after)
    if {old.kind, new.kind} == {"float", "double"} and before == before and after == after:
        before, after = _single(before), _single(after)
    return bool(before == after) or (_is_nan(before) and _is_nan(after))


def _bytes(value: Any) -> Any:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _single(value: float) -> float:
    """The nearest number that a `float` can hold."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _same_utf8_validation(old: FieldNode, new: FieldNode) -> Iterator[Change]:
    if old.kind == new.kind == "string" and old.features.utf8_validation != new.features.utf8_validation:
        checked = new.features.utf8_validation == "VERIFY"
        yield _change(new, "must be UTF-8 now" if checked else "need not be UTF-8 any more")


RULES: tuple[Rule[Schema], ...] = (
    Rule(
        "FIELD_SAME_TYPE",
        SOURCE,
        EVERYBODY,
        "a field has another type",
        _ANEW,
        fields(_same_type),
    ),
    Rule(
        "FIELD_WIRE_JSON_COMPATIBLE_TYPE",
        ONLY_WIRE_JSON,
        (Audience.GRPC, Audience.REST),
        "a field has a type that cannot read what the old one wrote, in binary or in JSON",
        _ANEW,
        fields(_wire_json_compatible),
    ),
    Rule(
        "FIELD_WIRE_COMPATIBLE_TYPE",
        ONLY_WIRE,
        (Audience.GRPC,),
        "a field has a type that cannot read what the old one wrote in binary",
        _ANEW,
        fields(_wire_compatible),
    ),
    Rule(
        "FIELD_SAME_CARDINALITY",
        SOURCE,
        EVERYBODY,
        "a field is repeated, a map, required or with presence, and was not, or the other way round",
        _ANEW,
        fields(_same_cardinality({})),
    ),
    Rule(
        "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY",
        ONLY_WIRE_JSON,
        (Audience.GRPC, Audience.REST),
        "a field is repeated, a map or required, and was not, or the other way round",
        _ANEW,
        fields(_same_cardinality(_CARDINALITY_JSON)),
    ),
    Rule(
        "FIELD_WIRE_COMPATIBLE_CARDINALITY",
        ONLY_WIRE,
        (Audience.GRPC,),
        "a field is repeated (a map is) or required, and was not, or the other way round",
        _ANEW,
        fields(_same_cardinality(_CARDINALITY)),
    ),
    Rule(
        "FIELD_SAME_NAME",
        JSON,
        (Audience.REST, Audience.CODE),
        "a field has another name",
        "keep the name; or add a field of the new name under a number of its own, and mark this one deprecated",
        fields(_same_name),
    ),
    Rule(
        "FIELD_SAME_JSON_NAME",
        JSON,
        (Audience.REST,),
        "a field has another name in JSON",
        "set `json_name` to the old one",
        fields(_same_json_name),
    ),
    Rule(
        "FIELD_SAME_ONEOF",
        ALWAYS,
        EVERYBODY,
        "a field is in another oneof, in one or in none",
        _ANEW,
        fields(_same_oneof),
    ),
    Rule(
        "FIELD_SAME_DEFAULT",
        ALWAYS,
        EVERYBODY,
        "a field has another default, which each side takes for what was not sent",
        "keep the default, and send the new value",
        fields(_same_default),
    ),
    Rule(
        "FIELD_SAME_UTF8_VALIDATION",
        SOURCE,
        (Audience.GRPC, Audience.CODE),
        "a string must be valid UTF-8 and need not have been, or the other way round",
        "set the feature `utf8_validation` to what it was",
        fields(_same_utf8_validation),
    ),
)

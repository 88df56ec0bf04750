"""JSON to any message, by its descriptor: what the generated codecs leave over, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from . import scalars, well_known
from .refusal import RefusedError
from .scalars import UnknownNameError

NULL_VALUE = "google.protobuf.NullValue"
VALUE = "google.protobuf.Value"
TYPE = "@type"
_NO_FIELD = "is no field of the request"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field with what is known of it before any JSON comes."""

    descriptor: Any
    name: str
    oneof: str  # "" outside a real one
    nullable: bool  # whether null is a value, or an element, of it
    extension: bool
    key: Callable[[str], Any] | None  # of a map: how its keys are read
    scalar: Callable[[object], Any] | None  # how a value is read, None for messages
    repeated: bool

    def get(self, message: Any) -> Any:
        """The field's message or container."""
        return message.Extensions[self.descriptor] if self.extension else getattr(message, self.name)

    def set(self, message: Any, value: object) -> None:
        """Set a scalar."""
        if self.extension:
            message.Extensions[self.descriptor] = value
        else:
            setattr(message, self.name, value)


def fill(message: Any, value: object, *, ignore_unknown: bool = False) -> None:
    """Set the fields of an empty message from parsed JSON.

    Raises RefusedError. `ignore_unknown` passes over members, and names of enum values, that are not known.
    """
    special = _SPECIAL.get(message.DESCRIPTOR.full_name)
    if special is not None:
        special(message, value, ignore_unknown)
    else:
        _fill_fields(message, scalars.members(value), ignore_unknown)


def resolve(type_url: str) -> type[Message]:
    """The class of an Any's message. Raises RefusedError."""
    _, slash, name = type_url.rpartition("/")
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(name if slash else "")
    except KeyError as error:
        raise RefusedError("must be the type of a message that is known", TYPE) from error
    return message_factory.GetMessageClass(descriptor)


def any_fields(value: object, *, ignore_unknown: bool = False) -> dict[str, Any]:
    """The fields of an Any. Raises RefusedError."""
    given = scalars.members(value)
    if not given:
        return {}
    type_url = given.get(TYPE)
    if type(type_url) is not str:
        raise RefusedError("must be the URL of a type", TYPE)
    inner: Any = resolve(type_url)()
    rest = {key: item for key, item in given.items() if key != TYPE}
    if has_own_form(inner.DESCRIPTOR) or (inner.DESCRIPTOR.full_name == "google.protobuf.Empty" and "value" in rest):
        if rest.keys() != {"value"}:
            raise RefusedError('must have a "value", and nothing else beside "@type"')
        try:
            fill(inner, rest["value"], ignore_unknown=ignore_unknown)
        except RefusedError as refused:
            raise refused.below("value") from None
    else:
        _fill_fields(inner, rest, ignore_unknown)
    return {"type_url": type_url, "value": inner.SerializePartialToString(deterministic=True)}


def has_own_form(descriptor: Any) -> bool:
    """Whether such a message's JSON is not an object of its fields."""
    return descriptor.full_name in _SPECIAL


def _fill_fields(message: Any, given: Mapping[str, Any], ignore_unknown: bool) -> None:
    fields = _fields_of(message.DESCRIPTOR)
    names: dict[int, str] = {}
    oneofs: dict[str, str] = {}
    for name, item in given.items():
        field = fields.get(name) or _extension(message.DESCRIPTOR, name)
        if field is None:
            if ignore_unknown:
                continue
            raise RefusedError(_NO_FIELD, name[:100])
        if (twin := names.setdefault(field.descriptor.number, name)) != name:
            raise RefusedError(f"is given twice, as {twin} too", name)
        if item is None and (field.repeated or not field.nullable):
            continue
        if field.oneof and (other := oneofs.setdefault(field.oneof, name)) != name:
            raise RefusedError(f"excludes {other}, which is given too", name)
        try:
            _fill_field(message, field, item, ignore_unknown)
        except RefusedError as refused:
            raise refused.below(name) from None


def _fill_field(message: Any, field: _Field, item: Any, ignore_unknown: bool) -> None:
    if field.key is not None:
        _fill_map(field.get(message), field, field.key, item, ignore_unknown)
    elif field.repeated:
        _fill_list(field.get(message), field, item, ignore_unknown)
    elif field.scalar is None:
        inner = field.get(message)
        inner.SetInParent()
        fill(inner, item, ignore_unknown=ignore_unknown)
    else:
        try:
            field.set(message, field.scalar(item))
        except UnknownNameError:
            if not ignore_unknown:
                raise


def _fill_list(container: Any, field: _Field, value: object, ignore_unknown: bool) -> None:
    for index, item in enumerate(scalars.array(value)):
        try:
            _append(container, field, item, ignore_unknown)
        except RefusedError as refused:
            raise refused.at(index) from None


def _append(container: Any, field: _Field, item: Any, ignore_unknown: bool) -> None:
    if item is None and not field.nullable:
        raise RefusedError("must not be null")
    if field.scalar is None:
        fill(container.add(), item, ignore_unknown=ignore_unknown)
        return
    try:
        container.append(field.scalar(item))
    except UnknownNameError:
        if not ignore_unknown:
            raise


def _fill_map(
    container: Any, field: _Field, read_key: Callable[[str], Any], value: object, ignore_unknown: bool
) -> None:
    for name, item in scalars.members(value).items():
        try:
            _insert(container, field, read_key(name), item, ignore_unknown)
        except RefusedError as refused:
            raise refused.at(name) from None


def _insert(container: Any, field: _Field, key: Any, item: Any, ignore_unknown: bool) -> None:
    if item is None and not field.nullable:
        raise RefusedError("must not be null")
    if key in container:  # "0" and "-0"
        raise RefusedError("is a key that is given twice")
    if field.scalar is None:
        fill(container[key], item, ignore_unknown=ignore_unknown)
        return
    try:
        container[key] = field.scalar(item)
    except UnknownNameError:
        if not ignore_unknown:
            raise


@cache
def _fields_of(descriptor: Any) -> Mapping[str, _Field]:
    """The message's fields by their proto names and, first, their JSON names."""
    fields = {field.name: _field(field) for field in descriptor.fields}
    return {**fields, **{field.json_name: fields[field.name] for field in descriptor.fields}}


def _extension(descriptor: Any, name: str) -> _Field | None:
    """The extension that `[its.full.name]` stands for."""
    if not (descriptor.is_extendable and name.startswith("[") and name.endswith("]")):
        return None
    try:
        found = descriptor.file.pool.FindExtensionByName(name[1:-1])
    except KeyError:
        return None
    return _field(found) if found.containing_type is descriptor else None


def _field(descriptor: Any) -> _Field:
    entry = descriptor.message_type
    key = None
    held = descriptor
    if entry is not None and entry.GetOptions().map_entry:
        held = entry.fields_by_name["value"]
        key = _key(entry.fields_by_name["key"])
    oneof = descriptor.containing_oneof
    message_type, enum_type = held.message_type, held.enum_type
    nullable = message_type is not None and message_type.full_name == VALUE
    nullable = nullable or (enum_type is not None and enum_type.full_name == NULL_VALUE)
    return _Field(
        descriptor=descriptor,
        name=descriptor.name,
        oneof=oneof.name if oneof is not None and len(oneof.fields) > 1 else "",
        nullable=nullable,
        extension=descriptor.is_extension,
        key=key,
        scalar=None if message_type is not None else scalar(held),
        repeated=descriptor.is_repeated,
    )


def scalar(descriptor: Any) -> Callable[[object], Any]:
    """How a value of that scalar or enum field is read; the reader raises RefusedError."""
    enum_type = descriptor.enum_type
    if enum_type is not None:
        return well_known.null_value if enum_type.full_name == NULL_VALUE else scalars.enum(enum_type)
    return _SCALARS[descriptor.type]


def _key(descriptor: Any) -> Callable[[str], Any]:
    if descriptor.type == FieldDescriptor.TYPE_STRING:
        return str
    if descriptor.type == FieldDescriptor.TYPE_BOOL:
        return scalars.boolean_key
    in_range = _SCALARS[descriptor.type]
    return lambda key: in_range(scalars.integer_key(key))


_SCALARS: Mapping[int, Callable[[object], Any]] = MappingProxyType(
    {
        FieldDescriptor.TYPE_STRING: scalars.text,
        FieldDescriptor.TYPE_BYTES: scalars.blob,
        FieldDescriptor.TYPE_BOOL: scalars.boolean,
        FieldDescriptor.TYPE_DOUBLE: scalars.double,
        FieldDescriptor.TYPE_FLOAT: scalars.single,
        FieldDescriptor.TYPE_INT32: scalars.int32,
        FieldDescriptor.TYPE_SINT32: scalars.int32,
        FieldDescriptor.TYPE_SFIXED32: scalars.int32,
        FieldDescriptor.TYPE_INT64: scalars.int64,
        FieldDescriptor.TYPE_SINT64: scalars.int64,
        FieldDescriptor.TYPE_SFIXED64: scalars.int64,
        FieldDescriptor.TYPE_UINT32: scalars.uint32,
        FieldDescriptor.TYPE_FIXED32: scalars.uint32,
        FieldDescriptor.TYPE_UINT64: scalars.uint64,
        FieldDescriptor.TYPE_FIXED64: scalars.uint64,
    }
)

_Special = Callable[[Any, object, bool], None]


def _from_fields(read: Callable[[object], dict[str, Any]]) -> _Special:
    def special(message: Any, value: object, _: bool) -> None:
        for name, item in read(value).items():
            if isinstance(item, list):
                getattr(message, name).extend(item)
            else:
                setattr(message, name, item)

    return special


def _from_message(read: Callable[[object], Message]) -> _Special:
    def special(message: Any, value: object, _: bool) -> None:
        message.MergeFrom(read(value))

    return special


def _any(message: Any, value: object, ignore_unknown: bool) -> None:
    for name, item in any_fields(value, ignore_unknown=ignore_unknown).items():
        setattr(message, name, item)


def _wrapper(message: Any, value: object, _: bool) -> None:
    message.value = scalar(message.DESCRIPTOR.fields_by_name["value"])(value)


_SPECIAL: Mapping[str, _Special] = MappingProxyType(
    {
        "google.protobuf.Any": _any,
        "google.protobuf.Timestamp": _from_fields(well_known.timestamp),
        "google.protobuf.Duration": _from_fields(well_known.duration),
        "google.protobuf.FieldMask": _from_fields(well_known.field_mask),
        "google.protobuf.Struct": _from_message(well_known.struct),
        "google.protobuf.ListValue": _from_message(well_known.list_value),
        VALUE: _from_message(well_known.any_value),
        **{
            f"google.protobuf.{name}Value": _wrapper
            for name in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
        },
    }
)
"""The messages whose JSON is not an object of their fields, and how each is filled."""

"""Samples: messages with every field set, made from descriptors alone and the same on every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo

MOST_VARIANTS: Final = 16
_DEEPEST: Final = 5  # message levels
_MOST_FIELDS: Final = 250  # of one sample; a wider message is sampled less deep
_SAME_TYPE: Final = 2  # times that a type may stand on the way down: recursion is entered once

M = TypeVar("M", bound=Message)


def sample(message_type: type[M], variant: int = 0) -> M:
    """A message of that type with every field set, to a value that is not its default.

    Of each oneof, one member is set: the one that `variant` counts to; maps and repeated fields have two entries
    at the top and one below. What is nested too deep is set and empty.
    """
    for deepest in range(_DEEPEST, 0, -1):
        message = message_type()
        try:
            _Filler(variant, deepest).fill(message, 0, ())
        except _TooManyFieldsError:
            continue
        return message
    return message_type()


def variants(message_type: type[Message]) -> int:
    """How many variants of the sample show every member of every oneof once; at most MOST_VARIANTS."""
    most = 1
    seen: set[str] = set()
    level = [message_type.DESCRIPTOR]
    for _ in range(_DEEPEST):
        for descriptor in level:
            seen.add(descriptor.full_name)
            most = max([most, *(len(oneof.fields) for oneof in descriptor.oneofs)])
        below = (field.message_type for descriptor in level for field in descriptor.fields)
        level = list({below.full_name: below for below in below if below and below.full_name not in seen}.values())
    return min(most, MOST_VARIANTS)


def samples(message_type: type[M]) -> Iterator[M]:
    """Every variant of the sample."""
    return (sample(message_type, variant) for variant in range(variants(message_type)))


def smallest(message_type: type[M]) -> M:
    """An empty message of that type, a sample where one may not be empty: where it has required fields (proto2)."""
    message = message_type()
    return message if message.IsInitialized() else sample(message_type)


def large(message_type: type[M], size: int) -> M | None:
    """A message with so many characters in a field of text, None for a type that has none of its own."""
    for field in message_type.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
            return message_type(**{field.name: "x" * size})
    return None


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


class _TooManyFieldsError(Exception):
    """The sample grew beyond its budget."""


class _Filler:
    """Fills one sample, down to `deepest` levels of messages."""

    def __init__(self, variant: int, deepest: int) -> None:
        self._variant = variant
        self._deepest = deepest
        self._left: float = _MOST_FIELDS if deepest > 1 else float("inf")

    def fill(self, message: Any, ordinal: int, above: tuple[str, ...]) -> None:
        """Set the message's fields; `ordinal` tells it from its siblings, `above` are the types it is nested in."""
        descriptor: Descriptor = message.DESCRIPTOR
        well_known = WELL_KNOWN.get(descriptor.full_name)
        if well_known is not None:
            well_known(message, self._variant + ordinal)
            return
        exhausted = len(above) >= self._deepest or above.count(descriptor.full_name) >= _SAME_TYPE
        for field in descriptor.fields:
            if exhausted and not field.is_required:
                continue
            if field.containing_oneof is None or self._chosen(field.containing_oneof, ordinal) == field.number:
                self._left -= 1
                if self._left < 0:
                    raise _TooManyFieldsError
                self._set(message, field, ordinal, (*above, descriptor.full_name))

    def _chosen(self, oneof: OneofDescriptor, ordinal: int) -> int:
        number: int = oneof.fields[(self._variant + ordinal) % len(oneof.fields)].number
        return number

    def _set(self, message: Any, field: FieldDescriptor, ordinal: int, above: tuple[str, ...]) -> None:
        count = 2 if len(above) == 1 else 1
        if is_map(field):
            self._set_map(getattr(message, field.name), field, count, above)
        elif field.is_repeated:
            values = getattr(message, field.name)
            for position in range(count):
                if field.message_type is not None:
                    self.fill(values.add(), ordinal + position, above)
                else:
                    values.append(self._scalar(field, ordinal + position))
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            self.fill(getattr(message, field.name), ordinal, above)
        else:
            setattr(message, field.name, self._scalar(field, ordinal))

    def _set_map(self, values: Any, field: FieldDescriptor, count: int, above: tuple[str, ...]) -> None:
        assert field.message_type is not None  # noqa: S101  # a map has its entry
        entry = field.message_type.fields_by_name
        for position in range(count):
            key = self._scalar(entry["key"], position)
            if entry["value"].message_type is not None:
                self.fill(values[key], position, above)
            else:
                values[key] = self._scalar(entry["value"], position)

    def _scalar(self, field: FieldDescriptor, ordinal: int) -> object:
        """A value that shows what its type can hold: 64 bits, text beyond ASCII, bytes that base64 spells with + and /."""
        number = field.number % 50 + ordinal
        if field.enum_type is not None:
            numbers = [value.number for value in field.enum_type.values]
            return numbers[-1 - ordinal % max(1, len(numbers) - 1)]
        return _SCALARS[field.cpp_type](field, number)


def _text(field: FieldDescriptor, number: int) -> object:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"\xfb\xef\xbe\xff\x00" + bytes([number])
    return f"{field.name} é/%+&={number}"


_SCALARS: Final = MappingProxyType[int, Callable[[FieldDescriptor, int], object]](
    {
        FieldDescriptor.CPPTYPE_INT32: lambda _, number: -(2**30) - number,
        FieldDescriptor.CPPTYPE_INT64: lambda _, number: -(2**53) - number,
        FieldDescriptor.CPPTYPE_UINT32: lambda _, number: 2**31 + number,
        FieldDescriptor.CPPTYPE_UINT64: lambda _, number: 2**63 + number,
        FieldDescriptor.CPPTYPE_DOUBLE: lambda _, number: number + 0.1,
        FieldDescriptor.CPPTYPE_FLOAT: lambda _, number: number + 0.5,
        FieldDescriptor.CPPTYPE_BOOL: lambda *_: True,
        FieldDescriptor.CPPTYPE_STRING: _text,
    }
)


def _timestamp(message: Any, ordinal: int) -> None:
    message.seconds, message.nanos = 1_700_000_000 + ordinal, 123_000_000


def _duration(message: Any, ordinal: int) -> None:
    message.seconds, message.nanos = 90 + ordinal, 250_000_000


def _field_mask(message: Any, ordinal: int) -> None:
    message.paths.extend(["display_name", f"inner_value.field_{'abc'[ordinal % 3]}"])


def _any(message: Any, ordinal: int) -> None:
    message.Pack(ErrorInfo(reason=f"REASON_{ordinal}") if ordinal % 2 == 0 else Duration(seconds=1 + ordinal))


def _struct(message: Any, ordinal: int) -> None:
    message.update({"text": f"é{ordinal}", "list": [1.5, True, None], "inner": {"a": "b"}})


def _value(message: Any, ordinal: int) -> None:
    match ordinal % 6:
        case 0:
            message.string_value = f"é{ordinal}"
        case 1:
            message.number_value = 1.5 + ordinal
        case 2:
            message.bool_value = True
        case 3:
            message.null_value = 0
        case 4:
            message.struct_value.update({"a": ordinal})
        case _:
            message.list_value.extend(["a", 1])


def _list_value(message: Any, ordinal: int) -> None:
    message.extend([f"é{ordinal}", 1.5, False])


def _http_body(message: Any, ordinal: int) -> None:
    message.content_type, message.data = "text/plain", f"é{ordinal}".encode()


WELL_KNOWN: Final = MappingProxyType[str, Callable[[Any, int], None]](
    {
        "google.protobuf.Timestamp": _timestamp,
        "google.protobuf.Duration": _duration,
        "google.protobuf.FieldMask": _field_mask,
        "google.protobuf.Any": _any,
        "google.protobuf.Struct": _struct,
        "google.protobuf.Value": _value,
        "google.protobuf.ListValue": _list_value,
        "google.api.HttpBody": _http_body,
    }
)
"""How to fill the messages whose JSON is not that of their fields, or whose fields are not free."""

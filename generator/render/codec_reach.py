"""The messages that a plan's REST routes reach, and what of JSON each is needed for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from google.protobuf.descriptor_pb2 import DescriptorProto
from google.protobuf.message import Message as ProtoMessage

from generator.contract.model import Contract, Field, Message
from generator.plan.model import Plan
from generator.render.codec_expressions import SPECIAL

HTTP_BODY = "google.api.HttpBody"
_METHODS = frozenset(dir(ProtoMessage))


class Reach:
    """What the routes reach: the messages to decode, those to encode, and the enums of the latter, by full name."""

    def __init__(self, plan: Plan) -> None:
        self._contract = plan.contract
        self._unplain = frozenset(_unplain(plan.contract))
        self.enums: set[str] = set()
        taken = {route.rpc.request for route in plan.routes if route.rule.body}
        given = {route.rpc.response for route in plan.routes}
        self.decoded = self._closure(taken, self.is_decodable, ())
        self.encoded = self._closure(given, self.is_encodable, self.enums)
        self.entries = (taken | given) & (self.decoded | self.encoded)

    def is_decodable(self, message: Message) -> bool:
        """Whether each of its names stands for one field."""
        names = [name for field in message.fields for name in {field.name, field.json_name}]
        return len(names) == len(set(names))

    def is_encodable(self, message: Message) -> bool:
        """Whether it has no extensions, and no field in the place of a method."""
        return message.full_name not in self._unplain

    def _closure(self, start: set[str], accepts: Callable[[Message], bool], enums: set[str] | tuple[()]) -> set[str]:
        found: set[str] = set()
        left = [name for name in start if name not in SPECIAL and name != HTTP_BODY]
        while left:
            name = left.pop()
            message = self._contract.messages[name]
            if name in found or not accepts(message):
                continue
            found.add(name)
            for kind, type_name in map(_held, message.fields):
                if kind == "enum" and isinstance(enums, set):
                    enums.add(type_name)
                elif type_name and kind != "enum" and type_name not in SPECIAL:
                    left.append(type_name)
        return found


def _held(field: Field) -> tuple[str, str]:
    """The type of the field's value, or of its elements or a map's values, and its full name."""
    return (field.map_value_type, field.map_value_type_name) if field.is_map else (field.type, field.type_name)


def _unplain(contract: Contract) -> Iterator[str]:
    """The messages that may have extensions, or a field that hides a method of messages."""
    for message in contract.messages.values():
        if any(field.name in _METHODS for field in message.fields):
            yield message.full_name
    for file in contract.descriptor_set.file:
        prefix = f"{file.package}." if file.package else ""
        for declared in file.message_type:
            yield from _extendable(declared, prefix)


def _extendable(declared: DescriptorProto, prefix: str) -> Iterator[str]:
    full_name = prefix + declared.name
    if declared.extension_range:
        yield full_name
    for nested in declared.nested_type:
        yield from _extendable(nested, f"{full_name}.")

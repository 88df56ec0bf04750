"""The messages that a plan's REST routes reach, and what of JSON each is needed for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from google.protobuf.descriptor_pb2 import DescriptorProto
from google.protobuf.message import Message as ProtoMessage

from generator.contract.model import Contract, Field, Message
from generator.plan.model import Plan, RoutePlan
from generator.render.codec_expressions import SPECIAL, is_text_value

HTTP_BODY = "google.api.HttpBody"
FIELD_MASK = "google.protobuf.FieldMask"
_OPAQUE = SPECIAL | {"google.protobuf.Empty"}
_METHODS = frozenset(dir(ProtoMessage))


class Reach:
    """What the routes reach, by full name: the messages to decode, those to encode, and the enums of the latter.

    `asked` has the fields, by message, that query parameters lead to; `masked` the messages of bodies of PATCH.
    """

    def __init__(self, plan: Plan) -> None:
        self._contract = plan.contract
        self._unplain = frozenset(_unplain(plan.contract))
        self.enums: set[str] = set()
        taken = {route.rpc.request for route in plan.routes if route.rule.body}
        given = {route.rpc.response for route in plan.routes}
        self.decoded = self._closure(taken, self.is_decodable, ())
        self.encoded = self._closure(given, self.is_encodable, self.enums)
        self.entries = (taken | given) & (self.decoded | self.encoded)
        self.asked = self._asked(plan.routes)
        self.masked = self._masked(plan.routes)

    def is_decodable(self, message: Message) -> bool:
        """Whether each of its names stands for one field."""
        names = [name for field in message.fields for name in {field.name, field.json_name}]
        return len(names) == len(set(names))

    def is_encodable(self, message: Message) -> bool:
        """Whether it has no extensions, and no field in the place of a method."""
        return message.full_name not in self._unplain

    def _asked(self, routes: Sequence[RoutePlan]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        left = [(route.rpc.request, route.rule.body) for route in routes if route.rule.body != "*"]
        while left:
            name, body = left.pop()
            asked = found.setdefault(name, set())
            for field in self._contract.messages[name].fields:
                if field.name != body and field.name not in asked:
                    asked.add(field.name)
                    if not field.repeated and not is_text_value(field):
                        left.append((field.type_name, ""))
        return found

    def _masked(self, routes: Sequence[RoutePlan]) -> set[str]:
        left = [field.type_name for route in routes if (field := masked_body(self._contract, route))]
        found: set[str] = set()
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left.extend(field.type_name for field in self._contract.messages[name].fields if has_paths(field))
        return found

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


def mask_field(message: Message) -> Field | None:
    """The message's only singular FieldMask, None where it has none or several."""
    masks = [field for field in message.fields if field.type_name == FIELD_MASK and not field.repeated]
    return masks[0] if len(masks) == 1 else None


def masked_body(contract: Contract, route: RoutePlan) -> Field | None:
    """The body of a PATCH whose fields are the mask that the request leaves out; None for any other route."""
    request = contract.messages[route.rpc.request]
    body = request.field(route.rule.body) if route.rule.verb == "PATCH" and mask_field(request) else None
    return body if body is not None and has_paths(body) and body.type_name != HTTP_BODY else None


def has_paths(field: Field) -> bool:
    """Whether a path of an update mask goes on into the field: a message whose JSON is an object of its fields."""
    return bool(field.type_name) and field.type != "enum" and not field.repeated and field.type_name not in _OPAQUE


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

"""Which rules of the contract there are to hold a method's requests to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto
from google.protobuf.message import Message as Options
from google.protobuf.unknown_fields import UnknownFieldSet

from generator.contract.model import Contract, Field, Message
from generator.spec.policy import Validation

BUF_VALIDATE = 1159  # the number of each of its extensions, on messages, oneofs and fields


class Rules:
    """Finds what validation there is for messages of a contract, as far as it is turned on."""

    def __init__(self, contract: Contract) -> None:
        self._messages = contract.messages
        self._ruled = frozenset(_ruled(contract))

    def of(self, request: str, policy: Validation | None) -> Validation | None:
        """The policy without what the request's type has no rules for; None where nothing is left."""
        if policy is None:
            return None
        reached = self.reached([request])
        required = policy.field_behavior and any(checked(one) for message in reached for one in message.fields)
        ruled = policy.protovalidate and any(message.full_name in self._ruled for message in reached)
        if not required and not ruled:
            return None
        return policy.model_copy(update={"field_behavior": required, "protovalidate": ruled})

    def reached(self, names: Iterable[str]) -> list[Message]:
        """The messages of these names and those that they may hold, without what callers do not send."""
        seen: set[str] = set()
        return [message for name in names for message in self._reached(name, seen)]

    def _reached(self, name: str, seen: set[str]) -> list[Message]:
        if name in seen or name not in self._messages:
            return []
        seen.add(name)
        message = self._messages[name]
        found = [message]
        for one in message.fields:
            if "OUTPUT_ONLY" not in one.behaviors:
                found += self._reached(one.map_value_type_name if one.is_map else one.type_name, seen)
        return found


def checked(one: Field) -> bool:
    """Whether a field is one that may be missing; a bool without presence cannot be told to be."""
    plain = one.type == "bool" and not (one.has_presence or one.repeated or one.is_map)
    return "REQUIRED" in one.behaviors and "OUTPUT_ONLY" not in one.behaviors and not plain


def _ruled(contract: Contract) -> Iterator[str]:
    """The full names of the messages that have rules of buf.validate on them, their fields or their oneofs."""
    for file in contract.descriptor_set.file:
        for message in file.message_type:
            yield from _in(message, f"{file.package}." if file.package else "")


def _in(message: DescriptorProto, prefix: str) -> Iterator[str]:
    name = prefix + message.name
    parts: list[Options] = [message.options, *(one.options for one in message.field)]
    parts += [one.options for one in message.oneof_decl]
    if any(_has_rules(options) for options in parts):
        yield name
    for nested in message.nested_type:
        yield from _in(nested, f"{name}.")


def _has_rules(options: Options) -> bool:
    known = any(field.number == BUF_VALIDATE for field, _ in options.ListFields())
    unknown: Any = UnknownFieldSet(options)
    return known or any(field.field_number == BUF_VALIDATE for field in unknown)

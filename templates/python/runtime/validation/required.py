"""Fields that `google.api.field_behavior` marks REQUIRED: which are missing in a request, at any depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from .violation import MOST_VIOLATIONS, Violation, shown

_REQUIRED: Final = field_behavior_pb2.REQUIRED
_OUTPUT_ONLY: Final = field_behavior_pb2.OUTPUT_ONLY
_MASK: Final = "update_mask"


@dataclass(slots=True, eq=False)
class _Plan:
    """What is to be looked at in messages of one type: the required fields, and the ones that lead to some."""

    required: list[FieldDescriptor] = field(default_factory=list)
    inner: list[tuple[FieldDescriptor, _Plan]] = field(default_factory=list)

    def asks(self, seen: set[_Plan]) -> bool:
        """Whether something in messages of the type is required, at any depth."""
        if self in seen:
            return False
        seen.add(self)
        return bool(self.required) or any(plan.asks(seen) for _, plan in self.inner)


class RequiredFields:
    """Finds the required fields that are missing in messages of one type.

    A message, a member of a oneof and an `optional` scalar must be there; a list, a map, a text, bytes and an enum
    must not be empty, and a number not 0: on the wire that is the same as absent. A bool without presence is not
    checked, as it would have to be true. What is OUTPUT_ONLY is the service's own and not looked into. Of an update
    with a mask (AIP-134), only the fields of the resource that the mask names are.
    """

    def __init__(self, message_type: Any) -> None:
        """`message_type` is the type's descriptor."""
        plans: dict[str, _Plan] = {}
        self._plan = _plan(message_type, plans)
        for plan in plans.values():
            plan.inner = [(one, inner) for one, inner in plan.inner if inner.asks(set())]
        self._resource = _resource(message_type)

    def missing(self, message: Message) -> list[Violation]:
        """The required fields that are missing, by their paths of proto names; so many at most."""
        masked = self._masked(message)
        return list(islice(_missing(message, self._plan, "", masked, self._resource), MOST_VIOLATIONS))

    def _masked(self, message: Any) -> frozenset[str] | None:
        """The fields of the resource that an update is about, None where it is about all of it."""
        if self._resource is None or not message.HasField(_MASK):
            return None
        paths = getattr(message, _MASK).paths
        return None if not paths or "*" in paths else frozenset(path.partition(".")[0] for path in paths)


def _resource(message_type: Descriptor) -> FieldDescriptor | None:
    """The one message beside an update's mask, None for a request that is no such update."""
    mask = message_type.fields_by_name.get(_MASK)
    if mask is None or mask.message_type is None or mask.message_type.full_name != FieldMask.DESCRIPTOR.full_name:
        return None
    others = [one for one in message_type.fields if one is not mask and one.message_type and not one.is_repeated]
    return others[0] if len(others) == 1 else None


def _plan(message_type: Descriptor, plans: dict[str, _Plan]) -> _Plan:
    if message_type.full_name in plans:
        return plans[message_type.full_name]
    plan = plans[message_type.full_name] = _Plan()
    for one in message_type.fields:
        behaviors: Any = one.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        if _OUTPUT_ONLY in behaviors:
            continue
        if _REQUIRED in behaviors and (one.has_presence or one.is_repeated or one.type != FieldDescriptor.TYPE_BOOL):
            plan.required.append(one)
        below = _below(one)
        if below is not None:
            inner = _plan(below, plans)
            plan.inner.append((one, inner))
    return plan


def _below(one: FieldDescriptor) -> Descriptor | None:
    """The type of the messages that a field holds, those of a map's values included."""
    if one.message_type is None or not one.message_type.GetOptions().map_entry:
        return one.message_type
    return one.message_type.fields_by_name["value"].message_type


def _missing(
    message: Any, plan: _Plan, path: str, masked: frozenset[str] | None = None, resource: FieldDescriptor | None = None
) -> Iterator[Violation]:
    for one in plan.required:
        present = message.HasField(one.name) if one.has_presence else bool(getattr(message, one.name))
        if not present:
            yield Violation(f"{path}{one.name}", "is required")
    for one, inner in plan.inner:
        kept = inner if masked is None or one is not resource else _only(inner, masked)
        for where, below in _held(message, one, f"{path}{one.name}"):
            yield from _missing(below, kept, f"{where}.")


def _only(plan: _Plan, names: frozenset[str]) -> _Plan:
    return _Plan(
        [one for one in plan.required if one.name in names], [pair for pair in plan.inner if pair[0].name in names]
    )


def _held(message: Any, one: FieldDescriptor, path: str) -> Sequence[tuple[str, Any]]:
    """The messages that a field holds, each with its path."""
    value = getattr(message, one.name)
    if one.message_type is not None and one.message_type.GetOptions().map_entry:
        return [(f"{path}[{shown(key)}]", value[key]) for key in value]
    if one.is_repeated:
        return [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    return [(path, value)] if message.HasField(one.name) else ()

"""What the requests of a service are checked for, and whether a request that was let through could be refused now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message as Options
from google.protobuf.message_factory import GetMessageClass

from generator.contract.model import Contract
from generator.plan.model import Plan
from generator.plan.validation import BUF_VALIDATE, Rules, checked

Checks = Mapping[str, Mapping[str, str]]
"""By each message that callers send: its rules, as `tightened` compares them; those of the message itself by their path
in buf.validate (`cel`), those of a field or a oneof behind its name (`sku string.max_len`). Values are JSON."""

REQUIRED = "REQUIRED"
"""The rule of google.api.field_behavior."""

_LOWER, _UPPER = {"gt": 1, "gte": 0}, {"lt": 0, "lte": 1}  # what is the tighter one of the same bound, the laxer one
_AT_LEAST = ("min_len", "min_bytes", "min_items", "min_pairs")
_AT_MOST = ("max_len", "max_bytes", "max_items", "max_pairs")
_LAX = ("ignore", "disabled")  # rules that take others away


def checks(plan: Plan) -> Checks:
    """The rules of every message that a caller may send, as far as the policies hold requests to them."""
    rules = Rules(plan.contract)
    found: dict[str, dict[str, str]] = {}
    for message in rules.reached(method.rpc.request for method in plan.methods):
        if not message.full_name.startswith("google.protobuf."):
            found[message.full_name] = {}
    on = [(method.rpc.request, method.validation) for method in plan.methods if method.validation is not None]
    for message in rules.reached(request for request, policy in on if policy.field_behavior):
        if message.full_name in found:
            required = [one.name for one in message.fields if checked(one)]
            found[message.full_name] |= {f"{name} {REQUIRED}": "true" for name in required}
    ruled = {message.full_name for message in rules.reached(request for request, policy in on if policy.protovalidate)}
    for name, told in _buf_validate(plan.contract) if ruled else ():
        if name in found and name in ruled:
            found[name] |= told
    return found


def tightened(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The rules of one message by which something can be refused that was not, each with what it was, "" for none."""
    for rule, value in after.items():
        path, _, name = rule.rpartition(".")
        if rule.rpartition(" ")[2] in _LAX:
            continue
        was, old = next(
            ((before[other], other) for other in (rule, *_siblings(path, name)) if other in before), ("", rule)
        )
        if not was or _tighter(name, value, old.rpartition(".")[2], was):
            yield rule, was
    for rule, value in before.items():
        if rule.rpartition(" ")[2] in _LAX and after.get(rule) != value:
            yield rule, value


def _siblings(path: str, name: str) -> Iterator[str]:
    """Other rules about the same bound."""
    for family in (_LOWER, _UPPER):
        if name in family:
            yield from (f"{path}.{other}" for other in family if other != name)


def _tighter(name: str, value: str, old: str, was: str) -> bool:
    """Whether a rule of that name and value lets less through than it, or its sibling `old`, did."""
    if (name, value) == (old, was):
        return False
    new_value, old_value = json.loads(value), json.loads(was)
    if name in ("in", "not_in") and isinstance(new_value, list) and isinstance(old_value, list):
        more, less = (old_value, new_value) if name == "in" else (new_value, old_value)
        return any(one not in less for one in more)
    try:
        now, then = _number(new_value), _number(old_value)
    except ValueError:
        return True  # a pattern, an expression, a constant: another one may refuse anything
    if name in _LOWER:
        return (now, _LOWER[name]) > (then, _LOWER[old])
    if name in _UPPER:
        return (now, _UPPER[name]) < (then, _UPPER[old])
    return now > then if name in _AT_LEAST else now < then if name in _AT_MOST else True


def _number(value: Any) -> float:
    """A number, or a duration in seconds. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)  # noqa: TRY004 - a value of the contract, not of the wrong type
    return float(value.removesuffix("s") if isinstance(value, str) else value)


def _buf_validate(contract: Contract) -> Iterator[tuple[str, dict[str, str]]]:
    """The rules of each message that has some: read by the contract's own copy of buf/validate/validate.proto."""
    read = _Reader(contract.descriptor_set)
    for file in contract.descriptor_set.file:
        for message in file.message_type:
            yield from _in(message, f"{file.package}." if file.package else "", read)


def _in(message: DescriptorProto, prefix: str, read: _Reader) -> Iterator[tuple[str, dict[str, str]]]:
    name = prefix + message.name
    told = dict(read.rules(message.options))
    parts: list[Any] = [*message.field, *message.oneof_decl]
    for part in parts:
        told |= {f"{part.name} {path}": value for path, value in read.rules(part.options)}
    if told:
        yield name, told
    for nested in message.nested_type:
        yield from _in(nested, f"{name}.", read)


class _Reader:
    """Reads options with the extensions that a descriptor set declares."""

    def __init__(self, descriptor_set: FileDescriptorSet) -> None:
        self._pool = DescriptorPool()
        for file in descriptor_set.file:
            self._pool.Add(file)

    def rules(self, options: Options) -> Iterator[tuple[str, str]]:
        """The paths and values of the rules in such options."""
        if not options.ByteSize():
            return
        try:
            descriptor: Descriptor = self._pool.FindMessageTypeByName(options.DESCRIPTOR.full_name)
            extension = self._pool.FindExtensionByNumber(descriptor, BUF_VALIDATE)
        except KeyError:  # nobody declares rules
            return
        read: Any = GetMessageClass(descriptor).FromString(options.SerializeToString())
        if read.HasExtension(extension):
            told = json_format.MessageToDict(
                read.Extensions[extension], preserving_proto_field_name=True, descriptor_pool=self._pool
            )
            yield from _leaves(told, "")


def _leaves(told: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in told.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        elif value is not False:
            yield prefix + name, json.dumps(value, sort_keys=True)

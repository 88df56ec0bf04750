"""Fallbacks held against the contract: a value that the response can have, a method that the handler's class can have."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from keyword import iskeyword
from typing import TypeVar

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from generator.contract.model import Contract, Kind, Rpc, Service
from generator.errors import Finding, Place
from generator.plan.model import Operation
from generator.spec.breaker import Fallback
from generator.spec.dependencies import ClientPolicy
from generator.spec.policy import ServerPolicy
from generator.spec.resolve import Resolved

FallingT = TypeVar("FallingT", ServerPolicy, ClientPolicy)

_PATHS = ("fallback", "circuitBreaker.fallback")


class Fallbacks:
    """Checks the fallbacks of one contract's methods, and remembers which methods of handlers they name."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._pool: DescriptorPool | None = None
        self._handlers: dict[tuple[str, str], Rpc | Operation] = {}  # by owner and name

    def check(self, service: Service, rpc: Rpc, resolved: Resolved[ServerPolicy]) -> Iterator[Finding]:
        """Everything wrong with the fallbacks of one RPC."""
        rpcs = {other.name.lower() for other in service.rpcs}
        yield from self._check(service.full_name, rpc, resolved, "method", rpcs)

    def check_call(self, dependency: str, rpc: Rpc | Operation, resolved: Resolved[ClientPolicy]) -> Iterator[Finding]:
        """Everything wrong with the fallbacks of the calls to one RPC, or operation, of a dependency."""
        yield from self._check(f"dependency {dependency}", rpc, resolved, "dependency method", frozenset())

    def _check(
        self,
        owner: str,
        rpc: Rpc | Operation,
        resolved: Resolved[FallingT],
        own_level: str,
        taken: Collection[str],
    ) -> Iterator[Finding]:
        """`owner` is whose class has the methods that are named, none of which may be in `taken`."""
        for path in _PATHS:
            fallback = _at(resolved.policy, path)
            if fallback is None or fallback.kind == "none":
                continue
            if rpc.kind is not Kind.UNARY:
                level, place = _origin(resolved, path)
                if level == own_level:
                    message = f"{path}: {rpc.full_name} streams, and a fallback answers unary calls only"
                    yield Finding(
                        place, "fallback-of-a-stream", message, "remove it; a stream that fails is begun again"
                    )
            elif fallback.kind == "static" and isinstance(rpc, Rpc):  # over HTTP any JSON may be answered
                yield from self._value(rpc, fallback, _origin(resolved, f"{path}.value")[1], f"{path}.value")
            elif fallback.kind == "handler":
                yield from self._handler(owner, rpc, fallback, taken, _origin(resolved, f"{path}.handler")[1], path)

    def _value(self, rpc: Rpc, fallback: Fallback, place: Place, path: str) -> Iterator[Finding]:
        try:
            json_format.Parse(static_value(fallback), self._message(rpc.response))
        except (json_format.ParseError, TypeError, ValueError) as error:
            message = f"{path} is no {rpc.response}, which {rpc.full_name} answers: {_said(error)}"
            yield Finding(place, "fallback-value", message, "write the response in its JSON form")

    def _handler(
        self, owner: str, rpc: Rpc | Operation, fallback: Fallback, taken: Collection[str], place: Place, path: str
    ) -> Iterator[Finding]:
        name = fallback.handler
        if name.replace("_", "").lower() in taken:
            message = f"{path}.handler: '{name}' is the method of an RPC already"
            yield Finding(place, "fallback-handler", message, "name a method of its own, such as quote_from_list_price")
            return
        if not name.isidentifier() or iskeyword(name) or name in _TAKEN or name.startswith("_"):
            message = f"{path}.handler: a method cannot be named '{name}'"
            yield Finding(place, "fallback-handler", message, "letters, digits and '_', such as quote_from_list_price")
            return
        other = self._handlers.setdefault((owner, name), rpc)
        if _messages(other) != _messages(rpc):
            message = (
                f"{path}.handler: '{name}' cannot answer both {other.full_name} and {rpc.full_name}, "
                "whose messages differ"
            )
            yield Finding(place, "fallback-handler", message, "give each a method of its own")

    def _message(self, full_name: str) -> Message:
        if self._pool is None:
            self._pool = DescriptorPool()
            for file in self._contract.descriptor_set.file:
                self._pool.AddSerializedFile(file.SerializeToString())
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(full_name))()


def _messages(rpc: Rpc | Operation) -> tuple[str, str]:
    """What a method that answers for it takes and gives; the same for all requests over HTTP."""
    return (rpc.request, rpc.response) if isinstance(rpc, Rpc) else ("", "")


_TAKEN = frozenset({"clients", "SERVICE", "METHODS", "DEPENDENCY", "abstractmethod"})


def _said(error: Exception) -> str:
    """What protobuf says of a value, without its own exceptions and listings."""
    first = str(error).partition("\n")[0].rstrip(".")
    return "it has another form" if first.startswith("Failed to parse JSON") else first


def static_value(fallback: Fallback) -> str:
    """The value of a static fallback as JSON text."""
    return json.dumps(fallback.value, ensure_ascii=False, sort_keys=False)


def named_handlers(policies: Sequence[ServerPolicy | ClientPolicy]) -> tuple[str, ...]:
    """The methods that these policies fall back on, each once: of the handler's class, or of a dependency's fallbacks."""
    found = (_at(policy, path) for policy in policies for path in _PATHS)
    return tuple(dict.fromkeys(item.handler for item in found if item is not None and item.kind == "handler"))


def _at(policy: ServerPolicy | ClientPolicy, path: str) -> Fallback | None:
    if path == "fallback":
        return policy.fallback
    return None if policy.circuit_breaker is None else policy.circuit_breaker.fallback


def _origin(resolved: Resolved[FallingT], path: str) -> tuple[str, Place]:
    """The level and the line of the first written value at or below a path."""
    for setting in resolved.settings:
        if setting.place is not None and (setting.path == path or setting.path.startswith(f"{path}.")):
            return setting.level, setting.place
    return "", Place("")

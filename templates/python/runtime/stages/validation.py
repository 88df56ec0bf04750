"""The validation stage: refuses requests that break the contract's rules, each message of a stream as it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from google.protobuf.message import Message

from ..call import Call, Header, Wire
from ..definition import Method
from ..pipeline import Endpoint
from ..snapshot import MethodPolicy
from ..starting import require
from ..validation.required import RequiredFields
from ..validation.violation import Violation, refusal
from .environment import Environment

if TYPE_CHECKING:
    from ..validation.rules import Rules

REASON: Final = "invalid"


class _CheckedWire:
    """A wire that lets no request through that breaks a rule."""

    __slots__ = ("_check", "_wire")

    def __init__(self, wire: Wire, check: Callable[[Message], None]) -> None:
        self._wire = wire
        self._check = check

    async def receive(self) -> Message | None:
        message = await self._wire.receive()
        if message is not None:
            self._check(message)
        return message

    async def send_headers(self, headers: Sequence[Header]) -> None:
        await self._wire.send_headers(headers)

    async def send(self, message: Message) -> None:
        await self._wire.send(message)


class Validation:
    """Refuses with INVALID_ARGUMENT what has violations. A single request is looked at before anything inside runs."""

    __slots__ = ("_checks", "_count", "_streams")

    def __init__(
        self, checks: Sequence[Callable[[Message], list[Violation]]], count: Callable[[], None], *, streams: bool
    ) -> None:
        self._checks = checks
        self._count = count
        self._streams = streams

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        if self._streams:
            call.wrap_wire(lambda wire: _CheckedWire(wire, self._check))
        else:
            self._check(await call.request())
        await proceed(call)

    def _check(self, message: Message) -> None:
        for check in self._checks:
            violations = check(message)
            if violations:
                self._count()
                raise refusal(violations)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Validation | None:
    """The method's stage, None where its requests have no rules. Raises StartError where they cannot be checked."""
    given = policy.validation
    if given is None:
        return None
    checks: list[Callable[[Message], list[Violation]]] = []
    if given.field_behavior:
        checks.append(RequiredFields(method.request.DESCRIPTOR).missing)
    if given.protovalidate:
        rules = environment.shared.one("validation", _rules)
        rules.compile(method.request)
        checks.append(rules.broken)
    return Validation(checks, environment.counter("validation", REASON, method), streams=method.kind.streams_requests)


def _rules() -> Rules:
    require("protovalidate", "protovalidate", "the contract, which has buf.validate rules,")
    from ..validation.rules import Rules

    return Rules()

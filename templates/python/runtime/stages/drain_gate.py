"""The drain gate: once the server drains, a new call gets a cheap UNAVAILABLE with a pushback."""

from __future__ import annotations

from collections.abc import Callable

from grpc import StatusCode

from ..call import Call
from ..classification import DRAINING_REASON
from ..definition import Method
from ..errors import ServiceError
from ..measures import DRAINING
from ..pipeline import Endpoint
from ..snapshot import MethodPolicy
from .environment import Environment

PUSHBACK = 1.0
"""Seconds after which a refused caller may retry: by then it has seen the connection close and picks another server."""


def draining() -> ServiceError:
    """What a call refused or ended by a drain answers."""
    return ServiceError(
        StatusCode.UNAVAILABLE, "the server is shutting down", reason=DRAINING_REASON, retry_after=PUSHBACK
    )


class Gate:
    """Open until the server drains; one for all methods."""

    __slots__ = ("closed",)

    def __init__(self) -> None:
        self.closed = False


class DrainGate:
    """Refuses calls that come after the gate has closed."""

    __slots__ = ("_count", "_gate")

    def __init__(self, gate: Gate, count: Callable[[], None]) -> None:
        self._gate = gate
        self._count = count

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        if self._gate.closed:
            self._count()
            raise draining()
        await proceed(call)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> DrainGate:
    """The method's stage; every method has one."""
    return DrainGate(environment.gate, environment.counter("drain_gate", DRAINING, method))

"""The total budget stage: a call is not begun without time for it; all its attempts and waits share that time."""

from __future__ import annotations

from collections.abc import Awaitable

from grpc import StatusCode

from ..clock import Clock
from ..errors import DependencyError
from .environment import Dependency, Target
from .onward import timeout_onward
from .outgoing import Endpoint, Outgoing


class TotalTimeout:
    """Bounds the call by the policy, by what its caller allows, and by what the call being served has left."""

    __slots__ = ("_clock", "_dependency", "_total")

    def __init__(self, dependency: str, total: float | None, clock: Clock) -> None:
        self._dependency = dependency
        self._total = total
        self._clock = clock

    def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> Awaitable[None]:
        allowed = timeout_onward(outgoing.within, self._total)
        if allowed is not None:
            if allowed <= 0:
                text = "no time was left to call it"
                code = StatusCode.DEADLINE_EXCEEDED
                raise DependencyError(self._dependency, code, text, method=outgoing.path, expired=True, final=True)
            outgoing.until = outgoing.attempt_until = self._clock.now() + allowed
        return proceed(outgoing)


def for_target(target: Target, dependency: Dependency) -> TotalTimeout:
    """The RPC's stage; every call has one, as the call being served may have a deadline."""
    return TotalTimeout(dependency.name, target.policy.total_timeout, dependency.outbound.clock)

"""The attempt timeout stage: how long one attempt may take, fixed or by the dependency's state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from ..clock import Clock
from ..errors import DependencyError
from ..policies.adaptive_timeout import AdaptiveTimeout
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing


class AttemptTimeout:
    """Sets when the attempt's time is up; the transport holds it to that."""

    __slots__ = ("_now", "_timeout")

    def __init__(self, timeout: float, clock: Clock) -> None:
        self._timeout = timeout
        self._now = clock.now

    def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> Awaitable[None]:
        until = self._now() + self._timeout
        outgoing.attempt_until = until if outgoing.until is None else min(until, outgoing.until)
        return proceed(outgoing)


class Adaptive:
    """The same by the state of the dependency, which each attempt tells something of."""

    __slots__ = ("_now", "_state")

    def __init__(self, state: AdaptiveTimeout, clock: Clock) -> None:
        self._state = state
        self._now = clock.now

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        until = self._now() + self._state.timeout
        outgoing.attempt_until = until if outgoing.until is None else min(until, outgoing.until)
        try:
            await proceed(outgoing)
        except DependencyError as error:
            self._state.record(error.broken, self._now())
            raise
        except asyncio.CancelledError:
            raise  # nobody waited for it: it says nothing
        else:
            self._state.record(False, self._now())


def for_target(target: Target, dependency: Dependency) -> AttemptTimeout | Adaptive | None:
    """The RPC's stage; None where an attempt may take as long as the call."""
    policy, clock = target.policy, dependency.outbound.clock
    if policy.adaptive_timeout is not None:
        return Adaptive(dependency.adaptive_timeout(target.path, policy.adaptive_timeout), clock)
    return None if policy.attempt_timeout is None else AttemptTimeout(policy.attempt_timeout, clock)

"""The latency stage: tells how much of its time each attempt took, for the service's own score."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..clock import Clock
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing


class Latency:
    """Measures attempts against a timeout in seconds; one that is cancelled says nothing."""

    __slots__ = ("_dependency", "_now", "_observe", "_timeout")

    def __init__(self, dependency: str, timeout: float, observe: Callable[[str, float], None], clock: Clock) -> None:
        self._dependency = dependency
        self._timeout = timeout
        self._observe = observe
        self._now = clock.now

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        began = self._now()
        try:
            await proceed(outgoing)
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._observe(self._dependency, (self._now() - began) / self._timeout)
            raise
        self._observe(self._dependency, (self._now() - began) / self._timeout)


def for_target(target: Target, dependency: Dependency) -> Latency | None:
    """The stage; None where nobody judges, or there is no timeout to hold an attempt against."""
    observe = dependency.outbound.observe
    timeout = target.policy.attempt_timeout or target.policy.total_timeout
    if observe is None or timeout is None:
        return None
    return Latency(dependency.name, timeout, observe, dependency.outbound.clock)

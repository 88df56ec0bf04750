"""The fault injection stage: deliberate delays and errors in the place of a dependency, where the environment allows them."""

from __future__ import annotations

from functools import partial

from ..clock import Clock
from ..current import current_call
from ..errors import DependencyError
from ..faults import REASON, TEXT, Fault, Faults
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing, out_of_time


class FaultInjection:
    """Hits an attempt with one of the dependency's faults, as if the dependency did; no delay outlasts the attempt."""

    __slots__ = ("_clock", "_dependency", "_faults")

    def __init__(self, dependency: str, faults: Faults, clock: Clock) -> None:
        self._dependency = dependency
        self._faults = faults
        self._clock = clock

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        until = outgoing.attempt_until
        left = None if until is None else max(0.0, until - self._clock.now())
        code = await self._faults.hit(partial(_carries, outgoing), left)
        if until is not None and self._clock.now() >= until:
            raise out_of_time(self._dependency, outgoing, self._clock.now())
        if code is not None:
            raise DependencyError(self._dependency, code, TEXT, method=outgoing.path, reason=REASON)
        await proceed(outgoing)


def _carries(outgoing: Outgoing, name: str) -> bool:
    """Whether the call has that metadata, or the call that it is made in."""
    call = current_call.get(None)
    given = any(name == given for given, _ in outgoing.metadata)
    return given or (call is not None and call.metadata.get(name) is not None)


def for_target(target: Target, dependency: Dependency) -> FaultInjection | None:
    """The RPC's stage; None where no fault is about the dependency, and wherever faults are not allowed."""
    outbound, policies = dependency.outbound, dependency.policy.faults
    if not policies or not outbound.inject_faults:
        return None
    faults = [dependency.shared.one(("fault", fault), partial(Fault, fault)) for fault in policies]
    counters = {reason: dependency.counter("fault_injection", reason, target.path) for reason in ("aborted", "delayed")}
    drawn = Faults(faults, outbound.clock, outbound.random, lambda reason: counters[reason]())
    return FaultInjection(dependency.name, drawn, outbound.clock)

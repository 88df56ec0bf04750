"""The fault injection stage: deliberate delays and errors for a share of calls, in environments that allow them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from grpc import StatusCode

from ..call import Call
from ..clock import Clock
from ..definition import Method
from ..errors import ServiceError
from ..pipeline import Endpoint
from ..snapshot import FaultPolicy, MethodPolicy
from .environment import Environment

REASON: Final = "FAULT_INJECTED"


class Fault:
    """A declared fault, and how many calls it delays at the moment; one for all methods that it may hit."""

    __slots__ = ("code", "held", "policy")

    def __init__(self, policy: FaultPolicy) -> None:
        self.policy = policy
        self.code = StatusCode[policy.abort] if policy.abort else None
        self.held = 0


class FaultInjection:
    """Hits a call with one fault at most: the shares of the method's faults add up.

    No delay outlasts the call's deadline, and a call that would be one too many in a fault is not hit.
    """

    __slots__ = ("_clock", "_count", "_faults", "_random")

    def __init__(
        self, faults: Sequence[Fault], clock: Clock, random: random.Random, count: Callable[[str], None]
    ) -> None:
        self._faults = faults
        self._clock = clock
        self._random = random
        self._count = count

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        fault = self._drawn(call)
        if fault is not None and fault.held < fault.policy.max_concurrent:
            if fault.policy.latency is not None:
                await self._delay(fault, fault.policy.latency, call)
            if fault.code is not None:
                self._count("aborted")
                raise ServiceError(fault.code, "this failure is deliberate", reason=REASON)
        await proceed(call)

    def _drawn(self, call: Call) -> Fault | None:
        point = self._random.random() * 100.0
        for fault in self._faults:
            if fault.policy.header is None or call.metadata.get(fault.policy.header) is not None:
                point -= fault.policy.percent
                if point < 0:
                    return fault
        return None

    async def _delay(self, fault: Fault, seconds: float, call: Call) -> None:
        self._count("delayed")
        left = call.time_remaining()
        fault.held += 1
        try:
            await self._clock.sleep(seconds if left is None else min(seconds, left))
        finally:
            fault.held -= 1


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> FaultInjection | None:
    """The method's stage, None for one that no fault is about, and wherever faults are not allowed."""
    if not policy.faults or not environment.inject_faults:
        return None
    shared = environment.shared
    faults = [shared.one(("fault", fault), partial(Fault, fault)) for fault in policy.faults]
    counters = {reason: environment.counter("fault_injection", reason, method) for reason in ("aborted", "delayed")}
    return FaultInjection(faults, environment.clock, environment.random, lambda reason: counters[reason]())

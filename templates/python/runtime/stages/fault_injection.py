"""The fault injection stage: deliberate delays and errors for a share of calls, in environments that allow them."""

from __future__ import annotations

from functools import partial

from ..call import Call
from ..definition import Method
from ..errors import ServiceError
from ..faults import REASON, TEXT, Fault, Faults
from ..pipeline import Endpoint
from ..snapshot import MethodPolicy
from .environment import Environment


class FaultInjection:
    """Hits a call with one of the method's faults; no delay outlasts the call's deadline."""

    __slots__ = ("_faults",)

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        code = await self._faults.hit(lambda name: call.metadata.get(name) is not None, call.time_remaining())
        if code is not None:
            raise ServiceError(code, TEXT, reason=REASON)
        await proceed(call)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> FaultInjection | None:
    """The method's stage, None for one that no fault is about, and wherever faults are not allowed."""
    if not policy.faults or not environment.inject_faults:
        return None
    shared = environment.shared
    faults = [shared.one(("fault", fault), partial(Fault, fault)) for fault in policy.faults]
    counters = {reason: environment.counter("fault_injection", reason, method) for reason in ("aborted", "delayed")}
    return FaultInjection(Faults(faults, environment.clock, environment.random, lambda reason: counters[reason]()))

"""Deliberate faults: which of them hits a call, and how long it holds it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from grpc import StatusCode

from .clock import Clock
from .snapshot import FaultPolicy

REASON: Final = "FAULT_INJECTED"
TEXT: Final = "this failure is deliberate"


class Fault:
    """A declared fault, and how many calls it delays at the moment; one for all the calls that it may hit."""

    __slots__ = ("code", "held", "policy")

    def __init__(self, policy: FaultPolicy) -> None:
        self.policy = policy
        self.code = StatusCode[policy.abort] if policy.abort else None
        self.held = 0


class Faults:
    """Hits a call with one fault at most: their shares add up. A call that would be one too many in a fault is not hit."""

    __slots__ = ("_clock", "_count", "_faults", "_random")

    def __init__(
        self, faults: Sequence[Fault], clock: Clock, random: random.Random, count: Callable[[str], None]
    ) -> None:
        self._faults = faults
        self._clock = clock
        self._random = random
        self._count = count

    async def hit(self, carries: Callable[[str], bool], left: float | None) -> StatusCode | None:
        """Delay the call if a fault says so, up to `left` seconds; the code that it is to fail with, if any.

        `carries` tells whether the call has metadata of a name.
        """
        fault = self._drawn(carries)
        if fault is None or fault.held >= fault.policy.max_concurrent:
            return None
        if fault.policy.latency is not None:
            await self._delay(fault, fault.policy.latency if left is None else min(fault.policy.latency, left))
        if fault.code is not None:
            self._count("aborted")
        return fault.code

    def _drawn(self, carries: Callable[[str], bool]) -> Fault | None:
        point = self._random.random() * 100.0
        for fault in self._faults:
            if fault.policy.header is None or carries(fault.policy.header):
                point -= fault.policy.percent
                if point < 0:
                    return fault
        return None

    async def _delay(self, fault: Fault, seconds: float) -> None:
        self._count("delayed")
        fault.held += 1
        try:
            await self._clock.sleep(seconds)
        finally:
            fault.held -= 1

"""The load shedding stage and its watch, on a clock that can be stalled."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.classification import SPENT_REASON
from runtime.clock import every
from runtime.errors import ServiceError
from runtime.policies.criticality import LEVELS
from runtime.policies.shedding import Shedder
from runtime.stages.load_shedding import INTERVAL, LoadShedding, Watch
from runtime.testing import VirtualClock

from tests.runtime.fake_call import call_of

SPENT = f"{SPENT_REASON} {StatusCode.DEADLINE_EXCEEDED.name}"


class Shedding:
    def __init__(self, *, degraded: bool = False) -> None:
        self.clock = VirtualClock()
        self.cpu = 0.0
        self.degraded = degraded
        self.shedder = Shedder(0.1, 90.0, 1.0, Random(1))
        self.watch = Watch(self.clock.now, lambda: self.cpu)
        self.watch.shedders.append(self.shedder)
        self.watching = every(self.clock, INTERVAL, self.watch.look)
        self.counts: Counter[str] = Counter()
        self.stage = LoadShedding(self.shedder, lambda: self.degraded, 1.0, self._counter)

    def _counter(self, reason: str):  # type: ignore[no-untyped-def] # a callback for each reason
        def count() -> None:
            self.counts[reason] += 1

        return count

    async def call(self, criticality: str = "SHEDDABLE", left: float | None = None) -> str:
        """The reason of the refusal, "" for none."""

        async def handler(call: Call) -> None:
            return

        call = call_of()
        call.criticality = criticality
        call.deadline = None if left is None else call.started + left
        try:
            await self.stage(call, handler)
        except ServiceError as error:
            return f"{error.reason} {error.code.name}".removesuffix(" UNAVAILABLE")
        return ""

    async def outcomes(self) -> list[str]:
        return [await self.call(level) for level in LEVELS]


async def test_a_stalled_event_loop_sheds_what_is_sheddable_until_it_has_cooled_off() -> None:
    shedding = Shedding()
    async with shedding.watching:
        await shedding.clock.advance(1.0)
        assert await shedding.outcomes() == ["", "", "", ""]
        await shedding.clock.stall(0.5)
        assert await shedding.outcomes() == ["", "", "", "OVERLOADED"]
        await shedding.clock.advance(0.9)
        assert await shedding.outcomes() == ["", "", "", "OVERLOADED"]
        await shedding.clock.advance(0.2)
        assert await shedding.outcomes() == ["", "", "", ""]
    assert shedding.counts["overloaded"] == 2


async def test_busy_cpus_shed_too_and_at_last_everything() -> None:
    shedding = Shedding()
    async with shedding.watching:
        shedding.cpu = 95.0
        await shedding.clock.advance(0.1)
        assert await shedding.outcomes() == ["", "", "", "OVERLOADED"]
        await shedding.clock.advance(5.0)
        assert set(await shedding.outcomes()) == {"OVERLOADED"}


async def test_the_watch_leaves_no_timer() -> None:
    shedding = Shedding()
    async with shedding.watching:
        await shedding.clock.advance(1.0)
    assert shedding.clock.waiting == 0


@pytest.mark.parametrize(("left", "reason"), [(-0.1, SPENT), (0.0, SPENT), (10.0, ""), (None, "")])
async def test_a_call_that_is_out_of_time_is_not_begun(left: float | None, reason: str) -> None:
    shedding = Shedding()
    assert await shedding.call("CRITICAL_PLUS", left) == reason


async def test_a_degraded_service_does_no_sheddable_work() -> None:
    shedding = Shedding(degraded=True)
    assert await shedding.outcomes() == ["", "", "", "DEGRADED"]
    shedding.degraded = False
    assert await shedding.outcomes() == ["", "", "", ""]
    assert shedding.counts == {"degraded": 1}

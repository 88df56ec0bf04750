"""The clock that tests turn by hand."""

from __future__ import annotations

import asyncio

import pytest
from runtime.testing import VirtualClock


async def test_time_stands_still_until_it_is_advanced() -> None:
    clock = VirtualClock(start=5.0)
    assert clock.now() == 5.0
    await clock.advance(2.5)
    assert clock.now() == 7.5


async def test_sleepers_wake_in_the_order_of_their_times_each_at_its_own() -> None:
    clock = VirtualClock(start=0.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("late", 3.0), ("soon", 1.0), ("same", 3.0)):
            tasks.create_task(sleeper(name, seconds))
        await asyncio.sleep(0)
        await clock.advance(2.0)
        assert woken == [("soon", 1.0)]
        await clock.advance(2.0)
    assert woken == [("soon", 1.0), ("late", 3.0), ("same", 3.0)]


async def test_a_loop_that_sleeps_runs_at_each_of_its_times() -> None:
    clock = VirtualClock(start=0.0)
    ticks: list[float] = []

    async def tick() -> None:
        while len(ticks) < 60:
            await clock.sleep(1.0)
            ticks.append(clock.now())

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(0)
    await clock.advance(60.0)
    await ticking
    assert ticks == [float(second) for second in range(1, 61)]


async def test_what_is_cancelled_is_neither_called_nor_left_behind() -> None:
    clock = VirtualClock()
    called: list[str] = []
    clock.call_later(1.0, lambda: called.append("kept"))
    clock.call_later(1.0, lambda: called.append("cancelled")).cancel()
    sleeping = asyncio.ensure_future(clock.sleep(1.0))
    await asyncio.sleep(0)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    assert clock.waiting == 1
    await clock.advance(1.0)
    assert called == ["kept"]
    assert clock.waiting == 0

"""A clock that stands still until a test turns it: hours pass at once, and nothing happens by accident."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

PATIENCE = 5.0
"""Real seconds after which what has not happened has failed its test."""

_TURNS = 20
"""Turns of the event loop in which what a timer has woken goes on, before the clock moves to the next one."""


class _Timer:
    """A callback and its time; ordered by time, then by age."""

    __slots__ = ("at", "callback", "number")

    def __init__(self, at: float, number: int, callback: Callable[[], object]) -> None:
        self.at = at
        self.number = number
        self.callback: Callable[[], object] | None = callback

    def __lt__(self, other: _Timer) -> bool:
        return (self.at, self.number) < (other.at, other.number)

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """A `runtime.clock.Clock` for tests.

    It shows `start` seconds until `advance`. What sleeps on it is woken in the order of the times, each at its own:
    a loop that sleeps for a second runs sixty times while a minute passes.
    """

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._numbers = count()
        self._timers: list[_Timer] = []

    def now(self) -> float:
        """The time, in seconds."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was turned that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self.call_later(seconds, wake)
        try:
            await woken
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> _Timer:
        """Call back while the clock is turned past that time."""
        timer = _Timer(self._now + seconds, next(self._numbers), callback)
        heapq.heappush(self._timers, timer)
        return timer

    @property
    def waiting(self) -> int:
        """How many sleeps and callbacks are still to come: 0 where nothing was left behind."""
        return sum(1 for timer in self._timers if timer.callback is not None)

    async def until_waiting(self, count: int) -> None:
        """Return once that many sleeps and callbacks are to come. Raises TimeoutError where they never are."""
        async with asyncio.timeout(PATIENCE):
            while self.waiting < count:  # noqa: ASYNC110 - what makes them waits for sockets
                await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let that much time pass: whatever is due on the way happens, at its time."""
        until = self._now + seconds
        await _settle()  # what has just begun may be about to sleep
        while self._timers and self._timers[0].at <= until:
            timer = heapq.heappop(self._timers)
            if timer.callback is None:
                continue
            self._now = max(self._now, timer.at)
            timer.callback()
            await _settle()
        self._now = until
        await _settle()

    async def stall(self, seconds: float) -> None:
        """Let that much time pass as when something keeps the event loop busy: whatever was due on the way is late."""
        self._now += seconds
        await self.advance(0.0)


class HurriedClock(VirtualClock):
    """The same, turned by whoever sleeps on it: no backoff takes time, and how long they were can be read off."""

    async def sleep(self, seconds: float) -> None:
        """Turn the clock that far."""
        await self.advance(seconds)


async def _settle() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)

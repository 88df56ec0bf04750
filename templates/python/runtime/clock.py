"""The clock that policies and stages run on: monotonic seconds, and waiting; an argument everywhere, so that tests can turn it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol


class Timer(Protocol):
    """A callback that has been put off."""

    def cancel(self) -> None:
        """Do not call it any more; without effect once it was called."""


class Clock(Protocol):
    """Monotonic time in seconds, from an arbitrary beginning."""

    def now(self) -> float:
        """The time."""

    async def sleep(self, seconds: float) -> None:
        """Return once that much time has passed."""

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once that much time has passed, from the event loop."""


class LoopClock:
    """The running event loop's own time; made inside that loop, which it keeps: asking for it is a system call."""

    __slots__ = ("_loop", "now")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time

    async def sleep(self, seconds: float) -> None:
        """Return once that much time has passed."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once that much time has passed."""
        return self._loop.call_later(seconds, callback)


@asynccontextmanager
async def every(clock: Clock, seconds: float, look: Callable[[float], object]) -> AsyncIterator[None]:
    """Call `look` every so many seconds while inside, with the seconds that it came late by."""
    timer: Timer
    due = clock.now() + seconds

    def tick() -> None:
        nonlocal due, timer
        now = clock.now()
        late, due = now - due, now + seconds
        timer = clock.call_later(seconds, tick)
        look(late)

    timer = clock.call_later(seconds, tick)
    try:
        yield
    finally:
        timer.cancel()

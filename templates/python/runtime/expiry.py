"""The deadlines of many tasks on few timers.

A timer of uvloop's is a handle of libuv's, and closing one costs a turn of the loop: a timer a call takes a tenth of a
gRPC call's time. Deadlines lie seconds ahead and calls end within milliseconds, so hardly one of these timers is ever
made: one stands at the earliest deadline of the calls in flight when it was made, and moves on when it fires.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, Self

_SLOTS = 1000  # a second: deadlines that fall into the same slot expire together, at its end


class Expiry:
    """A task's deadline; `passed` once it has, and the task was cancelled for it."""

    __slots__ = ("passed", "slot", "task")

    def __init__(self, task: asyncio.Task[Any], slot: int) -> None:
        self.task = task
        self.slot = slot
        self.passed = False


class Expiries:
    """Cancels tasks that outlive their deadlines. An event loop of its own each; a new one forgets the old one's.

    Leaving its `async with` takes away the timer, which would stand a while longer.
    """

    __slots__ = ("_loop", "_next", "_pending", "_timer")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: dict[int, set[Expiry]] = {}  # by slot
        self._next: float = math.inf  # the slot that the timer stands at
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def begin(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], deadline: float) -> Expiry:
        """Cancel `task` at `deadline` (loop time), up to a millisecond later, unless `end` comes first."""
        if loop is not self._loop:
            self._loop, self._pending, self._next, self._timer = loop, {}, math.inf, None
        slot = int(deadline * _SLOTS) + 1
        expiry = Expiry(task, slot)
        pending = self._pending.get(slot)
        if pending is None:
            self._pending[slot] = {expiry}
            if slot < self._next:
                self._stand_at(loop, slot)
        else:
            pending.add(expiry)
        return expiry

    def end(self, expiry: Expiry) -> None:
        """The task is done with what the deadline was for."""
        pending = self._pending.get(expiry.slot)
        if pending is not None:
            pending.discard(expiry)
            if not pending:
                del self._pending[expiry.slot]

    def _stand_at(self, loop: asyncio.AbstractEventLoop, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = slot
        self._timer = loop.call_at(slot / _SLOTS, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        reached = max(self._next, loop.time() * _SLOTS)  # a timer may be a fraction of a millisecond early
        for slot in [slot for slot in self._pending if slot <= reached]:
            for expiry in self._pending.pop(slot):
                expiry.passed = True
                expiry.task.cancel()
        self._next, self._timer = math.inf, None
        if self._pending:
            self._stand_at(loop, min(self._pending))

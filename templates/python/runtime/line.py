"""Waiting in line for a permit: by key, in order of arrival, no longer than a caller has patience for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from .clock import Clock
from .policies.quota import Quota
from .policies.rate_limit import RateLimit, Verdict

_LEAST_SLEEP: Final = 0.001
"""Seconds; timers of event loops are no finer."""


class _Waiter:
    """One who waits; `turn` says whether it is its turn, or its patience has run out."""

    __slots__ = ("gone", "turn")

    def __init__(self) -> None:
        self.turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.gone = False

    def told(self, it_is_its_turn: bool) -> None:
        if not self.turn.done():
            self.turn.set_result(it_is_its_turn)


class _Line:
    """Those who wait for the permits of one key. The first of them asks; the others wait for their turn to."""

    __slots__ = ("length", "next_at", "waiters")

    def __init__(self, next_at: float) -> None:
        self.waiters: deque[_Waiter] = deque()  # the first is never one that is gone
        self.length = 0  # without those that are gone
        self.next_at = next_at  # when the first may be admitted


class Lines:
    """A rate limit whose callers wait. Nobody is charged before it is admitted: who leaves the line leaves no trace."""

    def __init__(self, limit: RateLimit, ask: Callable[[str], Awaitable[Verdict]], clock: Clock) -> None:
        self._limit = limit
        self._ask = ask
        self._clock = clock
        self._lines: dict[str, _Line] = {}

    def __len__(self) -> int:
        """How many wait, for all keys together."""
        return sum(line.length for line in self._lines.values())

    def __contains__(self, key: str) -> bool:
        """Whether anybody waits for the permits of that key."""
        return key in self._lines

    async def admit(self, key: str, patience: float) -> Verdict:
        """The verdict on a call that waits up to `patience` seconds; at once where that would not do."""
        line = self._lines.get(key)
        if line is None:
            verdict = await self._ask(key)
            if verdict.admitted or verdict.wait > patience:
                return verdict
            line = self._lines.get(key) or _Line(self._clock.now() + verdict.wait)
            self._lines[key] = line
        wait = self._limit.wait_behind(max(0.0, line.next_at - self._clock.now()), line.length)
        if wait > patience:
            return self._refused(wait)
        return await self._wait_in(line, key, patience)

    async def _wait_in(self, line: _Line, key: str, patience: float) -> Verdict:
        waiter = _Waiter()
        until = self._clock.now() + patience
        line.waiters.append(waiter)
        line.length += 1
        line.waiters[0].told(True)
        patient = self._clock.call_later(patience, lambda: waiter.told(False))
        try:
            if await waiter.turn:
                return await self._first_in(line, key, until)
            return self._refused(self._limit.wait_behind(line.next_at - self._clock.now(), line.length - 1))
        finally:
            patient.cancel()
            self._leave(line, key, waiter)

    async def _first_in(self, line: _Line, key: str, until: float) -> Verdict:
        """Ask until admitted, or until it is clear that this will not be in time."""
        while True:
            wait = line.next_at - self._clock.now()
            if wait > 0:
                await self._clock.sleep(max(wait, _LEAST_SLEEP))
            verdict = await self._ask(key)
            now = self._clock.now()
            line.next_at = now + verdict.wait
            if verdict.admitted or line.next_at > until:
                return verdict

    def _leave(self, line: _Line, key: str, waiter: _Waiter) -> None:
        """Leave the line; whoever is the first now has the turn."""
        waiter.gone = True
        line.length -= 1
        while line.waiters and line.waiters[0].gone:
            line.waiters.popleft()
        if line.waiters:
            line.waiters[0].told(True)
        else:
            del self._lines[key]

    def _refused(self, wait: float) -> Verdict:
        """The verdict on a call for whom the line is too long."""
        quota = Quota(0, max(0.0, wait))
        return Verdict(
            False, None if self._limit.rate is None else quota, None if self._limit.window is None else quota
        )

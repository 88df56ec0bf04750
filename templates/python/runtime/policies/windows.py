"""Sliding windows over the outcomes of calls: the last so many, or those of the last while."""

from __future__ import annotations

FAILED = 1
SLOW = 2
"""What an outcome is made of, as bits; 0 for a call that went well and in time."""

_BUCKETS = 20
"""Of a time window: a call counts for at least 19/20 of the window's length, and for no more than all of it."""


class CountWindow:
    """The outcomes of the last `size` calls."""

    __slots__ = ("_at", "_outcomes", "failed", "slow", "total")

    def __init__(self, size: int) -> None:
        self._outcomes = bytearray(size)
        self.clear()

    def clear(self) -> None:
        """Forget every call."""
        self.total = 0
        self.failed = 0
        self.slow = 0
        self._at = 0

    def record(self, outcome: int, now: float) -> None:
        """Count a call; the oldest one leaves when the window is full."""
        outcomes = self._outcomes
        at = self._at
        if self.total == len(outcomes):
            oldest = outcomes[at]
            if oldest:
                self.failed -= oldest & FAILED
                self.slow -= oldest >> 1
        else:
            self.total += 1
        outcomes[at] = outcome
        if outcome:
            self.failed += outcome & FAILED
            self.slow += outcome >> 1
        at += 1
        self._at = 0 if at == len(outcomes) else at


class TimeWindow:
    """The outcomes of the calls of the last `size` seconds, in buckets: memory does not grow with traffic."""

    __slots__ = ("_buckets", "_tick", "_width", "failed", "slow", "total")

    def __init__(self, size: float) -> None:
        self._width = size / _BUCKETS
        self.clear()

    def clear(self) -> None:
        """Forget every call."""
        self.total = 0
        self.failed = 0
        self.slow = 0
        self._tick = 0
        self._buckets = [[0, 0, 0] for _ in range(_BUCKETS)]

    def record(self, outcome: int, now: float) -> None:
        """Count a call that ended at `now`; calls too old for the window leave it."""
        tick = int(now / self._width)
        if tick > self._tick:
            self._advance(tick)
        bucket = self._buckets[self._tick % _BUCKETS]
        bucket[0] += 1
        self.total += 1
        if outcome:
            bucket[1] += outcome & FAILED
            bucket[2] += outcome >> 1
            self.failed += outcome & FAILED
            self.slow += outcome >> 1

    def _advance(self, tick: int) -> None:
        for step in range(max(self._tick + 1, tick - _BUCKETS + 1), tick + 1):
            bucket = self._buckets[step % _BUCKETS]
            self.total -= bucket[0]
            self.failed -= bucket[1]
            self.slow -= bucket[2]
            bucket[:] = (0, 0, 0)
        self._tick = tick

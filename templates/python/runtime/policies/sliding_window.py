"""The sliding window: an exact count over any stretch of time of one length."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .quota import Quota

_SLACK = 1e-6
"""Seconds by which a call leaves the window early: differences of floats are off by less."""


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """Admits `limit` calls in any `per` seconds. A key's state is the times of those admitted, the oldest first."""

    limit: int
    per: float

    def admits(self, admitted: deque[float], now: float) -> bool:
        """Whether anything is left at `now`; forgets the calls that are no longer in the window."""
        left = now - self.per + _SLACK
        while admitted and admitted[0] <= left:
            admitted.popleft()
        return len(admitted) < self.limit

    def quota(self, admitted: deque[float], now: float) -> Quota:
        """What is left at `now`, of a window that has forgotten what is no longer in it."""
        wait = admitted[0] + self.per - now if admitted else 0.0
        return Quota(max(0, self.limit - len(admitted)), wait)

    def charge(self, admitted: deque[float], now: float) -> None:
        """Count a call that was admitted at `now`."""
        admitted.append(now)

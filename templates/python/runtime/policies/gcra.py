"""GCRA: a sustained rate with bursts, in one number a key."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .quota import Quota

_SLACK = 1e-6
"""The part of a call's share of time by which it may come early: sums of floats are off by less."""


@dataclass(frozen=True, slots=True)
class Gcra:
    """Admits `rate` calls a second, and `burst` at once after a quiet time.

    The generic cell rate algorithm (ITU-T I.371, virtual scheduling). A key's state is the time, in seconds, at which
    all that was admitted is paid off at `rate`; 0.0 for a key that is new.
    """

    rate: float
    burst: int

    def quota(self, paid_off: float, now: float) -> Quota:
        """What is left at `now`."""
        owed = max(0.0, paid_off - now) * self.rate  # in calls
        remaining = max(0, self.burst - math.ceil(owed - _SLACK))
        return Quota(remaining, max(0.0, owed - (self.burst - remaining - 1)) / self.rate)

    def admits(self, paid_off: float, now: float) -> bool:
        """Whether anything is left at `now`."""
        return (paid_off - now) * self.rate <= self.burst - 1 + _SLACK

    def charge(self, paid_off: float, now: float) -> float:
        """The state once a call was admitted at `now`."""
        return max(paid_off, now) + 1.0 / self.rate

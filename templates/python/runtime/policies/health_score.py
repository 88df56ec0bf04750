"""The resilience score: one number from 0 to 100 for how well the service is, and whether it is degraded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BETTER_WINDOWS: Final = 2
"""Windows in a row that the score must have reached the threshold, for the service to be no longer degraded."""

ENOUGH_CALLS: Final = 10
"""Calls of a window below which the share that failed says nothing."""

_WORST_ERROR_RATE: Final = 0.25  # failures: the signal is 0 from here on
_HALF: Final = 0.5  # of a timeout, or of a limit: the signal is 1 up to here, and 0 when all of it is used
_STEPS: Final = 40  # of the histogram: p99 is known to 1/40 of the timeout


class LatencyShares:
    """How much of their timeout calls took, as a histogram: memory does not grow with traffic."""

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts = [0] * (_STEPS + 1)
        self.total = 0

    def add(self, share: float) -> None:
        """A call took that share of its timeout, 1 for all of it."""
        self._counts[min(_STEPS, int(share * _STEPS))] += 1
        self.total += 1

    def p99(self) -> float:
        """The share that 99 of 100 calls stayed below; 0 without a call."""
        beyond = 0
        for step in range(_STEPS, -1, -1):
            beyond += self._counts[step]
            if beyond * 100 > self.total:
                return min(1.0, (step + 1) / _STEPS)
        return 0.0


def error_rate_signal(failed: int, total: int) -> float:
    """1 where no call failed, 0 where one in four did or more; 1 for too few calls."""
    return 1.0 if total < ENOUGH_CALLS else max(0.0, 1 - failed / total / _WORST_ERROR_RATE)


def usage_signal(share: float) -> float:
    """1 while at most half of a timeout or a limit is used, 0 when all of it is."""
    return min(1.0, max(0.0, (1 - share) / _HALF))


class HealthScore:
    """100 · Σ weight · signal, once a window. Below the threshold the service is degraded at once.

    It is so until the score has been at the threshold or above for two windows in a row.
    """

    __slots__ = ("_better", "_threshold", "_weights", "degraded", "score")

    def __init__(self, threshold: float, weights: Mapping[str, float]) -> None:
        self._threshold = threshold
        self._weights = weights
        self._better = 0
        self.score = 100.0
        self.degraded = False

    def window(self, signals: Mapping[str, float]) -> None:
        """A window has ended with these signals, each from 0 to 1, by the names of the weights."""
        self.score = round(100 * sum(weight * signals[name] for name, weight in self._weights.items()), 6)
        if self.score < self._threshold:
            self.degraded = True
            self._better = 0
        else:
            self._better += 1
            if self._better >= BETTER_WINDOWS:
                self.degraded = False

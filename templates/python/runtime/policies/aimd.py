"""AIMD: a limit of concurrency that grows by one for each call in time, and shrinks by a share for each that is not."""

from __future__ import annotations


class Aimd:
    """Additive increase, multiplicative decrease. Source: Netflix's concurrency-limits, AIMDLimit.

    A call that is dropped, or takes longer than `threshold` seconds, multiplies the limit by `ratio`; another one
    adds 1, if at least half of the limit is in use.
    """

    __slots__ = ("_max", "_min", "_ratio", "_threshold", "limit")

    def __init__(self, initial: int, lowest: int, highest: int, *, ratio: float, threshold: float) -> None:
        self.limit = initial
        self._min = lowest
        self._max = highest
        self._ratio = ratio
        self._threshold = threshold

    def sample(self, now: float, took: float, in_flight: int, *, dropped: bool) -> None:
        """A call took so many seconds, while so many were in flight."""
        if dropped or took > self._threshold:
            self.limit = max(self._min, min(self.limit - 1, int(self.limit * self._ratio)))
        elif in_flight * 2 >= self.limit:
            self.limit = min(self._max, self.limit + 1)

"""Gradient2: a limit of concurrency that follows latency, up while it is as ever, down when it rises."""

from __future__ import annotations

_WINDOW = 1.0  # seconds of samples that one step is taken from,
_ENOUGH = 10  # and no fewer samples than this
_LONG_TERM = 600  # windows that the long-term average goes over
_WARM_UP = 10  # windows of which it is the plain average


class Gradient2:
    """Compares the latency of the last second with its long-term average, and moves the limit by their ratio.

    `limit · gradient + queue`, where the gradient is `tolerance · long-term / current` between 0.5 and 1, taken over
    at `smoothing`. The limit stands still while less than half of it is in use: nothing would be learnt. Source:
    Netflix's concurrency-limits, Gradient2Limit inside a WindowedLimit; the average of a window, so that a limit
    shared by slow and fast methods does not follow whichever ended last.
    """

    __slots__ = (
        "_count",
        "_estimate",
        "_in_flight",
        "_long_term",
        "_max",
        "_min",
        "_queue",
        "_smoothing",
        "_sum",
        "_tolerance",
        "_until",
        "_windows",
        "limit",
    )

    def __init__(
        self, initial: int, lowest: int, highest: int, *, tolerance: float, smoothing: float, queue: int
    ) -> None:
        self.limit = initial
        self._estimate = float(initial)
        self._min = lowest
        self._max = highest
        self._tolerance = tolerance
        self._smoothing = smoothing
        self._queue = queue
        self._long_term = 0.0
        self._windows = 0
        self._count = 0
        self._sum = 0.0
        self._in_flight = 0
        self._until = float("-inf")

    def sample(self, now: float, took: float, in_flight: int, *, dropped: bool) -> None:
        """A call took so many seconds, while so many were in flight; one that was dropped tells by its time."""
        self._count += 1
        self._sum += took
        if in_flight > self._in_flight:
            self._in_flight = in_flight
        if now >= self._until and self._count >= _ENOUGH:
            self._step(self._sum / self._count, self._in_flight)
            self._count = 0
            self._sum = 0.0
            self._in_flight = 0
            self._until = now + _WINDOW

    def _step(self, current: float, in_flight: int) -> None:
        average = self._averaged(current)
        if current > 0 and average / current > 2:  # back from a long overload: do not wait for the average
            self._long_term *= 0.9
        if in_flight < self._estimate / 2:
            return
        ratio = self._tolerance * average / current if current > 0 else 1.0
        wanted = self._estimate * max(0.5, min(1.0, ratio)) + self._queue
        smoothed = self._estimate * (1 - self._smoothing) + wanted * self._smoothing
        self._estimate = max(float(self._min), min(float(self._max), smoothed))
        self.limit = int(self._estimate)

    def _averaged(self, current: float) -> float:
        if self._windows < _WARM_UP:
            self._windows += 1
            self._long_term += (current - self._long_term) / self._windows
        else:
            self._long_term += (current - self._long_term) * 2 / (_LONG_TERM + 1)
        return self._long_term

"""The retry budget: retries and hedges of a dependency are a bounded share of the calls to it, whatever happens to it."""

from __future__ import annotations

from ..snapshot import RetryBudgetPolicy

_BUCKETS = 10


class RetryBudget:
    """Counts the calls of a window, and the attempts beyond the first that it let them make.

    At any time there are at most `percent` of the window's calls and `min_per_second` for each of its seconds: a
    total outage multiplies the load on the dependency by no more than that, however many attempts the policy allows
    each call. The window moves in tenths. (Finagle's RetryBudget deposits and withdraws tokens to the same end.)
    Source: https://sre.google/sre-book/addressing-cascading-failures/ , "server-wide retry budget".
    """

    __slots__ = ("_calls", "_floor", "_retries", "_share", "_tick", "_width", "calls", "retries")

    def __init__(self, policy: RetryBudgetPolicy) -> None:
        self._share = policy.percent / 100
        self._floor = policy.min_per_second * policy.window
        self._width = policy.window / _BUCKETS
        self._calls = [0] * _BUCKETS
        self._retries = [0] * _BUCKETS
        self._tick = 0
        self.calls = 0  # in the window
        self.retries = 0

    def call(self, now: float) -> None:
        """A call begins. `now` is monotonic, in seconds."""
        self._move(now)
        self._calls[self._tick % _BUCKETS] += 1
        self.calls += 1

    def spend(self, now: float) -> bool:
        """Whether one more attempt may be made; it is counted where it may."""
        self._move(now)
        if self.retries + 1 > self._share * self.calls + self._floor:
            return False
        self._retries[self._tick % _BUCKETS] += 1
        self.retries += 1
        return True

    def _move(self, now: float) -> None:
        tick = int(now / self._width)
        if tick <= self._tick:
            return
        for step in range(max(self._tick + 1, tick - _BUCKETS + 1), tick + 1):
            place = step % _BUCKETS
            self.calls -= self._calls[place]
            self.retries -= self._retries[place]
            self._calls[place] = self._retries[place] = 0
        self._tick = tick

"""The concurrency limiter: admits so many calls at once, and the more critical ones even then, up to their share."""

from __future__ import annotations

from typing import Final, Protocol

from .criticality import LEVELS

SHARES: Final = (0.4, 0.3, 0.1, 0.0)
"""Of the limit, by level from the most critical on: what a level may have in flight once the limit is reached."""


class Limit(Protocol):
    """How many calls may run at once, now."""

    limit: int

    def sample(self, now: float, took: float, in_flight: int, *, dropped: bool) -> None:
        """A call took so many seconds, while so many were in flight; `dropped` for one that ran out of its time."""


class Fixed:
    """A limit that stays as it is."""

    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def sample(self, now: float, took: float, in_flight: int, *, dropped: bool) -> None:
        """Nothing to learn."""


class Limiter:
    """Counts the calls in flight, in all and by level.

    Below the limit every call is admitted. Once it is reached, a call is admitted only while its level has less in
    flight than its share of the limit, rounded down: calls less critical, which have filled the limit, finish
    meanwhile, and none like them is admitted until they have. Source: the partitions of Netflix's
    concurrency-limits; its shares, too, hold only over the limit.

    Each call that `acquire` admits ends with exactly one of `finish` and `release`.
    """

    __slots__ = ("_by_level", "in_flight", "limit")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.in_flight = 0
        self._by_level = [0] * len(LEVELS)

    @property
    def held(self) -> int:
        """How many permits calls have now."""
        return self.in_flight

    def acquire(self, rank: int) -> bool:
        """Whether a call of that level may run; the level is given by its place in `LEVELS`."""
        limit = self.limit.limit
        if self.in_flight >= limit and self._by_level[rank] >= int(limit * SHARES[rank]):
            return False
        self.in_flight += 1
        self._by_level[rank] += 1
        return True

    def release(self, rank: int) -> None:
        """The call has ended, and its time says nothing: it failed, was cancelled, or was answered from a store."""
        self.in_flight -= 1
        self._by_level[rank] -= 1

    def finish(self, rank: int, now: float, took: float, *, dropped: bool = False) -> None:
        """The call has ended after `took` seconds; `dropped` if it ran out of its time."""
        self.limit.sample(now, took, self.in_flight, dropped=dropped)
        self.in_flight -= 1
        self._by_level[rank] -= 1

"""Whether a store is worth asking: one that keeps failing is left alone for a while."""

from __future__ import annotations

from typing import Final

FAILURES: Final = 5
"""Failures in a row after which a store counts as gone."""

PAUSE: Final = 1.0
"""Seconds until one call tries it again: without a pause, every call would wait out the time limit."""


class Outage:
    """Counts failures in a row; times are in seconds."""

    __slots__ = ("_failures", "_try_again")

    def __init__(self) -> None:
        self._failures = 0
        self._try_again = 0.0

    @property
    def lasts(self) -> bool:
        """Whether the store counts as gone."""
        return self._failures >= FAILURES

    def may_ask(self, now: float) -> bool:
        """Whether this call may ask; of a store that is gone, one call a pause may."""
        if not self.lasts:
            return True
        if now < self._try_again:
            return False
        self._try_again = now + PAUSE
        return True

    def answered(self) -> bool:
        """Note that the store has answered; whether that ends an outage."""
        ends = self.lasts
        self._failures = 0
        return ends

    def failed(self, now: float) -> bool:
        """Note that it has not; whether an outage begins with this."""
        self._failures += 1
        if self._failures != FAILURES:
            return False
        self._try_again = now + PAUSE
        return True

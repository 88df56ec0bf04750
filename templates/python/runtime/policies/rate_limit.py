"""A rate, an exact count over a window, or both: a call is charged in neither unless both admit it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from .gcra import Gcra
from .quota import Quota
from .sliding_window import SlidingWindow


class Verdict(NamedTuple):
    """Whether a call was admitted, and what is left after it, by limit; None for a limit that is not set."""

    admitted: bool
    rate: Quota | None
    window: Quota | None

    @property
    def wait(self) -> float:
        """Seconds until a call that was not admitted could be, if no other comes before it."""
        return max((quota.wait for quota in (self.rate, self.window) if quota and not quota.remaining), default=0.0)


@dataclass(slots=True)
class Charges:
    """What one key has been charged."""

    paid_off: float = 0.0
    admitted: deque[float] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At least one of the two is set."""

    rate: Gcra | None
    window: SlidingWindow | None

    def admit(self, charges: Charges, now: float) -> Verdict:
        """Charge a call at `now` (seconds, never going back), if every limit admits it."""
        rate, window = self.rate, self.window
        by_window = window is None or window.admits(charges.admitted, now)
        admitted = by_window and (rate is None or rate.admits(charges.paid_off, now))
        if admitted and rate is not None:
            charges.paid_off = rate.charge(charges.paid_off, now)
        if admitted and window is not None:
            window.charge(charges.admitted, now)
        return Verdict(
            admitted,
            None if rate is None else rate.quota(charges.paid_off, now),
            None if window is None else window.quota(charges.admitted, now),
        )

    def take(self, charges: Charges, now: float) -> bool:
        """Charge a call at `now`, if every limit admits it, and say no more than that: a third of the price."""
        rate, window = self.rate, self.window
        if rate is not None and not rate.admits(charges.paid_off, now):
            return False
        if window is not None:
            if not window.admits(charges.admitted, now):
                return False
            window.charge(charges.admitted, now)
        if rate is not None:
            charges.paid_off = rate.charge(charges.paid_off, now)
        return True

    def wait_behind(self, wait: float, ahead: int) -> float:
        """Seconds until a call with `ahead` others in front of it could be admitted, the first of them in `wait`.

        Exact for a rate alone; a window may need longer.
        """
        if self.rate is not None:
            return wait + ahead / self.rate.rate
        return wait + (ahead // self.window.limit) * self.window.per if self.window is not None else wait

"""Load shedding: which share of which work is refused while the process is overloaded."""

from __future__ import annotations

from random import Random

from .criticality import LEVELS

_STEP = 0.1
"""Of a level, that one more sign of overload adds: with ten signs a second, one level a second."""

_ALL = float(len(LEVELS))


class Shedder:
    """Refuses the least critical work at the first sign of overload, and more for as long as the signs go on.

    `level` is how many levels of criticality are refused, counted from SHEDDABLE; of the last of them a share. After
    the last sign it falls back to SHEDDABLE alone within `cool_off` seconds, and then to nothing. Levels and order
    are those of the SRE book, chapter 21; a share, so that work of one criticality alone is thinned out as far as it
    takes, not turned on and off.
    """

    __slots__ = ("_cool_off", "_cpu", "_lag", "_last", "_peak", "_random", "level")

    def __init__(self, lag: float, cpu: float, cool_off: float, random: Random) -> None:
        self.level = 0.0
        self._lag = lag  # seconds
        self._cpu = cpu  # percent
        self._cool_off = cool_off
        self._random = random
        self._last = 0.0
        self._peak = 0.0

    def observe(self, now: float, lag: float, cpu: float) -> None:
        """The event loop lags by so many seconds, and so many percent of the CPUs are in use."""
        if lag >= self._lag or cpu >= self._cpu:
            self.level = min(_ALL, self.level + _STEP) if self.level >= 1.0 else 1.0
            self._last = now
            self._peak = self.level
        elif self.level:
            quiet = now - self._last
            left = 1 - quiet / self._cool_off if quiet < self._cool_off else 0.0
            self.level = 1.0 + (self._peak - 1.0) * left if left > 0 else 0.0

    def sheds(self, rank: int) -> bool:
        """Whether a call of that level, given by its place in `LEVELS`, is refused."""
        share = self.level - (len(LEVELS) - 1 - rank)
        return share > 0 and (share >= 1 or self._random.random() < share)

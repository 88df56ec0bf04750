"""The adaptive timeout: patience while a dependency is in trouble, none once it is down, and some again when it is back."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable
from itertools import pairwise

from ..snapshot import AdaptiveTimeoutPolicy

WINDOW = 10.0
"""Seconds after which the state is decided anew."""

_WINDOWS = 6  # the ratio is taken over a minute
_RISING = 3  # windows in a row that the ratio rises in
_RISE = 0.15  # altogether over them
_BROKEN = 0.20  # from this ratio on the dependency is down
_HEALTHY = 0.02  # below this ratio a window is a good one
_GOOD = 2  # good windows that end the trouble
_MINIMUM = 10  # calls below which a ratio means nothing


class State(enum.Enum):
    """NORMAL: base timeout. WATCHING: widened. TRIPPED: the floor, breaker open. WARMING_UP: the floor, until it is well."""

    NORMAL = "normal"
    WATCHING = "watching"
    TRIPPED = "tripped"
    WARMING_UP = "warming_up"


Changed = Callable[[State, State], None]


class AdaptiveTimeout:
    """The timeout of one attempt at a dependency, by the share `r` of attempts that broke over the last minute.

    An attempt is broken where no answer of the peer came: it was not reached, its connection broke, or it said
    nothing in time. The timeout is `min(ceiling, max(floor, base · (1 + 3 · r^1.5)))`: the slower a dependency gets,
    the more calls would be given up shortly before they are answered. Where r rises by 15 points within three windows,
    or passes 20 %, patience makes it worse: the timeout drops to the floor, and `tripped` is told (the breaker opens).
    The first attempts that come through are the probes: after two windows in a row with attempts of which less than
    2 % broke, all is normal again.
    """

    __slots__ = (
        "_base",
        "_broken",
        "_ceiling",
        "_changed",
        "_ended",
        "_floor",
        "_good",
        "_history",
        "_tick",
        "_total",
        "_trip",
        "state",
        "timeout",
    )

    def __init__(
        self, policy: AdaptiveTimeoutPolicy, base: float, trip: Callable[[], None], changed: Changed | None = None
    ) -> None:
        """`base` is the timeout in seconds while nothing is wrong; `trip` is called where the dependency is down."""
        self._floor = policy.floor
        self._ceiling = policy.ceiling
        self._base = base
        self._trip = trip
        self._changed = changed
        self._history: deque[float] = deque(maxlen=_RISING + 1)  # the minute's ratio at the end of each window
        self._ended: deque[tuple[int, int]] = deque(maxlen=_WINDOWS - 1)  # attempts and broken ones, by window
        self._tick: int | None = None
        self._total = 0
        self._broken = 0
        self._good = 0
        self.state = State.NORMAL
        self.timeout = self._widened(0.0)  # seconds

    def record(self, broken: bool, now: float) -> None:
        """An attempt has ended. `now` is monotonic, in seconds."""
        tick = int(now / WINDOW)
        if tick != self._tick:
            self._windows_ended(tick)
        self._total += 1
        if broken:
            self._broken += 1
            if self.state is not State.TRIPPED and self._ratio() > _BROKEN:
                self._tripped()

    def _windows_ended(self, tick: int) -> None:
        if self._tick is not None:
            for _ in range(min(tick - self._tick, _WINDOWS)):
                self._window_ended()
        self._tick = tick

    def _window_ended(self) -> None:
        total, broken = self._total, self._broken
        ratio = self._ratio()
        self._history.append(ratio)
        self._ended.append((total, broken))
        self._total = self._broken = 0
        if self.state in (State.TRIPPED, State.WARMING_UP):
            self._recover(total, broken)
        elif self._rising():
            self._tripped()
        else:
            self._enter(State.NORMAL if ratio < _HEALTHY else State.WATCHING)
            self.timeout = self._widened(ratio)

    def _ratio(self) -> float:
        """The share of attempts that broke over the last minute, 0 while there are few."""
        total = self._total + sum(count for count, _ in self._ended)
        broken = self._broken + sum(count for _, count in self._ended)
        return broken / total if total >= _MINIMUM else 0.0

    def _rising(self) -> bool:
        seen = list(self._history)
        rises = len(seen) > _RISING and all(before < after for before, after in pairwise(seen))
        return rises and seen[-1] - seen[0] >= _RISE

    def _recover(self, total: int, broken: int) -> None:
        if not total:
            return  # nothing came through: nothing is known
        self._good = self._good + 1 if broken < _HEALTHY * total else 0
        if self._good < _GOOD:
            self._enter(State.WARMING_UP if self._good else State.TRIPPED)
            return
        self._history.clear()
        self._ended.clear()
        self._enter(State.NORMAL)
        self.timeout = self._widened(0.0)

    def _tripped(self) -> None:
        self._enter(State.TRIPPED)
        self.timeout = self._floor
        self._good = 0
        self._trip()

    def _widened(self, ratio: float) -> float:
        return min(self._ceiling, max(self._floor, self._base * (1 + 3 * ratio * math.sqrt(ratio))))

    def _enter(self, state: State) -> None:
        before, self.state = self.state, state
        if self._changed is not None and before is not state:
            self._changed(before, state)

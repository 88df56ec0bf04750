"""The circuit breaker: stops calling what keeps failing, and tries again with a few calls."""

from __future__ import annotations

import enum
from collections.abc import Callable
from random import Random

from ..snapshot import BreakerPolicy
from .windows import FAILED, SLOW, CountWindow, TimeWindow

LONGEST_RETRY_AFTER = 3600.0
"""Seconds; a callee that asks for more is not taken at its word."""

_WHILE_PROBING = 1.0
"""Seconds to come back after while the results of half-open's calls are awaited."""

_NEVER = float("inf")


class State(enum.Enum):
    """CLOSED admits calls, OPEN refuses them, HALF_OPEN admits a few; an operator may force the first two."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_CLOSED = "forced_closed"
    FORCED_OPEN = "forced_open"


Changed = Callable[[State, State], None]


class Breaker:
    """Admits calls, learns how they ended, and opens when too many of them fail or are slow.

    Each call that `admit` gives a permit for ends with exactly one of `success`, `failure`, `pushback` and
    `release`, in a `finally` where need be: a half-open breaker waits for its permits. A permit is of the state it
    was given in; given back in a later one, it changes nothing. `changed(old, new)` hears of every change of state.

    The windows and the rates are resilience4j's; the growing, jittered time in the open state is Polly's.
    """

    __slots__ = (
        "_admitted",
        "_changed",
        "_consecutive",
        "_counting",
        "_failure_rate",
        "_generation",
        "_heard",
        "_minimum_calls",
        "_not_before",
        "_open_for",
        "_open_until",
        "_policy",
        "_random",
        "_returned",
        "_slow_after",
        "_slow_rate",
        "_slow_returned",
        "_threshold",
        "_window",
        "state",
    )

    def __init__(self, policy: BreakerPolicy, random: Random, changed: Changed | None = None) -> None:
        self._policy = policy
        self._random = random
        self._changed = changed
        self._threshold = policy.failure_threshold or 0
        self._minimum_calls = policy.minimum_calls
        self._failure_rate = _NEVER if policy.failure_rate is None else policy.failure_rate
        self._slow_after = _NEVER if policy.slow_after is None else policy.slow_after
        self._slow_rate = _NEVER if policy.slow_after is None else policy.slow_rate
        rates = policy.failure_rate is not None or policy.slow_after is not None
        self._window: CountWindow | TimeWindow | None = None
        if rates and policy.window_seconds is not None:
            self._window = TimeWindow(policy.window_seconds)
        elif rates:
            self._window = CountWindow(policy.window_calls or policy.minimum_calls)
        self._generation = 0
        self._open_for = policy.open_initial
        self._open_until = 0.0
        self._not_before = 0.0
        self.state = State.CLOSED
        self._enter(State.CLOSED)

    @property
    def held(self) -> int:
        """How many of half-open's permits calls have now; other states do not wait for theirs."""
        return self._admitted - self._returned

    # -- one call ------------------------------------------------------------------------------------------------

    def admit(self, now: float) -> int | None:
        """A permit for one call, None where the call is refused. `now` is monotonic, in seconds."""
        if self._counting:
            return self._generation
        return self._admit(now)

    def success(self, permit: int, now: float, took: float) -> None:
        """The call went well, after `took` seconds."""
        if permit != self._generation:
            return
        slow = took > self._slow_after
        if self._counting:
            self._consecutive = 0
            if self._window is not None:
                self._record(SLOW if slow else 0, now)
        elif self.state is State.HALF_OPEN:
            self._returned += 1
            self._slow_returned += slow
            self._heard = now
            if self._returned == self._policy.half_open_calls:
                self._settle(now)

    def failure(self, permit: int, now: float, took: float, retry_after: float | None = None) -> None:
        """The call failed, after `took` seconds; `retry_after` is the wait that the callee asked for."""
        if permit != self._generation:
            return
        if retry_after is not None:
            self._not_before = max(self._not_before, now + min(retry_after, LONGEST_RETRY_AFTER))
        if self._counting:
            self._consecutive += 1
            if self._consecutive == self._threshold:
                self._open(now)
            elif self._window is not None:
                self._record(FAILED | SLOW if took > self._slow_after else FAILED, now)
        elif self.state is State.HALF_OPEN:
            self._open(now)

    def pushback(self, permit: int, now: float, retry_after: float) -> None:
        """The callee asked for a wait, and that is no failure (429): only half-open goes back to open for it."""
        if permit == self._generation and self.state is State.HALF_OPEN:
            self._not_before = max(self._not_before, now + min(retry_after, LONGEST_RETRY_AFTER))
            self._open(now)

    def release(self, permit: int) -> None:
        """The call says nothing about the callee: cancelled, refused on the way, or at fault itself."""
        if permit == self._generation and self.state is State.HALF_OPEN:
            self._admitted -= 1

    def trip(self, now: float) -> None:
        """Open at once: something else has found out that the callee is down. Without effect on a forced breaker."""
        if self.state is State.CLOSED or self.state is State.HALF_OPEN:
            self._open(now)

    def retry_after(self, now: float) -> float:
        """Seconds after which a refused caller may come back."""
        if self.state is State.OPEN:
            return max(0.0, self._open_until - now)
        if self.state is State.FORCED_OPEN:
            return self._policy.open_initial
        return _WHILE_PROBING if self.state is State.HALF_OPEN else 0.0

    # -- the operator's ------------------------------------------------------------------------------------------

    def force(self, state: State) -> None:
        """Stay FORCED_OPEN or FORCED_CLOSED, whatever happens, until `reset`. Raises ValueError for another state."""
        if state not in (State.FORCED_OPEN, State.FORCED_CLOSED):
            raise ValueError(f"{state.value} is no state to force")
        self._enter(state)

    def reset(self) -> None:
        """Close, with everything forgotten."""
        self._enter(State.CLOSED)

    # -- states --------------------------------------------------------------------------------------------------

    def _admit(self, now: float) -> int | None:
        if self.state is State.FORCED_CLOSED:
            return self._generation
        if self.state is State.HALF_OPEN and self._overdue(now):
            self._open(now)
        if self.state is State.OPEN and now >= self._open_until:
            self._enter(State.HALF_OPEN)
        if self.state is not State.HALF_OPEN or self._admitted == self._policy.half_open_calls:
            return None
        self._admitted += 1
        self._heard = now
        return self._generation

    def _overdue(self, now: float) -> bool:
        """Whether half-open has waited too long for a result. That few calls come is not waiting."""
        wait = self._policy.half_open_max_wait
        return wait > 0 and self._admitted > self._returned and now - self._heard > wait

    def _record(self, outcome: int, now: float) -> None:
        window = self._window
        if window is None:
            return
        window.record(outcome, now)
        total = window.total
        if total >= self._minimum_calls and (
            window.failed * 100 >= self._failure_rate * total or window.slow * 100 >= self._slow_rate * total
        ):
            self._open(now)

    def _settle(self, now: float) -> None:
        """Every call of half-open went well: close, unless too many were slow."""
        if self._slow_returned * 100 >= self._slow_rate * self._returned:
            self._open(now)
        else:
            self._enter(State.CLOSED)

    def _open(self, now: float) -> None:
        policy = self._policy
        base, spread = self._open_for, self._open_for * policy.open_jitter
        shortest, longest = base - spread, min(policy.open_max, base + spread)
        lasts = shortest + (longest - shortest) * self._random.random()
        self._open_until = max(now + lasts, self._not_before)
        self._open_for = min(policy.open_max, base * policy.open_multiplier)
        self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        before, self.state = self.state, state
        self._generation += 1
        self._counting = state is State.CLOSED
        self._consecutive = 0
        self._admitted = 0
        self._returned = 0
        self._slow_returned = 0
        self._heard = 0.0
        if state is State.CLOSED or state is State.FORCED_CLOSED or state is State.FORCED_OPEN:
            self._open_for = self._policy.open_initial
            self._open_until = 0.0
            self._not_before = 0.0
        if self._window is not None:
            self._window.clear()
        if self._changed is not None and before is not state:
            self._changed(before, state)

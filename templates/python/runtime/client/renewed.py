"""What calls to a dependency run over: replaced in time without losing a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from ..clock import Clock, Timer

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at what may have changed, while there are calls."""

_NEVER: Final = float("inf")


class Carrier(Protocol):
    """A channel, or a pool of connections."""

    calls: int  # that run over it
    drained: Timer | None  # ends the calls that are left, once another is in its place

    async def close(self) -> None:
        """Release it; calls that still run over it are cancelled."""


CarrierT = TypeVar("CarrierT", bound=Carrier)


class Renewed(Generic[CarrierT]):
    """Gives each attempt the carrier of its time, and takes it back.

    One is replaced once it is older than `max_age`, or once it has `changed` what they are opened with. Calls that have
    begun over it go on, for no longer than `grace`; it is closed with the last of them. Nothing happens without calls: an
    old one that nobody uses does no harm. Times are in seconds.
    """

    __slots__ = (
        "_aged_at",
        "_changed",
        "_clock",
        "_closing",
        "_current",
        "_grace",
        "_look_at",
        "_max_age",
        "_open",
        "_retired",
    )

    def __init__(
        self,
        opened: Callable[[], CarrierT],
        max_age: float | None,
        grace: float,
        clock: Clock,
        changed: Callable[[], bool] | None = None,
    ) -> None:
        self._open = opened
        self._max_age = max_age
        self._grace = grace
        self._clock = clock
        self._changed = changed
        self._retired: set[CarrierT] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._current = self._opened()

    def take(self) -> CarrierT:
        """The carrier of a call that begins now. `give_back` must follow."""
        if self._look_at < _NEVER and self._clock.now() >= self._look_at:
            self._look()
        carrier = self._current
        carrier.calls += 1
        return carrier

    def give_back(self, carrier: CarrierT) -> None:
        """The call is over."""
        carrier.calls -= 1
        if not carrier.calls and carrier is not self._current:
            self._close(carrier)

    async def close(self) -> None:
        """Close everything; calls that still run are cancelled."""
        for carrier in (*self._retired, self._current):
            self._close(carrier)
        await asyncio.gather(*self._closing)

    def _opened(self) -> CarrierT:
        now = self._clock.now()
        self._aged_at = _NEVER if self._max_age is None else now + self._max_age
        self._look_at = self._aged_at if self._changed is None else min(self._aged_at, now + LOOK_EVERY)
        return self._open()

    def _look(self) -> None:
        now = self._clock.now()
        if not (self._changed is not None and self._changed()) and now < self._aged_at:
            self._look_at = min(self._aged_at, now + LOOK_EVERY)
            return
        old, self._current = self._current, self._opened()
        if old.calls:
            self._retired.add(old)
            old.drained = self._clock.call_later(self._grace, lambda: self._close(old))
        else:
            self._close(old)

    def _close(self, carrier: CarrierT) -> None:
        self._retired.discard(carrier)
        task = asyncio.create_task(carrier.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

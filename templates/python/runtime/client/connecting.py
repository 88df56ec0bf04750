"""How long a request may wait for a connection: its own time, by the policies' clock."""

from __future__ import annotations

import asyncio
from types import TracebackType

from ..clock import Clock, Timer


class Connecting:
    """The wait of a request for its connection, which may be there already; `reused` once it is known that it had been idle.

    What is cancelled within it as its time is up raises TimeoutError, as in `asyncio.timeout`.
    """

    __slots__ = ("_before", "_clock", "_expired", "_task", "_timeout", "_timer", "reused")

    def __init__(self, timeout: float | None, clock: Clock) -> None:
        self.reused = False
        self._timeout = timeout  # seconds, None for no end
        self._clock = clock
        self._task: asyncio.Task[object] | None = None
        self._before = 0  # times that the task had been cancelled
        self._timer: Timer | None = None
        self._expired = False

    def begin(self) -> None:
        """There is none: the running task waits for one from now on."""
        if self._timeout is None:
            return
        self._task = asyncio.current_task()
        if self._task is not None:
            self._before = self._task.cancelling()
            self._timer = self._clock.call_later(self._timeout, self._expire)

    def end(self) -> None:
        """The connection is there, or nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._expired = True
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> None:
        """Nothing: only who has no connection waits."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.end()
        task = self._task
        if self._expired and task is not None and kind is asyncio.CancelledError and task.uncancel() <= self._before:
            raise TimeoutError from error

"""How long a request may wait for a connection: its own time, by the policies' clock."""

from __future__ import annotations

from types import TracebackType

from ..clock import Clock, Timer
from .interruption import Interruption


class Connecting:
    """The wait of a request for its connection, which may be there already; `reused` once it is known that it had been idle.

    What waits in it for too long raises TimeoutError.
    """

    __slots__ = ("_clock", "_interruption", "_timeout", "_timer", "reused")

    def __init__(self, timeout: float | None, clock: Clock) -> None:
        self.reused = False
        self._timeout = timeout  # seconds, None for no end
        self._clock = clock
        self._timer: Timer | None = None
        self._interruption = Interruption(TimeoutError())

    def begin(self) -> None:
        """There is none: the request waits for one from now on."""
        if self._timeout is not None:
            self._timer = self._clock.call_later(self._timeout, self._interruption.interrupt)

    def end(self) -> None:
        """The connection is there, or nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()

    def __enter__(self) -> None:
        self._interruption.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()
        self._interruption.__exit__(kind, error, at)

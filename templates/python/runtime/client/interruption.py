"""What ends a piece of work from outside with an error of its own, in place of a cancellation."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Interruption:
    """Around work that may be interrupted: it raises `error` then. Who else cancels the task is not mistaken for it.

    As `asyncio.timeout` does it, without a time.
    """

    __slots__ = ("_before", "_due", "_error", "_task")

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._task: asyncio.Task[object] | None = None
        self._before = 0  # times that the task had been cancelled
        self._due = False

    def interrupt(self) -> None:
        """Have the work raise its error where it waits now."""
        if self._task is not None and not self._due:
            self._due = True
            self._task.cancel()

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._before = 0 if self._task is None else self._task.cancelling()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        task, self._task = self._task, None
        if self._due and task is not None and task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise self._error from error

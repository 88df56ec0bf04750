"""The deadline stage: cancels the handler when the call's time is up, and refuses a call that has too little left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from grpc import StatusCode

from ..call import Call
from ..errors import ServiceError
from ..pipeline import Endpoint


class Deadline:
    """Holds what is inside it to `call.deadline`.

    Once the time is up the call ends with DEADLINE_EXCEEDED, whatever the handler made of its cancellation.
    (`asyncio.timeout_at` costs three times as much, and a handler that swallows the cancellation answers after all.)
    """

    __slots__ = ("_count_expired", "_count_spent", "_min_remaining")

    def __init__(
        self, min_remaining: float, count_spent: Callable[[], None], count_expired: Callable[[], None]
    ) -> None:
        self._min_remaining = min_remaining
        self._count_spent = count_spent
        self._count_expired = count_expired

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        deadline = call.deadline
        task = asyncio.current_task()
        if deadline is None or task is None:
            await proceed(call)
            return
        loop = asyncio.get_running_loop()
        left = deadline - loop.time()
        if left <= 0 or left < self._min_remaining:
            self._count_spent()
            raise ServiceError(StatusCode.DEADLINE_EXCEEDED, "too little time was left to begin")
        cancellations = task.cancelling()
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            task.cancel()

        timer = loop.call_at(deadline, expire)
        cancelled = False
        try:
            await proceed(call)
        except asyncio.CancelledError:
            if not expired:
                raise
            cancelled = True
        except ServiceError:
            if not expired:
                raise
        finally:
            timer.cancel()
        if expired:
            if task.uncancel() > cancellations and cancelled:
                raise asyncio.CancelledError  # the caller has gone as well
            self._count_expired()
            raise ServiceError(StatusCode.DEADLINE_EXCEEDED, "the deadline has passed")

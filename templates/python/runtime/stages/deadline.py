"""The deadline stage: cancels the handler when the call's time is up, and refuses a call that has too little left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from grpc import StatusCode

from ..call import Call
from ..classification import SPENT_REASON
from ..definition import Method
from ..errors import ServiceError
from ..expiry import Expiries
from ..measures import DEADLINE_EXPIRED, DEADLINE_SPENT
from ..pipeline import Endpoint
from ..snapshot import MethodPolicy
from .environment import Environment


class Deadline:
    """Holds what is inside it to `call.deadline`.

    Once the time is up the call ends with DEADLINE_EXCEEDED, whatever the handler made of its cancellation.
    (`asyncio.timeout_at` costs five times as much, and a handler that swallows the cancellation answers after all.)
    """

    __slots__ = ("_count_expired", "_count_spent", "_expiries", "_min_remaining")

    def __init__(
        self,
        min_remaining: float,
        expiries: Expiries,
        count_spent: Callable[[], None],
        count_expired: Callable[[], None],
    ) -> None:
        self._min_remaining = min_remaining
        self._count_spent = count_spent
        self._count_expired = count_expired
        self._expiries = expiries

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        deadline = call.deadline
        loop = call.loop
        task = call.task
        if deadline is None or task is None:
            await proceed(call)
            return
        left = deadline - loop.time()
        if left <= 0 or left < self._min_remaining:
            self._count_spent()
            raise ServiceError(StatusCode.DEADLINE_EXCEEDED, "too little time was left to begin", reason=SPENT_REASON)
        cancellations = task.cancelling()
        expiry = self._expiries.begin(loop, task, deadline)
        cancelled = False
        try:
            await proceed(call)
        except asyncio.CancelledError:
            if not expiry.passed:
                raise
            cancelled = True
        except ServiceError:
            if not expiry.passed:
                raise
        finally:
            self._expiries.end(expiry)
        if expiry.passed:
            if task.uncancel() > cancellations and cancelled:
                raise asyncio.CancelledError  # the caller has gone as well
            self._count_expired()
            raise ServiceError(StatusCode.DEADLINE_EXCEEDED, "the deadline has passed")


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Deadline:
    """The method's stage; every method has one, as a caller may set a deadline where the policy has none."""
    shared = environment.shared

    def made() -> Expiries:
        expiries = Expiries()
        shared.opened.append(expiries)
        return expiries

    return Deadline(
        0.0 if policy.deadline is None else policy.deadline.min_remaining,
        shared.one("deadline", made),
        environment.counter("deadline", DEADLINE_SPENT, method),
        environment.counter("deadline", DEADLINE_EXPIRED, method),
    )

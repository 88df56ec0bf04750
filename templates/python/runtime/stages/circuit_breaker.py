"""The circuit breaker stage: a handler that keeps failing is not run for a while; one breaker for each method."""

from __future__ import annotations

import logging
from collections.abc import Callable

from grpc import StatusCode

from ..breakers import breakers_of
from ..call import Call
from ..classification import OPEN_REASON, is_failure
from ..clock import Clock
from ..definition import ErrorTable, Method
from ..errors import ServiceError
from ..pipeline import Endpoint
from ..policies.breaker import Breaker, State
from ..snapshot import MethodPolicy
from .environment import Environment

_log = logging.getLogger(__name__)


class CircuitBreaker:
    """Counts how calls end, and refuses them with UNAVAILABLE while the breaker is open.

    A stream counts once, when it ends; how long it took says nothing.
    """

    __slots__ = ("_breaker", "_count", "_errors", "_now", "_timed")

    def __init__(self, breaker: Breaker, method: Method, errors: ErrorTable, clock: Clock, count: Callable[[], None]):
        self._breaker = breaker
        self._errors = errors
        self._now = clock.now
        self._count = count
        self._timed = not (method.kind.streams_requests or method.kind.streams_responses)

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        breaker = self._breaker
        began = self._now()
        permit = breaker.admit(began)
        if permit is None:
            self._count()
            raise ServiceError(
                StatusCode.UNAVAILABLE,
                "it has failed too often, and is left alone for a while",
                reason=OPEN_REASON,
                retry_after=breaker.retry_after(began),
            )
        try:
            await proceed(call)
        except ServiceError as error:
            self._failed(permit, began, error)
            raise
        except BaseException:  # the caller has gone
            breaker.release(permit)
            raise
        ended = self._now()
        breaker.success(permit, ended, ended - began if self._timed else 0.0)

    def _failed(self, permit: int, began: float, error: ServiceError) -> None:
        ended = self._now()
        if is_failure(error, self._errors):
            self._breaker.failure(permit, ended, ended - began if self._timed else 0.0, error.retry_after)
        elif error.code is StatusCode.RESOURCE_EXHAUSTED and error.retry_after is not None:
            self._breaker.pushback(permit, ended, error.retry_after)
        else:
            self._breaker.release(permit)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> CircuitBreaker | None:
    """The stage with a breaker of the method's own; None where the policy is off."""
    if policy.breaker is None:
        return None
    path = method.path.removeprefix("/")
    entered = None if environment.measures is None else environment.measures.breaker_state(path)

    def changed(old: State, new: State) -> None:
        _log.warning("the circuit breaker of %s went from %s to %s", path, old.value, new.value)
        if entered is not None:
            entered(new.value)

    given = policy.breaker
    breaker = environment.shared.one(
        ("circuit_breaker", method.path), lambda: Breaker(given, environment.random, changed)
    )
    breakers_of(environment.shared).add(f"server/{path}", breaker)
    counter = environment.counter("circuit_breaker", "circuit_open", method)
    return CircuitBreaker(breaker, method, environment.errors, environment.clock, counter)

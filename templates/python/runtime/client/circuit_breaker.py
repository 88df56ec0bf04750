"""The breaker stage: calls that would fail are not made, until a few of them go well again."""

from __future__ import annotations

from collections.abc import Callable

from grpc import StatusCode

from ..clock import Clock
from ..errors import DependencyError
from ..policies.breaker import Breaker
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing
from .peer_errors import is_failure


class CircuitBreaker:
    """Each attempt takes a permit, and gives it back with how it went; refused on the spot where there is none.

    What another stage refused, what was cancelled, and what the request is to blame for, says nothing of the
    dependency.
    """

    __slots__ = ("_breaker", "_count", "_dependency", "_now")

    def __init__(self, dependency: str, breaker: Breaker, clock: Clock, count: Callable[[], None]) -> None:
        self._dependency = dependency
        self._breaker = breaker
        self._now = clock.now
        self._count = count

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        breaker = self._breaker
        began = self._now()
        permit = breaker.admit(began)
        if permit is None:
            self._count()
            raise DependencyError(
                self._dependency,
                StatusCode.UNAVAILABLE,
                "its circuit breaker is open",
                method=outgoing.path,
                rejected_by="circuit_breaker",
                final=True,
                retry_after=breaker.retry_after(began),
            )
        try:
            await proceed(outgoing)
        except DependencyError as error:
            self._ended(permit, began, error)
            raise
        except BaseException:
            breaker.release(permit)
            raise
        now = self._now()
        breaker.success(permit, now, now - began)

    def _ended(self, permit: int, began: float, error: DependencyError) -> None:
        now = self._now()
        wait = error.pushback if error.pushback is not None and error.pushback > 0 else None
        if error.rejected_by:
            self._breaker.release(permit)
        elif is_failure(error):
            self._breaker.failure(permit, now, now - began, wait)
        elif wait is not None and error.code_received is StatusCode.RESOURCE_EXHAUSTED:
            self._breaker.pushback(permit, now, wait)
        else:
            self._breaker.release(permit)


def for_target(target: Target, dependency: Dependency) -> CircuitBreaker | None:
    """The RPC's stage; None where its policy is off."""
    if target.policy.circuit_breaker is None:
        return None
    return CircuitBreaker(
        dependency.name,
        dependency.breaker(target.path, target.policy.circuit_breaker),
        dependency.outbound.clock,
        dependency.counter("circuit_breaker", "open", target.path),
    )

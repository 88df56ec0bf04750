"""The rate limit stage: so many attempts a second go to a dependency; the others wait in line, or are not made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from grpc import StatusCode

from ..clock import Clock
from ..errors import DependencyError
from ..limiter import Limiter, limiter
from ..snapshot import RateLimitPolicy
from ..stores import StoreError
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing


class RateLimiting:
    """An attempt that gets no permit in time is refused here; to the dependency it has never been."""

    __slots__ = ("_clock", "_count_refused", "_dependency", "_limiter", "_patience")

    def __init__(
        self,
        dependency: str,
        limiter: Limiter,
        patience: float,
        clock: Clock,
        count_refused: Callable[[], None],
    ) -> None:
        self._dependency = dependency
        self._limiter = limiter
        self._patience = patience
        self._clock = clock
        self._count_refused = count_refused

    def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> Awaitable[None]:
        return proceed(outgoing) if self._limiter.take("") else self._waiting(outgoing, proceed)

    async def _waiting(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        """Wait for a permit, as long as that may take, and go on with one. Raises DependencyError without."""
        patience = self._patience
        if patience and outgoing.until is not None:
            patience = min(patience, outgoing.until - self._clock.now())
        try:
            verdict = await self._limiter.admit("", patience)
        except StoreError as error:
            raise self._refusal(outgoing, "its rate limit has no store", None) from error
        if not verdict.admitted:
            self._count_refused()
            raise self._refusal(outgoing, "too many calls to it", verdict.wait)
        await proceed(outgoing)

    def _refusal(self, outgoing: Outgoing, text: str, wait: float | None) -> DependencyError:
        return DependencyError(
            self._dependency,
            StatusCode.RESOURCE_EXHAUSTED,
            text,
            method=outgoing.path,
            rejected_by="rate_limit",
            retry_after=wait,
        )


def for_target(target: Target, dependency: Dependency) -> RateLimiting | None:
    """The RPC's stage; None where its calls are not limited."""
    policy = target.policy.rate_limit
    if policy is None:
        return None
    return RateLimiting(
        dependency.name,
        _limiter(policy, target, dependency),
        policy.timeout,
        dependency.outbound.clock,
        dependency.counter("rate_limit", "refused", target.path),
    )


def _limiter(policy: RateLimitPolicy, target: Target, dependency: Dependency) -> Limiter:
    outbound = dependency.outbound

    def made(owner: str) -> Limiter:
        prefix = f"holdfast:{outbound.service}:calls:{dependency.name}:{owner}"
        count_failed = dependency.counter("rate_limit", "store_failed", owner)
        return limiter(policy, outbound.clock, dependency.redis, prefix, count_failed)

    return dependency.one("rate_limit", target.path, made)

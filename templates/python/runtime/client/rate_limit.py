"""The rate limit stage: so many attempts a second go to a dependency; the others wait in line, or are not made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from grpc import StatusCode

from ..caller_key import SHARED, KeyOf, key_of
from ..clock import Clock
from ..current import current_call
from ..errors import DependencyError
from ..limiter import Limiter
from ..measures import uncounted
from ..snapshot import RateLimitKeyPolicy
from ..stores import StoreError
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing


@dataclass(frozen=True, slots=True)
class Keys:
    """Whose permits an attempt takes: those of the caller whose call is in progress."""

    source: str  # as the policy names it
    find: KeyOf  # SHARED for a call without one
    required: bool

    @classmethod
    def by(cls, policy: RateLimitKeyPolicy | None) -> Keys | None:
        """The policy's; None where all calls take the same."""
        if policy is None:
            return None
        return cls(policy.source, key_of(replace(policy, on_missing="shared")), policy.on_missing == "reject")

    def current(self) -> str:
        """The key of the call in progress; SHARED where that has none, and in work that no call has begun."""
        call = current_call.get(None)
        return SHARED if call is None else self.find(call)


class RateLimiting:
    """An attempt that gets no permit in time is refused here; to the dependency it has never been."""

    __slots__ = ("_clock", "_count_missing", "_count_refused", "_dependency", "_keys", "_limiter", "_patience")

    def __init__(
        self,
        dependency: str,
        limiter: Limiter,
        patience: float,
        keys: Keys | None,
        clock: Clock,
        count_refused: Callable[[], None],
        count_missing: Callable[[], None],
    ) -> None:
        self._dependency = dependency
        self._limiter = limiter
        self._patience = patience
        self._keys = keys
        self._clock = clock
        self._count_refused = count_refused
        self._count_missing = count_missing

    def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> Awaitable[None]:
        key = SHARED
        if self._keys is not None:
            key = self._keys.current()
            if key == SHARED and self._keys.required:
                return self._without_key(outgoing, self._keys.source)
        return proceed(outgoing) if self._limiter.take(key) else self._waiting(outgoing, proceed, key)

    async def _waiting(self, outgoing: Outgoing, proceed: Endpoint, key: str) -> None:
        """Wait for a permit, as long as that may take, and go on with one. Raises DependencyError without."""
        patience = self._patience
        if patience and outgoing.until is not None:
            patience = min(patience, outgoing.until - self._clock.now())
        try:
            verdict = await self._limiter.admit(key, patience)
        except StoreError as error:
            raise self._refusal(outgoing, "its rate limit has no store") from error
        if not verdict.admitted:
            self._count_refused()
            raise self._refusal(outgoing, "too many calls to it", wait=verdict.wait)
        await proceed(outgoing)

    async def _without_key(self, outgoing: Outgoing, source: str) -> None:
        """Refuse what could be counted with nobody's calls: another attempt has no key either. Raises DependencyError."""
        self._count_missing()
        text = f"its calls are counted by {source}, which there is none of here"
        raise self._refusal(outgoing, text, StatusCode.FAILED_PRECONDITION, final=True)

    def _refusal(
        self,
        outgoing: Outgoing,
        text: str,
        code: StatusCode = StatusCode.RESOURCE_EXHAUSTED,
        *,
        wait: float | None = None,
        final: bool = False,
    ) -> DependencyError:
        return DependencyError(
            self._dependency,
            code,
            text,
            method=outgoing.path,
            rejected_by="rate_limit",
            retry_after=wait,
            final=final,
        )


def for_target(target: Target, dependency: Dependency) -> RateLimiting | None:
    """The RPC's stage; None where its calls are not limited."""
    policy = target.policy.rate_limit
    if policy is None:
        return None
    return RateLimiting(
        dependency.name,
        dependency.limiter(target.path, policy),
        policy.timeout,
        Keys.by(policy.key),
        dependency.outbound.clock,
        dependency.counter("rate_limit", "refused", target.path),
        uncounted if policy.key is None else dependency.counter("rate_limit", "key_missing", target.path),
    )

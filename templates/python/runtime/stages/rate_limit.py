"""The rate limit stage: admits so many calls a second, has others wait in line, and refuses the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from grpc import StatusCode

from ..call import Call
from ..clock import Clock
from ..definition import Method
from ..errors import ServiceError
from ..measures import RATE_LIMITED, STORE_FAILED
from ..pipeline import Endpoint
from ..policies.gcra import Gcra
from ..policies.quota import Quota
from ..policies.rate_limit import RateLimit, Verdict
from ..policies.sliding_window import SlidingWindow
from ..snapshot import MethodPolicy, RateLimitPolicy
from ..stores import RateLimitStore, StoreError
from ..stores.memory import MemoryRateLimits
from .caller_key import KeyOf, key_of
from .environment import Environment
from .line import Lines
from .stores import MEMORY, redis_store, without_store

_LONGEST_WINDOW: Final = 86_400
"""Seconds over which `RateLimit-Policy` states a rate at most."""


class Limiter:
    """One limit, and the line before it; the methods of a scope have it in common.

    `local` is what counts where `store` fails, None where `lenient` says whether calls are admitted uncounted.
    """

    def __init__(
        self, limit: RateLimit, store: RateLimitStore, local: RateLimitStore | None, clock: Clock, *, lenient: bool
    ) -> None:
        self._store = store
        self._local = local
        self._lenient = lenient
        self._lines = Lines(limit, self._ask, clock)

    async def admit(self, key: str, patience: float) -> Verdict:
        """The verdict on a call that waits up to `patience` seconds for its permit. Raises ServiceError."""
        return await self._lines.admit(key, patience)

    async def _ask(self, key: str) -> Verdict:
        try:
            return await self._store.admit(key)
        except StoreError as error:
            if self._local is not None:
                return await self._local.admit(key)
            if self._lenient:
                return Verdict(True, None, None)
            raise without_store(error) from error


class RateLimiting:
    """Refuses a call with RESOURCE_EXHAUSTED when there is no permit for it, and says when there will be one.

    The `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers-11) are in every answer over REST. Over gRPC only those
    who are refused get them: for a call that goes well, headers are a write of their own.
    """

    __slots__ = ("_count_failed", "_count_refused", "_key", "_limiter", "_patience", "_policy_header")

    def __init__(
        self,
        policy: RateLimitPolicy,
        limiter: Limiter,
        key: KeyOf,
        count_refused: Callable[[], None],
        count_failed: Callable[[], None],
    ) -> None:
        self._limiter = limiter
        self._key = key
        self._patience = policy.timeout
        self._policy_header = ("ratelimit-policy", _policy_field(policy))
        self._count_refused = count_refused
        self._count_failed = count_failed

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        patience = self._patience
        if patience and (left := call.time_remaining()) is not None:
            patience = min(patience, left)
        key = self._key(call)
        try:
            verdict = await self._limiter.admit(key, patience)
        except ServiceError:
            self._count_failed()
            raise
        if not verdict.admitted or call.protocol == "rest":
            self._tell(call, verdict)
        if not verdict.admitted:
            self._count_refused()
            raise ServiceError(
                StatusCode.RESOURCE_EXHAUSTED, "too many calls", reason="RATE_LIMITED", retry_after=verdict.wait
            )
        await proceed(call)

    def _tell(self, call: Call, verdict: Verdict) -> None:
        quotas = (("rate", verdict.rate), ("window", verdict.window))
        left = ", ".join(_item(name, quota) for name, quota in quotas if quota is not None)
        if left:
            call.headers += (self._policy_header, ("ratelimit", left))


def _item(name: str, quota: Quota) -> str:
    """What is left, as `RateLimit` has it: within the next `t` seconds there will be no more than `r`."""
    return f'"{name}";r={quota.remaining};t={math.ceil(quota.wait)}'


def _policy_field(policy: RateLimitPolicy) -> str:
    """The limits as `RateLimit-Policy` has them: whole calls in whole seconds."""
    items = []
    if policy.rate is not None:
        share = Fraction(policy.rate).limit_denominator(_LONGEST_WINDOW)
        quota, seconds = (share.numerator, share.denominator) if share else (1, math.ceil(1 / policy.rate))
        items.append(f'"rate";q={quota};w={seconds}')
    if policy.window_limit is not None:
        items.append(f'"window";q={policy.window_limit};w={math.ceil(policy.window)}')
    return ", ".join(items)


def _limiter(policy: RateLimitPolicy, environment: Environment) -> Limiter:
    limit = RateLimit(
        None if policy.rate is None else Gcra(policy.rate, policy.burst),
        None if policy.window_limit is None else SlidingWindow(policy.window_limit, policy.window),
    )
    clock = environment.clock
    local = MemoryRateLimits(limit, policy.max_keys, clock.now)
    if policy.store == MEMORY:
        return Limiter(limit, local, None, clock, lenient=False)
    from ..stores.redis import RedisRateLimits

    prefix = f"holdfast:{environment.service}:rate:{policy.scope}"
    shared = RedisRateLimits(redis_store(environment, policy.store), prefix, limit, policy.store_timeout)
    counts = policy.on_store_error == "localFallback"
    return Limiter(limit, shared, local if counts else None, clock, lenient=policy.on_store_error == "allow")


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> RateLimiting | None:
    """The method's stage, None where its calls are not limited."""
    limit = policy.rate_limit
    if limit is None:
        return None
    return RateLimiting(
        limit,
        environment.shared.one(("rate_limit", limit.scope), lambda: _limiter(limit, environment)),
        key_of(limit.key),
        environment.counter("rate_limit", RATE_LIMITED, method),
        environment.counter("rate_limit", STORE_FAILED, method),
    )

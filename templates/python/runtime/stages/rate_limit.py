"""The rate limit stage: admits so many calls a second, has others wait in line, and refuses the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from grpc import StatusCode

from ..call import Call
from ..caller_key import KeyOf, key_of
from ..definition import Method
from ..errors import ServiceError
from ..limiter import Limiter, limiter
from ..measures import RATE_LIMITED, STORE_FAILED
from ..pipeline import Endpoint
from ..policies.quota import Quota
from ..policies.rate_limit import Verdict
from ..snapshot import MethodPolicy, RateLimitPolicy
from ..stores import StoreError
from .environment import Environment
from .stores import redis_store, without_store

_LONGEST_WINDOW: Final = 86_400
"""Seconds over which `RateLimit-Policy` states a rate at most."""


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
        except StoreError as error:
            self._count_failed()
            raise without_store(error) from error
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


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> RateLimiting | None:
    """The method's stage, None where its calls are not limited."""
    limit = policy.rate_limit
    if limit is None:
        return None
    prefix = f"holdfast:{environment.service}:rate:{limit.scope}"

    def made() -> Limiter:
        count_failed = environment.store_counter("rate_limit", limit.on_store_error)
        return limiter(limit, environment.clock, lambda name: redis_store(environment, name), prefix, count_failed)

    return RateLimiting(
        limit,
        environment.shared.one(("rate_limit", limit.scope), made),
        key_of(limit.key),
        environment.counter("rate_limit", RATE_LIMITED, method),
        environment.counter("rate_limit", STORE_FAILED, method),
    )

"""The concurrency limit stage: refuses calls beyond what the service can do at once; streams have a limit of their own."""

from __future__ import annotations

from collections.abc import Callable

from grpc import StatusCode

from ..call import Call
from ..classification import SPENT_REASON
from ..clock import Clock
from ..definition import Method
from ..errors import ServiceError
from ..pipeline import Endpoint
from ..policies.aimd import Aimd
from ..policies.concurrency import Fixed, Limit, Limiter
from ..policies.criticality import RANKS
from ..policies.gradient2 import Gradient2
from ..snapshot import ConcurrencyPolicy, MethodPolicy
from .environment import Environment

PUSHBACK = 1.0
"""Seconds after which a refused caller may come back: by then calls have ended, or it finds another server."""

_CRITICAL = RANKS["CRITICAL"]


class ConcurrencyLimit:
    """Admits a call if the limiter does.

    UNAVAILABLE, not RESOURCE_EXHAUSTED: it is the server that is full, no quota of the caller's, and another server
    may have room. (So do Netflix's gRPC interceptor, and Envoy's adaptive concurrency with 503.) Only calls that the
    handler has answered are samples, and those that ran out of time.
    """

    __slots__ = ("_count", "_limiter", "_now")

    def __init__(self, limiter: Limiter, clock: Clock, count: Callable[[], None]) -> None:
        self._limiter = limiter
        self._now = clock.now
        self._count = count

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        limiter = self._limiter
        rank = RANKS.get(call.criticality, _CRITICAL)
        if not limiter.acquire(rank):
            self._count()
            raise ServiceError(
                StatusCode.UNAVAILABLE, "too many calls at once", reason="CONCURRENCY_LIMIT", retry_after=PUSHBACK
            )
        began = self._now()
        try:
            await proceed(call)
        except ServiceError as error:
            if error.code is StatusCode.DEADLINE_EXCEEDED and error.reason != SPENT_REASON:
                ended = self._now()
                limiter.finish(rank, ended, ended - began, dropped=True)
            else:
                limiter.release(rank)
            raise
        except BaseException:
            limiter.release(rank)
            raise
        if call.served_from:
            limiter.release(rank)
        else:
            ended = self._now()
            limiter.finish(rank, ended, ended - began)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> ConcurrencyLimit | None:
    """The stage with the limiter of the policy's scope; None where the policy is off, or has no limit for streams."""
    given = policy.concurrency
    if given is None:
        return None
    streams = method.kind.streams_requests or method.kind.streams_responses
    if streams and given.max_streams is None:
        return None
    key = ("concurrency_limit", given.scope, streams)

    def made() -> Limiter:
        limiter = Limiter(_limit(given, streams=streams))
        if environment.resilience is not None:
            environment.resilience.fill.append(lambda: limiter.in_flight / limiter.limit.limit)
        return limiter

    limiter = environment.shared.one(key, made)
    counter = environment.counter("concurrency_limit", "concurrency_limit", method)
    return ConcurrencyLimit(limiter, environment.clock, counter)


def _limit(policy: ConcurrencyPolicy, *, streams: bool) -> Limit:
    if streams:
        return Fixed(policy.max_streams or 0)
    if policy.algorithm == "fixed":
        return Fixed(policy.limit)
    if policy.algorithm == "aimd":
        return Aimd(
            policy.limit,
            policy.min_limit,
            policy.max_limit,
            ratio=policy.backoff_ratio,
            threshold=policy.latency_threshold,
        )
    return Gradient2(
        policy.limit,
        policy.min_limit,
        policy.max_limit,
        tolerance=policy.rtt_tolerance,
        smoothing=policy.smoothing,
        queue=policy.queue_size,
    )

"""The resolved policy of one RPC as Python: a `MethodPolicy` of the runtime, without what is off."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from generator.plan.access import AccessPlan
from generator.plan.fallbacks import static_value
from generator.plan.model import MethodPlan
from generator.render.python import Construct
from generator.spec.breaker import CircuitBreaker, Fallback
from generator.spec.environment import Fault
from generator.spec.limits import RateLimiter
from generator.spec.policy import Deadline, Idempotency, Validation


def method_policy(plan: MethodPlan) -> Construct:
    """The RPC's policy; an optional field stands in it only where its mechanism is on."""
    fields: dict[str, object] = {
        "deadline": _deadline(plan.policy.deadline),
        "criticality": plan.policy.criticality,
    }
    for name, mechanism in _MECHANISMS.items():
        made = mechanism(plan)
        if made is not None:
            fields[name] = made
    return Construct("MethodPolicy", fields)


def access_policy(access: AccessPlan | None) -> Construct | None:
    """What a caller needs, None where anyone may call; parts of the rule that ask for nothing are left out."""
    if access is None or access.public:
        return None
    if access.rule is None:
        return Construct("AccessPolicy", {"deny": True} if access.denies else {})
    return Construct("AccessPolicy", {name: value for name, value in access.rule if value})


def _validation(validation: Validation | None) -> Construct | None:
    if validation is None:
        return None
    return Construct("ValidationPolicy", {name: True for name, on in validation if on})


def fault_policies(faults: Sequence[Fault]) -> tuple[Construct, ...] | None:
    """Faults that may hit calls of a method, or to a dependency; None for none."""
    return tuple(Construct("FaultPolicy", _fault(fault)) for fault in faults) or None


def _fault(fault: Fault) -> dict[str, object]:
    fields: dict[str, object] = {"percent": fault.percent, "latency": fault.latency, "abort": fault.abort}
    fields |= {"header": fault.header, "max_concurrent": fault.max_concurrent}
    return {name: value for name, value in fields.items() if value is not None}


def _deadline(deadline: Deadline | None) -> Construct | None:
    return Construct("DeadlinePolicy", dict(deadline)) if deadline else None


def _shedding(plan: MethodPlan) -> Construct | None:
    shedding = plan.policy.load_shedding
    return Construct("SheddingPolicy", dict(shedding)) if shedding else None


def _streaming(plan: MethodPlan) -> Construct | None:
    streaming = plan.policy.streaming
    if streaming is None:
        return None
    return Construct("StreamingPolicy", {name: value for name, value in streaming if value is not None})


def _concurrency(plan: MethodPlan) -> Construct | None:
    limiter = plan.policy.concurrency_limiter
    if limiter is None:
        return None
    fields: dict[str, object] = {"scope": plan.scope("concurrencyLimiter"), "algorithm": limiter.algorithm}
    if limiter.algorithm == "fixed":
        fields["limit"] = limiter.limit
    else:
        fields |= {
            "limit": limiter.initial_limit,
            "min_limit": limiter.min_limit,
            "max_limit": limiter.max_limit,
        }
    if limiter.algorithm == "gradient2":
        fields |= {
            "rtt_tolerance": limiter.rtt_tolerance,
            "smoothing": limiter.smoothing,
            "queue_size": limiter.queue_size,
        }
    elif limiter.algorithm == "aimd":
        fields |= {"backoff_ratio": limiter.backoff_ratio, "latency_threshold": limiter.latency_threshold}
    if limiter.max_streams is not None:
        fields["max_streams"] = limiter.max_streams
    return Construct("ConcurrencyPolicy", fields)


def rate_limit_policy(limiter: RateLimiter | None, scope: str) -> Construct | None:
    """The limit, whether of incoming calls or of those to a dependency; calls of one scope count together."""
    if limiter is None:
        return None
    fields: dict[str, object] = {"scope": scope}
    if limiter.requests_per_second is not None:
        second = max(1, math.ceil(limiter.requests_per_second))
        fields |= {"rate": limiter.requests_per_second, "burst": limiter.burst_capacity or second}
    if limiter.sliding_window is not None:
        fields |= {"window_limit": limiter.sliding_window.limit, "window": limiter.sliding_window.per}
    if limiter.timeout:
        fields["timeout"] = limiter.timeout
    if limiter.key is not None:
        key = {"source": limiter.key.source, "on_missing": limiter.key.on_missing}
        fields |= {"key": Construct("RateLimitKeyPolicy", key), "max_keys": limiter.key.max_keys}
    return Construct("RateLimitPolicy", fields | _store(limiter))


def _idempotency(plan: MethodPlan) -> Construct | None:
    idempotency = plan.policy.idempotency
    if idempotency is None:
        return None
    fields: dict[str, object] = {"header": idempotency.header.lower()}
    if idempotency.field is not None:
        fields["field"] = idempotency.field
    fields |= {
        "ttl": idempotency.ttl,
        "lock_ttl": idempotency.lock_ttl,
        "required": idempotency.required,
        "max_memory": idempotency.max_memory,
    }
    return Construct("IdempotencyPolicy", fields | _store(idempotency))


def _store(mechanism: RateLimiter | Idempotency) -> dict[str, object]:
    """Where the state is kept: nothing is said where that is this process."""
    if mechanism.store == "memory":
        return {}
    return {
        "store": mechanism.store,
        "store_timeout": mechanism.store_timeout,
        "on_store_error": mechanism.on_store_error,
    }


def fallback_policy(fallback: Fallback | None) -> Construct | None:
    """What answers in the place of a handler or of a dependency."""
    if fallback is None or fallback.kind == "none":
        return None
    if fallback.kind == "static":
        return Construct("FallbackPolicy", {"kind": "static", "value": static_value(fallback)})
    if fallback.kind == "handler":
        return Construct("FallbackPolicy", {"kind": "handler", "handler": fallback.handler})
    return Construct("FallbackPolicy", {"kind": "cache", "ttl": fallback.ttl, "max_entries": fallback.max_entries})


def breaker_policy(breaker: CircuitBreaker | None) -> Construct | None:
    """The breaker, whether around a handler or around calls to a dependency; its fallback apart."""
    if breaker is None:
        return None
    fields: dict[str, object] = {}
    if breaker.failure_threshold is not None:
        fields["failure_threshold"] = breaker.failure_threshold
    if breaker.failure_rate_threshold is not None:
        fields["failure_rate"] = breaker.failure_rate_threshold
    if breaker.slow_call is not None:
        fields["slow_after"] = breaker.slow_call.duration
        fields["slow_rate"] = breaker.slow_call.rate_threshold
    if breaker.failure_rate_threshold is not None or breaker.slow_call is not None:
        fields["minimum_calls"] = breaker.minimum_calls
        by_time = breaker.sliding_window.type == "time"
        fields["window_calls"] = None if by_time else breaker.sliding_window.size
        fields["window_seconds"] = float(breaker.sliding_window.size) if by_time else None
    fields |= {
        "open_initial": breaker.open_for.initial,
        "open_max": breaker.open_for.max,
        "open_multiplier": breaker.open_for.multiplier,
        "open_jitter": breaker.open_for.jitter,
        "half_open_calls": breaker.half_open_calls,
        "half_open_max_wait": breaker.half_open_max_wait,
    }
    return Construct("BreakerPolicy", fields)


def _breaker_fallback(plan: MethodPlan) -> Construct | None:
    breaker = plan.policy.circuit_breaker
    return None if breaker is None else fallback_policy(breaker.fallback)


# The fields of `MethodPolicy` that are left out where their mechanism is off, in its order; each with what it is made of.
_MECHANISMS: dict[str, Callable[[MethodPlan], object]] = {
    "faults": lambda plan: fault_policies(plan.faults),
    "load_shedding": _shedding,
    "access": lambda plan: access_policy(plan.access),
    "rate_limit": lambda plan: rate_limit_policy(plan.policy.rate_limiter, plan.scope("rateLimiter")),
    "validation": lambda plan: _validation(plan.validation),
    "concurrency": _concurrency,
    "idempotency": _idempotency,
    "fallback": lambda plan: fallback_policy(plan.policy.fallback),
    "breaker": lambda plan: breaker_policy(plan.policy.circuit_breaker),
    "breaker_fallback": _breaker_fallback,
    "streaming": _streaming,
}

"""The resolved policy of the calls to a dependency as Python: a `DependencyPolicy` of the runtime."""

from __future__ import annotations

from generator.plan.model import DependencyPlan
from generator.plan.outgoing import is_idempotent
from generator.render.method_policies import breaker_policy, fallback_policy, fault_policies, rate_limit_policy
from generator.render.python import Construct
from generator.spec.dependencies import (
    AdaptiveTimeout,
    ClientPolicy,
    ClientTls,
    Dependency,
    Hedging,
    IdempotencyKey,
    Retry,
)
from generator.spec.limits import Bulkhead


def dependency_policy(plan: DependencyPlan) -> Construct:
    """The dependency's policy; only RPCs whose calls differ from what holds for the dependency are named."""
    whole = _calls(plan.policy)
    methods = {call.rpc.path: own for call in plan.calls if call.rpc.path and (own := _calls(call.policy)) != whole}
    fields: dict[str, object] = {"target": plan.target, "calls": whole}
    if methods:
        fields["methods"] = methods
    if plan.declared.optional:
        fields["optional"] = True
    if "max_response_bytes" in plan.declared.model_fields_set:
        fields["max_response_bytes"] = plan.declared.max_response_bytes
    idempotent = frozenset(rpc.path for rpc in plan.rpcs if is_idempotent(rpc))
    if idempotent:
        fields["idempotent"] = idempotent
    channel = _channel(plan.declared)
    if channel:
        fields["channel"] = Construct("ChannelPolicy", channel)
    if plan.declared.tls.mode != "off":
        fields["tls"] = Construct("ClientTlsPolicy", _tls(plan.declared.tls))
    faults = fault_policies(plan.faults)
    if faults:
        fields["faults"] = faults
    return Construct("DependencyPolicy", fields)


def _channel(declared: Dependency) -> dict[str, object]:
    """How connections are kept, as far as the spec says it."""
    fields: dict[str, object] = {}
    if declared.keepalive is not None:
        fields["keepalive"] = Construct("ClientKeepalive", dict(declared.keepalive))
    for name in (
        "load_balancing",
        "max_connection_age",
        "max_connection_age_grace",
        "max_message_bytes",
        "max_metadata_bytes",
    ):
        if name in declared.model_fields_set:
            fields[name] = getattr(declared, name)
    return fields


def _tls(tls: ClientTls) -> dict[str, object]:
    names = ("ca", "certificate", "private_key", "server_name")
    return {name: value for name in names if (value := getattr(tls, name))}


def _calls(policy: ClientPolicy) -> Construct:
    """What holds for calls; what is off is left out."""
    timeout = policy.timeout
    breaker = policy.circuit_breaker
    mechanisms: dict[str, object] = {
        "fallback": fallback_policy(policy.fallback),
        "connect_timeout": timeout.connect if timeout else None,
        "attempt_timeout": timeout.attempt if timeout else None,
        "total_timeout": timeout.total if timeout else None,
        "idempotency": _idempotency(policy.idempotency),
        "retry": _retry(policy.retry),
        "hedging": _hedging(policy.hedging),
        "rate_limit": rate_limit_policy(policy.rate_limiter, ""),
        "circuit_breaker": breaker_policy(breaker),
        "breaker_fallback": None if breaker is None else fallback_policy(breaker.fallback),
        "bulkhead": _bulkhead(policy.bulkhead),
        "adaptive_timeout": _adaptive(policy.adaptive_timeout),
    }
    return Construct("OutgoingPolicy", {name: made for name, made in mechanisms.items() if made is not None})


def _idempotency(key: IdempotencyKey | None) -> Construct | None:
    return Construct("IdempotencyKeyPolicy", dict(key)) if key else None


def _retry(retry: Retry | None) -> Construct | None:
    if retry is None:
        return None
    fields: dict[str, object] = {
        "max_attempts": retry.max_attempts,
        "initial_backoff": retry.initial_backoff,
        "max_backoff": retry.max_backoff,
        "backoff_multiplier": retry.backoff_multiplier,
        "jitter": retry.jitter,
        "codes": frozenset(retry.retryable_status_codes),
    }
    if retry.budget is not None:
        fields["budget"] = Construct("RetryBudgetPolicy", dict(retry.budget))
    return Construct("RetryPolicy", fields)


def _hedging(hedging: Hedging | None) -> Construct | None:
    if hedging is None:
        return None
    codes = frozenset(hedging.non_fatal_status_codes)
    return Construct(
        "HedgingPolicy", {"max_attempts": hedging.max_attempts, "delay": hedging.delay, "non_fatal_codes": codes}
    )


def _bulkhead(bulkhead: Bulkhead | None) -> Construct | None:
    return Construct("BulkheadPolicy", dict(bulkhead)) if bulkhead else None


def _adaptive(adaptive: AdaptiveTimeout | None) -> Construct | None:
    return Construct("AdaptiveTimeoutPolicy", dict(adaptive)) if adaptive else None

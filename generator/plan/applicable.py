"""Which mechanisms of a resolved policy concern an RPC; the others are as if nobody had named them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from generator.contract.model import Kind, Rpc
from generator.errors import Finding
from generator.plan.idempotency import keeps_answers
from generator.spec.breaker import Fallback
from generator.spec.layers import Layer
from generator.spec.policy import ServerPolicy
from generator.spec.resolve import Resolved
from generator.spec.units import format_duration


def check_streams(rpc: Rpc, resolved: Resolved[ServerPolicy], layers: Sequence[Layer]) -> Iterator[Finding]:
    """Limits of a stream that its deadline would never let it reach, and those of a method that does not stream."""
    streaming, deadline = resolved.policy.streaming, resolved.policy.deadline
    if rpc.kind is Kind.UNARY:
        for layer in layers:
            place = layer.turns_on("streaming")
            if layer.level == "method" and place is not None:
                message = f"streaming: {rpc.full_name} does not stream"
                yield Finding(place, "useless-key", message, "remove it; inherited, it is passed over")
        return
    if streaming is None or deadline is None:
        return
    for path, limit in (
        ("streaming.idleTimeout", streaming.idle_timeout),
        ("streaming.maxDuration", streaming.max_duration),
    ):
        if limit is not None and limit > deadline.max:
            place = next((setting.place for setting in resolved.settings if setting.path == path), None)
            message = (
                f"{path} ({format_duration(limit)}) is more than deadline.max ({format_duration(deadline.max)}), "
                f"which ends {rpc.full_name} before"
            )
            yield Finding(
                place or rpc.place, "values-out-of-order", message, "raise deadline.max of the methods that stream"
            )


_KEYS = {"concurrency_limiter": "concurrencyLimiter"}


def applicable(resolved: Resolved[ServerPolicy], rpc: Rpc, layers: Sequence[Layer]) -> Resolved[ServerPolicy]:
    """The policy and its settings without what the RPC has no use for.

    A fallback answers unary calls only: what a stream has sent cannot be taken back. Limits of streams are none of
    unary calls. Answers are kept of unary calls that change something.
    """
    policy, kind = resolved.policy, rpc.kind
    dropped: dict[str, None] = {}
    breaker = policy.circuit_breaker
    if kind is Kind.UNARY:
        dropped["streaming"] = None
        if not _answers(policy.fallback):
            dropped["fallback"] = None
    else:
        dropped["fallback"] = None
        if policy.concurrency_limiter is not None and policy.concurrency_limiter.max_streams is None:
            dropped["concurrency_limiter"] = None
    if (
        breaker is not None
        and breaker.fallback is not None
        and (kind is not Kind.UNARY or not _answers(breaker.fallback))
    ):
        breaker = breaker.model_copy(update={"fallback": None})
    if not keeps_answers(rpc, layers):
        dropped["idempotency"] = None
    changed = policy.model_copy(update={**dropped, "circuit_breaker": breaker})
    gone = {_KEYS.get(name, name) for name in dropped}
    if breaker is not None and breaker.fallback is None:
        gone.add("circuitBreaker.fallback")
    kept = tuple(
        setting
        for setting in resolved.settings
        if not any(setting.path == path or setting.path.startswith(f"{path}.") for path in gone)
    )
    return replace(resolved, policy=changed, settings=kept)


def _answers(fallback: Fallback | None) -> bool:
    return fallback is not None and fallback.kind != "none"

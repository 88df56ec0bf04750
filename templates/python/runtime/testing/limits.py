"""Rate limits and idempotency as a test can measure them: in this process, with as many calls as a test can make."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from dataclasses import replace

from ..definition import Definition, Method
from ..principal import Principal
from ..snapshot import IdempotencyPolicy, MethodPolicy, RateLimitKeyPolicy, RateLimitPolicy
from .direct import direct_call
from .serving import under_test

MOST = 50
"""Calls that are admitted at once, where more are declared."""


def limited(definition: Definition, *, patient: bool = False, most: int | None = MOST) -> Definition:
    """The definition with its rate limits alone; callers wait in line where they are `patient`.

    Memory stands in for the declared store. All calls count together but those that metadata tells apart: nobody is
    authenticated here, and all come from one peer.
    """
    alone = under_test(definition, mechanisms=["rate_limit"])

    def changed(policy: MethodPolicy) -> MethodPolicy:
        limit = policy.rate_limit
        keyed = limit is not None and limit.key is not None and limit.key.source.startswith("metadata:")
        return replace(policy, rate_limit=measurable(limit, patient=patient, most=most, keyed=keyed))

    return _with(alone, changed)


def at_once(policy: RateLimitPolicy) -> int:
    """How many calls are admitted after a quiet time."""
    bounds = [policy.burst if policy.rate is not None else None, policy.window_limit]
    return min(bound for bound in bounds if bound is not None)


def metadata_of(policy: RateLimitPolicy, value: str) -> list[tuple[str, str]]:
    """The metadata of a caller whose key is that value, where metadata tells callers apart."""
    return [] if policy.key is None else [(policy.key.source.partition(":")[2], value)]


def made_by(caller: str, key: RateLimitKeyPolicy, method: Method) -> Context:
    """What runs in it is in a call of somebody whose key is made of that name; `method` is what is called."""
    context = Context()
    context.run(_begin, caller, key, method)
    return context


def _begin(caller: str, key: RateLimitKeyPolicy, method: Method) -> None:
    source, _, name = key.source.partition(":")
    principal = Principal(caller, "test", {name: caller} if source == "auth.claim" else {})
    call = direct_call(method, metadata=[(name, caller)] if source == "metadata" else (), principal=principal)
    call.peer = caller


def measurable(
    policy: RateLimitPolicy | None, *, patient: bool, most: int | None = MOST, keyed: bool = False
) -> RateLimitPolicy | None:
    """The limit kept in memory, with no more calls at once than a test can make; by the declared key where `keyed`."""
    if policy is None:
        return None
    changed = replace(
        policy,
        store="memory",
        key=policy.key if keyed else None,
        timeout=policy.timeout if patient else 0.0,
    )
    if most is None:
        return changed
    window = None if policy.window_limit is None else min(policy.window_limit, most)
    return replace(changed, burst=min(policy.burst, most), window_limit=window)


def once_only(definition: Definition) -> Definition:
    """The definition with its idempotency alone; memory stands in for the declared store."""
    alone = under_test(definition, mechanisms=["idempotency"])
    return _with(alone, lambda policy: replace(policy, idempotency=_in_memory(policy.idempotency)))


def _in_memory(policy: IdempotencyPolicy | None) -> IdempotencyPolicy | None:
    return None if policy is None else replace(policy, store="memory")


def _with(definition: Definition, change: Callable[[MethodPolicy], MethodPolicy]) -> Definition:
    methods = {path: change(policy) for path, policy in definition.policies.methods.items()}
    return replace(definition, policies=replace(definition.policies, methods=methods))

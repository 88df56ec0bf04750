"""Rate limits and idempotency as a test can measure them: in this process, with as many calls as a test can make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..definition import Definition
from ..snapshot import IdempotencyPolicy, MethodPolicy, RateLimitPolicy
from .serving import under_test

MOST = 50
"""Calls that are admitted at once, where more are declared."""


def limited(definition: Definition, *, patient: bool = False, most: int | None = MOST) -> Definition:
    """The definition with its rate limits alone; callers wait in line where they are `patient`.

    Memory stands in for the declared store. All calls count together but those that metadata tells apart: nobody is
    authenticated here, and all come from one peer.
    """
    alone = under_test(definition, mechanisms=["rate_limit"])
    return _with(
        alone, lambda policy: replace(policy, rate_limit=measurable(policy.rate_limit, patient=patient, most=most))
    )


def at_once(policy: RateLimitPolicy) -> int:
    """How many calls are admitted after a quiet time."""
    bounds = [policy.burst if policy.rate is not None else None, policy.window_limit]
    return min(bound for bound in bounds if bound is not None)


def metadata_of(policy: RateLimitPolicy, value: str) -> list[tuple[str, str]]:
    """The metadata of a caller whose key is that value, where metadata tells callers apart."""
    return [] if policy.key is None else [(policy.key.source.partition(":")[2], value)]


def measurable(policy: RateLimitPolicy | None, *, patient: bool, most: int | None = MOST) -> RateLimitPolicy | None:
    """The limit kept in memory, with no more calls at once than a test can make."""
    if policy is None:
        return None
    by_metadata = policy.key is not None and policy.key.source.startswith("metadata:")
    changed = replace(
        policy,
        store="memory",
        key=policy.key if by_metadata else None,
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

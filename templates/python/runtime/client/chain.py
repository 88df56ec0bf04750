"""The chain of a call to a dependency: the stages that are on, in a fixed order, composed once per RPC."""

from __future__ import annotations

from collections.abc import Callable

from . import (
    attempt_timeout,
    bulkhead,
    circuit_breaker,
    fallback,
    fault_injection,
    hedging,
    idempotency_key,
    latency,
    rate_limit,
    retry,
    telemetry,
    total_timeout,
)
from .environment import Dependency, Target
from .outgoing import ClientStage, Endpoint

ForTarget = Callable[[Target, Dependency], ClientStage | None]
"""Makes the stage of one RPC, None where its policy is off."""

STAGES: tuple[tuple[str, ForTarget], ...] = (
    ("span", telemetry.span_for_call),
    ("metrics", telemetry.for_call),
    ("fallback", fallback.for_target),
    ("total_timeout", total_timeout.for_target),
    ("idempotency_key", idempotency_key.for_target),
    ("hedging", hedging.for_target),  # or retry: never both
    ("retry", retry.for_target),
    ("rate_limit", rate_limit.for_target),
    ("circuit_breaker", circuit_breaker.for_target),
    ("bulkhead", bulkhead.for_target),
    ("latency", latency.for_target),
    ("attempt_timeout", attempt_timeout.for_target),
    ("attempt_span", telemetry.span_for_attempt),
    ("attempt_metrics", telemetry.for_attempt),
    ("fault_injection", fault_injection.for_target),
)
"""Every stage, outermost first. What stands below `retry` is done for each attempt, and holds nothing during a backoff."""


def composed(target: Target, dependency: Dependency, transport: Endpoint) -> Endpoint:
    """The RPC's stages around the transport, as one endpoint."""
    endpoint = transport
    for _, stage in reversed(stages_of(target, dependency)):
        endpoint = _around(stage, endpoint)
    return endpoint


def stages_of(target: Target, dependency: Dependency) -> tuple[tuple[str, ClientStage], ...]:
    """The stages that are on for the RPC, outermost first, each with its name."""
    made = ((name, for_target(target, dependency)) for name, for_target in STAGES)
    return tuple((name, stage) for name, stage in made if stage is not None)


def _around(stage: ClientStage, proceed: Endpoint) -> Endpoint:
    """The stage with its `proceed` given. Asking an object for its `__call__` at every call would cost twice."""
    run = stage.__call__
    return lambda outgoing: run(outgoing, proceed)

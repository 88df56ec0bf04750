"""The built-in stages, one module each: a policy wrapped around an incoming call."""

from __future__ import annotations

from collections.abc import Callable

from ..definition import Method
from ..pipeline import NamedStage, Stage
from ..snapshot import MethodPolicy
from . import (
    access_log,
    authentication,
    authorization,
    boundary,
    circuit_breaker,
    concurrency_limit,
    context,
    deadline,
    drain_gate,
    error_mapper,
    fallback,
    fault_injection,
    health_score,
    idempotency,
    load_shedding,
    metrics,
    rate_limit,
    streaming,
    validation,
)
from .environment import Environment

ForMethod = Callable[[Method, MethodPolicy, Environment], Stage | None]
"""Makes the stage of one method, None where its policy is off."""


def _span(method: Method, policy: MethodPolicy, environment: Environment) -> Stage | None:
    if environment.tracing is None:
        return None
    from . import span  # only here: OpenTelemetry takes long to import

    return span.Span(
        environment.tracing,
        method,
        environment.verbs(method),
        environment.random.getrandbits,
        scheme="https" if environment.secure else "http",
    )


STAGES: tuple[tuple[str, ForMethod], ...] = (
    ("boundary", boundary.for_method),
    ("context", context.for_method),
    ("span", _span),
    ("metrics", metrics.for_method),
    ("access_log", access_log.for_method),
    ("drain_gate", drain_gate.for_method),
    ("fault_injection", fault_injection.for_method),
    ("load_shedding", load_shedding.for_method),
    ("authentication", authentication.for_method),
    ("authorization", authorization.for_method),
    ("rate_limit", rate_limit.for_method),
    ("validation", validation.for_method),
    ("concurrency_limit", concurrency_limit.for_method),
    ("idempotency", idempotency.for_method),
    ("fallback", fallback.for_method),
    ("circuit_breaker", circuit_breaker.for_method),
    ("health_score", health_score.for_method),
    ("deadline", deadline.for_method),
    ("streaming", streaming.for_method),
    ("error_mapper", error_mapper.for_method),
)


def built_in(method: Method, policy: MethodPolicy, environment: Environment) -> list[NamedStage]:
    """The built-in stages that are on for the method; `pipeline.arrange` puts them in their order."""
    made = [(name, for_method(method, policy, environment)) for name, for_method in STAGES]
    return [NamedStage(name, stage) for name, stage in made if stage is not None]

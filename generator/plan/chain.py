"""Which stages of the server chain are on for a method, outermost first."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from generator.spec.model import SpecBody
from generator.spec.policy import ServerPolicy


@dataclass(frozen=True, slots=True)
class StageRule:
    """One stage: when it is on, which policy key sets it, and what it does, in a few words."""

    name: str
    on: Callable[[ServerPolicy, SpecBody], bool]
    key: str  # of the policy block, "" for stages that no method's policy sets
    what: str


def _always(policy: ServerPolicy, spec: SpecBody) -> bool:
    return True


def _by_section(policy: ServerPolicy, spec: SpecBody) -> bool:
    return False


def _metrics(policy: ServerPolicy, spec: SpecBody) -> bool:
    return spec.observability.metrics.exporter != "none"


def _score(policy: ServerPolicy, spec: SpecBody) -> bool:
    return spec.health.score is not None


def _shedding(policy: ServerPolicy, spec: SpecBody) -> bool:
    return policy.load_shedding is not None or _score(policy, spec)


def _streaming(policy: ServerPolicy, spec: SpecBody) -> bool:
    return policy.streaming is not None


def _concurrency(policy: ServerPolicy, spec: SpecBody) -> bool:
    return policy.concurrency_limiter is not None


def _rate_limit(policy: ServerPolicy, spec: SpecBody) -> bool:
    return policy.rate_limiter is not None


def _idempotency(policy: ServerPolicy, spec: SpecBody) -> bool:
    return policy.idempotency is not None


def _fallback(policy: ServerPolicy, spec: SpecBody) -> bool:
    breaker = policy.circuit_breaker
    return policy.fallback is not None or (breaker is not None and breaker.fallback is not None)


def _breaker(policy: ServerPolicy, spec: SpecBody) -> bool:
    return policy.circuit_breaker is not None


STAGES: tuple[StageRule, ...] = (
    StageRule("boundary", _always, "", "counts calls in flight, maps what nothing else mapped"),
    StageRule("context", _always, "criticality", "request id, trace context, criticality, effective deadline"),
    StageRule("span", _always, "", "an OpenTelemetry span, where a tracer is configured"),
    StageRule("metrics", _metrics, "", "duration and outcome"),
    StageRule("access_log", _always, "", "one line a call"),
    StageRule("drain_gate", _always, "", "refuses new calls while draining"),
    StageRule(
        "fault_injection", _by_section, "chaos", "deliberate delays and errors, in the environments that allow them"
    ),
    StageRule("load_shedding", _shedding, "loadShedding", "refuses the least critical work while overloaded"),
    StageRule("authentication", _by_section, "", "asks who calls: a bearer token, or a client certificate"),
    StageRule("authorization", _by_section, "auth", "refuses whom the method's rule does not let in"),
    StageRule("rate_limit", _rate_limit, "rateLimiter", "admits so many calls a second"),
    StageRule("validation", _by_section, "validation", "refuses requests that break the contract's rules"),
    StageRule(
        "concurrency_limit", _concurrency, "concurrencyLimiter", "refuses calls beyond what the service can do at once"
    ),
    StageRule("idempotency", _idempotency, "idempotency", "runs a call that comes twice once"),
    StageRule("fallback", _fallback, "fallback", "answers where the handler fails, or its breaker is open"),
    StageRule("circuit_breaker", _breaker, "circuitBreaker", "runs no handler that keeps failing"),
    StageRule("health_score", _score, "", "counts how handlers end, for the resilience score"),
    StageRule(
        "deadline", _always, "deadline", "ends the handler when time is up; the caller's own where the policy is off"
    ),
    StageRule("streaming", _streaming, "streaming", "ends streams that are idle or last too long"),
    StageRule("error_mapper", _always, "", "turns what the handler raised into the declared error"),
)


def chain(policy: ServerPolicy, spec: SpecBody, sections: Collection[str] = ()) -> tuple[str, ...]:
    """The names of the stages that are on for a method of that policy.

    `sections` names those that a section of the spec turns on for the method: no policy block knows of them.
    """
    return tuple(stage.name for stage in STAGES if stage.on(policy, spec) or stage.name in sections)

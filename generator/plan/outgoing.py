"""The policy of the calls to each RPC of a dependency: what applies to the RPC of what the spec says, and the chain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from generator.contract.model import Contract, Kind, Rpc
from generator.errors import Finding, InputError, did_you_mean
from generator.plan.fallbacks import Fallbacks
from generator.plan.faults import faults_of_dependency
from generator.plan.model import Operation, OutgoingPlan
from generator.spec.dependencies import ClientPolicy
from generator.spec.layers import client_layers
from generator.spec.load import Spec
from generator.spec.model import SpecBody
from generator.spec.resolve import Resolved, Setting, resolve_client

_REPEATED = ("retry", "hedging")


def is_idempotent(rpc: Rpc | Operation) -> bool:
    """Whether it may be called twice: as the contract says (`idempotency_level`), or HTTP of its method."""
    return rpc.idempotency in ("NO_SIDE_EFFECTS", "IDEMPOTENT")


@dataclass(frozen=True, slots=True)
class ClientStageRule:
    """One stage of a call to a dependency: when it is on, which key sets it, and what it does, in a few words."""

    name: str
    on: Callable[[ClientPolicy], bool]
    key: str  # of the policy block, "" for a stage that none sets
    what: str


CLIENT_STAGES: tuple[ClientStageRule, ...] = (
    ClientStageRule("span", lambda _: True, "", "an OpenTelemetry span of the call, where a tracer is configured"),
    ClientStageRule("metrics", lambda _: True, "", "duration and outcome of the call"),
    ClientStageRule("fallback", lambda policy: falls_back(policy), "fallback", "answers where the dependency cannot"),
    ClientStageRule(
        "total_timeout", lambda _: True, "timeout", "the time for all attempts, never more than the caller left"
    ),
    ClientStageRule(
        "idempotency_key", lambda policy: policy.idempotency is not None, "idempotency", "one key for all attempts"
    ),
    ClientStageRule("hedging", lambda policy: _hedges(policy), "hedging", "another attempt beside a slow one"),
    ClientStageRule(
        "retry", lambda policy: _retries(policy), "retry", "another attempt after a failed one, within the budget"
    ),
    ClientStageRule(
        "rate_limit", lambda policy: policy.rate_limiter is not None, "rateLimiter", "so many attempts a second"
    ),
    ClientStageRule(
        "circuit_breaker",
        lambda policy: policy.circuit_breaker is not None,
        "circuitBreaker",
        "no attempt while most fail",
    ),
    ClientStageRule("bulkhead", lambda policy: policy.bulkhead is not None, "bulkhead", "so many attempts at once"),
    ClientStageRule(
        "latency", lambda policy: _bounded(policy), "", "how much of its time an attempt took, for the score"
    ),
    ClientStageRule(
        "attempt_timeout", lambda policy: _bounds_attempts(policy), "adaptiveTimeout", "the time for one attempt"
    ),
    ClientStageRule("attempt_span", lambda _: True, "", "a span of each attempt, which the peer's are children of"),
    ClientStageRule("attempt_metrics", lambda _: True, "", "how each attempt ended"),
    ClientStageRule(
        "fault_injection", lambda _: False, "chaos", "deliberate delays and errors, in the environments that allow them"
    ),
)


def falls_back(policy: ClientPolicy) -> bool:
    """Whether anything answers in the dependency's place."""
    breaker = policy.circuit_breaker
    found = (policy.fallback, None if breaker is None else breaker.fallback)
    return any(fallback is not None and fallback.kind != "none" for fallback in found)


def _hedges(policy: ClientPolicy) -> bool:
    return policy.hedging is not None and policy.hedging.max_attempts > 1


def _retries(policy: ClientPolicy) -> bool:
    return policy.retry is not None and policy.retry.max_attempts > 1 and not _hedges(policy)


def _bounded(policy: ClientPolicy) -> bool:
    return policy.timeout is not None and (policy.timeout.attempt is not None or policy.timeout.total is not None)


def _bounds_attempts(policy: ClientPolicy) -> bool:
    return policy.adaptive_timeout is not None or (policy.timeout is not None and policy.timeout.attempt is not None)


def client_chain(policy: ClientPolicy, spec: SpecBody, sections: Collection[str] = ()) -> tuple[str, ...]:
    """The names of the stages that are on for calls by that policy, outermost first.

    `sections` names those that a section of the spec turns on: no policy block knows of them.
    """
    off: set[str] = set()
    if spec.observability.metrics.exporter == "none":
        off |= {"metrics", "attempt_metrics"}
    if spec.health.score is None:
        off.add("latency")
    on = (stage.name for stage in CLIENT_STAGES if stage.on(policy) or stage.name in sections)
    return tuple(name for name in on if name not in off)


def resolve_calls(
    contract: Contract, spec: Spec, name: str, callees: Sequence[Rpc | Operation], fallbacks: Fallbacks
) -> tuple[tuple[OutgoingPlan, ...], list[Finding]]:
    """The policy of the calls to each RPC, or operation, of the dependency `name`, and what is wrong with the spec there.

    What cannot be meant for an RPC is left out where the dependency as a whole says it, and told where the RPC's own
    block does: an attempt is made again only where nothing can happen twice.
    """
    findings = list(_unknown_methods(spec, name, callees))
    plans: list[OutgoingPlan] = []
    sections = ("fault_injection",) if faults_of_dependency(spec, name) else ()
    for rpc in callees:
        try:
            resolved = resolve_client(client_layers(spec, name, rpc.name))
        except InputError as error:
            findings += error.findings
            continue
        findings += _contradictions(contract, spec, name, rpc, resolved)
        applied = _applicable(contract, rpc, resolved)
        findings += fallbacks.check_call(name, rpc, resolved)
        chain = client_chain(applied.policy, spec.body, sections)
        plans.append(OutgoingPlan(rpc, applied.policy, applied.settings, chain))
    return tuple(plans), findings


def _unknown_methods(spec: Spec, name: str, rpcs: Sequence[Rpc | Operation]) -> Iterator[Finding]:
    known = [rpc.name for rpc in rpcs]
    for method in spec.body.dependencies[name].methods:
        if method not in known:
            place = spec.key_place("spec", "dependencies", name, "methods", method)
            message = f"the contract of '{name}' has no method '{method}'"
            yield Finding(place, "unknown-method", message, did_you_mean(method, known))


def _contradictions(
    contract: Contract, spec: Spec, name: str, rpc: Rpc | Operation, resolved: Resolved[ClientPolicy]
) -> Iterator[Finding]:
    """What the RPC's own block asks for and cannot have."""
    policy = resolved.policy
    for key, on in (("retry", _retries(policy)), ("hedging", _hedges(policy))):
        if not on or _level(resolved, key) != "dependency method":
            continue
        place = spec.key_place("spec", "dependencies", name, "methods", rpc.name, key)
        if rpc.kind.streams_requests:
            message = f"{key}: {rpc.full_name} takes a stream, which cannot be sent again"
            yield Finding(place, "not-repeatable", message, "remove it")
        elif key == "hedging" and rpc.kind.streams_responses:
            message = f"{key}: {rpc.full_name} answers with a stream, and only single answers are raced for"
            yield Finding(
                place, "not-repeatable", message, "remove it; retry begins a stream again before its first message"
            )
        elif not is_idempotent(rpc) and policy.idempotency is None:
            called, hint = rpc.full_name, "give its calls a key (idempotency), or remove it"
            message = f"{key}: {called} might happen twice: HTTP does not say that it is idempotent"
            if isinstance(rpc, Rpc):
                message = f"{key}: {called} might happen twice: its contract does not say that it is idempotent"
                hint = "give its calls a key (idempotency), have idempotency_level declared, or remove it"
            yield Finding(place, "not-repeatable", message, hint)
    field = policy.idempotency.field if policy.idempotency is not None else None
    if (
        field is not None
        and isinstance(rpc, Rpc)
        and _level(resolved, "idempotency") == "dependency method"
        and not _takes_key(contract, rpc, field)
    ):
        place = spec.key_place("spec", "dependencies", name, "methods", rpc.name, "idempotency")
        message = f"idempotency.field: {rpc.request} has no field '{field}' that is a single string"
        yield Finding(
            place, "idempotency-field", message, "name one, or leave it out: the key goes in the metadata too"
        )


def _applicable(contract: Contract, rpc: Rpc | Operation, resolved: Resolved[ClientPolicy]) -> Resolved[ClientPolicy]:
    """The policy and its settings without what an RPC of that kind has no use for."""
    policy = resolved.policy
    gone: set[str] = set()
    if rpc.kind.streams_requests or not (is_idempotent(rpc) or policy.idempotency is not None):
        gone.update(_REPEATED)
    elif rpc.kind.streams_responses:
        gone.add("hedging")
    if rpc.kind is not Kind.UNARY:
        gone.add("fallback")
    changed = policy.model_copy(update=dict.fromkeys(gone))
    breaker = changed.circuit_breaker
    if rpc.kind is not Kind.UNARY and breaker is not None and breaker.fallback is not None:
        changed = changed.model_copy(update={"circuit_breaker": breaker.model_copy(update={"fallback": None})})
        gone.add("circuitBreaker.fallback")
    key = changed.idempotency
    if key is not None and key.field is not None and isinstance(rpc, Rpc) and not _takes_key(contract, rpc, key.field):
        changed = changed.model_copy(update={"idempotency": key.model_copy(update={"field": None})})
        gone.add("idempotency.field")
    kept = tuple(
        setting
        for setting in resolved.settings
        if not any(setting.path == path or setting.path.startswith(f"{path}.") for path in gone)
    )
    return Resolved(changed, kept)


def _takes_key(contract: Contract, rpc: Rpc, name: str) -> bool:
    field = contract.messages[rpc.request].field(name) if rpc.request in contract.messages else None
    return field is not None and field.type == "string" and not field.repeated


def _level(resolved: Resolved[ClientPolicy], key: str) -> str:
    """The strongest level that has set anything of a mechanism."""
    levels = {setting.level for setting in _settings_of(resolved, key)}
    return next((level for level in ("dependency method", "dependency") if level in levels), "")


def _settings_of(resolved: Resolved[ClientPolicy], key: str) -> Iterator[Setting]:
    return (setting for setting in resolved.settings if setting.path.partition(".")[0] == key)

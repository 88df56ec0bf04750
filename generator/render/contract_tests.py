"""The emitted tests: contract tests that are the generator's, and a first test of each service that is the user's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from generator.plan.model import Plan
from generator.plan.outgoing import is_idempotent
from generator.render import access_tests
from generator.render.emit import Owner
from generator.render.services import MethodView, ServiceView

File = tuple[str, str, Owner, Mapping[str, object]]
"""A template below its owner's folder (without `.j2`), the emitted path, its owner, its context."""


_MODULES = (
    "conftest",
    "test_cancellation",
    "test_deadlines",
    "test_descriptors",
    "test_drain",
    "test_errors",
    "test_metadata",
    "test_observability",
    "test_parity",
    "test_routing",
)
# What is tested where a method has that stage.
_MECHANISMS = {
    "test_fault_injection": "fault_injection",
    "test_circuit_breaker": "circuit_breaker",
    "test_concurrency_limit": "concurrency_limit",
    "test_fallbacks": "fallback",
    "test_health_score": "health_score",
    "test_idempotency": "idempotency",
    "test_rate_limits": "rate_limit",
    "test_load_shedding": "load_shedding",
    "test_streaming": "streaming",
}

# What is tested where a call to a dependency has that stage.
_OUTGOING = {
    "test_dependency_fallbacks": "fallback",
    "test_dependency_faults": "fault_injection",
    "test_dependency_rate_limits": "rate_limit",
    "test_dependency_breakers": "circuit_breaker",
    "test_dependency_bulkheads": "bulkhead",
    "test_dependency_hedging": "hedging",
    "test_dependency_retries": "retry",
}


def files(plan: Plan, services: Sequence[ServiceView], *, dependencies: bool) -> Iterator[File]:
    """Every emitted test file; `dependencies` says whether there are any to call.

    What is tested is in the project's own definition, so that the contract tests differ in its name only; but for the
    chains, which must not be what the runtime itself says of them.
    """
    stages = {stage for method in plan.methods for stage in method.chain}
    mechanisms = (module for module, stage in _MECHANISMS.items() if stage in stages)
    for module in (*_MODULES, *mechanisms):
        path = f"tests/contract/{module}.py"
        yield path, path, Owner.MANAGED, {}
    checked = [method.validation for method in plan.methods if method.validation is not None]
    if checked:
        path = "tests/contract/test_validation.py"
        required, rules = any(one.field_behavior for one in checked), any(one.protovalidate for one in checked)
        yield path, path, Owner.MANAGED, {"required": required, "rules": rules}
    if plan.spec.body.auth is not None:
        path = "tests/contract/test_authentication.py"
        yield path, path, Owner.MANAGED, {"access": access_tests.view(plan)}
    if plan.spec.body.tls.mode != "off":
        path = "tests/contract/test_tls.py"
        yield path, path, Owner.MANAGED, {"mutual": plan.spec.body.tls.mode == "mtls"}
    path = "tests/contract/test_chain.py"
    yield path, path, Owner.MANAGED, {"chains": _chains(plan)}
    if plan.spec.body.server.rest.cors.allow_origins and plan.routes:
        path = "tests/contract/test_cors.py"
        yield path, path, Owner.MANAGED, {}
    if dependencies:
        yield from _of_dependencies(plan)
    for service in services:
        if service.methods:
            closed = {method.rpc.path for method in plan.methods if method.access is not None and method.access.denies}
            first = next((method for method in service.methods if method.path not in closed), service.methods[0])
            context = {
                "service": service,
                "first": first,
                "checked": _is_checked(plan, first),
                "code": "PERMISSION_DENIED" if first.path in closed else "UNIMPLEMENTED",
            }
            yield "tests/test_{service}.py", f"tests/test_{service.module}.py", Owner.SEEDED, context


def _chains(plan: Plan) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Each chain, with the paths of the methods that have it; without the span, which only a tracer brings."""
    found: dict[tuple[str, ...], list[str]] = {}
    for method in plan.methods:
        chain = tuple(stage for stage in method.chain if stage != "span")
        found.setdefault(chain, []).append(method.rpc.path)
    return tuple((chain, tuple(paths)) for chain, paths in found.items())


def _outgoing_chains(plan: Plan) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Each chain of calls to dependencies, with the RPCs that have it; without spans, as above."""
    found: dict[tuple[str, ...], list[str]] = {}
    for dependency in plan.dependencies:
        for call in dependency.calls:
            chain = tuple(stage for stage in call.chain if stage not in ("span", "attempt_span"))
            unnamed = "GET" if is_idempotent(call.rpc) else "POST"  # of the requests that no operation is about
            found.setdefault(chain, []).append(f"{dependency.name} {call.rpc.path or unnamed}")
    return tuple((chain, tuple(calls)) for chain, calls in found.items())


def _is_checked(plan: Plan, method: MethodView) -> bool:
    """Whether a sample may break rules of the contract that are checked: it is made of types alone."""
    made = next(one for one in plan.methods if one.rpc.path == method.path)
    return made.validation is not None and made.validation.protovalidate


def _of_dependencies(plan: Plan) -> Iterator[File]:
    stages = {stage for dependency in plan.dependencies for call in dependency.calls for stage in call.chain}
    for module in ("test_dependencies", *(module for module, stage in _OUTGOING.items() if stage in stages)):
        path = f"tests/contract/{module}.py"
        yield path, path, Owner.MANAGED, {}
    path = "tests/contract/test_dependency_chains.py"
    yield path, path, Owner.MANAGED, {"chains": _outgoing_chains(plan)}
    if any(dependency.errors for dependency in plan.dependencies):
        path = "tests/contract/test_dependency_errors.py"
        yield path, path, Owner.MANAGED, {}
    connections = _connections(plan)
    if any(connections.values()):
        path = "tests/contract/test_dependency_connections.py"
        yield path, path, Owner.MANAGED, connections


def _connections(plan: Plan) -> Mapping[str, object]:
    """What is declared of connections and can be seen from outside."""
    called = [dependency for dependency in plan.dependencies if dependency.protocol != "redis"]
    timeouts = [call.policy.timeout for dependency in called for call in dependency.calls]
    return {
        "connect_timeouts": any(timeout is not None and timeout.connect is not None for timeout in timeouts),
        "encrypted": any(dependency.declared.tls.mode != "off" for dependency in called),
    }

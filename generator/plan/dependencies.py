"""The dependencies that are called: their services found in the contract, their policies resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.contract.model import Contract, Rpc, Service
from generator.document import Entry, plain
from generator.document import Mapping as Section
from generator.errors import Finding, InputError
from generator.plan.error_table import peer_rows
from generator.plan.fallbacks import Fallbacks
from generator.plan.faults import faults_of_dependency, settings_of
from generator.plan.model import DependencyPlan, OutgoingPlan
from generator.plan.operations import operations
from generator.plan.outgoing import resolve_calls
from generator.spec.dependencies import ClientPolicy, Dependency
from generator.spec.fields import fields
from generator.spec.layers import client_layers
from generator.spec.load import Spec
from generator.spec.peers import PeerErrors
from generator.spec.resolve import Resolved, Setting, resolve_client

_TOLD_ELSEWHERE = frozenset({"protocol", "contract", "target", "methods", *fields(ClientPolicy)})


def dependency_contracts(spec: Spec) -> tuple[str, ...]:
    """The import paths of the contracts that the spec's dependencies name, for `contract.load`."""
    named = (dependency.contract for dependency in spec.body.dependencies.values())
    return tuple(dict.fromkeys(path for path in named if path is not None))


def resolve_dependencies(
    contract: Contract, spec: Spec, fallbacks: Fallbacks, peers: Mapping[str, PeerErrors]
) -> tuple[tuple[DependencyPlan, ...], list[Finding]]:
    """The dependencies in spec order, and what is wrong with them, each at its line of the spec."""
    findings = list(_alike(spec))
    plans: list[DependencyPlan] = []
    for name, dependency in spec.body.dependencies.items():
        path = dependency.contract or ""
        if dependency.protocol == "grpc" and not path:
            continue  # the spec's own checks have a finding for it
        problem = _unusable(contract, spec, name, path) if path else None
        if problem is not None:
            findings.append(problem)
            continue
        try:
            whole = resolve_client(client_layers(spec, name, ""))
        except InputError as error:
            findings += error.findings
            continue
        services = contract.dependencies[path] if path else ()
        callees = operations(dependency) if dependency.protocol == "http" else _rpcs(services)
        calls, wrong = resolve_calls(contract, spec, name, callees, fallbacks)
        findings += wrong
        known = peers[name] if dependency.errors is not None else None
        plans.append(_plan(spec, name, dependency, path, services, whole, calls, known))
    return tuple(plans), findings


def _plan(
    spec: Spec,
    name: str,
    dependency: Dependency,
    path: str,
    services: tuple[Service, ...],
    whole: Resolved[ClientPolicy],
    calls: tuple[OutgoingPlan, ...],
    known: PeerErrors | None,
) -> DependencyPlan:
    return DependencyPlan(
        name=name,
        declared=dependency,
        contract=path,
        services=services,
        policy=whole.policy,
        settings=(
            *_of_connections(spec, name),
            *whole.settings,
            *settings_of(spec, faults_of_dependency(spec, name)),
        ),
        calls=calls,
        faults=tuple(fault for _, fault in faults_of_dependency(spec, name)),
        place=spec.key_place("spec", "dependencies", name),
        domain=known.domain if known else "",
        errors=peer_rows(known.spec) if known else (),
    )


def _of_connections(spec: Spec, name: str) -> Iterator[Setting]:
    """What the dependency's keys beside its policy say, value by value: they hold for its connections as a whole."""
    block = spec.block("spec", "dependencies", name)
    for key in fields(Dependency):
        if block is not None and key in block.entries and key not in _TOLD_ELSEWHERE:
            yield from _values(key, block.entries[key])


def _values(path: str, entry: Entry) -> Iterator[Setting]:
    if isinstance(entry.node, Section):
        for key, inner in entry.node.entries.items():
            yield from _values(f"{path}.{key}", inner)
    else:
        yield Setting(path, plain(entry.node), "dependency", entry.place)


def _rpcs(services: tuple[Service, ...]) -> tuple[Rpc, ...]:
    return tuple(rpc for service in services for rpc in service.rpcs)


def _unusable(contract: Contract, spec: Spec, name: str, path: str) -> Finding | None:
    place = spec.value_place("spec", "dependencies", name, "contract")
    if path not in contract.dependencies:
        message = f"there is no \"{path}\" for the dependency '{name}'"
        hint = "put it below contract/ at that path; `holdfast new --contract` looks in every -I, and copies it"
        return Finding(place, "contract-not-found", message, hint)
    if not any(service.rpcs for service in contract.dependencies[path]):
        message = f'"{path}" has no RPC that could be called'
        return Finding(place, "contract-without-service", message, "name the .proto file that declares the service")
    return None


def _alike(spec: Spec) -> Iterator[Finding]:
    """Names that differ only in what neither an attribute nor an environment variable can tell apart."""
    first: dict[str, str] = {}
    for name in spec.body.dependencies:
        known = first.setdefault(name.replace("-", "_"), name)
        if known != name:
            message = f"the dependencies '{known}' and '{name}' have the same name once '-' is '_'"
            yield Finding(spec.key_place("spec", "dependencies", name), "duplicate-key", message, "rename one of them")

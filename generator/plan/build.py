"""Contract and spec into a Plan, with everything that is wrong between the two found at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from generator.contract.model import Contract, Rpc, Service
from generator.errors import Finding, InputError
from generator.plan.access import access_beside, access_of, check_access
from generator.plan.applicable import applicable, check_streams
from generator.plan.chain import chain
from generator.plan.dependencies import resolve_dependencies
from generator.plan.error_table import resolve_errors
from generator.plan.fallbacks import Fallbacks
from generator.plan.faults import check_faults, faults_of, settings_of
from generator.plan.idempotency import check_idempotency
from generator.plan.model import MethodPlan, Plan, ServicePlan
from generator.plan.routes import expose, resolve_routes
from generator.plan.validation import Rules
from generator.plan.work import check_work
from generator.spec.layers import BUILT_IN, Layer, method_layers
from generator.spec.load import Spec
from generator.spec.peers import PeerErrors
from generator.spec.policy import ServerPolicy
from generator.spec.resolve import Resolved, resolve
from generator.spec.selectors import check_selectors
from generator.spec.support import check_support


def build(
    contract: Contract, spec: Spec, *, name: str, package: str, peers: Mapping[str, PeerErrors] = MappingProxyType({})
) -> Plan:
    """The plan of a project of that name and package: the service's name too, unless the spec has one. `peers` are the error tables that its dependencies name.

    Raises InputError with every key that has no code behind it yet, every selector that matches nothing, every
    policy that contradicts itself once its levels are merged, routes that are alike, and dependencies whose contract
    is missing or of no use.
    """
    body = spec.body
    findings: list[Finding] = [*check_support(spec), *check_selectors(spec, contract.services)]
    findings += check_access(spec, contract.services)
    findings += check_faults(spec, contract.services)
    policies = _Policies()
    fallbacks = Fallbacks(contract)
    rules = Rules(contract)
    services: list[ServicePlan] = []
    served: Sequence[Service] = contract.services
    if body.server.rest.expose == "all":
        served = expose(served, spec.value_place("spec", "server", "rest", "expose"))
    for service in served:
        methods = []
        for rpc in service.rpcs:
            layers = method_layers(spec, service.full_name, rpc.name)
            try:
                resolved = policies.resolve(layers)
            except InputError as error:
                findings += error.findings
                continue
            findings += fallbacks.check(service, rpc, resolved)
            findings += check_idempotency(contract, rpc, resolved, layers)
            resolved = applicable(resolved, rpc, layers)
            findings += check_streams(rpc, resolved, layers)
            methods.append(_method(spec, rules, service, rpc, resolved))
        services.append(ServicePlan(service, tuple(methods)))
    routes, errors, warnings = resolve_routes(served, body.server.rest.duplicate_routes)
    findings += errors
    dependencies, errors = resolve_dependencies(contract, spec, fallbacks, peers)
    findings += errors
    rows = resolve_errors(spec)
    if findings:
        raise InputError(sorted(set(findings)))
    called = spec.metadata.name or name
    return Plan(
        name=called,
        package=package,
        contract=contract,
        spec=spec,
        services=tuple(services),
        routes=routes,
        dependencies=dependencies,
        domain=body.errors.domain or called,
        errors=rows,
        warnings=(*warnings, *check_work(spec, services, dependencies)),
        beside=access_beside(spec),
    )


def _method(spec: Spec, rules: Rules, service: Service, rpc: Rpc, resolved: Resolved[ServerPolicy]) -> MethodPlan:
    access = access_of(spec, service.full_name, rpc.name)
    faults = faults_of(spec, service.full_name, rpc.name)
    sections = {"fault_injection"} if faults else set()
    validation = rules.of(rpc.request, resolved.policy.validation)
    if validation is not None:
        sections.add("validation")
    if access is not None and not access.public:
        sections |= {"authentication", "authorization"}
    settings = (*resolved.settings, *(access.settings if access else ()), *settings_of(spec, faults))
    stages = chain(resolved.policy, spec.body, sections)
    declared = tuple(fault for _, fault in faults)
    return MethodPlan(rpc, resolved.policy, settings, stages, access, declared, validation)


class _Policies:
    """Resolves layers once for all the methods that share them: most of a large contract's do."""

    def __init__(self) -> None:
        self._resolved: dict[tuple[tuple[str, int], ...], Resolved[ServerPolicy]] = {}

    def resolve(self, layers: Sequence[Layer]) -> Resolved[ServerPolicy]:
        """As `spec.resolve.resolve`. Blocks belong to one spec, which outlives this: their identity is a key."""
        key = tuple((layer.level, id(layer.block)) for layer in layers if layer.level != BUILT_IN)
        if key not in self._resolved:
            self._resolved[key] = resolve(layers)
        return self._resolved[key]

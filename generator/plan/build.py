"""Contract and spec into a Plan, with everything that is wrong between the two found at once."""

from __future__ import annotations

from generator.contract.model import Contract, Rpc, Service
from generator.errors import Finding, InputError
from generator.plan.chain import chain
from generator.plan.error_table import resolve_errors
from generator.plan.model import MethodPlan, Plan, ServicePlan
from generator.plan.routes import resolve_routes
from generator.spec.load import Spec
from generator.spec.resolve import resolve_method
from generator.spec.selectors import check_selectors
from generator.spec.support import check_support


def build(contract: Contract, spec: Spec, *, name: str, package: str) -> Plan:
    """The plan of a project of that name and package.

    Raises InputError with every key that has no code behind it yet, every selector that matches nothing, every
    policy that contradicts itself once its levels are merged, and routes that are alike.
    """
    body = spec.body
    findings: list[Finding] = [*check_support(spec), *check_selectors(spec, contract.services)]
    services: list[ServicePlan] = []
    for service in contract.services:
        methods = []
        for rpc in service.rpcs:
            try:
                methods.append(_method(spec, service, rpc))
            except InputError as error:
                findings += error.findings
        services.append(ServicePlan(service, tuple(methods)))
    routes, errors, warnings = resolve_routes(contract.services, body.server.rest.duplicate_routes)
    findings += errors
    rows = resolve_errors(spec)
    if findings:
        raise InputError(sorted(set(findings)))
    return Plan(
        name=name,
        package=package,
        contract=contract,
        spec=spec,
        services=tuple(services),
        routes=routes,
        domain=body.errors.domain or spec.metadata.name or name,
        errors=rows,
        warnings=tuple(warnings),
    )


def _method(spec: Spec, service: Service, rpc: Rpc) -> MethodPlan:
    resolved = resolve_method(spec, service.full_name, rpc.name)
    return MethodPlan(rpc, resolved.policy, resolved.settings, chain(resolved.policy, spec.body))

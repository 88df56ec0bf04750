"""What `holdfast explain` prints: the effective chain of every method, each value and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator

from generator.contract.model import HttpRule, Rpc
from generator.errors import InputError, Place, printable
from generator.plan.chain import STAGES
from generator.plan.model import DependencyPlan, ErrorRowPlan, MethodPlan, Operation, OutgoingPlan, Plan, ServicePlan
from generator.plan.outgoing import is_idempotent
from generator.plan.work import longest
from generator.spec.layers import method_calls
from generator.spec.resolve import Setting
from generator.spec.selectors import match, parse_selector
from generator.spec.units import format_duration


def to_text(plan: Plan, selector: str = "") -> str:
    """The plan as a tree for people; with a selector, only the methods it matches.

    Raises InputError where the selector matches nothing.
    """
    lines: list[str] = []
    for service, methods in _selected(plan, selector):
        lines.append(printable(service.service.full_name))
        for method in methods:
            lines += [f"  {line}" for line in _method_lines(plan, method)]
    if not selector:
        lines += _dependency_lines(plan)
        lines += _error_lines(plan)
    return "\n".join(lines) + "\n"


def to_json(plan: Plan, selector: str = "") -> str:
    """The same as `to_text`, for programs: one object, keys in a fixed order."""
    document = {
        "name": plan.name,
        "package": plan.package,
        "methods": [_method_json(plan, method) for _, methods in _selected(plan, selector) for method in methods],
        "dependencies": [_dependency_json(dependency) for dependency in plan.dependencies],
        "errors": {"domain": plan.domain, "rows": [_error_json(row) for row in plan.errors]},
    }
    lines = json.dumps(document, indent=2, ensure_ascii=False).split("\n")
    return "".join(f"{printable(line)}\n" for line in lines)  # its escapes are JSON's, too


def _selected(plan: Plan, text: str) -> Iterator[tuple[ServicePlan, list[MethodPlan]]]:
    services = [service.service for service in plan.services]
    if not text:
        wanted = {rpc.path for service in services for rpc in service.rpcs}
    else:
        selector = parse_selector(text.removeprefix("/"), Place("command line"))
        wanted = {rpc.path for rpc in match(selector, services)}
        if not wanted:
            known = ", ".join(f"{service.name}/*" for service in services)
            raise InputError.one(
                Place("command line"),
                "unknown-method",
                f"no method of the contract matches '{text}'",
                f"there are {known}",
            )
    for service in plan.services:
        methods = [method for method in service.methods if method.rpc.path in wanted]
        if methods or not text:
            yield service, methods


def _routes_of(plan: Plan, method: MethodPlan) -> list[HttpRule]:
    return [route.rule for route in plan.routes if route.rpc.path == method.rpc.path]


def _key_of(setting: Setting) -> str:
    return setting.path.partition(".")[0].partition("[")[0]


def _method_lines(plan: Plan, method: MethodPlan) -> Iterator[str]:
    yield f"{printable(method.rpc.name)}  {method.rpc.kind.value}  {printable(method.rpc.path)}"
    routes = _routes_of(plan, method)
    if not routes:
        yield "  no route: gRPC only"
    for rule in routes:
        body = f"  body: {rule.body}" if rule.body else ""
        response = f"  response_body: {rule.response_body}" if rule.response_body else ""
        yield f"  route  {printable(f'{rule.verb} {rule.template.text}{body}{response}')}  ({rule.place})"
    for setting in method.settings:
        if setting.path == "auth.public":
            yield f"  access  {_origin(setting)}: anyone may call"
    calls = method_calls(plan.spec, method.rpc.path[1:].rpartition("/")[0], method.rpc.name)
    if calls:
        needed = longest(calls, plan.dependencies)
        within = "" if needed is None else f"  within {format_duration(needed)}"
        yield f"  calls  {printable(', then '.join(' and '.join(group) for group in calls))}{within}"
    for number, name in enumerate(method.chain, 1):
        stage = next(rule for rule in STAGES if rule.name == name)
        yield f"  {number:>2} {name:<13} {stage.what}"
        for setting in method.settings:
            if stage.key and _key_of(setting) == stage.key:
                yield _setting_line(setting)


def _setting_line(setting: Setting) -> str:
    return f"       {printable(setting.path):<22} {printable(_shown(setting.value)):<12} {_origin(setting)}"


def _origin(setting: Setting) -> str:
    return f"{printable(setting.level)} ({setting.place})" if setting.place else printable(setting.level)


def _shown(value: object) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _dependency_lines(plan: Plan) -> Iterator[str]:
    if plan.dependencies:
        yield "dependencies"
    for dependency in plan.dependencies:
        facts = f"{dependency.name}  {dependency.protocol}  {dependency.target}  {dependency.contract}"
        yield f"  {printable(facts)}  ({dependency.place})"
        for setting in dependency.settings:
            yield _setting_line(setting)
        for call in dependency.calls:
            yield from _call_lines(call, dependency)


def _call_lines(call: OutgoingPlan, dependency: DependencyPlan) -> Iterator[str]:
    """The RPC, its chain, and what is its own of its policy."""
    rpc = call.rpc
    idempotent = "  idempotent" if is_idempotent(rpc) else ""
    named = f"rpc  {rpc.name}  {rpc.kind.value}  {rpc.path}" if isinstance(rpc, Rpc) else _requests(rpc)
    yield f"     {printable(named)}{idempotent}"
    yield f"          {' > '.join(call.chain)}"
    for setting in call.settings:
        if setting not in dependency.settings:
            yield f"   {_setting_line(setting)}"


def _requests(operation: Operation) -> str:
    return f"request  {operation.name}" if operation.path else f"any other  {operation.name}"


def _error_lines(plan: Plan) -> Iterator[str]:
    yield f"errors of {printable(plan.domain)}"
    for row in plan.errors:
        retry = f"retry after {row.retry_after:g}s" if row.retry_after is not None else "retry" if row.retryable else ""
        facts = "  ".join(part for part in (row.code, f"HTTP {row.http}", row.business_code, retry) if part)
        yield f"  {row.reason:<24} {facts}  ({row.place})"


def _method_json(plan: Plan, method: MethodPlan) -> dict[str, object]:
    return {
        "path": method.rpc.path,
        "kind": method.rpc.kind.value,
        "routes": [
            {
                "verb": rule.verb,
                "template": rule.template.text,
                "body": rule.body,
                "responseBody": rule.response_body,
                "at": str(rule.place),
            }
            for rule in _routes_of(plan, method)
        ],
        "chain": list(method.chain),
        "settings": [_setting_json(setting) for setting in method.settings],
    }


def _setting_json(setting: Setting) -> dict[str, object]:
    return {
        "path": setting.path,
        "value": setting.value,
        "level": setting.level,
        "at": str(setting.place) if setting.place else None,
    }


def _dependency_json(dependency: DependencyPlan) -> dict[str, object]:
    return {
        "name": dependency.name,
        "protocol": dependency.protocol,
        "target": dependency.target,
        "contract": dependency.contract,
        "methods": [_call_json(call) for call in dependency.calls],
        "settings": [_setting_json(setting) for setting in dependency.settings],
        "at": str(dependency.place),
    }


def _call_json(call: OutgoingPlan) -> dict[str, object]:
    return {
        "path": call.rpc.path or call.rpc.name,
        "kind": call.rpc.kind.value,
        "idempotent": is_idempotent(call.rpc),
        "chain": list(call.chain),
        "settings": [_setting_json(setting) for setting in call.settings],
    }


def _error_json(row: ErrorRowPlan) -> dict[str, object]:
    return {
        "reason": row.reason,
        "byCode": row.by_code,
        "grpc": row.code,
        "http": row.http,
        "code": row.business_code,
        "retryable": row.retryable,
        "retryAfter": row.retry_after,
        "message": dict(row.messages),
        "at": str(row.place),
    }

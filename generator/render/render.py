"""Plan to files in memory: templates filled, protoc's output moved, the runtime copied, Python formatted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from generator.breaking import snapshot
from generator.breaking.behaviour import of_plan
from generator.plan.model import Plan
from generator.render import (
    bindings,
    client_fallbacks,
    clients,
    codecs,
    contract_tests,
    errors,
    extra,
    formatting,
    imports,
    keywords,
    policies,
    protobuf,
    routes,
    services,
)
from generator.render.emit import Emit, Owner
from generator.render.layers import BUILT_IN, Layers, built_in_alone
from generator.render.layout import from_import
from generator.render.openapi import document
from generator.render.python import Expression, comment
from generator.render.templates import Templates
from generator.spec.codes import canonical_codes

_SHAPES = {
    "google": '`{"error": {"code", "message", "status", "details"}}` (AIP-193)',
    "problem": "`application/problem+json` (RFC 9457)",
    "status": "a bare `google.rpc.Status`",
}


_HTTP_TRANSPORT = "runtime/client/http_transport.py"


class _File(Protocol):
    """Makes a file of the template named below the owner's folder, by the file's path where none is named."""

    def __call__(self, path: str, owner: Owner, *, template: str = "", header: str = "", **context: object) -> Emit: ...


@dataclass(frozen=True, slots=True)
class _Views:
    """What the templates are about, in Python's terms."""

    services: tuple[services.ServiceView, ...]
    routes: tuple[routes.RouteView, ...]
    rows: tuple[errors.ErrorView, ...]
    clients: tuple[clients.ClientView, ...]

    @classmethod
    def of(cls, plan: Plan) -> _Views:
        """The plan's."""
        found = services.views(plan)
        return cls(found, routes.views(plan, found), errors.views(plan), clients.views(plan))


def render(plan: Plan, formatted: Mapping[str, bytes] | None = None, layers: Layers | None = None) -> tuple[Emit, ...]:
    """Every file of the plan's project that is not copier's, sorted by path.

    `formatted` maps raw hashes to content that an earlier run formatted, so that what did not change is not
    formatted again. Raises InputError where the contract has names that Python has no place for, and where `layers`
    has templates that do not fit.
    """
    keywords.check(plan.contract)
    views = _Views.of(plan)
    templates = Templates(layers or built_in_alone(), shared(plan, views))

    def file(path: str, owner: Owner, *, template: str = "", header: str = "", **context: object) -> Emit:
        name = f"{owner.value}/{template or _template_of(path, context)}.j2"
        return templates.file(path, owner, name, context, header)

    emits = [*_files(plan, views, file), *map(templates.headed, protobuf.render(plan.contract, plan.package))]
    emits += [*_runtime(plan, templates), _descriptor_set(plan), _behaviour(plan), _openapi(plan)]
    emits += extra.files(plan, views.services, views.clients, templates, {emit.path for emit in emits})
    known = formatted or {}
    return tuple(sorted((_finish(emit, templates, known) for emit in emits), key=lambda emit: emit.path))


def shared(plan: Plan, views: _Views) -> Mapping[str, object]:
    """What every template sees."""
    return {
        "name": plan.name,
        "package": plan.package,
        "domain": plan.domain,
        "services": views.services,
        "routes": views.routes,
        "rows": views.rows,
        "clients": views.clients,
    }


def _files(plan: Plan, views: _Views, file: _File) -> Iterator[Emit]:
    """The templates' files; this reads like the emitted tree."""
    gen = f"src/{plan.package}/gen"
    policy = policies.view(plan)
    proto_header = _header("the contract")
    spec_header = _header("the resilience spec")

    yield file(f"{gen}/__init__.py", Owner.MANAGED)
    below = from_import(".", sorted(view.module for view in views.services))
    yield file(f"{gen}/services/__init__.py", Owner.MANAGED, header=proto_header, module_imports=below)
    for service in views.services:
        header = _header(comment(service.proto))
        yield file(f"{gen}/services/{service.module}.py", Owner.MANAGED, header=header, service=service)
    used = from_import(".services", sorted({route.method.partition(".")[0] for route in views.routes}))
    yield file(f"{gen}/routes.py", Owner.MANAGED, header=proto_header, module_imports=used)
    named = [name for row in views.rows for name in (row.class_name, row.predicate)]
    exported = sorted(["DOMAIN", "ERRORS", "ServiceError", "unimplemented", *named], key=imports.name_key)
    by_reason, by_code = errors.tables(views.rows)
    yield file(
        f"{gen}/errors.py",
        Owner.MANAGED,
        header=spec_header,
        exported=exported,
        by_reason=by_reason,
        by_code=by_code,
    )
    yield file(
        f"{gen}/policies.py",
        Owner.MANAGED,
        header=spec_header,
        names=policy.names,
        methods=policy.methods,
        sections=policy.sections,
        hash=policy.hash,
    )
    yield file(f"{gen}/definition.py", Owner.MANAGED, header=proto_header)
    yield from _codecs(codecs.views(plan), gen, proto_header, file)
    yield from _bindings(bindings.views(plan, views.services), gen, proto_header, file)
    yield from _clients(views.clients, gen, spec_header, file)
    yield _error_page(plan, file)
    handlers = [Expression(f"{view.handler_alias or view.handler}(clients)") for view in views.services]
    yield file(f"src/{plan.package}/app.py", Owner.SEEDED, handlers=handlers, fallbacks=_fallbacks(views.clients))
    if _fallbacks(views.clients):
        block = client_fallbacks.stub_imports(each.fallbacks for each in views.clients if each.fallbacks is not None)
        yield file(f"src/{plan.package}/fallbacks.py", Owner.SEEDED, stub_imports=block)
    for service in views.services:
        handler = file(f"src/{plan.package}/handlers/{service.module}.py", Owner.APPENDED, service=service)
        yield replace(handler, stubs=service.stubs)
    for template, path, owner, context in contract_tests.files(
        plan, views.services, dependencies=any(client.generated for client in views.clients)
    ):
        yield file(path, owner, template=template, header=_header(""), **context)


def _codecs(view: codecs.CodecsView, gen: str, header: str, file: _File) -> Iterator[Emit]:
    yield file(f"{gen}/codecs/__init__.py", Owner.MANAGED, header=header, index=view.index, unnamed=view.unnamed)
    package = "src/{package}/gen/codecs/{folder}/__init__.py"
    for folder in view.packages:
        yield file(f"{gen}/codecs/{folder}/__init__.py", Owner.MANAGED, template=package)
    template = "src/{package}/gen/codecs/{module}.py"
    for module in view.modules:
        own = _header(comment(module.proto))
        yield file(f"{gen}/codecs/{module.path}", Owner.MANAGED, template=template, header=own, module=module)


def _bindings(views: tuple[bindings.BindingsView, ...], gen: str, header: str, file: _File) -> Iterator[Emit]:
    index = {view.service: f".{view.module}" for view in views}
    yield file(f"{gen}/bindings/__init__.py", Owner.MANAGED, header=header, binding_modules=index)
    template = "src/{package}/gen/bindings/{service}.py"
    for view in views:
        yield file(f"{gen}/bindings/{view.module}.py", Owner.MANAGED, template=template, header=header, bindings=view)


def _clients(views: tuple[clients.ClientView, ...], gen: str, header: str, file: _File) -> Iterator[Emit]:
    block = clients.import_block(views)
    bases = tuple(Expression(view.fallbacks.base) for view in views if view.fallbacks is not None)
    yield file(f"{gen}/clients/__init__.py", Owner.MANAGED, header=header, client_imports=block, fallback_bases=bases)
    for view in (view for view in views if view.generated):
        kind = "{http_dependency}" if view.protocol == "http" else "{dependency}"
        template = f"src/{{package}}/gen/clients/{kind}.py"
        own = _header(comment(view.contract)) if view.contract else header
        yield file(f"{gen}/clients/{view.attribute}.py", Owner.MANAGED, template=template, header=own, client=view)
    template = "src/{package}/gen/clients/{dependency}_errors.py"
    for errors_of in (view.errors for view in views if view.errors is not None):
        own = _header(comment(errors_of.source))
        path = f"{gen}/clients/{errors_of.module}.py"
        yield file(path, Owner.MANAGED, template=template, header=own, errors=errors_of)


def _fallbacks(views: tuple[clients.ClientView, ...]) -> list[Expression]:
    """What app.py gives calls to dependencies to fall back on."""
    return [Expression(f"{client.fallbacks.class_name}()") for client in views if client.fallbacks is not None]


def _error_page(plan: Plan, file: _File) -> Emit:
    body = plan.spec.document.spec.errors
    return file(
        "docs/errors.md",
        Owner.MANAGED,
        shape=_SHAPES[body.rest],
        unmapped=body.unmapped.grpc,
        redacted=body.unmapped.redact,
        canonical=tuple(canonical_codes().values()),
    )


def _runtime(plan: Plan, templates: Templates) -> Iterator[Emit]:
    """The runtime, to the letter; without what imports a package that the project has no use for."""
    unused = set() if any(each.protocol == "http" for each in plan.dependencies) else {_HTTP_TRANSPORT}
    for name in templates.below("runtime/"):
        if name in unused:
            continue
        yield templates.file(f"src/{plan.package}/{name}", Owner.MANAGED, name, {})


def _descriptor_set(plan: Plan) -> Emit:
    content = plan.contract.descriptor_set.SerializeToString(deterministic=True)
    return Emit(".holdfast/contract.binpb", Owner.MANAGED, content, "contract.binpb")


def _behaviour(plan: Plan) -> Emit:
    """What the next generation compares with, beside the contract, to tell what breaks callers."""
    return Emit(".holdfast/behaviour.json", Owner.MANAGED, snapshot.dump(of_plan(plan)), "behaviour.json")


def _openapi(plan: Plan) -> Emit:
    return Emit(f"src/{plan.package}/gen/openapi.json", Owner.MANAGED, document.render(plan), "openapi.json")


def _template_of(path: str, context: Mapping[str, object]) -> str:
    """The template's path: the emitted one with `{package}` and `{service}` in their places."""
    folders = path.split("/")
    if folders[0] == "src":
        folders[1] = "{package}"
    service = context.get("service")
    if isinstance(service, services.ServiceView):
        folders[-1] = folders[-1].replace(service.module, "{service}")
    return "/".join(folders)


def _finish(emit: Emit, templates: Templates, known: Mapping[str, bytes]) -> Emit:
    """The emit as it is written: hashed raw, and formatted where its kind has a formatter."""
    raw = hashlib.sha256(emit.content).hexdigest()
    if Path(emit.path).suffix not in formatting.BY_SUFFIX or not emit.template.endswith(".j2"):
        return replace(emit, raw_hash=raw)
    content = known.get(raw)
    if content is None and emit.layer == BUILT_IN:
        content = formatting.laid_out(emit.content)
    return replace(emit, content=templates.formatted(emit) if content is None else content, raw_hash=raw)


def _header(source: str) -> str:
    origin = f" from {source}" if source else ""
    return f"# Generated by holdfast{origin}. Do not edit: the next `holdfast generate` overwrites it."

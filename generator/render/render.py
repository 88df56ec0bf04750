"""Plan to files in memory: templates filled, protoc's output moved, the runtime copied, Python formatted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from generator import resources
from generator.breaking import snapshot
from generator.breaking.behaviour import of_plan
from generator.plan.model import Plan
from generator.render import (
    clients,
    codecs,
    contract_tests,
    errors,
    formatting,
    imports,
    keywords,
    policies,
    protobuf,
    routes,
    services,
)
from generator.render.emit import Emit, Owner
from generator.render.environment import environment
from generator.render.layout import from_import
from generator.render.openapi import document
from generator.render.python import Expression, comment
from generator.spec.codes import canonical_codes

HEADER = "header.py.j2"
"""The template of what stands at the top of every managed Python file."""

_HEADED = frozenset({".py", ".pyi"})
_SHAPES = {
    "google": '`{"error": {"code", "message", "status", "details"}}` (AIP-193)',
    "problem": "`application/problem+json` (RFC 9457)",
    "status": "a bare `google.rpc.Status`",
}


def render(plan: Plan, formatted: Mapping[str, bytes] | None = None) -> tuple[Emit, ...]:
    """Every file of the plan's project that is not copier's, sorted by path.

    `formatted` maps raw hashes to content that an earlier run formatted, so that what did not change is not
    formatted again. Raises InputError where the contract has names that Python has no place for.
    """
    keywords.check(plan.contract)
    known = formatted or {}
    copied = [*protobuf.render(plan.contract, plan.package), *_runtime(plan.package)]
    emits = [*_templates(plan), *map(_headed, copied)]
    emits += [_descriptor_set(plan), _behaviour(plan), _openapi(plan)]
    return tuple(sorted((_finish(emit, known) for emit in emits), key=lambda emit: emit.path))


def _templates(plan: Plan) -> Iterator[Emit]:
    """The templates' files; this reads like the emitted tree."""
    package = plan.package
    gen = f"src/{package}/gen"
    views = services.views(plan)
    rows = errors.views(plan)
    policy = policies.view(plan)
    project = {"name": plan.name, "package": package}
    proto_header = _header("the contract")
    spec_header = _header("the resilience spec")

    yield _file(f"{gen}/__init__.py", Owner.MANAGED)
    below = from_import(".", sorted(view.module for view in views))
    yield _file(f"{gen}/services/__init__.py", Owner.MANAGED, header=proto_header, services=views, module_imports=below)
    for service in views:
        header = _header(comment(service.proto))
        yield _file(f"{gen}/services/{service.module}.py", Owner.MANAGED, header=header, service=service)
    route_views = routes.views(plan, views)
    used = from_import(".services", sorted({route.method.partition(".")[0] for route in route_views}))
    yield _file(f"{gen}/routes.py", Owner.MANAGED, header=proto_header, routes=route_views, module_imports=used)
    named = [name for row in rows for name in (row.class_name, row.predicate)]
    exported = sorted(["DOMAIN", "ERRORS", "ServiceError", "unimplemented", *named], key=imports.name_key)
    yield _file(f"{gen}/errors.py", Owner.MANAGED, header=spec_header, rows=rows, domain=plan.domain, exported=exported)
    yield _file(
        f"{gen}/policies.py",
        Owner.MANAGED,
        header=spec_header,
        names=policy.names,
        methods=policy.methods,
        sections=policy.sections,
        hash=policy.hash,
    )
    yield _file(f"{gen}/definition.py", Owner.MANAGED, header=proto_header, **project)
    yield from _codecs(codecs.views(plan), gen, proto_header)
    client_views = clients.views(plan)
    yield from _clients(client_views, gen, spec_header)
    yield _error_page(plan, rows)
    handlers = [Expression(f"{view.handler_alias or view.handler}(clients)") for view in views]
    yield _file(f"src/{package}/app.py", Owner.SEEDED, services=views, handlers=handlers)
    for service in views:
        handler = _file(f"src/{package}/handlers/{service.module}.py", Owner.APPENDED, service=service)
        yield replace(handler, stubs=service.stubs)
    for template, path, owner, context in contract_tests.files(plan, views, rows, client_views):
        yield _file(path, owner, template=template, header=_header(""), **context)


def _codecs(view: codecs.CodecsView, gen: str, header: str) -> Iterator[Emit]:
    yield _file(f"{gen}/codecs/__init__.py", Owner.MANAGED, header=header, index=view.index, unnamed=view.unnamed)
    package = "src/{package}/gen/codecs/{folder}/__init__.py"
    for folder in view.packages:
        yield _file(f"{gen}/codecs/{folder}/__init__.py", Owner.MANAGED, template=package)
    template = "src/{package}/gen/codecs/{module}.py"
    for module in view.modules:
        own = _header(comment(module.proto))
        yield _file(f"{gen}/codecs/{module.path}", Owner.MANAGED, template=template, header=own, module=module)


def _clients(views: tuple[clients.ClientView, ...], gen: str, header: str) -> Iterator[Emit]:
    block = clients.import_block(views)
    yield _file(f"{gen}/clients/__init__.py", Owner.MANAGED, header=header, clients=views, client_imports=block)
    template = "src/{package}/gen/clients/{dependency}.py"
    for view in views:
        header = _header(comment(view.contract))
        yield _file(f"{gen}/clients/{view.attribute}.py", Owner.MANAGED, template=template, header=header, client=view)


def _error_page(plan: Plan, rows: tuple[errors.ErrorView, ...]) -> Emit:
    body = plan.spec.document.spec.errors
    return _file(
        "docs/errors.md",
        Owner.MANAGED,
        name=plan.name,
        domain=plan.domain,
        rows=rows,
        shape=_SHAPES[body.rest],
        unmapped=body.unmapped.grpc,
        redacted=body.unmapped.redact,
        canonical=tuple(canonical_codes().values()),
    )


def _runtime(package: str) -> Iterator[Emit]:
    """The runtime, to the letter."""
    folder = resources.root() / "templates" / "python" / "runtime"
    for source in sorted(folder.rglob("*")):
        relative = source.relative_to(folder).as_posix()
        if source.is_file() and "__pycache__" not in relative:
            template = f"runtime/{relative}"
            yield Emit(f"src/{package}/runtime/{relative}", Owner.MANAGED, source.read_bytes(), template)


def _descriptor_set(plan: Plan) -> Emit:
    content = plan.contract.descriptor_set.SerializeToString(deterministic=True)
    return Emit(".holdfast/contract.binpb", Owner.MANAGED, content, "contract.binpb")


def _behaviour(plan: Plan) -> Emit:
    """What the next generation compares with, beside the contract, to tell what breaks callers."""
    return Emit(".holdfast/behaviour.json", Owner.MANAGED, snapshot.dump(of_plan(plan)), "behaviour.json")


def _openapi(plan: Plan) -> Emit:
    return Emit(f"src/{plan.package}/gen/openapi.json", Owner.MANAGED, document.render(plan), "openapi.json")


def _file(path: str, owner: Owner, *, template: str = "", header: str = "", **context: object) -> Emit:
    """One template rendered; its path is the emitted one, with placeholders, below the owner's folder.

    `header` is the comment at the top of a managed file, "" for none.
    """
    name = f"{owner.value}/{template or _template_of(path, context)}.j2"
    text = environment().get_template(name).render(**context)
    emit = Emit(path, owner, text.encode(), name)
    return _headed(emit, header) if owner is Owner.MANAGED else emit


def _headed(emit: Emit, header: str = "") -> Emit:
    """The managed file with its header, where it is Python."""
    if Path(emit.path).suffix not in _HEADED:
        return emit
    text = environment().get_template(HEADER).render(header=header)
    return replace(emit, content=text.encode() + emit.content)


def _template_of(path: str, context: Mapping[str, object]) -> str:
    """The template's path: the emitted one with `{package}` and `{service}` in their places."""
    folders = path.split("/")
    if folders[0] == "src":
        folders[1] = "{package}"
    service = context.get("service")
    if isinstance(service, services.ServiceView):
        folders[-1] = folders[-1].replace(service.module, "{service}")
    return "/".join(folders)


def _finish(emit: Emit, known: Mapping[str, bytes]) -> Emit:
    """The emit as it is written: hashed raw, and formatted where its kind has a formatter."""
    raw = hashlib.sha256(emit.content).hexdigest()
    formatter = formatting.BY_SUFFIX.get(Path(emit.path).suffix)
    if formatter is None or not emit.template.endswith(".j2"):
        return replace(emit, raw_hash=raw)
    content = known.get(raw)
    if content is None and formatting.is_laid_out(emit.template, emit.content):
        content = emit.content
    if content is None:
        content = formatter(emit.content.decode()).encode()
    return replace(emit, content=content, raw_hash=raw)


def _header(source: str) -> str:
    origin = f" from {source}" if source else ""
    return f"# Generated by holdfast{origin}. Do not edit: the next `holdfast generate` overwrites it."

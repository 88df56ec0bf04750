"""The codecs and the requests of a contract, rendered and imported without a project around them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

import runtime.transport.field_mask
import runtime.transport.query_values  # noqa: F401 - what generated code imports is to be there
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from runtime.definition import Bind, Method, Route
from runtime.protojson.codec import Generated

from generator.contract.http_rule import parse_template
from generator.contract.model import Contract, File, HttpRule, Kind, Rpc, Service
from generator.contract.source_info import SourceInfo
from generator.contract.types import read_types
from generator.errors import Place
from generator.plan.build import build
from generator.plan.model import Plan
from generator.render import bindings, codecs, naming, services
from generator.render.environment import environment
from generator.render.layers import built_in_alone
from generator.spec.load import load as load_spec

HOST = "codec_host"
_PLACE = Place("random.proto")


def plan_of(
    file: FileDescriptorProto, message: str, spec: Path, rules: Sequence[HttpRule] = (), kind: Kind = Kind.UNARY
) -> Plan:
    """A plan with one RPC, which takes and gives that message of a file in the default pool; as its body, without rules."""
    served = tuple(rules) or (rule("POST", "/v1/things", "*"),)
    return _plan([file.name], [Rpc("Do", "x.Do.Do", "/x.Do/Do", kind, message, message, served, *_REST)], spec)


_REST = ("", False, "", _PLACE)


def _plan(files: Sequence[str], rpcs: Sequence[Rpc], spec: Path) -> Plan:
    """A plan of one service with messages of files in the default pool."""
    described = FileDescriptorSet()
    for name in _with_imports(files):
        descriptor_pool.Default().FindFileByName(name).CopyToProto(described.file.add())
    for declared in described.file:
        for nested in declared.message_type:
            _name_for_json(nested, f"{declared.package}.{nested.name}")
    types = read_types(described, {found.name: SourceInfo(found, found.name) for found in described.file})
    service = Service("Do", rpcs[0].full_name.rpartition(".")[0], files[0], tuple(rpcs), False, "", _PLACE)
    known = {found.name: _file(found, found.name in files) for found in described.file}
    contract = Contract(known, (service,), types.messages, types.enums, described)
    return build(contract, load_spec(spec), name="random", package="random")


def _with_imports(files: Sequence[str]) -> list[str]:
    """The files, each behind what it imports."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        for imported in descriptor_pool.Default().FindFileByName(name).dependencies:
            visit(imported.name)
        found.setdefault(name)

    for name in files:
        visit(name)
    return list(found)


def rule(verb: str, template: str, body: str = "", response_body: str = "") -> HttpRule:
    """A binding as it is read from an annotation."""
    return HttpRule(verb, parse_template(template), body, response_body, additional=False, place=_PLACE)


def _file(declared: FileDescriptorProto, ours: bool) -> File:
    module = "" if ours else declared.name.removesuffix(".proto").replace("/", ".") + "_pb2"
    return File(declared.name, declared.package, "proto3", tuple(declared.dependency), (), ours, not ours, module, "")


def _name_for_json(declared: DescriptorProto, full_name: str) -> None:
    """Fill in the JSON names, as protoc does."""
    resolved = descriptor_pool.Default().FindMessageTypeByName(full_name)
    for field in declared.field:
        field.json_name = resolved.fields_by_name[field.name].json_name
    for nested in declared.nested_type:
        _name_for_json(nested, f"{full_name}.{nested.name}")


class _Sources(InspectLoader):
    """Finds and loads modules whose source is in memory; the others of the host are packages."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not f"{name}.".startswith(f"{HOST}."):
            return None
        return spec_from_loader(name, self, is_package=name not in self._sources)

    def get_source(self, fullname: str) -> str:
        return self._sources.get(fullname, "")


@contextmanager
def loaded(plan: Plan) -> Iterator[Mapping[str, Generated]]:
    """The generated codecs of the plan, by message; their modules are importable while they are in use."""
    with _importable(plan, _codec_sources(plan)):
        yield {
            message: import_module(f"{HOST}.gen.codecs{module}").CODECS[message]
            for message, module in codecs.views(plan).index.items()
        }


@contextmanager
def loaded_bindings(plan: Plan) -> Iterator[Mapping[str, Bind]]:
    """The generated functions of the plan's routes, by HTTP method and template, while they are in use."""
    views = bindings.views(plan, services.views(plan))
    template = environment(built_in_alone()).get_template("managed/src/{package}/gen/bindings/{service}.py.j2")
    sources = {f"{HOST}.gen.bindings.{view.module}": template.render(bindings=view) for view in views}
    with _importable(plan, {**_codec_sources(plan), **sources}):
        yield {key: bind for name in sources for key, bind in import_module(name).BINDINGS.items()}


def bindings_of(routes: Sequence[Route]) -> Callable[[Route], Bind]:
    """The generated functions of routes whose messages are in the default pool, as a definition has them."""
    found: dict[str, Bind] = {}
    for service in dict.fromkeys(route.method.service for route in routes):
        found |= _bindings(tuple(route for route in routes if route.method.service == service))
    return lambda route: found[f"{route.verb} {route.template}"]


@cache
def _bindings(routes: tuple[Route, ...]) -> Mapping[str, Bind]:
    files = dict.fromkeys(route.method.request.DESCRIPTOR.file.name for route in routes)
    methods: dict[Method, list[HttpRule]] = {}
    for route in routes:
        declared = rule(route.verb, route.template, route.body, route.response_body)
        methods.setdefault(route.method, []).append(declared)
    rpcs = [
        Rpc(
            method.name,
            f"{method.service}.{method.name}",
            method.path,
            Kind(method.kind.value),
            method.request.DESCRIPTOR.full_name,
            method.response.DESCRIPTOR.full_name,
            tuple(rules),
            *_REST,
        )
        for method, rules in methods.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "resilience.yaml")
        spec.write_text("spec: {}\n")
        with loaded_bindings(_plan(list(files), rpcs, spec)) as found:
            return found


def _codec_sources(plan: Plan) -> dict[str, str]:
    template = environment(built_in_alone()).get_template("managed/src/{package}/gen/codecs/{module}.py.j2")
    modules = codecs.views(plan).modules
    return {f"{HOST}.gen.codecs.{module.module}": template.render(header="#", module=module) for module in modules}


def _messages(contract: Contract) -> Iterator[ModuleType]:
    """What protoc makes of the contract's files."""
    for path, name in naming.pb_modules(contract).items():
        if name.startswith("."):
            made = ModuleType(f"{HOST}.gen.pb{name}")
            for message in descriptor_pool.Default().FindFileByName(path).message_types_by_name.values():
                setattr(made, message.name, message_factory.GetMessageClass(message))
            yield made


@contextmanager
def _importable(plan: Plan, sources: Mapping[str, str]) -> Iterator[None]:
    finder = _Sources(sources)
    runtime = {f"{HOST}.{name}": module for name, module in sys.modules.items() if f"{name}.".startswith("runtime.")}
    sys.meta_path.insert(0, finder)
    sys.modules.update(runtime)
    sys.modules.update({module.__name__: module for module in _messages(plan.contract)})
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{HOST}.")]:
            del sys.modules[name]

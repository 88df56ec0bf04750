"""The codecs and the requests of a contract, rendered and imported without a project around them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from runtime.definition import Bind
from runtime.protojson.codec import Generated

from generator.contract.http_rule import parse_template
from generator.contract.model import Contract, File, HttpRule, Kind, Rpc, Service
from generator.contract.source_info import SourceInfo
from generator.contract.types import read_types
from generator.errors import Place
from generator.plan.build import build
from generator.plan.model import Plan
from generator.render import bindings, codecs, services
from generator.render.environment import environment
from generator.render.layers import built_in_alone
from generator.spec.load import load as load_spec

HOST = "codec_host"
_PLACE = Place("random.proto")


def plan_of(file: FileDescriptorProto, message: str, spec: Path, rules: Sequence[HttpRule] = ()) -> Plan:
    """A plan with one RPC, which takes and gives that message of a file in the default pool; as its body, without rules."""
    pool = descriptor_pool.Default()
    described = FileDescriptorSet()
    for name in (*file.dependency, file.name):
        pool.FindFileByName(name).CopyToProto(described.file.add())
    for declared in described.file:
        for nested in declared.message_type:
            _name_for_json(nested, f"{declared.package}.{nested.name}")
    types = read_types(described, {found.name: SourceInfo(found, found.name) for found in described.file})
    served = tuple(rules) or (rule("POST", "/v1/things", "*"),)
    rpc = Rpc("Do", "x.Do.Do", "/x.Do/Do", Kind.UNARY, message, message, served, "", False, "", _PLACE)
    service = Service("Do", "x.Do", file.name, (rpc,), False, "", _PLACE)
    files = {found.name: _file(found, found.name == file.name) for found in described.file}
    contract = Contract(files, (service,), types.messages, types.enums, described)
    return build(contract, load_spec(spec), name="random", package="random")


def rule(verb: str, template: str, body: str = "") -> HttpRule:
    """A binding as it is read from an annotation."""
    return HttpRule(verb, parse_template(template), body, "", additional=False, place=_PLACE)


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
    with _importable(_codec_sources(plan)):
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
    with _importable({**_codec_sources(plan), **sources}):
        yield {key: bind for name in sources for key, bind in import_module(name).BINDINGS.items()}


def _codec_sources(plan: Plan) -> dict[str, str]:
    template = environment(built_in_alone()).get_template("managed/src/{package}/gen/codecs/{module}.py.j2")
    modules = codecs.views(plan).modules
    return {f"{HOST}.gen.codecs.{module.module}": template.render(header="#", module=module) for module in modules}


@contextmanager
def _importable(sources: Mapping[str, str]) -> Iterator[None]:
    finder = _Sources(sources)
    runtime = {f"{HOST}.{name}": module for name, module in sys.modules.items() if f"{name}.".startswith("runtime.")}
    sys.meta_path.insert(0, finder)
    sys.modules.update(runtime)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{HOST}.")]:
            del sys.modules[name]

"""Reads .proto files, and the service configurations beside them, into a Contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import (
    Edition,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)

from generator.contract.compile import compile_protos
from generator.contract.http_rule import bind, collisions
from generator.contract.model import Contract, File, HttpRule, Kind, Message, Rpc, Service
from generator.contract.service_config import MIXINS, NO_CONFIG, ConfigRule, ServiceConfig
from generator.contract.source_info import HTTP_OPTION, SourceInfo
from generator.contract.sources import Sources, is_import_path, python_module, shown, sources
from generator.contract.types import Types, read_types
from generator.errors import Finding, InputError, Place, did_you_mean, nearest

_SERVICE = 6  # FileDescriptorProto.service
_METHOD = 2  # ServiceDescriptorProto.method
_OPTIONS = 4  # MethodDescriptorProto.options

_KINDS = {
    (False, False): Kind.UNARY,
    (True, False): Kind.CLIENT_STREAM,
    (False, True): Kind.SERVER_STREAM,
    (True, True): Kind.BIDI,
}


def load(
    roots: Sequence[str],
    include: Sequence[Path],
    dependencies: Sequence[str] = (),
    config: ServiceConfig = NO_CONFIG,
    *,
    duplicates: str = "warn",
) -> Contract:
    """The contract of the .proto files `roots` (import paths), looked for among the provided files, then in `include`.

    The contracts of `dependencies` join it: their types with all others, their services apart. One that is not found
    is left out: whoever named it knows the place to complain about. The services that `config` names are served too,
    and its http rules stand in the place of annotations.

    Raises InputError with everything protoc found wrong; when it found nothing, with all that is wrong with the
    http rules and the files' names, and all that `config` names in vain. Routes that collide are no error by themselves:
    see `collisions`. They are told with the others, as far as `duplicates` (the spec's mode) refuses them.
    """
    roots = tuple(dict.fromkeys(roots))
    within = sources(include)
    called = tuple(path for path in dict.fromkeys(dependencies) if within.find(path) is not None)
    missing = [
        Finding(Place(root), "contract-not-found", "there is no such .proto file", "name its folder with -I")
        for root in roots
        if within.find(root) is None
    ]
    if missing or not roots:
        raise InputError(missing or [Finding(Place("."), "contract-not-found", "no .proto file is named")])
    mixed_in = mixins(config, within)
    descriptor_set = compile_protos(tuple(dict.fromkeys((*roots, *called, *mixed_in))), within)
    return read(descriptor_set, roots, within, called, config, duplicates=duplicates)


def mixins(config: ServiceConfig, within: Sources) -> tuple[str, ...]:
    """The import paths of the mixin services that `config` names, as far as they can be found."""
    return tuple(path for api in config.services if (path := MIXINS.get(api.name)) and within.find(path) is not None)


def read(
    descriptor_set: FileDescriptorSet,
    roots: Sequence[str],
    within: Sources,
    called: Sequence[str] = (),
    config: ServiceConfig = NO_CONFIG,
    *,
    duplicates: str = "warn",
) -> Contract:
    """The contract of files that are compiled already, with source info; otherwise as `load`.

    The set has `roots`, the contracts `called` and all they import, dependencies first; it loses its source info.
    """
    infos = {file.name: SourceInfo(file, _shown(file.name, within)) for file in descriptor_set.file}
    if findings := list(_unusable_files(descriptor_set, infos, within)):
        raise InputError(findings)
    types = read_types(descriptor_set, infos)
    declared = {file.name: file for file in descriptor_set.file}
    services = list(_served(descriptor_set, roots, infos, types, config, findings))
    peers = {path: tuple(_ServiceReader(declared[path], infos[path], types.messages, None).read()) for path in called}
    findings += _named_in_vain(config, services)
    if findings:
        alike = (collision.finding() for collision in collisions(services) if collision.is_refused(duplicates))
        raise InputError(
            sorted([*findings, *alike], key=lambda each: (each.place.file, each.place.line, each.place.column))
        )
    return _contract(descriptor_set, roots, infos, types, services, peers)


def from_descriptors(descriptor_set: FileDescriptorSet, roots: Sequence[str]) -> Contract:
    """The contract of descriptors that were compiled before; `roots` are those of its files whose services are served.

    Annotations with something wrong in them are left out: whoever compiled the contract was told. Raises InputError
    where the protobuf runtime refuses a file.
    """
    infos = {file.name: SourceInfo(file, file.name) for file in descriptor_set.file}
    types = read_types(descriptor_set, infos)
    services = list(_served(descriptor_set, roots, infos, types, NO_CONFIG, []))
    return _contract(descriptor_set, roots, infos, types, services, {})


def _served(
    descriptor_set: FileDescriptorSet,
    roots: Sequence[str],
    infos: Mapping[str, SourceInfo],
    types: Types,
    config: ServiceConfig,
    findings: list[Finding],
) -> Iterator[Service]:
    """The services of the roots, then those that the configuration names, wherever they are declared."""
    declared = {file.name: file for file in descriptor_set.file}
    overrides = config.overrides
    for root in roots:
        yield from _ServiceReader(declared[root], infos[root], types.messages, findings, overrides).read()
    owners = {
        f"{file.package}.{service.name}".lstrip("."): file
        for file in descriptor_set.file
        if file.name not in roots
        for service in file.service
    }
    for api in config.services:
        if (file := owners.get(api.name)) is not None:
            reader = _ServiceReader(file, infos[file.name], types.messages, findings, overrides)
            yield from reader.read(only=api.name)


def _named_in_vain(config: ServiceConfig, services: Sequence[Service]) -> Iterator[Finding]:
    """A finding for each service and each RPC of the configuration that the contract does not have."""
    known = {service.full_name: service for service in services}
    for api in config.services:
        if api.name not in known:
            hint = "name the file that declares it among the contracts"
            if (file := MIXINS.get(api.name)) is not None:
                hint = f"it is declared in {file}: name the folder that this is relative to with -I"
            elif (alike := nearest(api.name, known)) is not None:
                hint = f"did you mean '{alike}'?"
            yield Finding(api.place, "unknown-service", f"no .proto file declares the service '{api.name}'", hint)
    for rule in config.rules:
        service = known.get(rule.service)
        names = [rpc.full_name for rpc in service.rpcs] if service else []
        if service is not None and rule.selector not in names:
            message = f"no method of the contract is called '{rule.selector}'"
            yield Finding(rule.place, "unknown-method", message, did_you_mean(rule.selector, names))


def _contract(
    descriptor_set: FileDescriptorSet,
    roots: Sequence[str],
    infos: Mapping[str, SourceInfo],
    types: Types,
    services: Sequence[Service],
    dependencies: Mapping[str, tuple[Service, ...]],
) -> Contract:
    files = {file.name: _file(file, file.name in roots, infos[file.name]) for file in descriptor_set.file}
    for file in descriptor_set.file:
        file.ClearField("source_code_info")
    return Contract(files, tuple(services), types.messages, types.enums, descriptor_set, dependencies, infos)


def _shown(import_path: str, within: Sources) -> str:
    path = within.find(import_path)
    return shown(path) if path else import_path


def _file(file: FileDescriptorProto, root: bool, info: SourceInfo) -> File:
    module = python_module(file.name)
    syntax = file.syntax or "proto2"
    if syntax == "editions":
        syntax = Edition.Name(file.edition).removeprefix("EDITION_")
    return File(
        path=file.name,
        package=file.package,
        syntax=syntax,
        dependencies=tuple(file.dependency),
        public_dependencies=tuple(file.dependency[index] for index in file.public_dependency),
        root=root,
        provided=bool(module),
        python_module=module,
        comment=info.file_comment(),
    )


_SERVED_ANYWAY: Final = MappingProxyType(
    {
        "grpc.health.v1": "grpc/health/v1/health.proto",
        "grpc.reflection.v1": "grpc/reflection/v1/reflection.proto",
        "grpc.reflection.v1alpha": "grpc/reflection/v1alpha/reflection.proto",
    }
)
"""Packages that are in every service's process, of which there can be one alone; and the file that declares each."""


def _unusable_files(
    descriptor_set: FileDescriptorSet, infos: Mapping[str, SourceInfo], within: Sources
) -> Iterator[Finding]:
    """Files whose names could not become Python modules of their own, and copies of what is installed already."""
    owners: dict[str, str] = {}
    for file in descriptor_set.file:
        place = infos[file.name].place()
        if not file.name.endswith(".proto") or not is_import_path(file.name):
            hint = "use letters, digits, _, - and ., with / between folders, and end in .proto"
            yield Finding(place, "contract-file-name", f'"{file.name}" cannot become a Python module', hint)
            continue
        module = file.name.removesuffix(".proto").replace("-", "_").replace(".", "/")
        first = owners.setdefault(module.lower(), file.name)
        if first != file.name:
            message = f'"{file.name}" and "{first}" become the same Python module'
            yield Finding(place, "contract-file-name", message, "rename one of them")
        if file.package in _SERVED_ANYWAY and file.name != _SERVED_ANYWAY[file.package]:
            message = f'"{file.name}" declares package {file.package} again, which every service serves by itself'
            hint = f'take it out, or import "{_SERVED_ANYWAY[file.package]}" as it was published'
            yield Finding(place, "contract-duplicate", message, hint)
        for provided in within.provided:
            if file.name.endswith(f"/{provided}") and file.package == provided.rpartition("/")[0].replace("/", "."):
                message = f'"{file.name}" declares package {file.package} again, as an installed package does'
                yield Finding(place, "contract-duplicate", message, f'import it as "{provided}"')


class _ServiceReader:
    """Reads the services of one file; what is wrong with their annotations is added to `findings`.

    Without `findings` the annotations are not read: over which routes a dependency is served is its own business.
    What `overrides` has for an RPC stands in the place of its annotation.
    """

    __slots__ = ("_file", "_findings", "_info", "_messages", "_overrides")

    def __init__(
        self,
        file: FileDescriptorProto,
        info: SourceInfo,
        messages: Mapping[str, Message],
        findings: list[Finding] | None,
        overrides: Mapping[str, ConfigRule] | None = None,
    ) -> None:
        self._file = file
        self._info = info
        self._messages = messages
        self._findings = findings
        self._overrides = overrides or {}

    def read(self, only: str = "") -> Iterator[Service]:
        """The file's services, in declaration order; or the one of that full name."""
        for index, service in enumerate(self._file.service):
            path = (_SERVICE, index)
            full_name = f"{self._file.package}.{service.name}".lstrip(".")
            if only not in ("", full_name):
                continue
            yield Service(
                name=service.name,
                full_name=full_name,
                file=self._file.name,
                rpcs=tuple(self._rpcs(service, full_name, path)),
                deprecated=service.options.deprecated,
                comment=self._info.comment(path),
                place=self._info.place(path),
            )

    def _rpcs(self, service: ServiceDescriptorProto, full_name: str, path: tuple[int, ...]) -> Iterator[Rpc]:
        for index, method in enumerate(service.method):
            yield self._rpc(method, full_name, (*path, _METHOD, index))

    def _rpc(self, method: MethodDescriptorProto, service: str, path: tuple[int, ...]) -> Rpc:
        request, response = method.input_type.lstrip("."), method.output_type.lstrip(".")
        rule, places = self._declared(method, service, path)
        rules: tuple[HttpRule, ...] = ()
        if self._findings is not None and rule is not None:
            found = bind(rule, self._messages[request], self._messages[response], self._messages, places)
            rules = found[0]
            self._findings.extend(found[1])
        return Rpc(
            name=method.name,
            full_name=f"{service}.{method.name}",
            path=f"/{service}/{method.name}",
            kind=_KINDS[method.client_streaming, method.server_streaming],
            request=request,
            response=response,
            rules=rules,
            idempotency=MethodOptions.IdempotencyLevel.Name(method.options.idempotency_level),
            deprecated=method.options.deprecated,
            comment=self._info.comment(path),
            place=self._info.place(path),
        )

    def _declared(
        self, method: MethodDescriptorProto, service: str, path: tuple[int, ...]
    ) -> tuple[http_pb2.HttpRule | None, Sequence[Place]]:
        """The RPC's http rule and the places of its bindings."""
        override = self._overrides.get(f"{service}.{method.name}")
        if override is not None:
            return override.rule, override.binding_places
        if not method.options.HasExtension(annotations_pb2.http):
            return None, ()
        return method.options.Extensions[annotations_pb2.http], [self._info.place((*path, _OPTIONS, HTTP_OPTION), path)]

"""`protoc-gen-holdfast`: a project's managed files as the answer to protoc or buf, which write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import Edition, FileDescriptorSet

from generator.contract.compile import compile_protos
from generator.contract.load import mixins, read
from generator.contract.service_config import load as load_service_configs
from generator.contract.sources import Sources, sources
from generator.errors import Finding, InputError, Place
from generator.plan.build import build
from generator.plan.dependencies import dependency_contracts
from generator.project import config as configuration
from generator.project import packs
from generator.project.build import error_folders, read_lock
from generator.project.disk import Disk
from generator.project.names import name_findings, package_findings
from generator.render.emit import Owner
from generator.render.layers import Layers
from generator.render.render import render
from generator.spec.load import load as load_spec
from generator.spec.load import load_text
from generator.spec.peers import load_peers

_PLACE: Final = Place("protoc-gen-holdfast")
_RECORDS: Final = ".holdfast/"
_OPTIONS: Final = ("project", "name", "package", "spec", "service_config")
_ALL: Final = "with buf, give the plugin `strategy: all`: it makes one project of all files"


@dataclass(frozen=True, slots=True)
class _Settings:
    """What to make of the files; `contracts` are patterns of those whose services are served.

    `layers` are the templates of the project; `ejected` the paths that are its user's.
    """

    name: str
    package: str
    contracts: tuple[str, ...]
    spec: Path | None
    service_configs: tuple[Path, ...]
    error_folders: tuple[Path, ...]  # where the error tables of dependencies are looked for
    layers: Layers | None = None  # None: the built-in one
    ejected: frozenset[str] = frozenset()


def respond(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """The managed files of the project that the request's parameter names, or everything that is wrong, a line each.

    What `generate` keeps in .holdfast/ is left out: it records what that has done.
    """
    response = CodeGeneratorResponse(
        supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
        | CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS,
        minimum_edition=Edition.EDITION_PROTO2,
        maximum_edition=Edition.EDITION_2024,
    )
    try:
        for path, content in _managed(request):
            response.file.add(name=path, content=content)
    except InputError as error:
        response.ClearField("file")
        response.error = "\n".join(map(str, error.findings))
    return response


def _managed(request: CodeGeneratorRequest) -> list[tuple[str, str]]:
    settings = _settings(_parameters(request.parameter))
    spec = load_spec(settings.spec) if settings.spec else load_text("spec: {}\n", "resilience.yaml")
    config = load_service_configs(settings.service_configs)
    known = {file.name for file in request.proto_file}
    called = tuple(path for path in dependency_contracts(spec) if path in known)
    roots = _roots(request, settings, called)
    within = sources([])
    contract = read(
        _descriptors(request, within, mixins(config, within)),
        roots,
        within,
        called,
        config,
        duplicates=spec.body.server.rest.duplicate_routes,
    )
    peers = load_peers(spec, settings.error_folders)
    plan = build(contract, spec, name=settings.name, package=settings.package, peers=peers)
    emits = render(plan, layers=settings.layers)
    return [
        (emit.path, emit.content.decode())
        for emit in emits
        if emit.owner is Owner.MANAGED and not emit.path.startswith(_RECORDS) and emit.path not in settings.ejected
    ]


def _parameters(text: str) -> Mapping[str, Sequence[str]]:
    """The parameter's `key=value` pairs, in order; raises InputError for a key that is none."""
    found: dict[str, list[str]] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = pair.partition("=")
        found.setdefault(key, []).append(value)
    unknown = [key for key in found if key not in _OPTIONS]
    if unknown:
        hint = f"known options: {', '.join(_OPTIONS)}"
        raise InputError(Finding(_PLACE, "plugin-option", f"there is no option `{key}`", hint) for key in unknown)
    return found


def _settings(given: Mapping[str, Sequence[str]]) -> _Settings:
    """What the parameter says, or the pyproject.toml of the project that it names."""
    last = {key: values[-1] for key, values in given.items()}
    if "package" not in given:
        project = Path(last.get("project", "."))
        config = configuration.read(project)
        configs = tuple(project / path for path in configuration.service_configs(config))
        before = read_lock(Disk(project))
        known = before.files.items() if before else ()
        return _Settings(
            config.name,
            config.package,
            config.contracts,
            project / config.spec,
            configs,
            error_folders(project, config),
            packs.resolve(project, config, before.packs if before else {}).layers,
            frozenset(path for path, locked in known if locked.owner is Owner.EJECTED),
        )
    package = last["package"]
    name = last.get("name", package)
    if findings := [*name_findings(name, _PLACE), *package_findings(package, _PLACE)]:
        raise InputError(findings)
    spec = Path(last["spec"]) if "spec" in last else None
    beside = (spec.parent,) if spec else ()
    return _Settings(name, package, ("*",), spec, tuple(map(Path, given.get("service_config", ()))), beside)


def _roots(request: CodeGeneratorRequest, settings: _Settings, called: Sequence[str]) -> tuple[str, ...]:
    """The files whose services are served: those to be generated that the project names, dependencies' apart."""
    prefix = f"{configuration.CONTRACT_FOLDER}/"
    patterns = [entry.removeprefix(prefix) for entry in settings.contracts]
    roots = tuple(
        path
        for path in request.file_to_generate
        if path not in called and any(fnmatchcase(path, pattern) for pattern in patterns)
    )
    plain = [entry for entry in patterns if not any(character in entry for character in "*?[")]
    missing = [entry for entry in plain if entry not in request.file_to_generate]
    if missing:
        message = '"{}" in `contracts` is not among the files to generate'
        raise InputError(Finding(_PLACE, "contract-not-found", message.format(entry), _ALL) for entry in missing)
    if not roots:
        raise InputError.one(_PLACE, "contract-not-found", "none of the files to generate is to be served", _ALL)
    return roots


def _descriptors(request: CodeGeneratorRequest, within: Sources, mixed_in: Sequence[str]) -> FileDescriptorSet:
    """The request's files, but those that installed packages provide as these have them: the emitted code imports them."""
    provided = [file.name for file in request.proto_file if file.name in within.provided]
    names = tuple(dict.fromkeys((*provided, *mixed_in)))
    compiled = compile_protos(names, within) if names else FileDescriptorSet()
    kept = [file for file in request.proto_file if file.name not in within.provided]
    return FileDescriptorSet(file=[*compiled.file, *kept])

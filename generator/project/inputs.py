"""Lays a project's inputs down: contracts at their import paths, the spec, and what pyproject.toml says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator import resources
from generator.contract.load import load as load_contract
from generator.contract.roots import resolve_inputs
from generator.contract.service_config import NO_CONFIG
from generator.contract.service_config import load as load_service_configs
from generator.contract.sources import is_import_path
from generator.errors import Finding, InputError, Place
from generator.plan.build import build
from generator.plan.dependencies import dependency_contracts
from generator.project import config as configuration
from generator.project.config import CONTRACT_FOLDER
from generator.project.distributions import declared
from generator.project.paths import cannot
from generator.render import keywords
from generator.spec.load import load as load_spec
from generator.spec.load import load_text
from generator.spec.peers import load_peers

SPEC = "resilience.yaml"
"""Where `new` puts the spec."""

_STARTER = "templates/python/starter/greeter.proto"
_UNSET = re.compile(r"^contracts = \[\]$", re.MULTILINE)
_CONFIG_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a new project starts from, read and found to be in order; `files` are by path in the project."""

    roots: tuple[str, ...]  # import paths
    service_configs: tuple[str, ...]  # below contract/
    files: Mapping[str, bytes]


def read(
    contracts: Sequence[str],
    include: Sequence[Path],
    spec: Path | None,
    configs: Sequence[Path] = (),
    *,
    name: str,
    package: str,
) -> Inputs:
    """The inputs that the user names, planned once to see that they fit each other.

    Without contracts there is a starter; without a spec the skeleton has one. Raises InputError with everything
    that is wrong, at the files as the user named them.
    """
    findings = _misnamed(configs)
    names = tuple(path.name for path in configs)
    if not contracts:
        if findings:
            raise InputError(findings)
        return Inputs(("greeter.proto",), names, _starter(package) | _others(spec, configs))
    resolved = contract = loaded = None
    rules = NO_CONFIG
    try:
        loaded = load_spec(spec) if spec else load_text("spec: {}\n", SPEC)
    except InputError as error:
        findings += error.findings
    try:
        rules = load_service_configs(configs)
    except InputError as error:
        findings += error.findings
    called = dependency_contracts(loaded) if loaded else ()
    duplicates = loaded.body.server.rest.duplicate_routes if loaded else "warn"
    try:
        resolved = resolve_inputs(contracts, include)
        contract = load_contract(resolved.roots, resolved.include, called, rules, duplicates=duplicates)
    except InputError as error:
        findings += error.findings
    if resolved is None or contract is None or loaded is None or findings:
        raise InputError(findings)
    beside = [spec.parent] if spec else []
    peers = load_peers(loaded, [*resolved.include, *beside])
    build(contract, loaded, name=name, package=package, peers=peers)
    keywords.check(contract)
    copies = {f"{CONTRACT_FOLDER}/{path}": _read(source) for path, source in resolved.copies(contract)}
    copies |= {f"{CONTRACT_FOLDER}/{peer.path}": _read(peer.file) for peer in peers.values()}
    return Inputs(resolved.roots, names, copies | _others(spec, configs))


def _misnamed(configs: Sequence[Path]) -> list[Finding]:
    """Service configurations that could not lie beside each other in `contract/` under their names."""
    findings = []
    seen: dict[str, Path] = {}
    for path in configs:
        first = seen.setdefault(path.name, path)
        if first is not path:
            message = f"{first} has the same name, and both are copied to {CONTRACT_FOLDER}/"
            findings.append(Finding(Place(str(path)), "service-config-name", message, "rename one of them"))
        if path.suffix not in _CONFIG_SUFFIXES or not is_import_path(path.name):
            hint = "use letters, digits, _, - and ., and end in .yaml"
            findings.append(Finding(Place(str(path)), "service-config-name", "this is no name for a YAML file", hint))
    return findings


def _starter(package: str) -> dict[str, bytes]:
    text = (resources.root() / _STARTER).read_text(encoding="utf-8")
    return {f"{CONTRACT_FOLDER}/greeter.proto": text.replace("PACKAGE", package).encode()}


def _others(spec: Path | None, configs: Sequence[Path]) -> dict[str, bytes]:
    """What is copied beside the contract's own files."""
    copies = {f"{CONTRACT_FOLDER}/{path.name}": _read(path) for path in configs}
    return copies | {SPEC: _read(spec)} if spec else copies


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError([cannot(path, "read", error)]) from None


def lay_down(project: Path, inputs: Inputs, packs: Sequence[str] = ()) -> None:
    """Writes the inputs into a project that copier has just made, and names them and the packs in its pyproject.toml."""
    for path, content in inputs.files.items():
        target = project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    file = project / configuration.FILE
    text = file.read_bytes().decode()
    setting = f"contracts = {_listed(inputs.roots)}"
    if inputs.service_configs:
        setting += f"\nservice-config = {_listed(inputs.service_configs)}"
    if packs:
        setting += f"\npacks = {_listed(packs)}"
    changed, count = _UNSET.subn(lambda _: setting, text, count=1)
    if not count:
        message = "`contracts` is not empty: the project has been generated before"
        raise InputError.one(Place(str(file)), "project-config", message, "run `holdfast generate`")
    file.write_bytes(declared(changed, project / SPEC).encode())


def _listed(names: Sequence[str]) -> str:
    """A TOML array, whose strings are written as JSON's are."""
    quoted = [json.dumps(name, ensure_ascii=False) for name in names]
    if len(quoted) == 1:
        return f"[{quoted[0]}]"
    return "[" + "".join(f"\n  {name}," for name in quoted) + "\n]"

"""Lays a project's inputs down: contracts at their import paths, the spec, and what pyproject.toml says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator import resources
from generator.contract.load import load as load_contract
from generator.contract.roots import resolve_inputs
from generator.errors import Finding, InputError, Place
from generator.plan.build import build
from generator.plan.dependencies import dependency_contracts
from generator.project import config as configuration
from generator.project.config import CONTRACT_FOLDER
from generator.project.paths import cannot
from generator.spec.load import load as load_spec
from generator.spec.load import load_text

SPEC = "resilience.yaml"
"""Where `new` puts the spec."""

_STARTER = "templates/python/starter/greeter.proto"
_UNSET = re.compile(r"^contracts = \[\]$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a new project starts from, read and found to be in order; `files` are by path in the project."""

    roots: tuple[str, ...]  # import paths
    files: Mapping[str, bytes]


def read(contracts: Sequence[str], include: Sequence[Path], spec: Path | None, *, name: str, package: str) -> Inputs:
    """The inputs that the user names, planned once to see that they fit each other.

    Without contracts there is a starter; without a spec the skeleton has one. Raises InputError with everything
    that is wrong, at the files as the user named them.
    """
    if not contracts:
        return Inputs(("greeter.proto",), _starter(package) | _spec(spec))
    findings: list[Finding] = []
    resolved = contract = loaded = None
    try:
        loaded = load_spec(spec) if spec else load_text("spec: {}\n", SPEC)
    except InputError as error:
        findings += error.findings
    called = dependency_contracts(loaded) if loaded else ()
    try:
        resolved = resolve_inputs(contracts, include)
        contract = load_contract(resolved.roots, resolved.include, called)
    except InputError as error:
        findings += error.findings
    if resolved is None or contract is None or loaded is None:
        raise InputError(findings)
    build(contract, loaded, name=name, package=package)
    copies = {f"{CONTRACT_FOLDER}/{path}": _read(source) for path, source in resolved.copies(contract)}
    return Inputs(resolved.roots, copies | _spec(spec))


def _starter(package: str) -> dict[str, bytes]:
    text = (resources.root() / _STARTER).read_text(encoding="utf-8")
    return {f"{CONTRACT_FOLDER}/greeter.proto": text.replace("PACKAGE", package).encode()}


def _spec(spec: Path | None) -> dict[str, bytes]:
    return {SPEC: _read(spec)} if spec else {}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError([cannot(path, "read", error)]) from None


def lay_down(project: Path, inputs: Inputs) -> None:
    """Writes the inputs into a project that copier has just made, and names the contracts in its pyproject.toml."""
    for path, content in inputs.files.items():
        target = project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    file = project / configuration.FILE
    listed = "".join(f'\n  "{root}",' for root in inputs.roots) + "\n"
    if len(inputs.roots) == 1:
        listed = f'"{inputs.roots[0]}"'
    text = file.read_bytes().decode()
    changed, count = _UNSET.subn(lambda _: f"contracts = [{listed}]", text, count=1)
    if not count:
        message = "`contracts` is not empty: the project has been generated before"
        raise InputError.one(Place(str(file)), "project-config", message, "run `holdfast generate`")
    file.write_bytes(changed.encode())

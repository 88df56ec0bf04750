"""A project's inputs turned into everything a generation is about to write, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from generator import __version__
from generator.contract.load import load as load_contract
from generator.contract.model import Contract
from generator.contract.service_config import NO_CONFIG
from generator.contract.service_config import load as load_service_configs
from generator.errors import Finding, InputError
from generator.plan.build import build
from generator.plan.dependencies import dependency_contracts
from generator.plan.model import Plan
from generator.project import config as configuration
from generator.project import packs
from generator.project.config import CONTRACT_FOLDER, Config
from generator.project.disk import Disk
from generator.project.identity import identity, versions
from generator.project.lock import Lock, digest, load
from generator.project.ownership import formatted
from generator.project.paths import INPUTS, LOCK, shown
from generator.render.emit import Emit, Owner
from generator.spec.load import load as load_spec
from generator.spec.peers import PeerErrors, load_peers

_EMPTY = sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Build:
    """What a project's inputs amount to; `lock` is the new lock without its files, `before` the last generation's."""

    config: Config
    plan: Plan
    emits: tuple[Emit, ...]
    lock: Lock
    before: Lock | None
    packs: packs.Resolved


def plan_of(project: Path) -> tuple[Config, Plan]:
    """The project's configuration and plan. Raises InputError with what is wrong with its inputs."""
    config, plan, _ = _planned(project)
    return config, plan


def _planned(project: Path) -> tuple[Config, Plan, tuple[str, ...]]:
    """The same, and the files with error tables of dependencies, relative to the project."""
    config = configuration.read(project)
    findings: list[Finding] = []
    contract = spec = None
    rules = NO_CONFIG
    try:
        spec = load_spec(project / config.spec)
    except InputError as error:
        findings += error.findings
    try:
        rules = load_service_configs([project / path for path in configuration.service_configs(config)])
    except InputError as error:
        findings += error.findings
    peers: Mapping[str, PeerErrors] = {}
    try:
        peers = load_peers(spec, error_folders(project, config)) if spec else {}
    except InputError as error:
        findings += error.findings
    called = dependency_contracts(spec) if spec else ()
    duplicates = spec.body.server.rest.duplicate_routes if spec else "warn"
    try:
        roots = configuration.contract_roots(project, config)
        contract = load_contract(roots, [project / CONTRACT_FOLDER], called, rules, duplicates=duplicates)
    except InputError as error:
        findings += error.findings
    if contract is None or spec is None or findings:
        raise InputError(findings)
    plan = build(contract, spec, name=config.name, package=config.package, peers=peers)
    tables = dict.fromkeys(peer.file.relative_to(project).as_posix() for peer in peers.values())
    return config, plan, tuple(tables)


def error_folders(project: Path, config: Config) -> tuple[Path, ...]:
    """Where the error tables of dependencies are looked for."""
    return project / CONTRACT_FOLDER, (project / config.spec).parent


def compute(
    project: Path,
    disk: Disk,
    before: Lock | None,
    force: Sequence[str] = (),
    *,
    upgrade: bool = False,
    destination: Path | None = None,
) -> Build:
    """Everything a generation of the project would write.

    What `disk` shows to be formatted already, by the lock `before`, is not formatted again. Packs are of the commits
    in that lock, unless told to `upgrade`; `destination` is where the project is going to be, if not there. Raises InputError with what is wrong with the inputs.
    """
    from generator.render.render import render

    config, plan, tables = _planned(project)
    resolved = packs.resolve(project, config, before.packs if before and not upgrade else {}, destination=destination)
    tools = {**versions(), **resolved.tools}
    emits = render(plan, formatted(disk, before, tools, force), resolved.layers)
    if any(_is_hollow(emit, before) for emit in emits):
        emits = render(plan, layers=resolved.layers)
    others = (config.spec, *configuration.service_configs(config), *tables)
    emits = (*emits, *_kept_inputs(project, others))
    inputs = {**_input_hashes(project, config, plan.contract, others), **resolved.own}
    lock = Lock(__version__, tools, inputs, packs=resolved.pins, identity=identity())
    return Build(config, plan, emits, lock, before, resolved)


def _is_hollow(emit: Emit, before: Lock | None) -> bool:
    """Whether a file that may be written shares its raw text with one that is not, and so came without content."""
    locked = before.files.get(emit.path) if before else None
    kept = locked is not None and locked.owner in (Owner.SEEDED, Owner.APPENDED)
    return not emit.content and emit.raw_hash not in ("", _EMPTY) and not kept


def _input_hashes(project: Path, config: Config, contract: Contract, others: Sequence[str]) -> Mapping[str, str]:
    """The hash of each input; of pyproject.toml, of what it says for the generator.

    Inputs are only read: links to them may lead anywhere.
    """
    paths = [f"{CONTRACT_FOLDER}/{path}" for path, file in contract.files.items() if not file.provided]
    paths += others
    hashes = {path: digest((project / path).read_bytes()) for path in paths if (project / path).is_file()}
    return {**hashes, configuration.FILE: digest(configuration.settings(config))}


def _kept_inputs(project: Path, paths: Sequence[str]) -> Iterator[Emit]:
    """The inputs that are no .proto files, as they are: what the next generation compares its own with."""
    for path in dict.fromkeys(paths):
        yield Emit(f"{INPUTS}/{path}", Owner.MANAGED, (project / path).read_bytes(), "input", "input")


def read_lock(disk: Disk) -> Lock | None:
    """The project's lock, None where there is none. Raises InputError where it cannot be trusted."""
    content = disk.read(LOCK)
    return None if content is None else load(content, shown(disk.project, LOCK))

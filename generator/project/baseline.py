"""What a project is compared with: its last generation, a git revision, a descriptor set, or another folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from generator.breaking import snapshot
from generator.breaking.behaviour import of_contract, of_plan
from generator.breaking.schema import Schema
from generator.breaking.versions import Version, scope
from generator.contract.compile import compile_protos
from generator.contract.load import from_descriptors
from generator.contract.model import Contract
from generator.contract.sources import python_module, sources
from generator.errors import Finding, InputError, Place
from generator.plan.model import Plan
from generator.project import config as configuration
from generator.project.build import plan_of
from generator.project.config import CONTRACT_FOLDER
from generator.project.disk import Disk
from generator.project.lock import Lock
from generator.project.paths import BEHAVIOUR, CONTRACT, cannot, shown
from generator.project.revision import Revision

GIT = "git:"
"""What a git revision begins with where a path could stand."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A version to compare with, and its contract."""

    version: Version
    contract: Contract

    @property
    def spec_known(self) -> bool:
        """Whether more than the contract is compared."""
        return self.version.behaviour.spec_known


def current(project: Path, plan: Plan) -> Baseline:
    """The project as its inputs say it is."""
    behaviour = of_plan(plan)
    descriptor_set = plan.contract.descriptor_set
    files = scope(descriptor_set, behaviour.roots)
    schema = Schema(descriptor_set, files, plan.contract.source_info, shown(project, CONTRACT_FOLDER))
    return Baseline(Version(schema, behaviour), plan.contract)


def last_generation(disk: Disk, before: Lock | None, plan: Plan) -> Baseline | None:
    """The project as it was generated last; None where it never was, or where that is not what is there now.

    Raises InputError where it is what was written, and cannot be read.
    """
    contract, behaviour = (_as_locked(disk, before, path) for path in (CONTRACT, BEHAVIOUR))
    return None if contract is None else _kept(contract, behaviour, plan, lambda path: shown(disk.project, path))


def _as_locked(disk: Disk, before: Lock | None, path: str) -> bytes | None:
    """The file's content where nobody has changed it: whether it is overwritten is decided elsewhere."""
    locked = before.files.get(path) if before else None
    return disk.read(path) if locked is None or disk.digest(path) == locked.hash else None


def against(project: Path, text: str, plan: Plan) -> Baseline:
    """What `--against` names: a revision of the project (`git:REF`), a descriptor set, a project or a folder of protos.

    Raises InputError where there is no such thing, or it cannot be read.
    """
    if text.startswith(GIT):
        return _revision(Revision.find(project, text.removeprefix(GIT)), plan)
    path = Path(text)
    try:
        if path.is_dir():
            return _folder(path, plan)
        return _kept(path.read_bytes(), None, plan, lambda _: text)
    except FileNotFoundError:
        hint = f"--against takes {GIT}REF, a descriptor set, a project, or a folder of .proto files"
        raise InputError.one(Place(text), "baseline-not-found", "there is no such file or folder", hint) from None
    except OSError as error:
        raise InputError([cannot(path, "read", error)]) from None


def _revision(revision: Revision, plan: Plan) -> Baseline:
    if CONTRACT in revision.paths:
        behaviour = revision.read(BEHAVIOUR) if BEHAVIOUR in revision.paths else None
        return _kept(revision.read(CONTRACT), behaviour, plan, revision.shown)
    if configuration.FILE not in revision.paths:
        message = "the project is not in that revision"
        raise InputError.one(Place(revision.name), "baseline-not-found", message, "name a later one")
    with TemporaryDirectory(prefix="holdfast-") as folder:
        revision.extract(Path(folder))
        try:
            return current(Path(folder), plan_of(Path(folder))[1])
        except InputError as error:
            raise _unreadable(revision.name, error) from None


def _folder(path: Path, plan: Plan) -> Baseline:
    if (path / CONTRACT).is_file():
        disk = Disk(path)
        return _kept(disk.read(CONTRACT) or b"", disk.read(BEHAVIOUR), plan, lambda name: shown(path, name))
    if (path / configuration.FILE).is_file():
        return current(path, plan_of(path)[1])
    protos = sorted(found.relative_to(path).as_posix() for found in path.rglob("*.proto"))
    if not protos:
        raise InputError.one(Place(str(path)), "baseline-not-found", "there is no .proto file in this folder")
    return _bare(compile_protos(protos, sources([path])), plan)


def _kept(contract: bytes, behaviour: bytes | None, plan: Plan, named: Callable[[str], str]) -> Baseline:
    """A baseline out of the files that it is kept in; `named` is what findings call them."""
    try:
        descriptor_set = _parsed(contract)
        if behaviour is None:
            return _bare(descriptor_set, plan)
        known = snapshot.load(behaviour, named(BEHAVIOUR))
        schema = Schema(descriptor_set, scope(descriptor_set, known.roots))
        roots = [root for root in known.roots if root in schema.files]
        return Baseline(Version(schema, known), _contract(descriptor_set, roots))
    except (DecodeError, TypeError) as error:
        message = f"it is no descriptor set of a contract: {error}"
        hint = "make one with `buf build -o` or `protoc --include_imports --descriptor_set_out`"
        raise InputError.one(Place(named(CONTRACT)), "baseline-unreadable", message, hint) from None


def _parsed(content: bytes) -> FileDescriptorSet:
    """Raises DecodeError for what is no descriptor set."""
    descriptor_set = FileDescriptorSet.FromString(content)
    if not descriptor_set.file or not all(file.name for file in descriptor_set.file):
        raise DecodeError("it has no files")
    return descriptor_set


def _bare(descriptor_set: FileDescriptorSet, plan: Plan) -> Baseline:
    """A baseline of descriptors alone: all their files, but for what the project itself only calls."""
    for file in descriptor_set.file:
        file.ClearField("source_code_info")
    own = scope(plan.contract.descriptor_set, [path for path, file in plan.contract.files.items() if file.root])
    called = scope(plan.contract.descriptor_set, plan.contract.dependencies) - own
    roots = [file.name for file in descriptor_set.file if file.name not in called and not python_module(file.name)]
    contract = _contract(descriptor_set, roots)
    return Baseline(Version(Schema(descriptor_set, roots), of_contract(contract)), contract)


def _contract(descriptor_set: FileDescriptorSet, roots: Sequence[str]) -> Contract:
    """Raises DecodeError where the descriptors do not stand by themselves."""
    try:
        return from_descriptors(descriptor_set, roots)
    except InputError as error:
        raise DecodeError(error.findings[0].message) from None


def _unreadable(name: str, error: InputError) -> InputError:
    """The findings of an older version at its name: their files are nowhere to be seen."""
    return InputError(
        Finding(Place(name), "baseline-unreadable", f"{finding.id}: {finding.message}", finding.hint)
        for finding in error.findings
    )

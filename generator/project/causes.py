"""Why a generation changes what it changes: what of the inputs is not as it was, and which files are made from that."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from generator.document import Plain, parse, plain
from generator.project import config as configuration
from generator.project.build import Build
from generator.project.changes import Change, Changes, Fault
from generator.project.config import CONTRACT_FOLDER
from generator.project.contract_changes import contract_changes
from generator.project.disk import Disk
from generator.project.lock import Lock
from generator.project.packs import OWN
from generator.project.paths import CONTRACT, INPUTS, UPSTREAM_FILES, UPSTREAM_TEMPLATES
from generator.render.emit import Emit
from generator.render.layers import HEADER, SHARED
from generator.render.sources import Sources, sources_of

_SHOWN = 40  # characters of a value of the spec
_TEXT = "comments or layout"
_INPUT = "input"  # the layer of the inputs that are kept


class _Reach(enum.Enum):
    """Which files something can change."""

    ALL = enum.auto()
    MESSAGES = enum.auto()  # what protoc makes
    PRINTED = enum.auto()  # what protoc does not make
    CONTRACT = enum.auto()  # what any .proto file has a part in
    PROTO = enum.auto()  # what the .proto file of that name has a part in
    SPEC = enum.auto()  # what any key of the spec has a part in
    KEY = enum.auto()  # what that key of the spec has a part in
    TEMPLATE = enum.auto()  # what that template makes
    NOTHING = enum.auto()


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is not as it was at the last generation: `what` in a word, and `how` it differs.

    `file` is the input that it stands in, "" for none; `name` what `reach` is about.
    """

    what: str
    how: str
    reach: _Reach
    file: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.how}"

    def concerns(self, emit: Emit, sources: Sources) -> bool:
        """Whether the file can differ for it."""
        if emit.layer == _INPUT:
            return emit.path == f"{INPUTS}/{self.file}"
        match self.reach:
            case _Reach.ALL:
                return True
            case _Reach.MESSAGES | _Reach.PRINTED:
                return (emit.layer == "protoc") == (self.reach is _Reach.MESSAGES)
            case _Reach.CONTRACT:
                return sources.protos != frozenset()
            case _Reach.PROTO:
                return sources.has_proto(self.name)
            case _Reach.SPEC:
                return sources.sections != ()
            case _Reach.KEY:
                return sources.has_key(self.name)
            case _Reach.TEMPLATE:
                return emit.template == self.name
            case _Reach.NOTHING:
                return False


def causes(disk: Disk, before: Lock | None, built: Build) -> tuple[Cause, ...]:
    """All that differs from the last generation, as the lock and what is kept beside it know that."""
    if before is None:
        return (Cause("the lock", "is missing: nothing is known of an earlier generation", _Reach.ALL),)
    return (
        *_of_the_tools(before, built.lock),
        *_of_the_contract(disk, before, built),
        *_of_others(disk, before, built),
        *_of_the_templates(before.inputs, built.lock.inputs),
        *_of_the_packs(before.packs, built.lock.packs),
    )


def reasons(found: Sequence[Cause], before: Lock | None, built: Build, changes: Changes) -> Mapping[str, list[str]]:
    """For each file that changes, why."""
    emits = {emit.path: emit for emit in built.emits}
    of = sources_of(built.plan)
    why: dict[str, list[str]] = {}
    for change in changes.written:
        emit = emits.get(change.path)
        why[change.path] = list(_own_reasons(change, emit, before))
        if change.path.startswith((f"{UPSTREAM_TEMPLATES}/", f"{UPSTREAM_FILES}/")):
            why[change.path] = ["it keeps what lay below a file of yours"]
            continue
        if emit is None:
            why[change.path] += [cause.what for cause in found]
        elif change.fault not in (Fault.EDITED, Fault.MISSING):
            why[change.path] += [cause.what for cause in found if cause.concerns(emit, of(emit))]
        if not why[change.path]:
            why[change.path] = [f"its template, {emit.template}, is another" if emit else "nothing makes it any more"]
    return why


def _own_reasons(change: Change, emit: Emit | None, before: Lock | None) -> Iterator[str]:
    """What can be said of the file itself."""
    locked = before.files.get(change.path) if before else None
    if change.fault is Fault.EDITED:
        yield "it was edited by hand" if locked else "it is not what holdfast would write"
    elif change.fault is Fault.MISSING:
        yield "it was deleted"
    elif emit and locked and emit.layer != locked.layer:
        yield f"it comes from the layer {emit.layer} now, not {locked.layer}"
    elif emit and locked and emit.template != locked.template:
        yield f"it comes from {emit.template} now, not {locked.template}"


def _of_the_tools(before: Lock, after: Lock) -> Iterator[Cause]:
    if after.generator != before.generator:
        yield Cause("holdfast", f"is {after.generator}, was {before.generator}", _Reach.ALL)
    for tool in sorted(after.tools):
        if after.tools[tool] != (was := before.tools.get(tool, "none")):
            reach = _Reach.MESSAGES if tool == "grpcio-tools" else _Reach.PRINTED
            yield Cause(tool, f"is {after.tools[tool]}, was {was}", reach)


def _of_the_contract(disk: Disk, before: Lock, built: Build) -> Iterator[Cause]:
    old, new = (
        {path: digest for path, digest in lock.inputs.items() if path.endswith(".proto")}
        for lock in (before, built.lock)
    )
    changed = [path for path in sorted({*old, *new}) if old.get(path) != new.get(path)]
    details = contract_changes(_old_contract(disk), built.plan.contract.descriptor_set) if changed else {}
    for path in changed:
        name = path.removeprefix(f"{CONTRACT_FOLDER}/")
        if path in new:
            yield Cause(path, f"differs: {details.get(name, _TEXT)}", _Reach.PROTO, path, name)
        else:
            yield Cause(path, "is no longer part of the contract", _Reach.CONTRACT, path)


def _old_contract(disk: Disk) -> FileDescriptorSet:
    """The contract of the last generation; an empty one where it cannot be read."""
    try:
        return FileDescriptorSet.FromString(disk.read(CONTRACT) or b"")
    except DecodeError:
        return FileDescriptorSet()


def _of_others(disk: Disk, before: Lock, built: Build) -> Iterator[Cause]:
    """The spec, the service configurations, and what pyproject.toml says."""
    for path, digest in sorted(built.lock.inputs.items()):
        if digest == before.inputs.get(path) or path.endswith(".proto") or path.startswith(f"{OWN}/"):
            continue
        if path == configuration.FILE:
            yield Cause(path, "differs in [tool.holdfast] or the name", _Reach.ALL, path)
        elif path == built.config.spec:
            yield from _of_the_spec(disk, path)
        else:
            yield Cause(path, "differs", _Reach.CONTRACT, path)


def _of_the_spec(disk: Disk, path: str) -> Iterator[Cause]:
    old, new = _leaves(disk.read(f"{INPUTS}/{path}")), _leaves((disk.project / path).read_bytes())
    if old is None or new is None:
        yield Cause(path, "differs", _Reach.SPEC, path)
        return
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    for key in keys:
        now = f"is {new[key]}" if key in new else "is gone"
        yield Cause(f"{path}: {key}", f"{now}, was {old.get(key, 'not set')}", _Reach.KEY, path, key)
    if not keys:
        yield Cause(path, f"differs: {_TEXT}", _Reach.NOTHING, path)


def _of_the_templates(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Cause]:
    """The project's own templates."""
    for path in sorted({*before, *after}):
        if not path.startswith(f"{OWN}/") or before.get(path) == after.get(path):
            continue
        name = path.removeprefix(f"{OWN}/")
        reach = _Reach.ALL if name == HEADER or name.startswith(SHARED) else _Reach.TEMPLATE
        yield Cause(path, _how(path, before, after), reach, path, name)


def _of_the_packs(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Cause]:
    for pack in sorted({*before, *after}):
        if before.get(pack) != after.get(pack):
            yield Cause(f"the pack {pack}", _how(pack, before, after), _Reach.ALL)


def _how(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    return "is gone" if name not in after else "differs" if name in before else "is new"


def _leaves(content: bytes | None) -> Mapping[str, str] | None:
    """The values of a YAML file by their keys with dots, each as text; None where it cannot be read."""
    if content is None:
        return None
    try:
        root, findings = parse(content.decode(), "")
    except UnicodeDecodeError:
        return None
    return None if root is None or findings else dict(_flat(plain(root), ""))


def _flat(value: Plain, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else name)
    else:
        text = str(value)
        yield key, text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

"""Decides for every emitted file, by its owner, what a generation does to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from generator.errors import Finding, InputError, Place
from generator.project import handlers
from generator.project.changes import Action, Change, Changes, Fault
from generator.project.disk import Disk
from generator.project.lock import Handled, Lock, Locked, digest
from generator.project.own_code import lost_imports
from generator.project.paths import LOCK, RECORDS, UPSTREAM_FILES, shown
from generator.project.stubs import append_stubs
from generator.render.emit import Emit, Owner


@dataclass(slots=True)
class _Decisions:
    """What has been decided so far."""

    files: list[Change] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    stubs: list[tuple[str, str]] = field(default_factory=list)
    locked: dict[str, Locked] = field(default_factory=dict)


def decide(disk: Disk, emits: Sequence[Emit], before: Lock | None, after: Lock, force: Sequence[str] = ()) -> Changes:
    """What generating `emits` does to the project on `disk`.

    `before` is its lock, `after` the new lock without files. `force` names managed files, or folders of them, that
    are overwritten although they were edited by hand, and files of the user's that are created again although
    they were deleted. Raises InputError where the project's files cannot be read or lead out of it.
    """
    known = before.files if before else {}
    decisions = _Decisions()
    emitted = {emit.path: emit for emit in emits}
    for path in sorted(emitted):
        emit, locked = emitted[path], known.get(path)
        forced = _covers(force, path)
        try:
            _emitted(decisions, disk, emit, locked, forced)
        except InputError as error:
            decisions.refused += error.findings
    current = before is not None and replace(after, files=before.files) == before
    new = {emit.path: [Handled.of(stub) for stub in emit.stubs] for emit in emits if emit.path not in known}
    for path in sorted(known.keys() - emitted.keys()):
        try:
            if known[path].owner is Owner.MANAGED:
                _pruned(decisions, disk, path, known[path], _covers(force, path), current)
            elif known[path].owner is Owner.EJECTED:
                _let_go(decisions, disk, path)
            else:
                _left_behind(decisions, disk, path, known[path], new)
        except InputError as error:
            decisions.refused += error.findings
    for name in force:
        if not any(_covers([name], path) for path in emitted.keys() | known.keys()):
            message = "--force names nothing that is generated"
            decisions.refused.append(Finding(Place(shown(disk.project, name)), "unknown-path", message))
    decisions.notes += handlers.unwired(disk, emits)
    gone = [change.path for change in decisions.files if change.owner is Owner.MANAGED and change.after is None]
    decisions.notes += lost_imports(disk, before, gone)
    return Changes(
        files=tuple(sorted(decisions.files, key=lambda change: change.path)),
        refused=tuple(decisions.refused),
        notes=tuple(decisions.notes),
        stubs=tuple(decisions.stubs),
        lock=replace(after, files=decisions.locked),
        lock_before=disk.read(LOCK),
    )


def _emitted(decisions: _Decisions, disk: Disk, emit: Emit, locked: Locked | None, forced: bool) -> None:
    if locked is not None and locked.owner is Owner.EJECTED:
        _ejected(decisions, disk, emit, locked)
    elif emit.owner is Owner.MANAGED:
        _managed(decisions, disk, emit, locked, forced)
    elif emit.owner is Owner.SEEDED:
        _seeded(decisions, disk, emit, locked, forced)
    else:
        _appended(decisions, disk, emit, locked, forced)


def _covers(names: Sequence[str], path: str) -> bool:
    """Whether one of `names` is the path or a folder above it."""
    return any(name in (".", path) or path.startswith(f"{name}/") for name in names)


def _managed(decisions: _Decisions, disk: Disk, emit: Emit, locked: Locked | None, forced: bool) -> None:
    before = disk.read(emit.path)
    decisions.locked[emit.path] = _entry(emit, digest(emit.content))
    if before is None:
        fault = Fault.MISSING if locked else Fault.STALE
        decisions.files.append(Change(emit.path, emit.owner, Action.CREATED, None, emit.content, fault))
    elif before == emit.content:
        decisions.files.append(Change(emit.path, emit.owner, Action.UNCHANGED, before, before))
    else:
        edited = locked is None or disk.digest(emit.path) != locked.hash
        fault = Fault.EDITED if edited else Fault.STALE
        decisions.files.append(Change(emit.path, emit.owner, Action.CHANGED, before, emit.content, fault))
        if edited and not forced:
            decisions.refused.append(_edited(disk, emit.path, known=locked is not None))


def _edited(disk: Disk, path: str, *, known: bool) -> Finding:
    what = "a generated file was edited by hand" if known else "a file that holdfast did not write is in the way"
    hint = f"move what you wrote to a file of yours, or give it up with --force {path}"
    if path.startswith(RECORDS):
        hint = f"take it from version control, or have it written anew with --force {path}"
    elif known:
        hint += f"; or override its template (`holdfast templates override {path}`), or `holdfast eject {path}`"
    return Finding(Place(shown(disk.project, path)), "edited-by-hand", what, hint)


def _ejected(decisions: _Decisions, disk: Disk, emit: Emit, locked: Locked) -> None:
    """A file that was the generator's, and is the user's: as they left it. The lock keeps what they took over."""
    before = disk.read(emit.path)
    decisions.files.append(Change(emit.path, Owner.EJECTED, Action.KEPT, before, before))
    decisions.locked[emit.path] = replace(locked, template=emit.template, layer=emit.layer)


def _let_go(decisions: _Decisions, disk: Disk, path: str) -> None:
    """An ejected file that nothing would be generated for any more."""
    before = disk.read(path)
    if before is not None:
        decisions.files.append(Change(path, Owner.EJECTED, Action.KEPT, before, before))
        message = "nothing would be generated in its place any more: it is yours alone"
        place = Place(shown(disk.project, path))
        decisions.notes.append(Finding(place, "ejected-gone", message, "it was kept; remove it when it is not needed"))


def _seeded(decisions: _Decisions, disk: Disk, emit: Emit, locked: Locked | None, forced: bool) -> None:
    before = disk.read(emit.path)
    written = locked.hash if locked and locked.hash else digest(emit.content)
    if before is None and (locked is None or forced):
        written = digest(emit.content)
        decisions.files.append(Change(emit.path, emit.owner, Action.CREATED, None, emit.content, Fault.STALE))
    else:
        decisions.files.append(Change(emit.path, emit.owner, Action.KEPT, before, before))
    decisions.locked[emit.path] = _entry(emit, written)


def _appended(decisions: _Decisions, disk: Disk, emit: Emit, locked: Locked | None, forced: bool) -> None:
    before = disk.read(emit.path)
    handled = tuple(Handled.of(stub) for stub in emit.stubs)
    known = {(stub.class_name, stub.method): stub for stub in locked.stubs} if locked else {}
    new = [stub for stub in emit.stubs if (stub.class_name, stub.method) not in known]
    left: list[tuple[str, str]] = []
    if before is None and (locked is None or forced):
        decisions.files.append(Change(emit.path, emit.owner, Action.CREATED, None, emit.content, Fault.STALE))
    elif before is None:
        decisions.files.append(Change(emit.path, emit.owner, Action.KEPT, None, None))
        decisions.notes += (handlers.without_file(disk, emit.path, stub) for stub in new)
    else:
        appended = append_stubs(before, new)
        action = Action.CHANGED if appended.added else Action.KEPT
        fault = Fault.STALE if appended.added else None
        decisions.files.append(Change(emit.path, emit.owner, action, before, appended.content, fault))
        decisions.notes += handlers.left_out(disk, emit.path, appended)
        decisions.stubs += [(shown(disk.project, emit.path), stub.source) for stub in appended.left]
        left = [(stub.class_name, stub.method) for stub in appended.left]
        decisions.notes += handlers.drift(disk, emit.path, locked.stubs if locked else (), emit.stubs)
    # What could not be inserted is not known yet: the next run tries again.
    kept = tuple(stub for stub in handled if (stub.class_name, stub.method) not in left)
    decisions.locked[emit.path] = replace(_entry(emit, ""), stubs=kept)


def _pruned(decisions: _Decisions, disk: Disk, path: str, locked: Locked, forced: bool, current: bool) -> None:
    """A managed file of the lock that is no longer emitted; `current` says that no input explains why."""
    before = disk.read(path)
    if before is None:
        return
    edited = disk.digest(path) != locked.hash
    fault = Fault.EDITED if edited else Fault.ORPHANED if current else Fault.STALE
    decisions.files.append(Change(path, locked.owner, Action.REMOVED, before, None, fault))
    if edited and not forced:
        what = "a generated file that is no longer needed was edited by hand"
        hint = f"move what you wrote to a file of yours, or give it up with --force {path}"
        decisions.refused.append(Finding(Place(shown(disk.project, path)), "edited-by-hand", what, hint))


def _left_behind(
    decisions: _Decisions, disk: Disk, path: str, locked: Locked, new: Mapping[str, Sequence[Handled]]
) -> None:
    """A file of the user's that would no longer be made; `new` are the RPCs of the files that are new."""
    before = disk.read(path)
    if before is not None:
        decisions.files.append(Change(path, locked.owner, Action.KEPT, before, before))
        decisions.notes.append(handlers.file_gone(disk, path, locked, new))


def _entry(emit: Emit, written: str) -> Locked:
    raw = f"sha256:{emit.raw_hash}" if emit.raw_hash else ""
    return Locked(emit.owner, emit.template, emit.layer, written, "" if raw == written else raw)


def formatted(
    disk: Disk, lock: Lock | None, tools: Mapping[str, str], force: Sequence[str] = ()
) -> Mapping[str, bytes]:
    """What `render` need not format again, by raw hash: the files that are as this version of the tools wrote them.

    The user's own files are in it with no content: they exist, or were deleted, and are not written anyway.
    """
    if lock is None or dict(lock.tools) != dict(tools):
        return {}
    return dict(_known(disk, lock, force))


def _known(disk: Disk, lock: Lock, force: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for file, locked in lock.files.items():
        raw = (locked.raw_hash or locked.hash).removeprefix("sha256:")
        if locked.owner in (Owner.SEEDED, Owner.APPENDED):
            if not force:
                yield raw, b""
            continue
        path = file if locked.owner is Owner.MANAGED else f"{UPSTREAM_FILES}/{file}"
        if disk.digest(path) == locked.hash:
            content = disk.read(path)
            if content is not None:
                yield raw, content

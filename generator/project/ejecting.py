"""`holdfast eject` and `adopt`: a managed file becomes the user's, and the generator's again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generator.errors import Finding, InputError, Place
from generator.project import build, deciding
from generator.project.changes import Action, Change, Changes, Fault
from generator.project.disk import Disk
from generator.project.exclusion import exclusive
from generator.project.lock import Lock, Locked, digest, dump
from generator.project.paths import LOCK, UPSTREAM_FILES, shown
from generator.project.transaction import Write, recover, write
from generator.project.writer import RefusedError
from generator.render.emit import Emit, Owner


@dataclass(frozen=True, slots=True)
class _File:
    """A file that changes hands: as it would be emitted, as the lock has it, as it is (None for a deleted one)."""

    emit: Emit
    locked: Locked
    present: bytes | None


def eject(project: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """Makes managed files the user's, as they are, edited or not; returns their paths.

    What they would be generated as now is kept, to tell what changes upstream; for a file that is ejected already,
    anew. Raises InputError, with nothing written, for what is not the generator's to give.
    """

    def refusal(file: _File) -> Finding | None:
        place = Place(shown(project, file.emit.path))
        if file.emit.path.startswith(".holdfast/"):
            return Finding(place, "not-ejectable", "what is below .holdfast is no part of the service")
        if file.locked.owner not in (Owner.MANAGED, Owner.EJECTED):
            return Finding(place, "not-ejectable", "it is yours already")
        if file.present is None and file.locked.owner is Owner.MANAGED:
            return Finding(place, "not-ejectable", "there is no such file", "run `holdfast generate` first")
        return None

    def given(file: _File) -> tuple[Locked, list[Write]]:
        return _locked(file.emit, Owner.EJECTED), [_kept(project, file.emit.path, file.emit.content)]

    return _change_hands(project, paths, refusal, given)


def adopt(project: Path, paths: Sequence[str], *, force: bool = False) -> tuple[str, ...]:
    """Makes ejected files managed again, as they would be generated now; returns their paths.

    Raises RefusedError, with nothing written, for files that differ from that, unless told to `force`.
    """
    differing: list[Change] = []

    def refusal(file: _File) -> Finding | None:
        place = Place(shown(project, file.emit.path))
        if file.locked.owner is not Owner.EJECTED:
            return Finding(place, "not-ejected", "it is not ejected, so there is nothing to adopt")
        if file.present in (None, file.emit.content) or force:
            return None
        change = Change(file.emit.path, Owner.EJECTED, Action.CHANGED, file.present, file.emit.content, Fault.EDITED)
        differing.append(change)
        hint = f"to give up what is different, `holdfast adopt --force {file.emit.path}`"
        return Finding(place, "edited-by-hand", "it differs from what would be generated", hint)

    def taken(file: _File) -> tuple[Locked, list[Write]]:
        writes = [_kept(project, file.emit.path, None), Write(file.emit.path, file.present, file.emit.content)]
        return _locked(file.emit, Owner.MANAGED), writes

    try:
        return _change_hands(project, paths, refusal, taken)
    except InputError as error:
        if not differing:
            raise
        raise RefusedError(Changes(tuple(differing), error.findings, (), (), Lock(""), None)) from None


def _change_hands(
    project: Path,
    paths: Sequence[str],
    refusal: Callable[[_File], Finding | None],
    change: Callable[[_File], tuple[Locked, list[Write]]],
) -> tuple[str, ...]:
    """Writes the lock with these files' new entries, and what else the change of each takes; nothing else."""
    with exclusive(project):
        recover(project)
        disk = Disk(project)
        before = build.read_lock(disk)
        if before is None:
            message = "there is no lock, so nothing is known to be generated"
            raise InputError.one(Place(shown(project, LOCK)), "not-ejectable", message, "run `holdfast generate` first")
        emits = {emit.path: emit for emit in build.compute(project, disk, before).emits}
        names = list(dict.fromkeys(deciding.relative(project, path) for path in paths))
        findings: list[Finding] = []
        files = dict(before.files)
        writes: list[Write] = []
        for name in names:
            emit, locked = emits.get(name), before.files.get(name)
            if emit is None or locked is None:
                message = "nothing generates a file of that name"
                findings.append(Finding(Place(shown(project, name)), "unknown-path", message, _folder(project, name)))
                continue
            file = _File(emit, locked, disk.read(name))
            if wrong := refusal(file):
                findings.append(wrong)
                continue
            files[name], more = change(file)
            writes += more
        if findings:
            raise InputError(findings)
        writes.append(Write(LOCK, disk.read(LOCK), dump(replace(before, files=files))))
        write(project, [one for one in writes if one.before != one.after])
        deciding.settle(project)
    return tuple(names)


def _folder(project: Path, name: str) -> str:
    return "name its files one by one" if (project / name).is_dir() else "see `holdfast templates list`"


def _locked(emit: Emit, owner: Owner) -> Locked:
    written, raw = digest(emit.content), f"sha256:{emit.raw_hash}" if emit.raw_hash else ""
    return Locked(owner, emit.template, emit.layer, written, "" if raw == written else raw)


def _kept(project: Path, path: str, content: bytes | None) -> Write:
    kept = f"{UPSTREAM_FILES}/{path}"
    return Write(kept, Disk(project).read(kept), content)

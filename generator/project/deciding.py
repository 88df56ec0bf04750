"""What a generation does to a project: everything computed, refusals included, and nothing written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from generator.errors import Finding, InputError, Place
from generator.project import client_use, upstream
from generator.project.breaking import guarded
from generator.project.build import Build, compute, read_lock
from generator.project.changes import Change, Changes
from generator.project.disk import Disk, orphans
from generator.project.distributions import missing
from generator.project.lock import dump
from generator.project.own_code import modules
from generator.project.ownership import decide
from generator.project.paths import LOCK, is_project_path
from generator.project.transaction import Write, write
from generator.project.waivers import Waiver
from generator.render.emit import Owner


def changes(
    project: Path,
    force: Sequence[str] = (),
    waivers: Sequence[Waiver] = (),
    *,
    upgrade: bool = False,
    destination: Path | None = None,
) -> tuple[Build, Changes]:
    """What generating the project would do to it; `waivers` accept breaking changes, `upgrade` takes packs anew.

    `destination` is where a project that is made aside is going to be.

    Raises InputError with what is wrong with its inputs.
    """
    disk = Disk(project)
    before = read_lock(disk)
    names = [relative(project, path) for path in force]
    built = compute(project, disk, before, names, upgrade=upgrade, destination=destination)
    return built, decided(disk, built, names, waivers)


def decided(disk: Disk, built: Build, force: Sequence[str] = (), waivers: Sequence[Waiver] = ()) -> Changes:
    """What writing that build to the project on `disk` would do to it."""
    found = decide(disk, built.emits, built.before, built.lock, force)
    orphaned = tuple(orphans(disk, built.config, {change.path for change in found.files}))
    kept, drifts = taken_over(disk, built, found)
    needs = tuple(missing(disk, built.plan.spec.body))
    remarks = len(built.plan.warnings) + len(found.stubs) + len(drifts) + len(needs)
    found = replace(
        found,
        files=tuple(sorted((*found.files, *kept), key=lambda change: change.path)),
        orphaned=orphaned,
        notes=(*found.notes, *needs, *_uses(disk, built, found)),
        drifts=tuple(drift.finding(disk) for drift in drifts),
        lock=replace(found.lock, remarks=remarks),
    )
    return guarded(disk, built, found, waivers)


def _uses(disk: Disk, built: Build, found: Changes) -> Iterator[Finding]:
    """Notes on what the user's code, as it will be, does with the generated clients, as they will be."""
    generated = {emit.path: emit.content for emit in built.emits if emit.owner is Owner.MANAGED}
    if not client_use.concerned(generated):
        return
    kept = [change for change in found.files if change.owner is not Owner.MANAGED and change.path.endswith(".py")]
    managed = {change.path for change in found.files if change.owner is Owner.MANAGED}
    code = modules(disk, managed, {change.path: change.after for change in kept if change.after is not None})
    spec = built.plan.spec
    yield from client_use.notes(
        code,
        generated,
        lambda dependency, operation: spec.key_place("spec", "dependencies", dependency, "methods", operation),
    )


def taken_over(disk: Disk, built: Build, found: Changes) -> tuple[list[Change], list[upstream.Drift]]:
    """What is to be kept of all that the user has taken over, and what has changed upstream of it since."""
    taken = {path: locked for path, locked in found.lock.files.items() if locked.owner is Owner.EJECTED}
    kept, drifts = upstream.overrides(disk, built.packs.layers)
    more, others = upstream.ejected(disk, built.emits, taken)
    return [*kept, *more], [*drifts, *others]


def relative(project: Path, path: str) -> str:
    """A path that the user names, relative to the project: as findings name it, or as it is found from here."""
    named = [os.path.relpath(Path(path).resolve(), project.resolve()), os.path.normpath(path)]
    inside = [Path(name).as_posix() for name in named if is_project_path(Path(name).as_posix())]
    if not inside:
        raise InputError.one(Place(path), "unsafe-path", "it is not inside the project")
    return next((name for name in inside if (project / name).exists()), inside[0])


def settle(project: Path) -> None:
    """Lets the lock say that the project is current, where it is: to be called after the lock was written unsealed."""
    _, decided = changes(project)
    before = read_lock(Disk(project))
    if not decided.written and not decided.refused and decided.lock == before:
        write(project, [Write(LOCK, decided.lock_before, dump(decided.lock))])

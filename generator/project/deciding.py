"""What a generation does to a project: everything computed, refusals included, and nothing written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from generator.errors import InputError, Place
from generator.project.breaking import guarded
from generator.project.build import Build, compute, read_lock
from generator.project.changes import Changes
from generator.project.disk import Disk, orphans
from generator.project.ownership import decide
from generator.project.paths import is_project_path
from generator.project.waivers import Waiver


def changes(
    project: Path, force: Sequence[str] = (), waivers: Sequence[Waiver] = (), *, upgrade: bool = False
) -> tuple[Build, Changes]:
    """What generating the project would do to it; `waivers` accept breaking changes, `upgrade` takes packs anew.

    Raises InputError with what is wrong with its inputs.
    """
    disk = Disk(project)
    before = read_lock(disk)
    names = [_forced(project, path) for path in force]
    built = compute(project, disk, before, names, upgrade=upgrade)
    decided = decide(disk, built.emits, before, built.lock, names)
    orphaned = tuple(orphans(disk, built.config, {change.path for change in decided.files}))
    remarks = len(built.plan.warnings) + len(decided.stubs)
    decided = replace(decided, orphaned=orphaned, lock=replace(decided.lock, remarks=remarks))
    return built, guarded(disk, built, decided, waivers)


def _forced(project: Path, path: str) -> str:
    """A `--force` argument relative to the project: as findings name it, or as it is found from here."""
    named = [os.path.relpath(Path(path).resolve(), project.resolve()), os.path.normpath(path)]
    inside = [Path(name).as_posix() for name in named if is_project_path(Path(name).as_posix())]
    if not inside:
        raise InputError.one(Place(path), "unsafe-path", "--force takes files and folders inside the project")
    return next((name for name in inside if (project / name).exists()), inside[0])

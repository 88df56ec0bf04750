"""`holdfast generate`: brings a project up to date with its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.errors import Finding
from generator.project import build, record
from generator.project import config as configuration
from generator.project.changes import Changes
from generator.project.disk import Disk
from generator.project.paths import LOCK
from generator.project.transaction import exclusive, recover
from generator.project.writer import apply
from generator.render.emit import Owner


@dataclass(frozen=True, slots=True)
class Generated:
    """What was done; `recovered` is the number of files that an interrupted run had left to write, None for none."""

    changes: Changes
    warnings: tuple[Finding, ...]
    recovered: int | None


def generate(project: Path, force: Sequence[str] = ()) -> Generated:
    """Generates the project, finishing first what an interrupted run left behind.

    Raises InputError, with nothing written, where an input is wrong, a file was edited by hand (and is not named by
    `force`) or the file system refuses.
    """
    with exclusive(project):
        recovered = recover(project)
        built, changes = build.changes(project, force)
        apply(project, changes)
        remember(project, built, changes)
    return Generated(changes, built.plan.warnings, recovered)


def remember(project: Path, built: build.Build, changes: Changes) -> None:
    """Let the next run know that the project is up to date, if there is nothing that it would have to say again."""
    if changes.notes or changes.stubs or built.plan.warnings:
        return
    emitted = [change.path for change in changes.files if (project / change.path).is_file()]
    gen = f"src/{built.config.package}/gen"
    if set(Disk(project).below(gen)) <= set(emitted):
        files = [*emitted, *built.lock.inputs, configuration.FILE, LOCK]
        current = sum(change.owner is Owner.MANAGED and change.after is not None for change in changes.files)
        record.remember(project, files, (configuration.CONTRACT_FOLDER, gen, LOCK.rpartition("/")[0]), current)


def preview(project: Path, force: Sequence[str] = ()) -> Generated:
    """What `generate` would do, refusals included; writes nothing."""
    built, changes = build.changes(project, force)
    return Generated(changes, built.plan.warnings, None)

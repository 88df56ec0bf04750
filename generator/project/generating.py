"""`holdfast generate`: brings a project up to date with its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.errors import Finding
from generator.project import build
from generator.project.changes import Changes
from generator.project.transaction import exclusive, recover
from generator.project.writer import apply


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
    return Generated(changes, built.plan.warnings, recovered)


def preview(project: Path, force: Sequence[str] = ()) -> Generated:
    """What `generate` would do, refusals included; writes nothing."""
    built, changes = build.changes(project, force)
    return Generated(changes, built.plan.warnings, None)

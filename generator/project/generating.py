"""`holdfast generate`: brings a project up to date with its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generator.errors import Finding
from generator.project import deciding
from generator.project.build import Build
from generator.project.changes import Changes
from generator.project.disk import Disk
from generator.project.exclusion import exclusive
from generator.project.transaction import recover
from generator.project.waivers import Waiver
from generator.project.writer import apply


@dataclass(frozen=True, slots=True)
class Generated:
    """What was done, or would be.

    `causes` are what differs from the last generation, `reasons` which of that each file changes for. `recovered` is
    the number of files that an interrupted run had left to write, None for none.
    """

    changes: Changes
    warnings: tuple[Finding, ...]
    causes: tuple[str, ...]
    reasons: Mapping[str, Sequence[str]]
    recovered: int | None = None


def generate(
    project: Path, force: Sequence[str] = (), waivers: Sequence[Waiver] = (), *, upgrade: bool = False
) -> Generated:
    """Generates the project, finishing first what an interrupted run left behind.

    With `upgrade`, packs in git repositories are taken as their refs are now, not as the lock has them.

    Raises InputError, with nothing written, where an input is wrong, a file was edited by hand (and is not named by
    `force`), a change breaks callers (and is not among `waivers`) or the file system refuses.
    """
    with exclusive(project):
        recovered = recover(project)
        built, changes = deciding.changes(project, force, waivers, upgrade=upgrade)
        explained = _explained(project, built, changes)
        apply(project, changes)
    return replace(explained, recovered=recovered)


def preview(
    project: Path, force: Sequence[str] = (), waivers: Sequence[Waiver] = (), *, upgrade: bool = False
) -> Generated:
    """What `generate` would do, refusals included; writes nothing."""
    return _explained(project, *deciding.changes(project, force, waivers, upgrade=upgrade))


def _explained(project: Path, built: Build, changes: Changes) -> Generated:
    if not changes.written:
        return Generated(changes, built.plan.warnings, (), {})
    from generator.project.causes import causes, reasons

    found = causes(Disk(project), built.before, built)
    why = reasons(found, built.before, built, changes)
    return Generated(changes, built.plan.warnings, tuple(map(str, found)), why)

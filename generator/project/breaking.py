"""Breaking changes of a project: what `generate` refuses and `check` tells, and the report of `holdfast breaking`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generator.breaking.rule import Break, Category
from generator.breaking.versions import Comparison, compare
from generator.errors import Finding, InputError, Place
from generator.project.baseline import against, current, last_generation
from generator.project.build import Build, plan_of, read_lock
from generator.project.changes import Action, Change, Changes
from generator.project.disk import Disk
from generator.project.exclusion import exclusive
from generator.project.hits import Hit, Hits, listed
from generator.project.paths import BEHAVIOUR, CONTRACT, WAIVERS, shown
from generator.project.transaction import Write, recover, write
from generator.project.waivers import Waiver, recorded, with_waivers
from generator.render.emit import Owner

_KEPT = (CONTRACT, BEHAVIOUR)
_HANDLERS = 3  # that a finding names

FOUND = 13
"""What `check` and `breaking` exit with for a breaking change that nobody has accepted."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A breaking change, whom it hits, and the waiver that accepts it."""

    found: Break
    hits: tuple[Hit, ...]
    waiver: Waiver | None = None

    def finding(self) -> Finding:
        """What to tell the user."""
        hits = listed(self.hits, _HANDLERS)
        message = f"{self.found.rule.id}: {self.found.change.what}{f' (hits {hits})' if hits else ''}"
        hint = f"{self.found.rule.instead}; or accept it with --allow-breaking {self.found.key}"
        return Finding(self.found.change.place, "breaking", message, hint)


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison with everything there is to say about it; `against` is what the user called the other version."""

    against: str
    category: Category | None
    comparison: Comparison
    broken: tuple[Broken, ...]
    unused: tuple[Waiver, ...]
    spec_known: bool

    @property
    def refused(self) -> tuple[Broken, ...]:
        """What nobody has accepted."""
        return tuple(one for one in self.broken if one.waiver is None)

    @property
    def category_name(self) -> str:
        """As pyproject.toml has it."""
        return self.category.value if self.category else "NONE"

    def unused_findings(self) -> tuple[Finding, ...]:
        """What to say of waivers that accept nothing here."""
        return tuple(map(_nothing, self.unused))

    def summary(self) -> str:
        """The verdict in a line."""
        accepted = len(self.broken) - len(self.refused)
        counts = [f"{len(self.refused)} breaking", f"{accepted} accepted", f"{len(self.comparison.added)} added"]
        spec = "" if self.spec_known else "; without a spec to compare, the contract alone was"
        against = self.against or "the last generation"
        return f"{self.comparison.verdict}: against {against} ({self.category_name}), {', '.join(counts)}{spec}"


def guarded(disk: Disk, built: Build, decided: Changes, waivers: Sequence[Waiver] = ()) -> Changes:
    """The changes of a generation, with what they break refused, and recorded where `waivers` accept it.

    Nothing is compared where neither the contract nor what else callers rely on differs, or the project has no callers.
    """
    differs = any(change.path in _KEPT and change.before != change.after for change in decided.files)
    if not differs or built.config.breaking is None:
        return replace(decided, notes=(*decided.notes, *map(_nothing, waivers)))
    before = last_generation(disk, built.before, built.plan)
    if before is None:
        missing = built.before is not None and CONTRACT in built.before.files and disk.read(CONTRACT) is None
        return replace(decided, notes=(*decided.notes, _no_baseline(disk))) if missing else decided
    hits = Hits(disk, built.before, built.config.package, before, current(disk.project, built.plan))
    broken = _compared(hits, built.config.breaking, waivers)[1]
    refused = tuple(one.finding() for one in broken if one.waiver is None)
    used = [waiver for waiver in waivers if any(one.waiver is waiver for one in broken)]
    return replace(
        decided,
        files=tuple(sorted((*decided.files, *_recording(disk, used)), key=lambda change: change.path)),
        refused=(*decided.refused, *refused),
        notes=(*decided.notes, *(_nothing(waiver) for waiver in waivers if waiver not in used)),
        breaking=refused,
    )


def _recording(disk: Disk, used: Sequence[Waiver]) -> tuple[Change, ...]:
    if not used:
        return ()
    before, after = disk.read(WAIVERS), with_waivers(disk, used)
    if before == after:
        return ()
    action = Action.CREATED if before is None else Action.CHANGED
    return (Change(WAIVERS, Owner.APPENDED, action, before, after),)


def report(project: Path, text: str, waivers: Sequence[Waiver] = ()) -> Report:
    """The project compared with what `text` names, or with its last generation; `waivers` join those recorded.

    Raises InputError where either side cannot be read.
    """
    disk = Disk(project)
    config, plan = plan_of(project)
    lock = read_lock(disk)
    before = against(project, text, plan) if text else last_generation(disk, lock, plan)
    if before is None:
        hint = "run `holdfast generate`, or name something else with --against"
        raise InputError.one(
            Place(shown(project, CONTRACT)), "baseline-not-found", "there is nothing to compare with", hint
        )
    known = (*waivers, *recorded(disk))
    hits = Hits(disk, lock, config.package, before, current(project, plan))
    comparison, broken = _compared(hits, config.breaking, known)
    # Against the last generation recorded waivers have done their work.
    judged = known if text else waivers
    unused = tuple(one for one in judged if not any(one.accepts(each.found) for each in broken))
    return Report(text, config.breaking, comparison, broken, unused, before.spec_known)


def record(project: Path, waivers: Sequence[Waiver]) -> None:
    """Adds waivers to those of the project. Raises InputError where its file cannot be read or written."""
    with exclusive(project):
        recover(project)
        changes = _recording(Disk(project), waivers)
        if changes:
            write(project, [Write(change.path, change.before, change.after) for change in changes])


def _compared(
    hits: Hits, category: Category | None, waivers: Sequence[Waiver]
) -> tuple[Comparison, tuple[Broken, ...]]:
    comparison = compare(hits.before.version, hits.after.version, category)
    broken = tuple(
        Broken(found, hits.of(found), next((one for one in waivers if one.accepts(found)), None))
        for found in comparison.breaks
    )
    return comparison, broken


def _nothing(waiver: Waiver) -> Finding:
    message = f"the waiver {waiver.rule}:{waiver.subject} accepts nothing here"
    hint = "remove it, if nobody compares with what it broke any more" if waiver.place.line else ""
    return Finding(waiver.place, "unused-waiver", message, hint)


def _no_baseline(disk: Disk) -> Finding:
    message = "what the project was generated from is missing: what breaks callers cannot be told"
    hint = "take it from version control, or use `holdfast breaking --against`"
    return Finding(Place(shown(disk.project, CONTRACT)), "baseline-missing", message, hint)

"""The commands that bring a project up to date and say whether it is: `generate`, `check`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from generator.cli.breaking import accepted, allow_breaking, reason
from generator.cli.terminal import DONE, WRONG_INPUT, Settings, say, show, tell, with_settings

if TYPE_CHECKING:
    from generator.project.changes import Changes
    from generator.project.generating import Generated


@click.command()
@click.option("--diff", is_flag=True, help="Print what would change, as a diff; write nothing.")
@click.option("--dry-run", is_flag=True, help="Print which files would change; write nothing.")
@click.option(
    "--force", multiple=True, metavar="PATH", help="Overwrite this file or folder although it was edited; repeatable."
)
@click.option("--upgrade-packs", "upgrade", is_flag=True, help="Take packs in git as their tags and branches are now.")
@allow_breaking
@reason
@with_settings()
def generate(
    settings: Settings,
    diff: bool,
    dry_run: bool,
    force: tuple[str, ...],
    upgrade: bool,
    allow_breaking: tuple[str, ...],
    reason: str,
) -> int:
    """Brings the project up to date with its contract and spec."""
    from generator.project.settled import SUMMARY, settled

    waivers = accepted(allow_breaking, reason)
    fresh = not (diff or dry_run or force or upgrade or waivers or settings.verbose)
    if fresh and (files := settled(settings.folder)) is not None:
        say(settings, [SUMMARY.format(files)])
        return DONE
    from generator.project import generating, report
    from generator.project.writer import RefusedError

    if diff or dry_run:
        done = generating.preview(settings.folder, force, waivers, upgrade=upgrade)
        lines = _summary(settings, done, why=True)
        if diff:
            lines = report.diff(settings.folder, done.changes, done.causes, done.reasons)
        for line in lines:
            click.echo(line, color=settings.color)
        tell(settings, done.changes, done.warnings)
        return _refused(settings, done.changes)
    try:
        done = generating.generate(settings.folder, force, waivers, upgrade=upgrade)
    except RefusedError as error:
        return _refused(settings, error.changes)
    if done.recovered is not None:
        undone = "an interrupted run was undone first: it had changed nothing yet"
        finished = f"an interrupted run was finished first: {done.recovered} files"
        say(settings, [finished if done.recovered else undone])
    say(settings, _summary(settings, done, why=settings.verbose))
    tell(settings, done.changes, done.warnings)
    return DONE


def _summary(settings: Settings, done: Generated, *, why: bool) -> Iterator[str]:
    from generator.project import report

    reasons = done.reasons if why else {}
    return report.summary(settings.folder, done.changes, done.causes, reasons, verbose=settings.verbose)


def _refused(settings: Settings, changes: Changes) -> int:
    """Prints what was refused, and what would be lost."""
    from generator.project import report

    show(changes.refused, "red", settings)
    say(settings, report.edits(settings.folder, changes))
    return WRONG_INPUT if changes.refused else DONE


@click.command()
@click.option("--full", is_flag=True, help="Generate all files anew and compare them, whatever the lock says.")
@with_settings()
def check(settings: Settings, full: bool) -> int:
    """Tells whether all is in order: 0, or 10 stale, 11 edited, 12 missing or orphaned, 13 breaking, 14 drifted."""
    from generator.project.settled import settled

    if not full and settled(settings.folder) is not None:
        say(settings, ["everything is generated and unedited"])
        return DONE
    from generator.project.checking import check as verdict

    code, findings, notes = verdict(settings.folder)
    show(findings, "red", settings)
    show(notes, "yellow", settings)
    if code == DONE:
        say(settings, ["everything is generated and unedited"])
    return code

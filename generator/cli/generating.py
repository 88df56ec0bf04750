"""The commands that bring a project up to date and say whether it is: `generate`, `check`."""

from __future__ import annotations

import click

from generator.cli.terminal import DONE, WRONG_INPUT, Settings, say, show, tell, with_settings


@click.command()
@click.option("--diff", is_flag=True, help="Print what would change, as a diff; write nothing.")
@click.option("--dry-run", is_flag=True, help="Print which files would change; write nothing.")
@click.option(
    "--force", multiple=True, metavar="PATH", help="Overwrite this file or folder although it was edited; repeatable."
)
@with_settings()
def generate(settings: Settings, diff: bool, dry_run: bool, force: tuple[str, ...]) -> int:
    """Brings the project up to date with its contract and spec."""
    from generator.project import record

    if not (diff or dry_run or force or settings.verbose) and (files := record.current(settings.folder)) is not None:
        say(settings, [record.SUMMARY.format(files)])
        return DONE
    from generator.project import generating, report

    if diff or dry_run:
        done = generating.preview(settings.folder, force)
        lines = report.diff if diff else report.summary
        for line in lines(settings.folder, done.changes):
            click.echo(line, color=settings.color)
    else:
        done = generating.generate(settings.folder, force)
        if done.recovered is not None:
            say(settings, [f"an interrupted run was finished first: {done.recovered} files"])
        say(settings, report.summary(settings.folder, done.changes, verbose=settings.verbose))
    tell(settings, done.changes, done.warnings)
    show(done.changes.refused, "red", settings)
    return WRONG_INPUT if done.changes.refused else DONE


@click.command()
@with_settings()
def check(settings: Settings) -> int:
    """Tells whether everything is generated and unedited: 0, or 10 stale, 11 edited, 12 missing or orphaned."""
    from generator.project import record

    if record.current(settings.folder) is not None:
        say(settings, ["everything is generated and unedited"])
        return DONE
    from generator.project.checking import check as verdict

    code, findings = verdict(settings.folder)
    show(findings, "red", settings)
    if code == DONE:
        say(settings, ["everything is generated and unedited"])
    return code

"""The commands by which a project comes to have other files than the generator's own: `templates`, `eject`, `adopt`."""

from __future__ import annotations

import difflib

import click

from generator.cli.terminal import DONE, WRONG_INPUT, Settings, say, show, with_settings
from generator.errors import printable


@click.group()
@with_settings()
def templates(settings: Settings) -> None:
    """Tells and changes what the generated files are made of."""


@templates.command("list")
@with_settings()
def list_(settings: Settings) -> None:
    """Prints every generated file with the layers that it comes from, topmost first, and its template."""
    from generator.project.customising import origins

    rows = [(origin.path, " > ".join(origin.layers), origin.template) for origin in origins(settings.folder)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for path, layers, template in rows:
        click.echo(printable(f"{path:{widths[0]}}  {layers:{widths[1]}}  {template}"))


@templates.command("show")
@click.argument("file", metavar="FILE[:BLOCK]")
@click.option("--layer", default="", metavar="NAME", help="As that layer has it; the topmost one unless given.")
@with_settings()
def show_(settings: Settings, file: str, layer: str) -> None:
    """Prints the template of a generated file, or a block of it."""
    from generator.project.customising import source

    found = source(settings.folder, file, layer)
    if not settings.quiet:
        blocks = f"; blocks: {', '.join(found.blocks)}" if found.blocks else ""
        click.echo(printable(f"{found.template}, as {found.layer} has it{blocks}"), err=True)
    click.echo(found.text, nl=False)


@templates.command()
@click.argument("file", metavar="FILE[:BLOCK]")
@click.option("--whole", is_flag=True, help="Start from a copy of the whole template, not from its blocks.")
@with_settings()
def override(settings: Settings, file: str, whole: bool) -> None:
    """Writes a template of the project's own for FILE, or for a BLOCK of it, to start from."""
    from generator.project.customising import override as begin

    path = begin(settings.folder, file, whole=whole)
    say(settings, [f"{settings.folder / path}: edit it, then `holdfast generate`"])


@templates.command()
@click.argument("file", default="")
@click.option("--seen", is_flag=True, help="Tell of these changes no more.")
@with_settings()
def diff(settings: Settings, file: str, seen: bool) -> None:
    """Prints what has changed upstream of overrides and ejected files since they were made."""
    from generator.project.customising import drifts, see

    found = drifts(settings.folder, file)
    for drift in found:
        name = printable(str(settings.folder / drift.path))
        click.echo(printable(f"# {name}: {drift.subject}"), color=settings.color)
        old, new = ([printable(line.expandtabs()) for line in text.split("\n")] for text in (drift.then, drift.now))
        for line in difflib.unified_diff(old, new, "then", "now", lineterm=""):
            click.echo(line, color=settings.color)
    if not found:
        say(settings, ["nothing has changed upstream of what is overridden or ejected"])
    if seen:
        see(settings.folder, found)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@with_settings()
def eject(settings: Settings, paths: tuple[str, ...]) -> None:
    """Makes generated files yours, as they are: they are never written again."""
    from generator.project.ejecting import eject as give

    for path in give(settings.folder, paths):
        say(settings, [f"{settings.folder / path}: yours; `holdfast check` tells when it would be generated otherwise"])


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("--force", is_flag=True, help="Although they differ from what would be generated.")
@with_settings()
def adopt(settings: Settings, paths: tuple[str, ...], force: bool) -> int:
    """Makes ejected files generated ones again."""
    from generator.project import report
    from generator.project.ejecting import adopt as take
    from generator.project.writer import RefusedError

    try:
        for path in take(settings.folder, paths, force=force):
            say(settings, [f"{settings.folder / path}: generated again"])
    except RefusedError as error:
        show(error.findings, "red", settings)
        say(settings, report.edits(settings.folder, error.changes))
        return WRONG_INPUT
    return DONE

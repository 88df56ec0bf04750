"""What the commands share: the options that each has, and how findings and results are printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator.errors import Finding

if TYPE_CHECKING:
    from generator.project.changes import Changes

DONE, WRONG_INPUT = 0, 1
"""Exit codes; those of `check` are in `generator.project.checking`."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(slots=True)
class Settings:
    """What holds for every command, given before or after its name."""

    project: str = "."
    quiet: bool = False
    verbose: bool = False
    color: bool | None = None  # None: when the stream is a terminal

    @property
    def folder(self) -> Path:
        return Path(self.project)


def show(findings: Iterable[Finding], color: str, settings: Settings | None = None) -> None:
    """Prints findings on stderr, one a line."""
    wanted = settings.color if settings else _color()
    for finding in findings:
        place, separator, rest = str(finding).partition(f": {finding.id}: ")
        line = f"{click.style(place, bold=True)}{click.style(separator, fg=color)}{rest}"
        click.echo(line, err=True, color=wanted)


def _color() -> bool | None:
    """The choice made on the command line, where it was not understood far enough to have settings."""
    chosen = [argument for argument in sys.argv[1:] if argument in ("--color", "--no-color")]
    return chosen[-1] == "--color" if chosen else False if os.environ.get("NO_COLOR") else None


def say(settings: Settings, lines: Iterable[str]) -> None:
    """Prints lines on stdout, unless told to be quiet."""
    if not settings.quiet:
        for line in lines:
            click.echo(line, color=settings.color)


def tell(settings: Settings, changes: Changes, warnings: Iterable[Finding]) -> None:
    """What a person may want to act on: never an error."""
    from generator.project import report

    if not settings.quiet:
        show([*warnings, *changes.notes, *changes.drifts], "yellow", settings)
        for line in report.stubs(changes):
            click.echo(line, err=True)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keeps a setting, wherever it was given; the one nearest to the end of the line counts."""
    settings = context.ensure_object(Settings)
    if value is not None and parameter.name:
        setattr(settings, parameter.name, value)


def with_settings(*, project: bool = True) -> Decorator:
    """Adds the options that every command has."""
    options = [
        click.option("--color/--no-color", default=None, expose_value=False, callback=_keep, help="Force colours."),
        click.option("--verbose", is_flag=True, default=None, expose_value=False, callback=_keep, help="Say more."),
        click.option(
            "--quiet", is_flag=True, default=None, expose_value=False, callback=_keep, help="Say only what is wrong."
        ),
    ]
    if project:
        help_text = "The project's folder; the current one unless given."
        options.append(click.option("--project", metavar="DIR", expose_value=False, callback=_keep, help=help_text))

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in options:
            function = option(function)
        return click.pass_obj(function)

    return add

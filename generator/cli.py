"""The command line: parses arguments, calls, prints; what each command does is in `generator.project`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator import __version__
from generator.errors import Finding, InputError

if TYPE_CHECKING:
    from generator.project.changes import Changes

# What only some commands need is imported inside them, so that the others need not wait for it.

PROGRAM = "holdfast"
DONE, WRONG_INPUT, INTERRUPTED = 0, 1, 130

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code: 0 done, 1 wrong input, 2 usage, 10 and up `check`, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    try:
        code = command.main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except InputError as error:
        _show(error.findings, "red")
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except OSError as error:
        # The rest of what a machine can refuse: a folder that went away, a quota, a broken disk.
        from generator.project.paths import cannot

        _show([cannot(error.filename or ".", "proceed", error)], "red")
    else:
        return code if isinstance(code, int) else DONE
    return WRONG_INPUT


def _show(findings: Iterable[Finding], color: str, settings: Settings | None = None) -> None:
    """Findings on stderr, one a line."""
    wanted = settings.color if settings else _color()
    for finding in findings:
        place, separator, rest = str(finding).partition(f": {finding.id}: ")
        line = f"{click.style(place, bold=True)}{click.style(separator, fg=color)}{rest}"
        click.echo(line, err=True, color=wanted)


def _color() -> bool | None:
    """The choice made on the command line, where it was not understood far enough to have settings."""
    chosen = [argument for argument in sys.argv[1:] if argument in ("--color", "--no-color")]
    return chosen[-1] == "--color" if chosen else False if os.environ.get("NO_COLOR") else None


def _say(settings: Settings, lines: Iterable[str]) -> None:
    if not settings.quiet:
        for line in lines:
            click.echo(line, color=settings.color)


def _tell(settings: Settings, changes: Changes, warnings: Iterable[Finding]) -> None:
    """What a person may want to act on: never an error."""
    from generator.project import report

    if not settings.quiet:
        _show([*warnings, *changes.notes], "yellow", settings)
        for line in report.stubs(changes):
            click.echo(line, err=True)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keeps a setting, wherever it was given; the one nearest to the end of the line counts."""
    settings = context.ensure_object(Settings)
    if value is not None and parameter.name:
        setattr(settings, parameter.name, value)


def _with_settings(*, project: bool = True) -> Decorator:
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


@click.group(PROGRAM, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@_with_settings()
def command(settings: Settings) -> None:
    """Generates a resilient Python service, REST and gRPC, from a contract and a resilience spec."""
    if settings.color is None and os.environ.get("NO_COLOR"):
        settings.color = False


@command.command()
@click.argument("dest")
@click.option("--contract", "contracts", multiple=True, metavar="FILE.proto", help="A root .proto file; repeatable.")
@click.option("-I", "include", multiple=True, metavar="DIR", help="A folder that imports are relative to; repeatable.")
@click.option("--spec", metavar="FILE.yaml", help="The resilience spec; a commented one to start from unless given.")
@click.option(
    "--service-config", multiple=True, metavar="FILE.yaml", help="A service configuration with http.rules; repeatable."
)
@click.option("--name", default="", help="The service's name; the folder's unless given.")
@click.option("--package", default="", help="The Python package's name; NAME in snake case unless given.")
@click.option("--defaults", is_flag=True, help="Ask nothing.")
@click.option("--set", "answers", multiple=True, metavar="KEY=VALUE", help="Answer a question; repeatable.")
@_with_settings(project=False)
def new(
    settings: Settings,
    dest: str,
    contracts: tuple[str, ...],
    include: tuple[str, ...],
    spec: str | None,
    service_config: tuple[str, ...],
    name: str,
    package: str,
    defaults: bool,
    answers: tuple[str, ...],
) -> None:
    """Makes a project in the folder DEST, which must be new or empty."""
    from generator.project.new import Request
    from generator.project.new import new as make

    if not defaults and not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError("There is no terminal to ask questions on: pass --defaults.")
    changes, warnings = make(
        Request(
            dest=Path(dest),
            contracts=contracts,
            include=tuple(map(Path, include)),
            spec=Path(spec) if spec else None,
            service_configs=tuple(map(Path, service_config)),
            name=name,
            package=package,
            answers=_pairs(answers),
            defaults=defaults,
        )
    )
    _tell(settings, changes, warnings)
    total = len(changes.files)
    _say(settings, [f"{dest}: {total} generated files; next: pip install -e '{dest}[dev]', then pytest in {dest}"])


def _pairs(answers: Iterable[str]) -> Mapping[str, str]:
    pairs = {}
    for answer in answers:
        key, equals, value = answer.partition("=")
        if not equals:
            raise click.UsageError(f"--set takes KEY=VALUE, not '{answer}'.")
        pairs[key] = value
    return pairs


@command.command(hidden=True)
@click.option("--name", required=True)
@click.option("--package", required=True)
@click.option("--contracts", default="")
@click.option("--includes", default="")
@click.option("--spec", default="")
@click.option("--service-configs", default="")
@click.option("--from", "base", default=".")
@_with_settings(project=False)
def copied(
    settings: Settings,
    name: str,
    package: str,
    contracts: str,
    includes: str,
    spec: str,
    service_configs: str,
    base: str,
) -> None:
    """Completes the project that copier has just made in the current folder: copier.yml calls this."""
    from generator.project.new import Request, complete

    project = Path.cwd()
    os.chdir(base)  # where the user is: what they named, and what they are told, is relative to it
    made = complete(
        Request(
            dest=project,
            contracts=_split(contracts),
            include=[Path(folder) for folder in _split(includes)],
            spec=Path(spec) if spec else None,
            service_configs=[Path(file) for file in _split(service_configs)],
            name=name,
            package=package,
        )
    )
    _tell(settings, *made)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


@command.command()
@click.option("--diff", is_flag=True, help="Print what would change, as a diff; write nothing.")
@click.option("--dry-run", is_flag=True, help="Print which files would change; write nothing.")
@click.option(
    "--force", multiple=True, metavar="PATH", help="Overwrite this file or folder although it was edited; repeatable."
)
@_with_settings()
def generate(settings: Settings, diff: bool, dry_run: bool, force: tuple[str, ...]) -> int:
    """Brings the project up to date with its contract and spec."""
    from generator.project import record

    if not (diff or dry_run or force or settings.verbose) and (files := record.current(settings.folder)) is not None:
        _say(settings, [record.SUMMARY.format(files)])
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
            _say(settings, [f"an interrupted run was finished first: {done.recovered} files"])
        _say(settings, report.summary(settings.folder, done.changes, verbose=settings.verbose))
    _tell(settings, done.changes, done.warnings)
    _show(done.changes.refused, "red", settings)
    return WRONG_INPUT if done.changes.refused else DONE


@command.command()
@_with_settings()
def check(settings: Settings) -> int:
    """Tells whether everything is generated and unedited: 0, or 10 stale, 11 edited, 12 missing or orphaned."""
    from generator.project import record

    if record.current(settings.folder) is not None:
        _say(settings, ["everything is generated and unedited"])
        return DONE
    from generator.project.checking import check as verdict

    code, findings = verdict(settings.folder)
    _show(findings, "red", settings)
    if code == DONE:
        _say(settings, ["everything is generated and unedited"])
    return code


@command.command()
@click.argument("selector", default="")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or programs.")
@_with_settings()
def explain(settings: Settings, selector: str, form: str) -> None:
    """Prints the policy of the methods that SELECTOR names, or of all: every value and where it was set."""
    from generator.plan.explain import to_json, to_text
    from generator.project.build import plan_of

    _, plan = plan_of(settings.folder)
    click.echo((to_json if form == "json" else to_text)(plan, selector), nl=False)


@command.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Prints the completion script of a shell, to be sourced: `eval "$(holdfast completion bash)"`."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(found(command, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())

"""The command line put together: its commands, its exit codes, and its shells' completion."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from generator import __version__
from generator.cli import breaking, customising, explaining, generating, making, updating
from generator.cli.terminal import DONE, WRONG_INPUT, Settings, show, with_settings
from generator.errors import InputError

PROGRAM = "holdfast"
INTERRUPTED = 130


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
        show(error.findings, "red")
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except OSError as error:
        # The rest of what a machine can refuse: a folder that went away, a quota, a broken disk.
        from generator.project.paths import cannot

        show([cannot(error.filename or ".", "proceed", error)], "red")
    else:
        return code if isinstance(code, int) else DONE
    return WRONG_INPUT


@click.group(PROGRAM, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@with_settings()
def command(settings: Settings) -> None:
    """Generates a resilient Python service, REST and gRPC, from a contract and a resilience spec."""
    if settings.color is None and os.environ.get("NO_COLOR"):
        settings.color = False


for _command in (
    making.new,
    making.copied,
    generating.generate,
    generating.check,
    breaking.breaking,
    explaining.explain,
    customising.templates,
    customising.eject,
    customising.adopt,
    updating.update,
):
    command.add_command(_command)


@command.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Prints the completion script of a shell, to be sourced: `eval "$(holdfast completion bash)"`."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(found(command, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())

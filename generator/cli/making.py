"""The commands that make a project: `new`, and what copier calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from generator.cli.terminal import Settings, say, tell, with_settings


@click.command()
@click.argument("dest")
@click.option("--contract", "contracts", multiple=True, metavar="FILE.proto", help="A root .proto file; repeatable.")
@click.option("-I", "include", multiple=True, metavar="DIR", help="A folder that imports are relative to; repeatable.")
@click.option("--spec", metavar="FILE.yaml", help="The resilience spec; a commented one to start from unless given.")
@click.option(
    "--service-config", multiple=True, metavar="FILE.yaml", help="A service configuration with http.rules; repeatable."
)
@click.option(
    "--pack",
    "packs",
    multiple=True,
    metavar="SOURCE",
    help="A pack of templates: a folder, git+URL@REF, a name; repeatable.",
)
@click.option("--name", default="", help="The service's name; the folder's unless given.")
@click.option("--package", default="", help="The Python package's name; NAME in snake case unless given.")
@click.option("--defaults", is_flag=True, help="Ask nothing.")
@click.option("--set", "answers", multiple=True, metavar="KEY=VALUE", help="Answer a question; repeatable.")
@with_settings(project=False)
def new(
    settings: Settings,
    dest: str,
    contracts: tuple[str, ...],
    include: tuple[str, ...],
    spec: str | None,
    service_config: tuple[str, ...],
    packs: tuple[str, ...],
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
            packs=packs,
            name=name,
            package=package,
            answers=_pairs(answers),
            defaults=defaults,
        )
    )
    tell(settings, changes, warnings)
    total = len(changes.files)
    say(settings, [f"{dest}: {total} generated files; next: pip install -e '{dest}[dev]', then pytest in {dest}"])


def _pairs(answers: Iterable[str]) -> Mapping[str, str]:
    pairs = {}
    for answer in answers:
        key, equals, value = answer.partition("=")
        if not equals:
            raise click.UsageError(f"--set takes KEY=VALUE, not '{answer}'.")
        pairs[key] = value
    return pairs


@click.command(hidden=True)
@click.option("--name", required=True)
@click.option("--package", required=True)
@click.option("--contracts", default="")
@click.option("--includes", default="")
@click.option("--spec", default="")
@click.option("--service-configs", default="")
@click.option("--packs", default="")
@click.option("--from", "base", default=".")
@with_settings(project=False)
def copied(
    settings: Settings,
    name: str,
    package: str,
    contracts: str,
    includes: str,
    spec: str,
    service_configs: str,
    packs: str,
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
            packs=_split(packs),
            name=name,
            package=package,
        )
    )
    tell(settings, *made)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]

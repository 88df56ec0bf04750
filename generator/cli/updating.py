"""The command that brings a project to a newer version of holdfast: `update`."""

from __future__ import annotations

import click

from generator.cli.terminal import DONE, WRONG_INPUT, Settings, say, show, with_settings


@click.command()
@click.option("--to", metavar="VERSION", default="", help="The template's tag to update to; the latest unless given.")
@click.option("--continue", "resume", is_flag=True, help="Generate with the new version once conflicts are settled.")
@click.option("--template", metavar="URL", default="", help="Record which repository the project's template is in.")
@with_settings()
def update(settings: Settings, to: str, resume: bool, template: str) -> int:
    """Merges a newer version of the project's skeleton into it, and generates with that version."""
    from generator.project import updating

    if sum(map(bool, (to, resume, template))) > 1:
        raise click.UsageError("--to, --continue and --template are for one run each.")
    if template:
        version = updating.adopt_template(settings.folder, template)
        say(settings, [f"recorded {template} at {version}; commit that, then run `holdfast update`"])
        return DONE
    done = updating.resume(settings.folder) if resume else updating.update(settings.folder, to)
    if done.conflicts:
        show(done.conflicts, "red", settings)
        return WRONG_INPUT
    if done.before == done.after and not resume:
        say(settings, [f"{done.after} is the latest version"])
    else:
        say(settings, [f"updated to {done.after}; review it with `git diff`, run the tests, and commit"])
    return DONE

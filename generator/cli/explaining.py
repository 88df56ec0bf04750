"""The command that shows what a project's methods are resolved to: `explain`."""

from __future__ import annotations

import click

from generator.cli.terminal import Settings, with_settings


@click.command()
@click.argument("selector", default="")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or programs.")
@with_settings()
def explain(settings: Settings, selector: str, form: str) -> None:
    """Prints the policy of the methods that SELECTOR names, or of all: every value and where it was set."""
    from generator.plan.explain import to_json, to_text
    from generator.project.build import plan_of

    _, plan = plan_of(settings.folder)
    click.echo((to_json if form == "json" else to_text)(plan, selector), nl=False)

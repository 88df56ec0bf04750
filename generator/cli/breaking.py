"""The command that compares a project with another version of itself: `breaking`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from generator.cli.terminal import DONE, Settings, say, show, with_settings
from generator.errors import Finding

if TYPE_CHECKING:
    from generator.project.breaking import Broken, Report
    from generator.project.waivers import Waiver

allow_breaking = click.option(
    "--allow-breaking",
    multiple=True,
    metavar="RULE:SUBJECT",
    help="Accept this breaking change, and record that; repeatable.",
)
reason = click.option("--reason", default="", metavar="TEXT", help="Why the breaking changes are accepted.")


def accepted(texts: tuple[str, ...], reason: str) -> tuple[Waiver, ...]:
    """The waivers of the command line. Raises InputError or UsageError for what makes no sense."""
    if not texts:
        if reason:
            raise click.UsageError("--reason is the reason of an --allow-breaking.")
        return ()
    from generator.project.waivers import given

    return given(texts, reason)


@click.command()
@click.option(
    "--against",
    default="",
    metavar="PATH|git:REF",
    help="A revision, a descriptor set, a project or a folder of .proto files; the last generation unless given.",
)
@allow_breaking
@reason
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or programs.")
@with_settings()
def breaking(settings: Settings, against: str, allow_breaking: tuple[str, ...], reason: str, form: str) -> int:
    """Tells what breaks whom, and which version number that asks for: 0, or 13 where nobody has accepted it."""
    from generator.project.breaking import FOUND, record, report

    waivers = accepted(allow_breaking, reason)
    found = report(settings.folder, against, waivers)
    if waivers:
        record(settings.folder, [one for one in waivers if one not in found.unused])
    if form == "json":
        click.echo(json.dumps(_document(found), indent=2))
    else:
        show((one.finding() for one in found.refused), "red", settings)
        show((_accepted(one) for one in found.broken if one.waiver), "yellow", settings)
        if not settings.quiet:
            show(found.unused_findings(), "yellow", settings)
        say(settings, [found.summary()])
    return FOUND if found.refused else DONE


def _accepted(one: Broken) -> Finding:
    why = one.waiver.reason if one.waiver else ""
    change = one.found.change
    return Finding(change.place, "accepted", f"{one.found.rule.id}: {change.what}", why or "no reason was given")


def _document(found: Report) -> dict[str, Any]:
    return {
        "against": found.against,
        "category": found.category_name,
        "specCompared": found.spec_known,
        "verdict": found.comparison.verdict,
        "breaking": [_change(one) for one in found.broken],
        "added": list(found.comparison.added),
    }


def _change(one: Broken) -> dict[str, Any]:
    change = one.found.change
    hits = [
        {"who": hit.who} | ({"file": hit.place.file, "line": hit.place.line} if hit.place else {}) for hit in one.hits
    ]
    return {
        "rule": one.found.rule.id,
        "subject": change.subject,
        "what": change.what,
        "file": change.place.file,
        "line": change.place.line,
        "column": change.place.column,
        "hits": hits,
        "instead": one.found.rule.instead,
        "allow": f"--allow-breaking {one.found.key}",
        "accepted": one.waiver is not None,
        "reason": one.waiver.reason if one.waiver else "",
    }

"""The files that layers add to those that every project has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from generator.errors import Finding, InputError
from generator.plan.model import Plan
from generator.render.clients import ClientView
from generator.render.emit import Emit, Owner
from generator.render.layers import EXTRA
from generator.render.services import ServiceView
from generator.render.templates import Templates

_TAKEN = ("contract/", ".holdfast/", ".git/")


def files(
    plan: Plan,
    services: Sequence[ServiceView],
    clients: Sequence[ClientView],
    templates: Templates,
    emitted: Collection[str],
) -> list[Emit]:
    """The extra files, managed; one with `{service}` or `{dependency}` in its path for each service or dependency.

    Raises InputError where one would stand where something else is: one of `emitted`, an input, what is not the
    project's.
    """
    emits: list[Emit] = []
    findings: list[Finding] = []
    seen = set(emitted)
    for name in templates.below(EXTRA):
        for path, context in _instances(name.removeprefix(EXTRA).replace("{package}", plan.package), services, clients):
            final = path.removesuffix(".j2")
            if final in seen or f"{final}/".startswith(_TAKEN) or final == "pyproject.toml":
                message = f"{final} is not for templates to make" if final not in seen else f"{final} is made already"
                hint = "to change it, override its template; see `holdfast templates list`" if final in seen else ""
                findings.append(Finding(templates.place(name), "path-taken", message, hint))
                continue
            seen.add(final)
            emits.append(templates.file(final, Owner.MANAGED, name, context))
    if findings:
        raise InputError(findings)
    return emits


def _instances(
    path: str, services: Sequence[ServiceView], clients: Sequence[ClientView]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The paths that the placeholders stand for, each with what the template sees of it."""
    if "{service}" in path:
        for service in services:
            yield path.replace("{service}", service.module), {"service": service}
    elif "{dependency}" in path:
        for client in clients:
            yield path.replace("{dependency}", client.attribute), {"client": client}
    else:
        yield path, {}

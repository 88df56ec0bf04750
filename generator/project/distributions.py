"""The packages that a project needs only for what its spec has: declared when it is made, missed when it is generated."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from generator.errors import Finding, InputError, Place
from generator.project.config import FILE
from generator.project.disk import Disk
from generator.project.paths import shown
from generator.spec.load import load
from generator.spec.model import SpecBody

_AIOHTTP: Final = "aiohttp>=3.14"
_LIST: Final = "\ndependencies = [\n"


def declared(pyproject: str, spec: Path) -> str:
    """The text of a new project's pyproject.toml with what its spec needs; a spec that is wrong is told of elsewhere."""
    try:
        needed = _needed(load(spec).body)
    except InputError:
        return pyproject
    lines = "".join(f'  "{requirement}", # for dependencies of {user}\n' for requirement, user in needed)
    return pyproject.replace(_LIST, _LIST + lines, 1)


def missing(disk: Disk, spec: SpecBody) -> Iterator[Finding]:
    """A note for each package that the generated code imports and pyproject.toml does not name.

    Nothing, where the dependencies are listed somewhere else (`dynamic`).
    """
    needed = _needed(spec)
    if not needed:
        return
    table: dict[str, Any] = tomllib.loads((disk.read(FILE) or b"").decode()).get("project", {})
    if "dependencies" in table.get("dynamic", ()):
        return
    named = {_name(str(requirement)) for requirement in table.get("dependencies", ())}
    for requirement, user in needed:
        if _name(requirement) not in named:
            message = f"{user} needs the package {_name(requirement)}, which is not among the dependencies"
            yield Finding(Place(shown(disk.project, FILE)), "missing-distribution", message, f'add "{requirement}"')


def _needed(spec: SpecBody) -> tuple[tuple[str, str], ...]:
    """The requirements, and what each is for."""
    if any(dependency.protocol == "http" for dependency in spec.dependencies.values()):
        return ((_AIOHTTP, "protocol: http"),)
    return ()


def _name(requirement: str) -> str:
    """The normalized name of what is required (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0]).lower()

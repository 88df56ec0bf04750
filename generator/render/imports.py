"""Import lines as isort orders them: sections, modules, then constants, classes and the rest within a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby

from generator.render.emit import Import


def block(imports: Iterable[Import]) -> str:
    """The import lines of a module, sections apart by an empty line; nothing for no imports."""
    sections: dict[int, list[str]] = {}
    ordered = sorted(set(imports), key=lambda found: (_section(found.module), _module_key(found.module)))
    for module, group in groupby(ordered, key=lambda found: found.module):
        names = list(group)
        plain = sorted((found.name for found in names if not found.alias), key=name_key)
        lines = sections.setdefault(_section(module), [])
        if plain:
            lines.append(f"from {module} import {', '.join(plain)}")
        lines += sorted(str(found) for found in names if found.alias)
    return "\n\n".join("\n".join(lines) for _, lines in sorted(sections.items()))


def name_key(name: str) -> tuple[int, str]:
    """isort's order of names by type: CONSTANTS, Classes, then the rest."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1, name) if name[:1].isupper() else (2, name)


def _section(module: str) -> int:
    if module == "__future__":
        return 0
    if module.startswith("."):
        return 3
    return 1 if module.partition(".")[0] in sys.stdlib_module_names else 2


def _module_key(module: str) -> tuple[int, str]:
    dots = len(module) - len(module.lstrip("."))
    return -dots, module  # the furthest relative import first

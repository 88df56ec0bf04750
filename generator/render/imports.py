"""Import lines as isort orders them: sections, modules, then constants, classes and the rest within a line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from itertools import groupby

from generator.render.emit import Import
from generator.render.layout import from_import

_NUMBER = re.compile(r"(\d+)")
_Natural = tuple[tuple[int, str], ...]


def block(imports: Iterable[Import]) -> str:
    """The import lines of a module, sections apart by an empty line; nothing for no imports."""
    sections: dict[int, list[str]] = {}
    ordered = sorted(set(imports), key=lambda found: (_section(found.module), _module_key(found.module)))
    for module, group in groupby(ordered, key=lambda found: found.module):
        names = list(group)
        statements = [
            (found.name, from_import(module, [f"{found.name} as {found.alias}"])) for found in names if found.alias
        ]
        if plain := sorted((found.name for found in names if not found.alias), key=name_key):
            statements.append((plain[0], from_import(module, plain)))
        statements.sort(key=lambda statement: name_key(statement[0]))
        sections.setdefault(_section(module), []).extend(text for _, text in statements)
    return "\n\n".join("\n".join(lines) for _, lines in sorted(sections.items()))


def name_key(name: str) -> tuple[int, _Natural, _Natural]:
    """isort's order of names by type: CONSTANTS, Classes, then the rest; numbers in them count as numbers."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, _natural(name.lower()), _natural(name)


def _natural(text: str) -> _Natural:
    parts = _NUMBER.split(text)  # texts at the even positions, numbers at the odd ones
    return tuple((int(part), "") if position % 2 else (-1, part) for position, part in enumerate(parts))


def _section(module: str) -> int:
    if module == "__future__":
        return 0
    if module.startswith("."):
        return 3
    return 1 if module.partition(".")[0] in sys.stdlib_module_names else 2


def _module_key(module: str) -> tuple[int, _Natural, _Natural]:
    dots = len(module) - len(module.lstrip("."))
    return -dots, _natural(module.lower()), _natural(module)  # the furthest relative import first

"""Import lines as isort orders them: sections, modules, then constants, classes and the rest within a line."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from generator.render.emit import Import
from generator.render.layout import from_import

_NUMBER = re.compile(r"(\d+)")
_Natural = tuple[tuple[int, str], ...]


def block(imports: Iterable[Import]) -> str:
    """The import lines of a module, sections apart by an empty line; nothing for no imports."""
    return _joined(_sections(imports))


def organised(text: str, first_party: str = "") -> str:
    """Import statements in their order, whatever order they stand in; those of the package `first_party` by themselves.

    Raises ValueError for what is no import statement.
    """
    plain: list[str] = []
    imports: list[Import] = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            imports += (Import(module, alias.name, alias.asname or "") for alias in node.names)
        elif isinstance(node, ast.Import):
            plain += (f"{alias.name} as {alias.asname}" if alias.asname else alias.name for alias in node.names)
        else:
            raise ValueError(f"line {node.lineno} is no import")  # noqa: TRY004 - of the text, not of its type
    sections = _sections(imports, first_party)
    for name in sorted(set(plain), key=_module_key, reverse=True):
        sections.setdefault(_section(name.partition(" ")[0], first_party), []).insert(0, f"import {name}")
    return _joined(sections)


def _joined(sections: Mapping[int, Sequence[str]]) -> str:
    return "\n\n".join("\n".join(lines) for _, lines in sorted(sections.items()))


def _sections(imports: Iterable[Import], first_party: str = "") -> dict[int, list[str]]:
    """The statements of each section, in order."""
    sections: dict[int, list[str]] = {}
    ordered = sorted(set(imports), key=lambda found: (_section(found.module, first_party), _module_key(found.module)))
    for module, group in groupby(ordered, key=lambda found: found.module):
        names = list(group)
        statements = [
            (found.name, from_import(module, [f"{found.name} as {found.alias}"])) for found in names if found.alias
        ]
        if plain := sorted((found.name for found in names if not found.alias), key=name_key):
            statements.append((plain[0], from_import(module, plain)))
        statements.sort(key=lambda statement: name_key(statement[0]))
        sections.setdefault(_section(module, first_party), []).extend(text for _, text in statements)
    return sections


def name_key(name: str) -> tuple[int, _Natural, _Natural]:
    """isort's order of names by type: CONSTANTS, Classes, then the rest; numbers in them count as numbers."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, _natural(name.lower()), _natural(name)


def _natural(text: str) -> _Natural:
    parts = _NUMBER.split(text)  # texts at the even positions, numbers at the odd ones
    return tuple((int(part), "") if position % 2 else (-1, part) for position, part in enumerate(parts))


def _section(module: str, first_party: str) -> int:
    top = module.partition(".")[0]
    if module == "__future__":
        return 0
    if not top:
        return 4
    if top == first_party:
        return 3
    return 1 if top in sys.stdlib_module_names else 2


def _module_key(module: str) -> tuple[int, _Natural, _Natural]:
    dots = len(module) - len(module.lstrip("."))
    return -dots, _natural(module.lower()), _natural(module)  # the furthest relative import first

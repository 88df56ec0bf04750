"""What the composition root, which is the user's, mentions of what there is."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet


def unmentioned(tree: ast.Module | None, class_names: Iterable[str]) -> list[str]:
    """Those of the names that the module does not use; none where there is no module, or none that parses."""
    if tree is None:
        return []
    names = mentioned(tree)
    return [name for name in dict.fromkeys(class_names) if name not in names]


def mentioned(tree: ast.Module) -> AbstractSet[str]:
    """Every name that the module uses or imports."""
    return set(_names(tree))


def composition(tree: ast.Module) -> tuple[int, ast.expr | None]:
    """The line of the first `Application(…)`, 0 where there is none, and what it is given as `fallbacks`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and last_name(node.func) == "Application":
            given = [each.value for each in node.keywords if each.arg in ("fallbacks", None)]
            return node.lineno, given[0] if given else None
    return 0, None


def last_name(node: ast.AST) -> str:
    """The name that an expression ends with: `c` of `a.b.c`, "" for what ends with none."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name():
                yield node.id
            case ast.Attribute():
                yield node.attr
            case ast.alias():
                yield node.name
            case _:
                pass

"""Whether the composition root, which is the user's, mentions the handlers that there are."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator


def unmentioned(content: bytes | None, class_names: Iterable[str]) -> list[str]:
    """Those of the names that the module does not use; none where there is no module, or none that parses."""
    if content is None:
        return []
    try:
        names = set(_mentioned(ast.parse(content)))
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [name for name in dict.fromkeys(class_names) if name not in names]


def _mentioned(tree: ast.Module) -> Iterator[str]:
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

"""The placeholders of an error's message: `Only {available} of {sku} left`."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def placeholders(message: str) -> tuple[str, ...]:
    """The names between braces, each once, in order; `{{` and `}}` stand for the braces themselves.

    ValueError for a brace without its partner and for anything between braces but a snake_case name.
    """
    names: dict[str, None] = {}
    for found in _PLACEHOLDER.finditer(message):
        if found[0] in ("{{", "}}"):
            continue
        name = found[1]
        if name is None:
            raise ValueError(f"the brace {found[0]} has no partner; write {found[0] * 2} for a brace in the text")
        if not _NAME.fullmatch(name):
            raise ValueError(f"{{{name}}} is not a placeholder: between braces stands a snake_case name")
        names[name] = None
    return tuple(names)

"""black's layout, made while rendering: what is laid out here black leaves as it is, and need not see.

black takes 0.25 ms a line, ten times as long as all the rest of a generation. Only the forms that grow with a contract
are laid out here; a line that is too long for them all the same sends its file to black (`resplit`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from generator.render.python import Construct, SetDisplay, literal

LINE_LENGTH = 120
_INDENT = 4

_STRING = r'"(?:[^"\\]|\\.)*"'
_UNSPLITTABLE = re.compile(rf"^ *(?:#.*|(?:\w+=|{_STRING}: )?(?:{_STRING}|[\w.]+),?|(?:\w+: |(?:async )?def )?\w+\()$")
_IMPORT = re.compile(r"^from (\S+) import (\w+(?:, \w+)*)$")
_CALL = re.compile(
    rf"^(?P<margin> *)(?P<opening>(?:raise |\w+ := |{_STRING}: )?(?P<called>[\w.]+)\()(?P<arguments>.+)\)(?P<comma>,?)$"
)
# A name, a string, or a call of a name with such arguments.
_ARGUMENT = rf"(?:{_STRING}|[\w.]+(?:\((?:{_STRING}|[\w.]+)(?:, (?:{_STRING}|[\w.]+))*\))?)"
_ARGUMENTS = re.compile(rf"^{_ARGUMENT}(?:, {_ARGUMENT})*$")


def fits(line: str) -> bool:
    """Whether black has room for the line: a wide character takes two columns, a combining one none."""
    other = 0 if line.isascii() else sum(character > "\x7f" for character in line)
    if len(line) + other <= LINE_LENGTH:
        return True
    if len(line) - other > LINE_LENGTH or not other:
        return False
    from black.strings import str_width  # only here: black takes long to import

    return str_width(line) <= LINE_LENGTH


@dataclass(frozen=True, slots=True)
class _Bracketed:
    """A value that can be split: what stands before its items, the items with their names, what stands after.

    A display (`[…]`, `{…}`, `(…)`) has its items on a line each once it is split, a call only where they do not fit
    on one.
    """

    opening: str
    items: Sequence[tuple[str, object]]
    closing: str
    display: bool


def laid_out(value: object, before: str = "", after: str = "") -> str:
    """`value` as a Python expression that starts after `before` and is followed by `after`.

    `before` is indented as its line is: `laid_out(("a",), "    segments=", ",")`. The value is one that
    `python.literal` takes.
    """
    line = f"{before}{literal(value)}{after}"
    parts = None if fits(line) else _parts(value)
    if parts is None:
        return line
    margin = " " * (len(before) - len(before.lstrip(" ")))
    return f"{before}{parts.opening}\n{_body(parts, margin + ' ' * _INDENT)}\n{margin}{parts.closing}{after}"


def from_import(module: str, names: Sequence[str]) -> str:
    """`from module import names`, with a line for each name where they do not fit on one."""
    line = f"from {module} import {', '.join(names)}"
    if fits(line):
        return line
    return f"from {module} import (\n" + "".join(f"{' ' * _INDENT}{name},\n" for name in names) + ")"


def signature(head: str, parameters: Sequence[str], tail: str, indent: int) -> str:
    """`head(parameters)tail` as a `def` statement at `indent` columns, from which its further lines are indented.

    `head` is as "async def name", `tail` as " -> Order:".
    """
    inner = ", ".join(parameters)
    line = f"{head}({inner}){tail}"
    if fits(" " * indent + line):
        return line
    margin = " " * _INDENT
    if len(parameters) > 1 and fits(" " * indent + margin + inner):  # a single one gets a comma
        return f"{head}(\n{margin}{inner}\n){tail}"
    return f"{head}(\n" + "".join(f"{margin}{parameter},\n" for parameter in parameters) + f"){tail}"


def assignment(target: str, value: str, indent: int) -> str:
    """`target = value` at `indent` columns, where the value is a name, a call, a comprehension or a choice by `if`.

    What would have to be split in yet another way is left on one line, for black to split.
    """
    margin = " " * indent
    line = f"{margin}{target} = {value}"
    if fits(line):
        return line
    inner = margin + " " * _INDENT
    for opening, body, closing in _splits(value):
        split = [f"{margin}{target} = {opening}", *(inner + part for part in body), margin + closing]
        if all(map(_may_stay, split)):
            return "\n".join(split)
    return line


def _splits(value: str) -> Iterator[tuple[str, list[str], str]]:
    """How black splits an assigned value, what it likes best first: what opens it, the lines inside, what closes it."""
    step = " " * _INDENT
    if value[0] in "[{":
        yield value[0], [value[1:-1]], value[-1]
        made, loop = value[1:-1].split(" for ", 1)
        yield value[0], [made, f"for {loop}"], value[-1]
        if made.endswith(")"):
            called, _, arguments = made[:-1].partition("(")
            yield value[0], [f"{called}(", f"{step}{arguments}", ")", f"for {loop}"], value[-1]
        return
    is_call = value.endswith(")") and " if " not in value
    name, _, arguments = value[:-1].partition("(")
    if is_call:
        yield f"{name}(", [arguments], ")"
    yield "(", [value], ")"
    if is_call:
        yield "(", [f"{name}(", f"{step}{arguments}", ")"], ")"
    yield "(", value.replace(" if ", "\0if ").replace(" else ", "\0else ").split("\0"), ")"


def case(texts: Sequence[str], indent: int) -> str:
    """The line that opens a case of any of these texts at `indent` columns; several lines where they are too long for one."""
    margin, inner = " " * indent, " " * (indent + _INDENT)
    patterns = list(map(literal, texts))
    for joined in (" | ".join(patterns), f"\n{inner}| ".join(patterns)):
        if fits(f"{margin}case {joined}:"):
            return f"{margin}case {joined}:"
        if all(map(fits, f"{inner}{joined}".split("\n"))):
            break
    return f"{margin}case (\n{inner}{joined}\n{margin}):"


def resplit(source: str) -> str | None:
    """The source with its lines that are too long split as black splits them; None where that is for black to tell.

    Split are imports, and calls of names, strings and further such calls; what black leaves as it is, however long, is
    left: comments, docstrings, and what is one word or one string but for the name that it is given.
    """
    lines = []
    inside = False
    for line in source.split("\n"):
        quotes = line.count('"""')
        if inside or quotes or len(line) <= LINE_LENGTH // 2 or _may_stay(line):
            lines.append(line)
        elif found := _IMPORT.match(line):
            lines.append(from_import(found[1], found[2].split(", ")))
        else:
            split = _call_split(line)
            if split is None:
                return None
            lines += split
        inside ^= quotes % 2 == 1
    return "\n".join(lines)


def _call_split(line: str) -> list[str] | None:
    """A line that is a call, split at its brackets and, where need be, its commas; None where that would not do."""
    found = _CALL.match(line)
    if found is None or not _ARGUMENTS.match(found["arguments"]):
        return None
    margin, opening = found["margin"], found["margin"] + found["opening"]
    if not fits(opening) and "." in found["called"]:
        return None
    inner = margin + " " * _INDENT
    body = [inner + found["arguments"]]
    if not _may_stay(body[0]):
        body = [f"{inner}{one[0]}," for one in re.finditer(_ARGUMENT, found["arguments"])]
        if len(body) < 2 or not all(map(_may_stay, body)):
            return None
    return [opening, *body, f"{margin}){found['comma']}"]


def _may_stay(line: str) -> bool:
    """Whether black leaves the line alone: it fits, or nothing in it can be split (any more)."""
    return fits(line) or _UNSPLITTABLE.match(line) is not None


def _body(parts: _Bracketed, margin: str) -> str:
    (name, value), *others = parts.items
    if not others:
        return laid_out(value, margin + name, "," if parts.opening == "(" else "")
    if not parts.display:
        line = margin + ", ".join(f"{name}{literal(item)}" for name, item in parts.items)
        if fits(line):
            return line
    return "\n".join(laid_out(item, margin + name, ",") for name, item in parts.items)


def _parts(value: object) -> _Bracketed | None:
    if isinstance(value, Construct):
        items: list[tuple[str, object]] = [(f"{name}=", item) for name, item in value.fields.items()]
        return _Bracketed(f"{value.name}(", items, ")", display=False) if items else None
    if isinstance(value, Mapping):
        items = [(f"{literal(key)}: ", item) for key, item in value.items()]
        return _Bracketed("{", items, "}", display=True) if items else None
    if isinstance(value, frozenset):
        if not value:
            return None
        return _Bracketed("frozenset(", [("", SetDisplay.of(value))], ")", display=False)
    if isinstance(value, tuple):
        return _Bracketed("(", [("", item) for item in value], ")", display=True) if value else None
    if isinstance(value, list):
        return _Bracketed("[", [("", item) for item in value], "]", display=True) if value else None
    if isinstance(value, SetDisplay):
        return _Bracketed("{", [("", item) for item in value.items], "}", display=True)
    return None

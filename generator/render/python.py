"""Untrusted text and plain values as Python source: literals, docstrings, comments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from generator.errors import printable

_LINE_ENDS = re.compile("\r\n|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Construct:
    """A call of `name` by keyword, for a literal: `DeadlinePolicy(default=2.0, max=10.0)`."""

    name: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Expression:
    """Python that stands in a literal as it is: a name, `order_service.CREATE_ORDER`."""

    text: str


@dataclass(frozen=True, slots=True)
class SetDisplay:
    """The `{…}` in `frozenset({…})`, its items in order."""

    items: tuple[object, ...]

    @classmethod
    def of(cls, value: frozenset[object]) -> SetDisplay:
        """The set's items, ordered by what they look like."""
        return cls(tuple(sorted(value, key=literal)))


def literal(value: object) -> str:
    """`value` as a Python expression, on one line, in black's quotes.

    Raises TypeError for a type that has no such form.
    """
    if isinstance(value, (str, bytes)):
        return _quoted(value)
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value).replace("e+", "e")
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, Construct):
        return f"{value.name}({', '.join(f'{name}={literal(item)}' for name, item in value.fields.items())})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, frozenset):
        return f"frozenset({literal(SetDisplay.of(value))})" if value else "frozenset()"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, SetDisplay):
        return "{" + ", ".join(map(literal, value.items)) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    raise TypeError(f"no literal for {type(value).__name__}")


def _quoted(value: str | bytes) -> str:
    """The literal of a text, in double quotes unless single ones need fewer backslashes."""
    marked = repr(b'"' + value if isinstance(value, bytes) else '"' + value)  # a double quote: repr takes single ones
    prefix = marked[: marked.index("'")]
    body = marked[len(prefix) + 2 : -1].replace("\\'", "'")
    quote = "'" if body.count('"') > body.count("'") else '"'
    return f"{prefix}{quote}{body.replace(quote, chr(92) + quote)}{quote}"


def docstring(text: str, indent: int = 0) -> str:
    """A docstring literal of `text`, continued at `indent` spaces; whatever the text holds, it stays text.

    Control and bidirectional characters are shown as escapes, so that a reader sees what is there. It is laid out as
    black has docstrings: no quote next to the outer ones, no indentation that all lines share.
    """
    raw = _LINE_ENDS.split(text.strip()) if text.strip() else ["(undocumented)"]
    if len(raw) == 1:
        shown = _on_one_line(raw[0].strip())
        return f'"""{_apart(shown)}{shown}{_apart(shown[::-1])}"""'
    lines = [_shown(line) for line in raw]
    margin = " " * indent
    shared = min((len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()), default=0)
    body = "\n".join([lines[0], *(f"{margin}{line[shared:]}".rstrip() for line in lines[1:])])
    return f'"""{_apart(body)}{body}\n{margin}"""'


def comment(text: str) -> str:
    """`text` as one line for a `#` comment or a Markdown cell: no line break, no control character."""
    return printable(" ".join(_LINE_ENDS.split(text.strip())))


def _shown(line: str) -> str:
    return printable(line.expandtabs(4).rstrip()).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _on_one_line(line: str) -> str:
    """The line between the quotes of its docstring: quotes at its end must not join them."""
    body = line.rstrip('"')
    return _shown(body) + '\\"' * (len(line) - len(body))


def _apart(text: str) -> str:
    """What stands between a docstring's quotes and `text`, which may begin with one."""
    return " " if text.startswith('"') else ""

"""A Python file that a user owns: its bytes, its syntax tree, and where in the bytes something can be inserted."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# What Python counts as the end of a line. `bytes.splitlines` and `str.splitlines` know more, which corrupts files.
_NEWLINE = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Insertion:
    """Bytes to insert before the byte at `offset`."""

    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class PythonSource:
    """A module that parses; `ends` are the offsets just after each line's end."""

    content: bytes
    tree: ast.Module
    encoding: str
    ends: tuple[int, ...]
    newline: bytes  # the file's first

    @classmethod
    def parse(cls, content: bytes) -> PythonSource:
        """The module in `content`. Raises SyntaxError or ValueError where it is none."""
        tree = ast.parse(content)
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        except SyntaxError as error:
            raise ValueError(str(error)) from None
        found = list(_NEWLINE.finditer(content))
        ends = [match.end() for match in found]
        if not ends or ends[-1] < len(content):
            ends.append(len(content))
        return cls(content, tree, encoding, tuple(ends), found[0].group() if found else b"\n")

    def line(self, number: int) -> bytes:
        """The bytes of that line, counted from 1, with its end."""
        return self.content[self.ends[number - 2] if number > 1 else 0 : self.ends[number - 1]]

    def start_of(self, number: int) -> int:
        """The offset of that line's first byte, after a byte order mark."""
        if number > 1:
            return self.ends[number - 2]
        return len(_BOM) if self.content.startswith(_BOM) else 0

    def indentation(self, statement: ast.stmt) -> bytes | None:
        """The white space before a statement; None where it does not stand first in its line."""
        line = self.line(first_line(statement)).removeprefix(_BOM)
        before = line[: len(line) - len(line.lstrip(b" \t\f"))]
        decorated = bool(getattr(statement, "decorator_list", None))
        if not decorated and line[: statement.col_offset].strip():
            return None
        return before.rpartition(b"\f")[2]  # a form feed starts the counting of columns anew

    def last_line(self, statement: ast.stmt, siblings: Sequence[ast.stmt]) -> int:
        """The line after which something can follow a statement: where all that starts on its last line has ended."""
        line = statement.end_lineno or statement.lineno
        for sibling in siblings:
            if sibling.lineno <= line:
                line = max(line, sibling.end_lineno or sibling.lineno)
        return line


def first_line(statement: ast.stmt) -> int:
    """The line on which a statement starts, its decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def insert(content: bytes, insertions: Sequence[Insertion]) -> bytes:
    """`content` with everything inserted; insertions at one place keep their order."""
    parts: list[bytes] = []
    at = 0
    for insertion in sorted(insertions, key=lambda insertion: insertion.offset):
        parts += [content[at : insertion.offset], insertion.content]
        at = insertion.offset
    return b"".join([*parts, content[at:]])


def bound_names(body: Sequence[ast.stmt]) -> Iterator[str]:
    """The names that a module's or a class's statements bind, whichever branch is taken."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.Import() | ast.ImportFrom():
                for alias in statement.names:
                    yield alias.asname or alias.name.partition(".")[0]
            case _:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        yield node.id
                for field in ("body", "orelse", "finalbody"):
                    yield from bound_names(getattr(statement, field, []))
                for handler in getattr(statement, "handlers", []):
                    yield from bound_names(handler.body)

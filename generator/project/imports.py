"""Where the imports that a handler stub needs go in a user's module: beside their kind, in isort's order."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence

from generator.project.source import Insertion, PythonSource, bound_names, first_line
from generator.render.emit import Import

_LINE_LENGTH = 120
_Key = tuple[int, int, int, str]


def import_insertions(source: PythonSource, imports: Iterable[Import]) -> list[Insertion]:
    """What to insert so that the module binds every one of `imports`; nothing for names it binds already."""
    bound = set(bound_names(_evaluated(source.tree)))
    missing = sorted({needed for needed in imports if needed.bound not in bound})
    insertions: list[Insertion] = []
    for module in dict.fromkeys(needed.module for needed in missing):
        here = [needed for needed in missing if needed.module == module]
        names = sorted((needed for needed in here if not needed.alias), key=lambda needed: _rank(needed.name))
        if names:
            insertions += _joined(source, names) or [_line(source, module, names)]
        insertions += (_line(source, module, [needed]) for needed in here if needed.alias)
    return insertions


def shadowed(source: PythonSource, imports: Iterable[Import]) -> list[Import]:
    """Those of `imports` whose name the module binds to something else."""
    bound = set(bound_names(source.tree.body))
    have = {
        Import("." * statement.level + (statement.module or ""), alias.name, alias.asname or "")
        for statement in ast.walk(source.tree)
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    return sorted({needed for needed in imports if needed.bound in bound and needed not in have})


def _evaluated(tree: ast.Module) -> list[ast.stmt]:
    """The module's statements, without `if TYPE_CHECKING:` where annotations are evaluated when the module loads."""
    lazy = any(
        isinstance(statement, ast.ImportFrom)
        and statement.module == "__future__"
        and any(alias.name == "annotations" for alias in statement.names)
        for statement in tree.body
    )
    return [statement for statement in tree.body if lazy or not _type_checking(statement)]


def _type_checking(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING")


def _leading(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports above the first class or function: what follows later may be there for a reason."""
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            return
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement


def _rank(name: str) -> tuple[int, str]:
    """isort's order of the names in one import: constants, classes, the rest."""
    kind = 0 if len(name) > 1 and name.isupper() else 1 if name[:1].isupper() else 2
    return kind, name.lower()


def _joined(source: PythonSource, names: Sequence[Import]) -> list[Insertion]:
    """The names as additions to the import of their module that is there, if there is one that can take them."""
    module = names[0].module
    for statement in _leading(source.tree):
        if not isinstance(statement, ast.ImportFrom) or "." * statement.level + (statement.module or "") != module:
            continue
        lines = [source.line(number) for number in range(statement.lineno, (statement.end_lineno or 0) + 1)]
        plain = all(line.isascii() and not line.rstrip().endswith(b"\\") for line in lines)
        if not plain or statement.names[0].name == "*":
            continue
        insertions = [_name(source, statement, needed) for needed in names]
        longest = len(lines[0].rstrip()) + sum(len(insertion.content) for insertion in insertions)
        if len(lines) > 1 or longest <= _LINE_LENGTH:
            return insertions
    return []


def _name(source: PythonSource, statement: ast.ImportFrom, needed: Import) -> Insertion:
    """One more name in an import that is there, before the first that sorts after it."""
    text = needed.name.encode()
    aliases = statement.names
    for index, alias in enumerate(aliases):
        if _rank(alias.name) > _rank(needed.name):
            line_before = aliases[index - 1].end_lineno if index else statement.lineno
            alone = alias.lineno != line_before
            gap = source.newline + b" " * alias.col_offset if alone else b" "
            return Insertion(source.start_of(alias.lineno) + alias.col_offset, text + b"," + gap)
    last = aliases[-1]
    alone = last.lineno != (aliases[-2].end_lineno if len(aliases) > 1 else statement.lineno)
    gap = source.newline + b" " * last.col_offset if alone else b" "
    offset = source.start_of(last.end_lineno or last.lineno) + (last.end_col_offset or 0)
    return Insertion(offset, b"," + gap + text)


def _line(source: PythonSource, module: str, names: Sequence[Import]) -> Insertion:
    """An import of its own, at its place among the leading imports."""
    listed = [needed.name + (f" as {needed.alias}" if needed.alias else "") for needed in names]
    text = f"from {module} import {', '.join(listed)}"
    if len(text) > _LINE_LENGTH:
        text = "\n".join([f"from {module} import (", *(f"    {name}," for name in listed), ")"])
    content = text.replace("\n", source.newline.decode()).encode() + source.newline
    key = _key_of_module(module)
    imports = list(_leading(source.tree))
    before = [statement for statement in imports if _key(statement) <= key]
    if before:
        gap = source.newline if _key(before[-1])[0] != key[0] else b""
        return _after(source, before[-1], gap + content)
    if imports:
        gap = source.newline if _key(imports[0])[0] != key[0] else b""
        return Insertion(source.start_of(first_line(imports[0])), content + gap)
    body = source.tree.body
    if ast.get_docstring(source.tree, clean=False) is not None:
        return _after(source, body[0], source.newline + content)
    return Insertion(source.start_of(first_line(body[0])), content + source.newline * 2)


def _after(source: PythonSource, statement: ast.stmt, content: bytes) -> Insertion:
    number = source.last_line(statement, source.tree.body)
    ended = source.line(number).endswith((b"\n", b"\r"))
    return Insertion(source.ends[number - 1], content if ended else source.newline + content)


def _key(statement: ast.Import | ast.ImportFrom) -> _Key:
    if isinstance(statement, ast.ImportFrom):
        return _key_of_module("." * statement.level + (statement.module or ""))
    name = statement.names[0].name
    return _section(name), 0, 0, name.lower()


def _key_of_module(module: str) -> _Key:
    """isort's order of `from` imports: by section, relative ones last, the farthest first."""
    level = len(module) - len(module.lstrip("."))
    return _section(module), 1, -level, module.lstrip(".").lower()


def _section(module: str) -> int:
    top = module.partition(".")[0]
    if not top:
        return 3
    return 0 if top == "__future__" else 1 if top in sys.stdlib_module_names else 2

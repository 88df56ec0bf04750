"""Adds handler stubs to a file that its user owns: every byte that was there stays, in order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from generator.project.imports import import_insertions, shadowed
from generator.project.source import Insertion, PythonSource, bound_names, insert
from generator.render.emit import Import, Stub


@dataclass(frozen=True, slots=True)
class Appended:
    """A file with stubs added; those in `left` could not be, for `reason`, and are for the user to add."""

    content: bytes
    added: tuple[Stub, ...]
    left: tuple[Stub, ...] = ()
    reason: str = ""
    shadowed: tuple[Import, ...] = ()  # names that the stubs need and the module uses for something else


def append_stubs(content: bytes, stubs: Iterable[Stub]) -> Appended:
    """`content` with every stub whose method its class does not have yet, at the end of the class.

    Positions come from the syntax tree and the insertion is into the bytes, so that line endings, encoding, a byte
    order mark and the style of the rest stay. What cannot be done without touching a byte that is there is not done.
    """
    wanted = tuple(stubs)
    if not wanted:
        return Appended(content, ())
    try:
        source = PythonSource.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return Appended(content, (), wanted, "the file does not parse")
    insertions: list[Insertion] = []
    added: list[Stub] = []
    left: list[Stub] = []
    reasons: dict[str, None] = {}
    for class_name in dict.fromkeys(stub.class_name for stub in wanted):
        found = class_of(source.tree, class_name)
        have = set(bound_names(found.body)) if found else set()
        missing = [stub for stub in wanted if stub.class_name == class_name and stub.method not in have]
        if not missing:
            continue
        insertion = _methods(source, found, missing) if found else f"class {class_name} is not in the file"
        if isinstance(insertion, str):
            left += missing
            reasons[insertion] = None
        else:
            insertions.append(insertion)
            added += missing
    if not added:
        return Appended(content, (), tuple(left), "; ".join(reasons))
    imports = [needed for stub in added for needed in stub.imports]
    result = insert(content, [*import_insertions(source, imports), *insertions])
    if not _kept(source.tree, result, added):
        return Appended(content, (), (*added, *left), "nothing can be inserted without changing what is there")
    return Appended(result, tuple(added), tuple(left), "; ".join(reasons), tuple(shadowed(source, imports)))


def class_of(tree: ast.Module, name: str) -> ast.ClassDef | None:
    """The module's class of that name: the last one, which is the one the name means."""
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return found[-1] if found else None


def method_line(tree: ast.Module, class_name: str, method: str) -> int:
    """The line on which a class defines a method, 0 where it does not."""
    found = class_of(tree, class_name)
    for node in found.body if found else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == method:
            return node.lineno
    return 0


def _methods(source: PythonSource, owner: ast.ClassDef, stubs: Sequence[Stub]) -> Insertion | str:
    """The stubs at the end of a class, in its indentation and the file's line endings; or why they cannot go there."""
    indentation = source.indentation(owner.body[0])
    if not indentation:
        return f"class {owner.name} has no place for a method on a line of its own"
    number = _end(source, owner, indentation)
    text = "".join(f"\n{_indented(stub.source, indentation.decode('ascii'))}" for stub in stubs)
    try:
        content = text.encode(source.encoding.removesuffix("-sig")).replace(b"\n", source.newline)
    except UnicodeEncodeError:
        return f"the file's encoding, {source.encoding}, has no letters for it"
    ended = source.line(number).endswith((b"\n", b"\r"))
    return Insertion(source.ends[number - 1], content if ended else source.newline + content)


def _indented(text: str, unit: str) -> str:
    """`text`, written with four spaces a level, one level deeper and with `unit` a level."""
    lines = []
    for line in text.rstrip("\n").split("\n"):
        spaces = len(line) - len(line.lstrip(" "))
        levels, rest = divmod(spaces, 4)
        lines.append(unit * (levels + 1) + " " * rest + line.lstrip(" ") if line.strip(" ") else "")
    return "\n".join(lines) + "\n"


def _end(source: PythonSource, owner: ast.ClassDef, indentation: bytes) -> int:
    """The class's last line, the comments after its last statement included."""
    end = source.last_line(owner.body[-1], [*source.tree.body, *owner.body])
    for number in range(end + 1, len(source.ends) + 1):
        line = source.line(number)
        if not line.strip():
            continue
        if not re.match(re.escape(indentation) + rb"[ \t]*#", line):
            break
        end = number
    return end


def _kept(before: ast.Module, result: bytes, added: Sequence[Stub]) -> bool:
    """Whether `result` is the module it was, plus imports and, at the end of their classes, the methods added."""
    try:
        after = ast.parse(result)
    except (SyntaxError, ValueError):
        return False
    for class_name in {stub.class_name for stub in added}:
        methods = [stub.method for stub in added if stub.class_name == class_name]
        owner = class_of(after, class_name)
        if owner is None or [getattr(node, "name", "") for node in owner.body[-len(methods) :]] != methods:
            return False
        del owner.body[-len(methods) :]
    imported = set(bound_names([node for node in before.body if _is_import(node)]))
    return _statements(before) == _statements(after) and imported <= set(bound_names(after.body))


def _statements(tree: ast.Module) -> list[str]:
    return [ast.dump(node) for node in tree.body if not _is_import(node)]


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)

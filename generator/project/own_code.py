"""The code that a user wrote in a project, and what it imports of what is generated."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from generator.errors import Finding, Place
from generator.project.disk import Disk
from generator.project.lock import Lock
from generator.project.paths import shown
from generator.render.emit import Owner

_FOLDERS = ("src", "tests")


def own_files(disk: Disk, lock: Lock | None) -> tuple[str, ...]:
    """The Python files below src/ and tests/ that are not the generator's."""
    known = lock.files if lock else {}
    managed = {path for path, locked in known.items() if locked.owner is Owner.MANAGED}
    paths = (path for folder in _FOLDERS for path in disk.below(folder))
    return tuple(sorted(path for path in paths if path.endswith(".py") and path not in managed))


def parsed(disk: Disk, path: str) -> ast.Module | None:
    """The file as it parses, None where it does not, or is not there."""
    return _module(disk.read(path))


def modules(
    disk: Disk, managed: AbstractSet[str], written: Mapping[str, bytes] = MappingProxyType({})
) -> Mapping[str, ast.Module]:
    """The user's modules below src/ that parse, by the path that is shown; `written` is what a generation makes of some."""
    paths = {path for path in disk.below("src") if path.endswith(".py") and path not in managed}
    found = {path: _module(written.get(path) or disk.read(path)) for path in sorted({*paths, *written})}
    return {shown(disk.project, path): tree for path, tree in found.items() if tree is not None}


def _module(content: bytes | None) -> ast.Module | None:
    try:
        return None if content is None else ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return None


def lost_imports(disk: Disk, lock: Lock | None, pruned: Sequence[str]) -> Iterator[Finding]:
    """A note for each line of the user's code that imports a module that is no longer generated.

    `pruned` are the paths of the files that go; only Python below src/ can be imported.
    """
    modules = [path[len("src/") : -len(".py")].replace("/", ".") for path in pruned if _is_module(path)]
    if not modules:
        return
    for path in own_files(disk, lock):
        tree = parsed(disk, path)
        if tree is None:
            continue
        for module in modules:
            for line in sorted({line for line, _ in uses(tree, path, module, None)}):
                message = f"{module} is no longer generated, and this imports it"
                yield Finding(Place(shown(disk.project, path), line), "import-lost", message, "remove what needs it")


def _is_module(path: str) -> bool:
    return path.startswith("src/") and path.endswith(".py") and not path.endswith("/__init__.py")


def uses(tree: ast.Module, path: str, module: str, names: frozenset[str] | None) -> Iterator[tuple[int, str]]:
    """The lines of a file that import from `module`, or through it, one of `names`; None is any of them."""
    folder, _, stem = module.rpartition(".")
    aliases: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            source = _absolute(node, path)
            for alias in node.names:
                if source == module and (names is None or alias.name in names or alias.name == "*"):
                    yield alias.lineno, alias.name
                elif source == folder and alias.name == stem:
                    aliases[alias.asname or alias.name] = alias.lineno
        elif isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name: alias.lineno for alias in node.names if alias.name == module}
    if names is None:
        yield from ((line, stem) for line in aliases.values())
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names and ast.unparse(node.value) in aliases:
            yield node.lineno, f"{stem}.{node.attr}"


def _absolute(node: ast.ImportFrom, path: str) -> str:
    """The module that an import names; a relative one from the file's own."""
    if not node.level:
        return node.module or ""
    package = path.removeprefix("src/").split("/")[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])

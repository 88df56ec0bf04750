"""Whom a breaking change hits: which lines of the project's own code, and which of its clients."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from generator.breaking.rule import Audience, Break
from generator.breaking.schema import FileNode
from generator.breaking.versions import Callers
from generator.errors import Place
from generator.project.baseline import Baseline
from generator.project.disk import Disk
from generator.project.lock import Lock
from generator.project.own_code import own_files, parsed, uses
from generator.project.paths import shown
from generator.project.stubs import method_line
from generator.render.naming import pb_modules


@dataclass(frozen=True, slots=True)
class Hit:
    """Somebody who is hit; `place` is that of a line of the project's own code, None for clients."""

    who: str
    place: Place | None = None
    is_handler: bool = False

    def __str__(self) -> str:
        return f"{self.place} {self.who}" if self.place else self.who


@dataclass
class Hits:
    """Finds hits between two versions of a project; what it reads of the project, it reads once."""

    disk: Disk
    lock: Lock | None
    package: str
    before: Baseline
    after: Baseline
    _trees: dict[str, ast.Module | None] = field(default_factory=dict)

    def of(self, found: Break) -> tuple[Hit, ...]:
        """Whom it hits: imports and handlers by their lines, then clients."""
        element = found.change.element
        rpcs = frozenset(found.change.rpcs or (name for version in self._callers for name in version.of(element)))
        hits = list(self._imports(found)) if Audience.CODE in found.hits else []
        if (element or found.change.rpcs) and found.hits != (Audience.CODE,):
            hits += self._handlers(rpcs)
        hits += [Hit(audience.value) for audience in found.hits if self._reaches(audience, found, rpcs)]
        return tuple(hits)

    def _reaches(self, audience: Audience, found: Break, rpcs: frozenset[str]) -> bool:
        if audience is Audience.CODE:
            return not rpcs or found.hits == (Audience.CODE,)  # else it goes without saying
        methods = [one.version.behaviour.methods for one in (self.before, self.after)]
        served = [known[name] for known in methods for name in rpcs if name in known]
        return bool(served) if audience is Audience.GRPC else any(method.routes for method in served)

    def _handlers(self, rpcs: frozenset[str]) -> Iterator[Hit]:
        for path, locked in sorted(self.lock.files.items()) if self.lock else ():
            for stub in locked.stubs:
                if stub.rpc.removeprefix("/").replace("/", ".") not in rpcs:
                    continue
                tree = self._tree(path)
                line = method_line(tree, stub.class_name, stub.method) if tree else 0
                if line:
                    yield Hit(f"{stub.class_name}.{stub.method}", Place(shown(self.disk.project, path), line), True)

    def _imports(self, found: Break) -> Iterator[Hit]:
        """The lines of the project's own code that name something that its module no longer has."""
        module, names = self._lost(found)
        if not module:
            return
        for path in self._own_files:
            tree = self._tree(path)
            if tree is not None:
                for line, name in sorted(set(uses(tree, path, module, names))):
                    yield Hit(f"imports {name}", Place(shown(self.disk.project, path), line))

    def _lost(self, found: Break) -> tuple[str, frozenset[str] | None]:
        """The module of what is gone and its names there, None for all of them; ("", …) where nothing is."""
        before, after = self.before.version.schema, self.after.version.schema
        now = {module: after.files[path] for path, module in self._modules_after.items() if path in after.files}
        for path, file in before.files.items():
            module = self._modules_before.get(path, "")
            if found.change.element == path:
                return (module, None) if module not in now else ("", None)
            names = _names_of(file, found.change.element)
            if names:
                left = _exported(now[module]) if module in now else frozenset()
                return module, names - left
        return "", None

    @cached_property
    def _callers(self) -> tuple[Callers, Callers]:
        return Callers(self.before.version), Callers(self.after.version)

    @cached_property
    def _modules_before(self) -> Mapping[str, str]:
        return self._modules(self.before)

    @cached_property
    def _modules_after(self) -> Mapping[str, str]:
        return self._modules(self.after)

    def _modules(self, version: Baseline) -> Mapping[str, str]:
        """The Python module of each file that the project has one generated for, by import path."""
        found = pb_modules(version.contract).items()
        return {path: f"{self.package}.gen.pb{module}" for path, module in found if module.startswith(".")}

    @cached_property
    def _own_files(self) -> tuple[str, ...]:
        return own_files(self.disk, self.lock)

    def _tree(self, path: str) -> ast.Module | None:
        """The file as it parses, None where it does not."""
        if path not in self._trees:
            self._trees[path] = parsed(self.disk, path)
        return self._trees[path]


def _names_of(file: FileNode, element: str) -> frozenset[str]:
    """The names that stand in the file's module for a type of its top level: its own, and an enum's values."""
    prefix = f"{file.package}." if file.package else ""
    name = element.removeprefix(prefix)
    if name in file.enums and "." not in name:
        return frozenset({name}) | {value for values in file.enums[name].values.values() for value in values}
    return frozenset({name} if name in file.messages and "." not in name else ())


def _exported(file: FileNode) -> frozenset[str]:
    enums = [name for name in file.enums if "." not in name]
    values = {value for name in enums for values in file.enums[name].values.values() for value in values}
    return frozenset({*enums, *values, *(name for name in file.messages if "." not in name)})


def listed(hits: Iterable[Hit], most: int) -> str:
    """Hits in a sentence; of more than `most` handlers the first ones, and how many there are."""
    told: list[str] = []
    handlers = 0
    for hit in hits:
        handlers += hit.is_handler
        if not hit.is_handler or handlers <= most:
            told.append(str(hit))
        elif handlers == most + 1:
            told.append("")
    return ", ".join(text or f"{handlers - most} more handlers" for text in told)

"""Two versions of a service compared: all that breaks, what is new, and what that means for its version number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from generator.breaking import contract, failures, limits, routes
from generator.breaking.behaviour import Behaviour
from generator.breaking.rule import SOURCE, Break, Category, Rule
from generator.breaking.schema import Schema
from generator.contract.sources import python_module

BEHAVIOUR_RULES: tuple[Rule[Behaviour], ...] = (*routes.RULES, *failures.RULES, *limits.RULES)


@dataclass(frozen=True, slots=True)
class Version:
    """A service as its callers know it."""

    schema: Schema
    behaviour: Behaviour


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of one version in the next; `added` are full names, and what else callers can newly use."""

    breaks: tuple[Break, ...]
    added: tuple[str, ...]
    changed: bool  # in any way that callers could see

    @property
    def verdict(self) -> str:
        """Which number of a semantic version the change asks for: "major", "minor" or "patch"."""
        if self.breaks:
            return "major"
        return "minor" if self.changed else "patch"


def compare(before: Version, after: Version, category: Category | None) -> Comparison:
    """Everything that the rules of that category find, by place; what waivers accept included. None has no rules."""
    found: list[Break] = []
    if category is not None:
        found = [*contract.compare(before.schema, after.schema, category), *_behaviour(before, after, category)]
    unique = {(one.rule.id, one.change): one for one in found}
    breaks = sorted(unique.values(), key=lambda one: (one.change.place, one.key, one.change.what))
    added = tuple(sorted(_added(before, after)))
    return Comparison(tuple(breaks), added, bool(added) or _differ(before, after))


def _behaviour(before: Version, after: Version, category: Category) -> Iterator[Break]:
    known = before.behaviour.spec_known and after.behaviour.spec_known
    for rule in BEHAVIOUR_RULES if known else routes.RULES:
        if category not in rule.categories:
            continue
        for change in rule.find(before.behaviour, after.behaviour):
            # That the RPC is gone says it all, where there is a rule that says it.
            told = (
                rule.id == "ROUTE_NO_DELETE" and category in SOURCE and change.element not in after.behaviour.declared
            )
            if not told:
                yield Break(rule, change)


def _added(before: Version, after: Version) -> Iterator[str]:
    yield from set(after.schema.names()) - set(before.schema.names())
    known = {(route.verb, route.path) for method in before.behaviour.methods.values() for route in method.routes}
    for method in after.behaviour.methods.values():
        yield from (f"{route.verb} {route.path}" for route in method.routes if (route.verb, route.path) not in known)
    if before.behaviour.spec_known:
        yield from after.behaviour.errors.keys() - before.behaviour.errors.keys()


def _differ(before: Version, after: Version) -> bool:
    files = [
        {path: file.proto.SerializeToString(deterministic=True) for path, file in one.schema.files.items()}
        for one in (before, after)
    ]
    same_spec = before.behaviour == after.behaviour or not before.behaviour.spec_known
    return files[0] != files[1] or not same_spec


def scope(descriptor_set: FileDescriptorSet, roots: Iterable[str]) -> frozenset[str]:
    """The files that belong to a service with those roots: they and all they import, without what installed packages bring."""
    imports = {file.name: file.dependency for file in descriptor_set.file}
    todo = [root for root in roots if root in imports]
    found: set[str] = set()
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo.extend(imports.get(path, ()))  # a set that does not stand by itself is refused elsewhere
    return frozenset(path for path in found if not python_module(path))


class Callers:
    """Which RPCs of a version something is in: found once, asked for each finding."""

    __slots__ = ("_calls", "_holders", "_version")

    def __init__(self, version: Version) -> None:
        self._version = version
        self._holders: dict[str, set[str]] = {}  # the messages that have a field of a type, by the type
        for message in version.schema.messages.values():
            for field in message.fields.values():
                if field.proto.type_name:
                    self._holders.setdefault(field.proto.type_name.removeprefix("."), set()).add(message.full_name)
        self._calls: dict[str, set[str]] = {}  # the RPCs of a message, and of a service
        for name, method in version.behaviour.methods.items():
            for part in (method.request, method.response, name.rpartition(".")[0]):
                self._calls.setdefault(part, set()).add(name)

    def of(self, element: str) -> frozenset[str]:
        """The full names of the RPCs that an RPC, a service, a type or a file is in; all of them for ""."""
        if not element or element in self._version.behaviour.methods:
            return frozenset([element] if element else self._version.behaviour.methods)
        todo = self._declared(element)
        seen = set(todo)
        while todo:
            new = self._holders.get(todo.pop(), set()) - seen
            seen |= new
            todo += new
        return frozenset(name for one in seen for name in self._calls.get(one, ()))

    def _declared(self, element: str) -> list[str]:
        file = self._version.schema.files.get(element)
        if file is None:
            return [element]
        messages = [one.full_name for one in file.messages.values()]
        return (
            messages
            + [one.full_name for one in file.enums.values()]
            + [one.full_name for one in file.services.values()]
        )

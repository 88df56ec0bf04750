"""Two versions of a service compared: all that breaks, what is new, and what that means for its version number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
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
            todo.extend(imports[path])
    return frozenset(path for path in found if not python_module(path))


def callers(versions: Collection[Version], element: str) -> frozenset[str]:
    """The full names of the RPCs that something is in: an RPC, a service, a type or a file; all of them for ""."""
    return frozenset(name for one in versions for name in _callers(one, element))


def _callers(version: Version, element: str) -> Iterator[str]:
    schema, methods = version.schema, version.behaviour.methods
    if element in methods:
        yield element
        return
    file = schema.files.get(element)
    elements = {element}
    if file is not None:
        elements = {one.full_name for one in file.messages.values()}
        elements |= {one.full_name for one in file.enums.values()} | {one.full_name for one in file.services.values()}
    types = _holders(schema, elements)
    for name, method in methods.items():
        in_service = name.rpartition(".")[0] in elements
        if not element or in_service or method.request in types or method.response in types:
            yield name


def _holders(schema: Schema, types: set[str]) -> set[str]:
    """The types themselves, and the messages that have a field of one of them, directly or not."""
    found = set(types)
    size = 0
    while size != len(found):
        size = len(found)
        for message in schema.messages.values():
            if any(field.proto.type_name.removeprefix(".") in found for field in message.fields.values()):
                found.add(message.full_name)
    return found

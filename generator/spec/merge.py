"""Blocks of several levels laid over one another, each leaf remembering its level and its line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from generator import document
from generator.document import Entry, Mapping, Node, Path, Plain, Scalar, planted
from generator.errors import Place
from generator.spec.fields import KeyField, Model, fields
from generator.spec.layers import BUILT_IN, Layer


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that no later level divides further."""

    node: Node
    level: str
    place: Place  # of its key

    @property
    def off(self) -> bool:
        return isinstance(self.node, Scalar) and self.node.value is False


@dataclass(slots=True)
class Section:
    """A mapping under construction; level and place are those of the last block that named it."""

    model: type[Model]
    level: str
    place: Place
    entries: dict[str, Leaf | Section] = field(default_factory=dict)


def merged(model: type[Model], layers: Iterable[Layer]) -> Section:
    """`layers` merged into one section of `model`, the weakest first; keys `model` does not have are left out."""
    root = Section(model, BUILT_IN, Place(BUILT_IN))
    for layer in layers:
        _merge(root, layer.block, layer.level)
    return root


def _merge(section: Section, block: Mapping, level: str) -> None:
    known = fields(section.model)
    if _kind_changes(section, block):
        section.entries.clear()
    for key, entry in canonical(section.model, block).entries.items():
        if key in known:
            _merge_key(section, known[key], entry, level)


def _merge_key(section: Section, key: KeyField, entry: Entry, level: str) -> None:
    if (
        key.shape.kind != "model"
        or key.shape.model is None
        or not isinstance(node := _spelt_out(key, entry.node), Mapping)
    ):
        section.entries[key.key] = Leaf(entry.node, level, entry.place)
        return
    current = section.entries.get(key.key)
    if isinstance(current, Section):
        current.level, current.place = level, entry.place
    else:
        current = Section(key.shape.model, level, entry.place)
        section.entries[key.key] = current
    _merge(current, node, level)


def _kind_changes(section: Section, block: Mapping) -> bool:
    key = section.model.discriminator
    if not key or key not in block.entries:
        return False
    before = section.entries.get(key)
    kind = document.plain(before.node) if isinstance(before, Leaf) else fields(section.model)[key].info.default
    return document.plain(block.entries[key].node) != kind


def _spelt_out(key: KeyField, node: Node) -> Node:
    """A fallback's kind alone is short for a section."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and key.shape.model is not None:
        return Mapping({key.shape.model.discriminator: Entry(node.place, node)}, node.place)
    return node


def canonical(model: type[Model], block: Mapping) -> Mapping:
    """`block` with circuitBreaker.timeoutMs in its newer spelling, openFor.initial."""
    older = block.entries.get("timeoutMs")
    if older is None or "timeoutMs" not in fields(model) or not isinstance(older.node, Scalar):
        return block
    initial = Entry(older.place, replace(older.node, value=f"{older.node.value}ms"))
    entries = {key: entry for key, entry in block.entries.items() if key != "timeoutMs"}
    open_for = entries.get("openFor", Entry(older.place, Mapping({}, older.place)))
    if isinstance(open_for.node, Mapping):
        both = {"initial": initial, **open_for.node.entries}
        entries["openFor"] = Entry(open_for.place, replace(open_for.node, entries=both))
    return replace(block, entries=entries)


def find(section: Section, path: Path) -> Leaf | Section | None:
    """What stands at `path`, if anything was written there."""
    found: Leaf | Section | None = section
    for step in path:
        found = found.entries.get(str(step)) if isinstance(found, Section) else None
    return found


def origin(section: Section, path: Path) -> tuple[str, Place]:
    """The level and place of `path`, or of the nearest section around it that was written."""
    level, place = section.level, section.place
    for length in range(1, len(path) + 1):
        found = find(section, path[:length])
        if found is None:
            break
        level, place = found.level, found.place
    return level, place


def written(section: Section, path: Path) -> bool:
    """Whether a level other than the built-in one set `path`."""
    found = find(section, path)
    return found is not None and found.level != BUILT_IN


def insert(section: Section, path: Path, value: Plain) -> None:
    """Sets `path` to a value that follows from others; its level is the built-in one."""
    for step in path[:-1]:
        key = fields(section.model)[str(step)]
        inner = section.entries.get(key.key)
        if not isinstance(inner, Section):
            if key.shape.model is None:
                raise ValueError(f"{key.key} is not a section")
            inner = Section(key.shape.model, BUILT_IN, Place(BUILT_IN))
            section.entries[key.key] = inner
        section = inner
    place = Place(BUILT_IN)
    section.entries[str(path[-1])] = Leaf(planted(value, place), BUILT_IN, place)


def plain(section: Section) -> dict[str, Plain]:
    """The merged values as ordinary Python values."""
    return {
        key: plain(entry) if isinstance(entry, Section) else document.plain(entry.node)
        for key, entry in section.entries.items()
    }


def as_node(section: Section) -> Mapping:
    """The merged values as a tree with their places."""
    return Mapping(
        {
            key: Entry(entry.place, as_node(entry) if isinstance(entry, Section) else entry.node)
            for key, entry in section.entries.items()
        },
        section.place,
    )

"""A YAML document as a tree in which every key and value knows its line and column.

Plain scalars are read as YAML 1.2's core schema has them (true/false, null, decimal numbers); everything else is
text, so that `off`, `no`, `1:30`, `010` and `2024-01-01` mean what they look like. There are no tags.
"""

from __future__ import annotations

import json
import math
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from generator.errors import Finding, InputError, Place

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 40
MAX_NODES = 200_000  # after aliases are followed, so that a small file cannot stand for a huge one

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_CONSTANTS: dict[str, bool | None] = {"true": True, "True": True, "TRUE": True, "false": False, "False": False}
_CONSTANTS |= {"FALSE": False, "null": None, "Null": None, "NULL": None, "~": None, "": None}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
Path: TypeAlias = "tuple[str | int, ...]"


@dataclass(frozen=True, slots=True)
class Scalar:
    value: str | int | float | bool | None
    place: Place
    size: int = 1


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    place: Place
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping, where it stands, and its value."""

    place: Place
    node: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: dict[str, Entry]
    place: Place
    size: int = 1


Node: TypeAlias = Scalar | Sequence | Mapping


def plain(node: Node) -> Plain:
    """`node` as ordinary Python values."""
    if isinstance(node, Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


def planted(value: Plain, place: Place) -> Node:
    """Ordinary values as a tree that stands at `place` throughout."""
    if isinstance(value, dict):
        entries = {key: Entry(place, planted(item, place)) for key, item in value.items()}
        return Mapping(entries, place, 1 + sum(entry.node.size for entry in entries.values()))
    if isinstance(value, list):
        items = tuple(planted(item, place) for item in value)
        return Sequence(items, place, 1 + sum(item.size for item in items))
    return Scalar(value, place)


def find(root: Node, path: Path) -> Node | None:
    """The node at `path`, if there is one."""
    node: Node | None = root
    for step in path:
        node = _child(node, step)
    return node


def _child(node: Node | None, step: str | int) -> Node | None:
    if isinstance(node, Mapping) and isinstance(step, str):
        entry = node.entries.get(step)
        return entry.node if entry else None
    if isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
        return node.items[step]
    return None


def key_place(root: Node, path: Path) -> Place:
    """Where the key (or list item) at `path` stands, or the nearest section around it that exists."""
    node, place = root, root.place
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.entries:
            place = node.entries[step].place
        child = _child(node, step)
        if child is None:
            break
        if isinstance(node, Sequence):
            place = child.place
        node = child
    return place


def value_place(root: Node, path: Path) -> Place:
    """Where the value at `path` stands, or the nearest section around it that exists."""
    node = find(root, path)
    return node.place if node is not None else key_place(root, path)


def positions(root: Node) -> Iterator[tuple[Path, Place]]:
    """The place of every key and list item, in the order they stand."""
    if isinstance(root, Mapping):
        for key, entry in root.entries.items():
            yield (key,), entry.place
            yield from (((key, *path), place) for path, place in positions(entry.node))
    elif isinstance(root, Sequence):
        for index, item in enumerate(root.items):
            yield (index,), item.place
            yield from (((index, *path), place) for path, place in positions(item))


def dotted(path: Path) -> str:
    """`path` as it is written in messages: spec.methods.GetOrder.deadline.max, spec.slos[0].sli."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]+", step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def scalar_value(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def read(path: pathlib.Path) -> str:
    """The text of the YAML file at `path`. Raises InputError where it cannot be read, is too large or is not UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError.one(Place(str(path)), "yaml-unreadable", f"cannot read the file: {reason}") from None
    return decode(data, str(path))


def decode(data: bytes, file: str) -> str:
    """The text of a YAML file, which is UTF-8; InputError names the first byte that is not."""
    place = Place(file, 1, 1)
    if len(data) > MAX_BYTES:
        raise InputError.one(place, "yaml-too-large", f"the file has more than {MAX_BYTES // 1024} KiB")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:4].count(0) >= 2:
        raise InputError.one(place, "yaml-encoding", "the file is not UTF-8 but UTF-16 or UTF-32", "save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        raise InputError.one(Place(file, line, column), "yaml-encoding", message, "save the file as UTF-8") from None


def parse(text: str, file: str) -> tuple[Node | None, tuple[Finding, ...]]:
    """The tree of `text`'s only document and what is wrong with its form; None when it has no tree at all."""
    found = _FORBIDDEN.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        place = Place(file, line, found.start() - text.rfind("\n", 0, found.start()))
        return None, (Finding(place, "yaml-syntax", f"the character U+{ord(found[0]):04X} may not stand in YAML"),)
    if len(text) > MAX_BYTES:
        return None, (Finding(Place(file, 1, 1), "yaml-too-large", f"more than {MAX_BYTES // 1024} KiB"),)
    builder = _Builder(file)
    try:
        return builder.document(yaml.parse(text, Loader=_LOADER)), tuple(builder.findings)
    except yaml.MarkedYAMLError as error:
        builder.findings.append(_syntax_finding(error, text, file))
    except yaml.YAMLError as error:
        builder.findings.append(Finding(Place(file, 1, 1), "yaml-syntax", str(error)))
    except _Stop:
        pass
    return None, tuple(builder.findings)


def _syntax_finding(error: yaml.MarkedYAMLError, text: str, file: str) -> Finding:
    problem, mark = error.problem or "not YAML", error.problem_mark
    if mark is None:
        return Finding(Place(file, 1, 1), "yaml-syntax", problem)
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    hint = "look at the indentation here, and for a missing quote, bracket or colon above"
    if line[mark.column : mark.column + 1] == "\t" or re.match(" *\t", line):
        problem, hint = "a tab stands where indentation should be", "YAML is indented with spaces"
    elif "mapping values are not allowed" in problem:
        hint = "quote text that contains ': ', and look at the indentation"
    elif "undefined alias" in problem:
        hint = "an alias (*name) needs its anchor (&name) above it"
    start = error.context_mark
    if error.context and start is not None:
        problem = f"{problem}, {error.context} that starts in line {start.line + 1}"
    return Finding(Place(file, mark.line + 1, mark.column + 1), "yaml-syntax", problem, hint)


class _Stop(Exception):  # noqa: N818 - ends the reading, is no error of ours
    """The document cannot be read any further."""


@dataclass(slots=True)
class _Builder:
    """Builds the tree from the parser's events."""

    file: str
    findings: list[Finding] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)  # None while it is being built
    depth: int = 0

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._report(
                        event, "yaml-documents", "a second document starts here", "one file holds one document"
                    )
                    raise _Stop
                root = self._node(next(events), events)
        return root

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file)

    def _report(self, event: yaml.Event, id: str, message: str, hint: str = "") -> None:
        self.findings.append(Finding(self._place(event), id, message, hint))

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event]) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag is not None:
            self._report(event, "yaml-tag", f"the tag {tag} is not allowed", "write the value without a tag")
        if anchor is not None:
            self.anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            if found := _CONTROL.search(event.value):
                self._report(event, "control-character", f"the character U+{ord(found[0]):04X} may not stand in text")
            quoted = event.style not in (None, "") or tag is not None
            node: Node = Scalar(event.value if quoted else scalar_value(event.value), self._place(event))
        else:
            self.depth += 1
            if self.depth > MAX_DEPTH:
                self._report(event, "yaml-too-deep", f"nested more than {MAX_DEPTH} levels deep")
                raise _Stop
            build = self._mapping if isinstance(event, yaml.MappingStartEvent) else self._sequence
            node = build(event, events)
            self.depth -= 1
        if node.size > MAX_NODES:
            self._report(event, "yaml-too-large", f"more than {MAX_NODES} values once its aliases are followed")
            raise _Stop
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self.anchors:
            self._report(event, "yaml-alias", f"there is no anchor &{event.anchor} above")
            raise _Stop
        node = self.anchors[event.anchor]
        if node is None:
            self._report(event, "yaml-alias", f"the alias *{event.anchor} stands inside its own anchor")
            raise _Stop
        return node

    def _sequence(self, start: yaml.Event, events: Iterator[yaml.Event]) -> Sequence:
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events))
        return Sequence(tuple(items), self._place(start), 1 + sum(item.size for item in items))

    def _mapping(self, start: yaml.Event, events: Iterator[yaml.Event]) -> Mapping:
        entries: dict[str, Entry] = {}
        merged: list[Node] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key, node = self._node(event, events), self._node(next(events), events)
            if not isinstance(event, yaml.ScalarEvent):
                self._report(event, "yaml-key", "a key must be text")
            elif event.value == "<<" and isinstance(key, Scalar) and event.style in (None, ""):
                if merged:
                    self._report(event, "duplicate-key", "<< stands here for the second time; give it a list")
                merged.append(node)
            elif event.value in entries:
                first = entries[event.value].place.line
                message = f"the key '{event.value}' stands here for the second time; the first is in line {first}"
                self._report(event, "duplicate-key", message)
            else:
                entries[event.value] = Entry(self._place(event), node)
        for source in merged:
            self._merge(source, entries)
        size = 1 + sum(entry.node.size for entry in entries.values())
        return Mapping(entries, self._place(start), size)

    def _merge(self, source: Node, entries: dict[str, Entry]) -> None:
        """Merge keys (<<): what the mapping itself says wins, then the first source in order."""
        if isinstance(source, Sequence):
            for item in source.items:
                self._merge(item, entries)
        elif isinstance(source, Mapping):
            for key, entry in source.entries.items():
                entries.setdefault(key, entry)
        else:
            self.findings.append(Finding(source.place, "yaml-key", "<< takes a mapping, or a list of mappings"))

"""Which route serves a path: a trie over path segments, the most specific template first.

The generated routes are compiled into one when their module is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

from .definition import Capture, Kind, Route

UPGRADE: Final = "GET, upgraded"
"""What stands for the HTTP method of a request that opens a WebSocket: every bidirectional RPC's routes have it too."""

_MALFORMED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_COLONS = 16  # that may begin a custom verb; further ones are data
_WANTED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"HEAD": ("HEAD", "GET", "*"), UPGRADE: (UPGRADE,)})
_SLASH = re.compile(r"(%2[Ff])")


class BadPathError(Exception):
    """The path's percent-encoding is malformed, or what it encodes is no UTF-8."""


class Match(NamedTuple):
    """The place among the routes of the one that serves a path, and what its variables captured, decoded, in their order."""

    place: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Nothing serves the path: `allow` has the HTTP methods that it is served under, none for an unknown path."""

    allow: tuple[str, ...]


_Leaf: TypeAlias = dict[str, dict[str, int]]  # the route's place, by custom verb, then by HTTP method
_NO_PLACES: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    one: _Node | None = None  # "*"
    many: dict[tuple[str, ...], _Leaf] = field(default_factory=dict)  # "**", by what stands after it
    open_ends: dict[int, list[tuple[str, ...]]] = field(default_factory=dict)  # those of `many` with "*", by length
    longest: int = 0  # of the ends in `many`
    leaf: _Leaf = field(default_factory=dict)


class Router:
    """Routes by path. A look-up walks the path's segments; the number of routes does not matter to it.

    No two routes are alike: the generator has seen to that.
    """

    __slots__ = ("_positions", "_root", "routes")

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = routes
        self._positions = [_positions(route) for route in routes]
        self._root = _Node()
        for place, route in enumerate(routes):
            verbs = self._leaf(route.segments).setdefault(route.suffix, {})
            verbs[route.verb] = place
            if route.method.kind is Kind.BIDI:
                verbs[UPGRADE] = place

    def match(self, verb: str, path: str) -> Match | NoMatch:
        """The route for an HTTP method and a raw path (percent-encoded, without its query).

        Segments are taken literal before `*` before `**`, from left to right, among the routes of the method; HEAD
        is served by GET. Raises BadPathError.
        """
        return self._first_way(verb, path) or self._search(verb, path)

    def _first_way(self, verb: str, path: str) -> Match | None:
        """The route that the first way through the trie leads to, as it mostly does; None where there is more to it."""
        segments = path[1:].split("/")
        if path[:1] != "/" or "%" in path or ":" in segments[-1]:
            return None
        node = self._root
        for segment in segments:
            following = node.literals.get(segment) or (node.one if segment else None)
            if following is None:
                return None
            node = following
        place = node.leaf.get("", _NO_PLACES).get(verb)
        if place is None or (positions := self._positions[place]) is None:
            return None
        return Match(place, tuple([segments[position] for position in positions]))

    def _search(self, verb: str, path: str) -> Match | NoMatch:
        if not path.startswith("/"):
            return NoMatch(())
        escaped = "%" in path
        if escaped and _MALFORMED.search(path):
            raise BadPathError
        raw = path[1:].split("/") if path != "/" else []
        allow: set[str] = set()
        wanted = _WANTED.get(verb) or (verb, "*")
        for segments, suffix in _readings(raw):
            decoded = [_decode(segment) for segment in segments] if escaped else segments
            place = _find(self._root, decoded, 0, _Wanted(suffix, wanted, allow))
            if place is not None:
                return Match(place, _captured(self.routes[place], segments))
            if suffix and allow:  # a verb of another method's: here it is one, and so no data
                break
        return NoMatch(_allowed(allow))

    def _leaf(self, segments: tuple[str, ...]) -> _Leaf:
        node = self._root
        for position, segment in enumerate(segments):
            if segment == "**":
                return _end(node, segments[position + 1 :])
            if segment == "*":
                node.one = node.one or _Node()
                node = node.one
            else:
                node = node.literals.setdefault(segment, _Node())
        return node.leaf


def _end(node: _Node, end: tuple[str, ...]) -> _Leaf:
    """The leaf of what stands after the node's `**`."""
    if "*" in end and end not in node.many:
        ends = node.open_ends.setdefault(len(end), [])
        ends.append(end)
        ends.sort(key=lambda one: [segment == "*" for segment in one])  # literals before "*", from left to right
    node.longest = max(node.longest, len(end))
    return node.many.setdefault(end, {})


def _readings(raw: list[str]) -> Iterable[tuple[list[str], str]]:
    """The path with each end of its last segment that may be a custom verb, the longest first; then without one."""
    last = raw[-1] if raw else ""
    if ":" not in last:
        return ((raw, ""),)
    colons = [at for at, letter in enumerate(last) if letter == ":"][:_MAX_COLONS]
    return [*(([*raw[:-1], last[:at]], _decode(last[at + 1 :])) for at in colons), (raw, "")]


@dataclass(slots=True)
class _Wanted:
    """What a leaf must have; `allow` collects the HTTP methods of the leaves that have others only."""

    suffix: str
    verbs: tuple[str, ...]
    allow: set[str]


def _find(node: _Node, segments: list[str], at: int, wanted: _Wanted) -> int | None:
    """What serves the segments from `at` on, the most specific place first. An empty segment matches nothing."""
    found: int | None = None
    if at == len(segments):
        found = _chosen(node.leaf, wanted)
    elif segment := segments[at]:
        child = node.literals.get(segment)
        if child is not None:
            found = _find(child, segments, at + 1, wanted)
        if found is None and node.one is not None:
            found = _find(node.one, segments, at + 1, wanted)
    if found is None and node.many:
        found = _find_many(node, segments, at, wanted)
    return found


def _find_many(node: _Node, segments: list[str], at: int, wanted: _Wanted) -> int | None:
    """What serves the segments from `at` on by a `**`, the longest end first."""
    if not all(segments[at:]):
        return None
    for length in range(min(len(segments) - at, node.longest), -1, -1):
        given = tuple(segments[len(segments) - length :])
        leaf = node.many.get(given)
        if leaf is not None and (found := _chosen(leaf, wanted)) is not None:
            return found
        for end in node.open_ends.get(length, ()):
            fits = all(segment in ("*", value) for segment, value in zip(end, given, strict=True))
            if fits and (found := _chosen(node.many[end], wanted)) is not None:
                return found
    return None


def _chosen(leaf: _Leaf, wanted: _Wanted) -> int | None:
    places = leaf.get(wanted.suffix)
    if places is None:
        return None
    for verb in wanted.verbs:
        if (place := places.get(verb)) is not None:
            return place
    wanted.allow.update(places)
    return None


def _positions(route: Route) -> tuple[int, ...] | None:
    """Where in a path the variables' segments stand; None where a variable takes several, or "**" moves them."""
    if "**" in route.segments or any(capture.end - capture.start != 1 for capture in route.captures):
        return None
    return tuple(capture.start for capture in route.captures)


def _captured(route: Route, raw: list[str]) -> tuple[str, ...]:
    return tuple([_capture(route, capture, raw) for capture in route.captures])


def _capture(route: Route, capture: Capture, raw: list[str]) -> str:
    grown = len(raw) - len(route.segments)  # by as much as "**" took more than one segment
    if not grown and capture.end - capture.start == 1 and route.segments[capture.start] != "**":
        return _decode(raw[capture.start])
    many = route.segments.index("**") if grown else len(route.segments)
    start = capture.start + (grown if many < capture.start else 0)
    end = capture.end + (grown if many < capture.end else 0)
    template = route.segments[capture.start : capture.end]
    if len(template) == 1 and template[0] != "**":
        return _decode(raw[start])
    return "/".join(_decode_keeping_slashes(segment) for segment in raw[start:end])


def _decode(segment: str) -> str:
    """The segment with every percent-encoding decoded; `+` stays as it is. Raises BadPathError."""
    if "%" not in segment:
        return segment
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise BadPathError from error


def _decode_keeping_slashes(segment: str) -> str:
    """As `_decode`, but `%2F` stays: in a capture of several segments, a `/` is always a separator."""
    if "%" not in segment:
        return segment
    return "".join(part if _SLASH.fullmatch(part) else _decode(part) for part in _SLASH.split(segment))


def _allowed(verbs: set[str]) -> tuple[str, ...]:
    return tuple(sorted((verbs | {"HEAD"} if "GET" in verbs else verbs) - {UPGRADE}))

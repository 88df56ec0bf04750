"""Which route serves a path: a trie over path segments, the most specific template first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

from ..definition import Capture, Route

_MALFORMED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SLASH = re.compile(r"(%2[Ff])")


class BadPathError(Exception):
    """The path's percent-encoding is malformed, or what it encodes is no UTF-8."""


class Routed(Protocol):
    """Whatever a router finds by its route."""

    @property
    def route(self) -> Route: ...


Target = TypeVar("Target", bound=Routed)


@dataclass(frozen=True, slots=True)
class Match(Generic[Target]):
    """What serves a path, and what the path's variables captured: decoded text by the route's captures."""

    target: Target
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Nothing serves the path: `allow` has the HTTP methods that it is served under, none for an unknown path."""

    allow: tuple[str, ...]


_Leaf: TypeAlias = dict[str, dict[str, Target]]  # by custom verb, then by HTTP method


@dataclass(slots=True)
class _Node(Generic[Target]):
    literals: dict[str, _Node[Target]] = field(default_factory=dict)
    one: _Node[Target] | None = None  # "*"
    many: dict[tuple[str, ...], _Leaf[Target]] = field(default_factory=dict)  # "**", by the literals after it
    leaf: _Leaf[Target] = field(default_factory=dict)


class Router(Generic[Target]):
    """Routes by path. A look-up walks the path's segments; the number of routes does not matter to it.

    Of two routes alike, the first declared serves.
    """

    def __init__(self, targets: Iterable[Target]) -> None:
        self._root: _Node[Target] = _Node()
        for target in targets:
            route = target.route
            self._leaf(route.segments).setdefault(route.suffix, {}).setdefault(route.verb, target)

    def match(self, verb: str, path: str) -> Match[Target] | NoMatch:
        """The route for an HTTP method and a raw path (percent-encoded, without its query).

        Segments are taken literal before `*` before `**`, from left to right, among the routes of the method; HEAD
        is served by GET. Raises BadPathError.
        """
        if not path.startswith("/"):
            return NoMatch(())
        if _MALFORMED.search(path):
            raise BadPathError
        raw = path[1:].split("/") if path != "/" else []
        wanted = (verb, "GET", "*") if verb == "HEAD" else (verb, "*")
        allow: set[str] = set()
        for segments, suffix in _readings(raw):
            for leaf in _leaves(self._root, [_decode(segment) for segment in segments], 0):
                targets = leaf.get(suffix)
                if targets is None:
                    continue
                for name in wanted:
                    if (target := targets.get(name)) is not None:
                        return Match(target, _captured(target.route, segments))
                allow.update(targets)
        return NoMatch(_allowed(allow))

    def _leaf(self, segments: tuple[str, ...]) -> _Leaf[Target]:
        node = self._root
        for position, segment in enumerate(segments):
            if segment == "**":
                return node.many.setdefault(segments[position + 1 :], {})
            if segment == "*":
                node.one = node.one or _Node()
                node = node.one
            else:
                node = node.literals.setdefault(segment, _Node())
        return node.leaf


def _readings(raw: list[str]) -> Iterator[tuple[list[str], str]]:
    """The path with each end of its last segment that may be a custom verb, the longest first; then without one."""
    last = raw[-1] if raw else ""
    at = last.find(":")
    while at >= 0:
        yield [*raw[:-1], last[:at]], _decode(last[at + 1 :])
        at = last.find(":", at + 1)
    yield raw, ""


def _leaves(node: _Node[Target], segments: list[str], at: int) -> Iterator[_Leaf[Target]]:
    """Where the segments from `at` on can end, the most specific place first. An empty segment matches nothing."""
    if at == len(segments):
        if node.leaf:
            yield node.leaf
    elif segment := segments[at]:
        if (child := node.literals.get(segment)) is not None:
            yield from _leaves(child, segments, at + 1)
        if node.one is not None:
            yield from _leaves(node.one, segments, at + 1)
    if node.many and all(segments[at:]):
        for length in range(len(segments) - at, -1, -1):
            if (leaf := node.many.get(tuple(segments[len(segments) - length :]))) is not None:
                yield leaf


def _captured(route: Route, raw: list[str]) -> tuple[str, ...]:
    return tuple(_capture(route, capture, raw) for capture in route.captures)


def _capture(route: Route, capture: Capture, raw: list[str]) -> str:
    template = route.segments[capture.start : capture.end]
    if len(template) == 1 and template[0] != "**":
        return _decode(raw[capture.start])
    grown = len(raw) - len(route.segments)  # by as much as "**" took more than one segment
    end = capture.end + (grown if "**" in template else 0)
    return "/".join(_decode_keeping_slashes(segment) for segment in raw[capture.start : end])


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
    return tuple(sorted(verbs | {"HEAD"} if "GET" in verbs else verbs))

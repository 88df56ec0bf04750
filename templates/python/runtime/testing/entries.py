"""Entries: every way to call an RPC, over gRPC and by each REST route, and the samples that each can carry."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from ..call import ProtocolName
from ..definition import Definition, Kind, Method, Route
from .rest_request import carried, carried_back, takes_one
from .samples import sample, variants

_ALL_THE_REST = (("p q", "é"), ("p",), ("p", "q", "r"), ("p", "q", "r", "s", "t"), ())
"""What `**` may stand for in a sample, the first choice first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One way to call an RPC; `route` is None for gRPC."""

    method: Method
    route: Route | None = None
    rest: tuple[str, ...] = ()  # the segments that `**` of the route's template stands for in samples

    @property
    def protocol(self) -> ProtocolName:
        return "grpc" if self.route is None else "rest"

    @property
    def template(self) -> str | None:
        """The route's path template, None for gRPC."""
        return None if self.route is None else self.route.template

    @property
    def verb(self) -> str | None:
        """The route's HTTP method, None for gRPC."""
        return None if self.route is None else self.route.verb

    @property
    def over_web_socket(self) -> bool:
        """Whether the call is a WebSocket's: a bidirectional one over REST is."""
        return self.route is not None and self.method.kind is Kind.BIDI

    @property
    def answers_with_body(self) -> bool:
        """Whether an answer says more than its status line: everything but a HEAD request's does."""
        return self.route is None or self.route.verb != "HEAD"

    def __str__(self) -> str:
        if self.route is None:
            return f"grpc {self.method.path}"
        return f"rest {self.route.verb} {self.route.template}"

    @property
    def variants(self) -> int:
        """How many variants of its samples there are."""
        return max(variants(self.method.request), variants(self.method.response))

    def requests(self, variant: int = 0) -> tuple[Message, ...]:
        """Sample requests as far as this entry can carry them: three for a stream that has each as it is, else one."""
        count = 3 if self.method.kind.streams_requests and not (self.route and takes_one(self.route)) else 1
        made = tuple(sample(self.method.request, variant + position) for position in range(count))
        return made if self.route is None else carried(self.route, made, self.rest)

    def responses(self, variant: int = 0) -> tuple[Message, ...]:
        """Sample responses as far as this entry can carry them: three for a stream, none for HEAD, else one."""
        if not self.answers_with_body:
            return ()
        count = 3 if self.method.kind.streams_responses else 1
        made = (sample(self.method.response, variant + position) for position in range(count))
        return tuple(message if self.route is None else carried_back(self.route, message) for message in made)


def entries(definition: Definition) -> tuple[Entry, ...]:
    """Every way in: each RPC over gRPC, then each REST route.

    A route without a body has no place for a client stream; and no request reaches a route whose every path more
    specific ones take (Firestore has one).
    """
    over_grpc = [Entry(method) for method in definition.methods]
    over_rest = []
    for route in definition.routes:
        kind = route.method.kind
        rest = _rest(route, definition.routes)
        if rest is not None and (route.body or kind is not Kind.CLIENT_STREAM):
            over_rest.append(Entry(route.method, route, rest))
    return (*over_grpc, *over_rest)


def one_of_each(ways: Iterable[Entry], policy: Callable[[Entry], Hashable] = lambda _: None) -> tuple[Entry, ...]:
    """The first entry of each protocol, RPC kind and `policy`: what a mechanism is tested on.

    RPCs of one kind and one policy are served by the same code.
    """
    chosen: dict[tuple[ProtocolName, Kind, Hashable], Entry] = {}
    for entry in ways:
        if entry.answers_with_body:
            chosen.setdefault((entry.protocol, entry.method.kind, policy(entry)), entry)
    return tuple(chosen.values())


def _rest(route: Route, routes: Sequence[Route]) -> tuple[str, ...] | None:
    """What `**` stands for, so that no more specific route takes the sample away; None where one always does.

    A route that takes whatever `**` stands for is not more specific.
    """
    if "**" not in route.segments:
        return ()
    at = route.segments.index("**")
    filled = [(*route.segments[:at], *rest, *route.segments[at + 1 :]) for rest in _ALL_THE_REST]
    paths = [tuple("?" if segment == "*" else segment for segment in path) for path in filled]
    others = [other for other in routes if other is not route and _same_requests(other, route)]
    narrow = [other for other in others if not all(fits(other.segments, path) for path in paths)]
    for rest, path in zip(_ALL_THE_REST, paths, strict=True):
        if not any(fits(other.segments, path) for other in narrow):
            return rest
    return None


def _same_requests(one: Route, other: Route) -> bool:
    """Whether requests for one route could be for the other, but for their paths' segments."""
    return one.suffix == other.suffix and (one.verb == other.verb or "*" in (one.verb, other.verb))


def fits(template: Sequence[str], path: Sequence[str]) -> bool:
    """Whether a path's segments match a template's, whatever else there is."""
    if not template:
        return not path
    if template[0] == "**":
        return any(fits(template[1:], path[at:]) for at in range(len(path) + 1))
    return bool(path) and template[0] in ("*", path[0]) and fits(template[1:], path[1:])

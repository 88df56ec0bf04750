"""What a service must refuse: RPCs, paths and HTTP methods that are not in its contract."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty

from ..definition import Definition, Kind, Method, Route
from .entries import Entry, entries, fits
from .rest_request import RestRequest, rest_request

NO_VERB = "TRACE"
"""An HTTP method that no contract binds."""


def unknown_rpcs(definition: Definition) -> tuple[Entry, ...]:
    """An RPC of a service that is not there, and one that is not there of each service that is."""
    names = ("no.such.v1.Service", *(service.SERVICE for service in definition.services))
    return tuple(Entry(Method(f"/{name}/NoSuchRpc", name, "NoSuchRpc", "", Kind.UNARY, Empty, Empty)) for name in names)


def unrouted(definition: Definition) -> tuple[str, ...]:
    """A few paths that no route takes, however wide its template: as far as there are any."""
    paths = [("no such path",), ("v1", "no such path"), tuple("no such path at all"), ("no such path", "with:verb")]
    return tuple(
        "/" + "/".join(path).replace(" ", "%20")
        for path in paths
        if not any(fits(route.segments, path) for route in definition.routes)
    )


def wrong_verbs(definition: Definition) -> tuple[tuple[Entry, RestRequest], ...]:
    """Each REST route, and a request of its path under an HTTP method that nothing there is served under."""
    found = []
    wide = [route for route in definition.routes if route.verb in ("*", NO_VERB)]
    for entry in entries(definition):
        route = entry.route
        if route is None:
            continue
        path = _filled(route, entry.rest)
        if not any(other.suffix == route.suffix and fits(other.segments, path) for other in wide):
            found.append((entry, RestRequest(NO_VERB, rest_request(route, entry.requests()).path)))
    return tuple(found)


def _filled(route: Route, rest: tuple[str, ...]) -> tuple[str, ...]:
    """The segments of the route's samples, with something for each wildcard."""
    path: list[str] = []
    for segment in route.segments:
        path += {"*": ["?"], "**": list(rest)}.get(segment, [segment])
    return tuple(path)

"""What a service must refuse: RPCs, paths and HTTP methods that are not in its contract."""

from __future__ import annotations

from dataclasses import replace

from google.protobuf.empty_pb2 import Empty

from ..definition import Definition, Kind, Method
from .entries import Entry, entries, fits

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


def with_wrong_verb(definition: Definition) -> tuple[Entry, ...]:
    """Each REST route, bound to an HTTP method that nothing at its path is served under."""
    found = []
    wide = [route for route in definition.routes if route.verb in ("*", NO_VERB)]
    for entry in entries(definition):
        route = entry.route
        if route is not None and not any(
            other.suffix == route.suffix and (other is route or fits(other.segments, _filled(entry))) for other in wide
        ):
            found.append(replace(entry, route=replace(route, verb=NO_VERB)))
    return tuple(found)


def _filled(entry: Entry) -> tuple[str, ...]:
    """The segments of the entry's samples, with something for each wildcard."""
    if entry.route is None:
        return ()
    path: list[str] = []
    for segment in entry.route.segments:
        path += {"*": ["?"], "**": list(entry.rest)}.get(segment, [segment])
    return tuple(path)

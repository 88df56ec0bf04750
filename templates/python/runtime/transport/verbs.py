"""HTTP methods that the parser does not know: a contract may bind any (`custom: {kind: "BREW", …}`)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..definition import Route

# llhttp's, which refuses every other one.
_PARSED = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY"
    b" OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK"
    b" UNLOCK UNSUBSCRIBE".split()
)
_REQUEST_LINE = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}) (?=/)")
_STAND_IN = b"POST "  # which the parser treats as it does every method with a body, or without


def beyond_parser(routes: Iterable[Route]) -> bool:
    """Whether one of the routes is served under a method that the parser does not know, or under any."""
    return any(route.verb.encode() not in _PARSED for route in routes)


def with_known_verb(data: bytes) -> tuple[str, bytes]:
    """The method that a request begins with, if the parser does not know it, and the request with one that it knows.

    "" and the data as they are for any other request.
    """
    found = _REQUEST_LINE.match(data)
    if found is None or found[1] in _PARSED:
        return "", data
    return found[1].decode(), _STAND_IN + data[found.end() :]

"""Dependencies over HTTP in tests: what a client of one can be asked to call, and the service that stands in for it."""

from __future__ import annotations

import re
from typing import Final

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value

from ..client.http_client import HttpClient
from ..client.http_request import VERBS
from ..definition import Bind, Kind, Method, Route, ServiceBase

_WITH_BODY: Final = frozenset({"PATCH", "POST", "PUT"})
_NOTHING_NAMED: Final = ("GET", "POST")
"""Requests that the spec does not name: one that may be repeated, and one that may not."""


def methods(client: type[HttpClient]) -> tuple[Method, ...]:
    """What the client calls, each as if it were an RPC whose path is the operation."""
    return tuple(_method(name) for name in (*map(str, client.OPERATIONS), *_NOTHING_NAMED))


async def request(client: HttpClient, method: Method) -> tuple[Message, ...]:
    """Make a request of that kind; the content of its answer, none for one that has none."""
    verb, _, template = method.path.partition(" ")
    path = dict.fromkeys(re.findall(r"{(.*?)}", template), "contract-test")
    response = await client.request(verb, template or "/contract-test", {} if verb in _WITH_BODY else None, path=path)
    return (response.message(Value),) if response.content else ()


def stand_in() -> tuple[type[ServiceBase], tuple[Route, ...]]:
    """A service whose RPCs take every request, one for each method of HTTP."""
    by_verb = {verb: _method(verb) for verb in VERBS}
    base: type[ServiceBase] = type(
        "HttpStandInBase", (ServiceBase,), {"SERVICE": "http.StandIn", "METHODS": tuple(by_verb.values())}
    )
    return base, tuple(_route(verb, method) for verb, method in by_verb.items() if verb != "HEAD")


def binding(_: Route) -> Bind:
    """What makes messages of the stand-in's requests: empty ones, as these are taken raw."""
    return lambda path, query, body, read: Struct()


def _route(verb: str, method: Method) -> Route:
    body = "*" if verb in _WITH_BODY else ""
    return Route(verb, "/**", ("**",), "", (), body, "", method)


def _method(name: str) -> Method:
    verb = name.partition(" ")[0]
    return Method(name, "http.StandIn", name, f"serve_{verb.lower()}", Kind.UNARY, Struct, Value)

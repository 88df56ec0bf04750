"""A request over HTTP as the stand-in of a dependency got it, down to what no RPC has a place for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson
from google.protobuf.message import Message

from ..call import Call, Header, Wire
from ..metadata import Metadata
from ..pipeline import Endpoint, UserStage
from ..transport.rest_wire import RestWire

_VARIABLE = re.compile(r"(\{[^}]*\})")


@dataclass(frozen=True, slots=True)
class HttpReceived:
    """A request; `body` is there once the script has read it."""

    verb: str
    path: str  # percent-encoded: "/rates/EUR"
    query: Mapping[str, Sequence[str]]
    headers: Metadata
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises orjson.JSONDecodeError where it is none."""
        return orjson.loads(self.body)

    def values(self, template: str) -> Mapping[str, str] | None:
        """The values of the template's variables by name, None for a path that is not of it."""
        names = [piece[1:-1] for piece in _VARIABLE.findall(template)]
        pieces = ["([^/]+)" if _VARIABLE.fullmatch(piece) else re.escape(piece) for piece in _VARIABLE.split(template)]
        found = re.fullmatch("".join(pieces), self.path)
        return None if found is None else dict(zip(names, map(unquote, found.groups()), strict=True))


class RawWire:
    """A wire that takes any request, whatever its query and its body are; the message that it brings is empty."""

    def __init__(self, wire: Wire, request: type[Message]) -> None:
        if not isinstance(wire, RestWire):
            raise TypeError("only what comes over HTTP is a request of HTTP")
        self._wire = wire
        self._request = request
        self._read = False
        self._body = b""

    @property
    def received(self) -> HttpReceived:
        """The request, as far as it was read."""
        exchange = self._wire.exchange
        headers = Metadata([(name.decode(), value.decode("latin-1")) for name, value in exchange.headers])
        query = parse_qs(exchange.query.decode(), keep_blank_values=True)
        return HttpReceived(exchange.verb, exchange.path, query, headers, self._body)

    async def receive(self) -> Message | None:
        if self._read:
            return None
        self._read = True
        self._body = await self._wire.exchange.body()
        return self._request()

    async def send_headers(self, headers: Sequence[Header]) -> None:
        await self._wire.send_headers(headers)

    async def send(self, message: Message) -> None:
        await self._wire.send(message)


def received_over_http(call: Call) -> HttpReceived:
    """The request that the call of a stand-in was made by. Raises TypeError for a call over gRPC."""
    if not isinstance(call.wire, RawWire):
        raise TypeError(f"{call.method.path} was not called over HTTP")
    return call.wire.received


async def _raw(call: Call, proceed: Endpoint) -> None:
    call.wrap_wire(lambda wire: RawWire(wire, call.method.request))
    await proceed(call)


def taking_any_request() -> UserStage:
    """A stage that has a stand-in take any request."""
    return UserStage("raw_request", _raw, after="context")

"""REST: a request to its route, its route's RPC through the pipeline, its end to a response."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

from grpc import StatusCode

from ..call import Call, Encode, Wire
from ..definition import Definition, Kind, Route
from ..errors import ServiceError
from ..metadata import Metadata, is_request_id
from ..pipeline import Endpoint
from ..protojson.codec import CodecFor
from ..routing import UPGRADE, BadPathError, Match
from ..snapshot import MethodPolicy
from ..status import Answer, answer_of
from .error_body import ErrorShape
from .exchange import Exchange, RawHeader
from .faults import head_too_large, invalid, no_route, upgrade_required, wrong_verb
from .http_head import response_headers
from .pages import PAGE_METHODS, Pages
from .rest_wire import RestWire, ServedRoute, StreamWire
from .web_socket_wire import WebSocketWire, check_upgrade

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]
ObserveRefusal: TypeAlias = Callable[[str, int, float], None]
"""Hears of a request that became no call: its HTTP method, the status of its answer, the seconds that took."""

_LOG = logging.getLogger(__name__)
_UPGRADE: Sequence[RawHeader] = (
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-version", b"13"),
)


def unobserved(_: str, __: int, ___: float) -> None:
    """Stands in where nobody counts."""


class RestApp:
    """Answers the requests of the port's connections."""

    def __init__(
        self,
        definition: Definition,
        endpoints: Mapping[str, Endpoint],
        codec_for: CodecFor,
        spawn: Spawn,
        observe_refusal: ObserveRefusal,
    ) -> None:
        policy = definition.policies.rest
        self._table = definition.errors
        self._shape = ErrorShape(policy.errors)
        self._limit = policy.max_body_bytes
        self._spawn = spawn
        self._observe_refusal = observe_refusal
        ignore = policy.unknown_fields == "ignore"

        self._router = definition.router
        self._served = [
            ServedRoute(
                route,
                endpoints[route.method.path],
                codec_for,
                definition.bindings(route),
                ignore_unknown=ignore,
                held=_held(definition.policies.methods[route.method.path]),
            )
            for route in definition.routes
        ]
        self._pages = Pages(definition.name, definition.openapi, self._is_literal)

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one request. Raises nothing but CancelledError: the caller has gone."""
        try:
            if exchange.head.oversized:
                await self._refuse(exchange, head_too_large())
            elif exchange.path in self._pages.paths:
                await self._page(exchange)
            else:
                await self._routed(exchange)
        except Exception:  # noqa: BLE001 - the last resort
            _LOG.exception("a request could not be answered")
            await self._give_up(exchange)

    def methods_at(self, path: str) -> tuple[str, ...]:
        """The HTTP methods that a raw path is served under, "*" for any; none for a path that is not."""
        if path in self._pages.paths:
            return PAGE_METHODS
        try:
            found = self._router.match("", path)
        except BadPathError:
            return ()
        return ("*",) if isinstance(found, Match) else found.allow

    def raw_refusal(self, error: ServiceError) -> tuple[int, bytes]:
        """The status and the whole response to what never becomes a request, as the connection writes it."""
        answer = answer_of(error, Metadata(), self._table)
        body = self._shape.body(answer)
        head = b"HTTP/1.1 %d \r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        return answer.http, head % (answer.http, self._shape.content_type, len(body)) + body

    def _routed(self, exchange: Exchange) -> Awaitable[None]:
        """What answers the request: awaited by its caller, as each coroutine between the two would cost every call."""
        verb, path = exchange.verb, exchange.path
        try:
            if (
                exchange.head.upgrades
                and exchange.upgrades
                and verb == "GET"
                and isinstance(bound := self._router.match(UPGRADE, path), Match)
            ):
                return self._converse(exchange, self._served[bound.place], bound.values)
            found = self._router.match(verb, path)
        except BadPathError:
            return self._refuse(exchange, invalid("path", "has a malformed percent-encoding"))
        if isinstance(found, Match):
            served = self._served[found.place]
            if served.route.method.kind is Kind.BIDI:
                return self._refuse(exchange, upgrade_required(), _UPGRADE)
            return self._call(exchange, served, found.values)
        if verb == "GET" and found.allow and isinstance(self._router.match(UPGRADE, path), Match):
            return self._refuse(exchange, upgrade_required(), _UPGRADE)
        if found.allow or (verb == "OPTIONS" and path == "*"):
            return self._no_method(exchange, found.allow)
        return self._refuse(exchange, no_route())

    async def _page(self, exchange: Exchange) -> None:
        """Answer with a page of the port's own, if it is there after all."""
        if exchange.verb not in PAGE_METHODS:
            await self._no_method(exchange, PAGE_METHODS)
        elif not await self._pages.answer(exchange, exchange.path, dict(exchange.headers)):
            await self._routed(exchange)

    async def _no_method(self, exchange: Exchange, allowed: tuple[str, ...]) -> None:
        """Answer a request for a path that is served under other methods only: OPTIONS asks which."""
        if exchange.verb == "OPTIONS":
            await exchange.respond(204, [(b"allow", ", ".join((*allowed, "OPTIONS")).encode())], b"")
        else:
            await self._refuse(exchange, wrong_verb(allowed), [(b"allow", ", ".join(allowed).encode())])

    def _is_literal(self, path: str) -> bool:
        """Whether a route has that very path, without variables."""
        found = self._router.match("GET", path)
        return isinstance(found, Match) and not {"*", "**"} & set(self._router.routes[found.place].segments)

    async def _call(self, exchange: Exchange, served: ServedRoute, values: Sequence[str]) -> None:
        wire = served.wire(exchange, values, exchange.query)
        call = self._incoming(exchange, served.route, wire, wire.encode)
        await served.endpoint(call)
        error = call.error
        if call.trailers and exchange.head.takes_trailers:
            exchange.trailers = response_headers(call.trailers)
        if isinstance(wire, StreamWire) and wire.started:
            await self._end_stream(call, error, wire)
        elif error is not None:
            await self._fail(call, error, wire, exchange)
        elif isinstance(wire, StreamWire):
            await exchange.respond(200, [*wire.headers(call.headers)], wire.framing.empty)
        else:
            await self._succeed(call, served, wire, exchange)

    async def _converse(self, exchange: Exchange, served: ServedRoute, values: Sequence[str]) -> None:
        """Serve a bidirectional call: whatever becomes of it is said over the WebSocket."""
        try:
            await check_upgrade(exchange)
        except ServiceError as error:
            await self._refuse(exchange, error, _UPGRADE if error.http == 426 else ())
            return
        wire = WebSocketWire(served, exchange, values, exchange.query, limit=self._limit)
        call = self._incoming(exchange, served.route, wire)
        wire.headers = call.headers
        try:
            await served.endpoint(call)
        except asyncio.CancelledError:
            await wire.leave()
            raise
        if call.error is None:
            await wire.end()
        else:
            answer = answer_of(call.error, call.metadata, self._table)
            await wire.end_with(call.error, self._shape.frame(answer, call.trace_id))

    def _incoming(self, exchange: Exchange, route: Route, wire: Wire, encode: Encode | None = None) -> Call:
        return Call(
            route.method,
            "rest",
            wire,
            exchange.head.metadata,
            peer=exchange.connection.peer,
            certificate=exchange.connection.certificate,
            route=route.template,
            client_timeout=exchange.head.timeout,
            spawn=self._spawn,
            encode=encode,
        )

    def _succeed(self, call: Call, served: ServedRoute, wire: RestWire, exchange: Exchange) -> Awaitable[None]:
        if call.response is None or call.response is not wire.answer:  # a stage has put another in its place
            try:
                wire.encode(call.response)
            except ServiceError as error:
                return self._fail(call, error, wire, exchange)
        content_type, body = wire.encoded
        headers = [(b"content-type", content_type), *response_headers(call.headers)]
        if served.raw_response:
            return exchange.respond(200, headers, body)
        exchange.pretty = wire.form.pretty
        return exchange.respond_json(200, headers, body)

    async def _end_stream(self, call: Call, error: ServiceError | None, wire: StreamWire) -> None:
        if error is None:
            await wire.end()
        else:
            answer = answer_of(error, call.metadata, self._table)
            await wire.end_with(self._shape.frame(answer, call.trace_id))

    async def _fail(self, call: Call, error: ServiceError, wire: RestWire, exchange: Exchange) -> None:
        answer = answer_of(error, call.metadata, self._table)
        exchange.pretty = wire.form.pretty
        error.__traceback__ = (
            None  # its frames hold the call, which holds the error: with the request's bytes, for long
        )
        await self._respond(exchange, answer, response_headers(call.headers), call.trace_id)

    async def _refuse(self, exchange: Exchange, error: ServiceError, headers: Sequence[RawHeader] = ()) -> None:
        """Answer a request that is none of an RPC's."""
        began = time.perf_counter()
        metadata = exchange.head.metadata
        answer = answer_of(error, metadata, self._table)
        if is_request_id(given := metadata.text("x-request-id")):
            headers = [*headers, (b"x-request-id", given.encode())]
        try:
            await self._respond(exchange, answer, headers)
        finally:
            self._observe_refusal(exchange.verb, answer.http, time.perf_counter() - began)

    async def _give_up(self, exchange: Exchange) -> None:
        """The last resort for a fault of this module's own: an answer without details, or a body cut off."""
        if exchange.started:
            await exchange.cut()
        else:
            await self._refuse(exchange, ServiceError(StatusCode.INTERNAL, "internal error"))

    async def _respond(
        self, exchange: Exchange, answer: Answer, headers: Sequence[RawHeader], trace_id: str = ""
    ) -> None:
        sent: list[RawHeader] = [(b"content-type", self._shape.content_type), *headers]
        if answer.retry_after_seconds is not None:
            sent = [pair for pair in sent if pair[0] != b"retry-after"]
            sent.append((b"retry-after", str(answer.retry_after_seconds).encode()))
        await exchange.respond_json(answer.http, sent, self._shape.body(answer, trace_id))


def _held(policy: MethodPolicy) -> int | None:
    return None if policy.streaming is None else policy.streaming.max_buffered_messages

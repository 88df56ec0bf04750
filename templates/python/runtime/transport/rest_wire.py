"""The wire of a REST call: its route's requests from the HTTP request, its response stream into the HTTP response."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

from google.protobuf.message import Message
from grpc import StatusCode

from ..call import Header
from ..definition import Bind, Kind, Route
from ..errors import ServiceError
from ..pipeline import Endpoint
from ..protojson.answer_form import AS_EVER, AnswerForm
from ..protojson.codec import CodecFor, read_body
from .binding import HTTP_BODY, Binding
from .exchange import Exchange, RawHeader
from .faults import invalid
from .framing import ARRAY, Framing, framing_for
from .http_head import response_headers
from .query import Query

_LOG = logging.getLogger(__name__)
_NDJSON = ("application/x-ndjson", "application/ndjson")


class ServedRoute:
    """A route with everything that is known of it before a request comes."""

    def __init__(
        self,
        route: Route,
        endpoint: Endpoint,
        codec_for: CodecFor,
        bind: Bind,
        *,
        ignore_unknown: bool,
        held: int | None = None,
    ) -> None:
        """`held` is how many messages of a stream may wait in a connection, each way; None for a bound in bytes alone."""
        self.route = route
        self.endpoint = endpoint
        self.held = held
        self.binding = Binding(route, codec_for(route.method.request), bind, ignore_unknown=ignore_unknown)
        self._response_codec = codec_for(route.method.response)
        descriptor: Any = route.method.response.DESCRIPTOR
        if route.response_body:
            descriptor = descriptor.fields_by_name[route.response_body].message_type
        self.raw_response = descriptor is not None and descriptor.full_name == HTTP_BODY
        self.wire: Callable[[Exchange, Sequence[str], bytes], RestWire] = partial(_wire_type(self), self)
        """Makes the wire of one call: its exchange, the path's values, the query."""

    def encode(self, message: Message | None, form: AnswerForm) -> tuple[bytes, bytes]:
        """A response's content type and bytes. Raises ValueError where it has no such form."""
        if message is None:
            raise ValueError("the call has neither a response nor an error")
        name = self.route.response_body
        if self.raw_response:
            raw: Any = getattr(message, name) if name else message
            return _content_type(raw.content_type), raw.data
        return b"application/json", self.encode_json(message, form)

    def encode_json(self, message: Message, form: AnswerForm) -> bytes:
        """A response as JSON, whatever its type. Raises ValueError where it has no such form."""
        name, codec = self.route.response_body, self._response_codec
        return codec.encode_field(message, name, form) if name else codec.encode(message, form)


def _wire_type(served: ServedRoute) -> type[RestWire]:
    kind = served.route.method.kind
    if kind is Kind.SERVER_STREAM:
        return StreamWire
    if kind is Kind.CLIENT_STREAM:
        return RawRequestsWire if served.binding.raw_body else ManyRequestsWire
    return RestWire


class RestWire:
    """The wire of a call with one request and one response. Nothing is read before the request is asked for.

    `form` is how the caller wants the answer, once its query has been read.
    """

    __slots__ = ("_query", "_received", "_served", "_values", "answer", "encoded", "exchange", "form")

    def __init__(self, served: ServedRoute, exchange: Exchange, values: Sequence[str], query: bytes) -> None:
        self.form = AS_EVER
        self.answer: Message | None = None  # the response that `encoded` is of
        self.encoded = (b"", b"")  # its content type and its bytes
        self._served = served
        self.exchange = exchange
        self._values = values
        self._query = query
        self._received = False

    async def receive(self) -> Message | None:
        if self._received:
            return None
        self._received = True
        body, binding = await self._body(), self._served.binding
        query = self._read_query() if self._query else binding.no_query
        return binding.request(self._values, query, body, self.exchange.head.content_type)

    async def send_headers(self, headers: Sequence[Header]) -> None:
        """Nothing yet: HTTP's status line goes first, and a unary call's is known at its end."""

    async def send(self, message: Message) -> None:
        raise TypeError("a unary response is no stream")

    def encode(self, response: Message | None) -> None:
        """Keep the content type and the bytes of a unary response. Raises ServiceError."""
        try:
            self.encoded = self._served.encode(response, self.form)
        except ValueError as error:
            _LOG.exception("a response of %s cannot be encoded", self._served.route.method.path)
            raise ServiceError(StatusCode.INTERNAL, "the response cannot be encoded") from error
        self.answer = response

    def _read_query(self) -> Query:
        """The query, which the answer is written by too. Raises ServiceError."""
        query = self._served.binding.query(self._query)
        self.form = query.form
        return query

    def _body(self) -> Awaitable[bytes]:
        """The body, if the route takes it. Raises ServiceError, now or when awaited."""
        return self.exchange.body() if self._has_body() else self.exchange.no_body()

    def _has_body(self) -> bool:
        """Whether there may be a body, and the route takes it. Raises ServiceError."""
        head = self.exchange.head
        if head.fault is not None:
            raise head.fault
        if not head.may_have_body or not self._served.binding.takes_body:
            return False
        if head.content_type != "application/json":  # as most say it
            self._check_media_type(head.content_type)
        return True

    def _check_media_type(self, content_type: str) -> None:
        self._served.binding.check_media_type(content_type)


class ManyRequestsWire(RestWire):
    """The wire of a client stream: a JSON array, or a JSON value a line (NDJSON), in one body."""

    __slots__ = ("_messages",)

    async def receive(self) -> Message | None:
        if not self._received:
            self._received = True
            self._messages = self._elements(await self._body())
        return next(self._messages, None)

    def _check_media_type(self, content_type: str) -> None:
        if not _is_ndjson(content_type):
            self._served.binding.check_media_type(content_type)

    def _elements(self, body: bytes) -> Iterator[Message]:
        query = self._read_query()
        for value in self._json_values(body):
            yield self._served.binding.message(self._values, query, value)

    def _json_values(self, body: bytes) -> Iterator[object]:
        if _is_ndjson(self.exchange.head.content_type):
            yield from (read_body(line) for line in body.split(b"\n") if line.strip())
        elif body:
            values = read_body(body)
            if not isinstance(values, list):
                raise invalid("", "must be a JSON array")
            yield from values


class RawRequestsWire(RestWire):
    """The wire of a client stream of google.api.HttpBody: a message for each part of the body, as it arrives."""

    __slots__ = ("_read",)

    async def receive(self) -> Message | None:
        if not self._received:
            self._received = True
            self._read = self._read_query()
            if not self._has_body():
                await self.exchange.no_body()
                return None
        if not (part := await self.exchange.part()):
            return None
        return self._served.binding.request(self._values, self._read, part, self.exchange.head.content_type)


class StreamWire(RestWire):
    """The wire of a server stream: each message goes out as it comes, in the form that the caller accepts."""

    __slots__ = ("_buffer", "_pending", "_sent", "framing", "started")

    def __init__(self, served: ServedRoute, exchange: Exchange, values: Sequence[str], query: bytes) -> None:
        super().__init__(served, exchange, values, query)
        self.framing: Framing = ARRAY if served.raw_response else framing_for(exchange.head.accept)
        self.started = False
        self._buffer = exchange.connection.write_buffer(served.held)
        self._sent = False
        self._pending: Sequence[Header] = ()

    def headers(self, headers: Sequence[Header], content_type: bytes = b"") -> list[RawHeader]:
        """The head of the response."""
        own: list[RawHeader] = [(b"content-type", content_type or self.framing.content_type)]
        return [*own, *response_headers(headers)]

    async def send_headers(self, headers: Sequence[Header]) -> None:
        if self._served.raw_response:
            self._pending = headers  # the content type comes with the first message
        else:
            await self._start(self.headers(headers))

    async def send(self, message: Message) -> None:
        try:
            content_type, value = self._served.encode(message, self.form)
        except ValueError as error:
            raise TypeError(f"a response of {self._served.route.method.path} has no JSON form") from error
        if self._served.raw_response:
            if not self.started:
                await self._start(self.headers(self._pending, content_type))
        else:
            value = self.framing.next(value) if self._sent else self.framing.first(value)
        self._sent = True
        if value:
            await self.exchange.write(value)
            await self._buffer.room()

    async def end(self) -> None:
        """End a stream that went well."""
        if self._served.raw_response:
            await self.exchange.end()
        else:
            await self.exchange.end(self.framing.end if self._sent else self.framing.empty)

    async def end_with(self, error: bytes) -> None:
        """End a stream that failed on its way with `{"error": …}`, or cut it off."""
        if self._served.raw_response or self.framing.error is None:
            await self.exchange.cut()
        else:
            await self.exchange.end(self.framing.error(error))

    async def _start(self, headers: list[RawHeader]) -> None:
        self.started = True
        await self.exchange.start(200, headers)


def _is_ndjson(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in _NDJSON


def _content_type(text: str) -> bytes:
    """An HttpBody's content type as a header can carry it."""
    if text and text.isascii() and text.isprintable():
        return text.encode()
    return b"application/octet-stream"

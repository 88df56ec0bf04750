"""One HTTP request and its response, on ASGI's terms: the body read with limits, the response written once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import orjson

from ..errors import ServiceError
from .compression import LEAST, packed, takes_gzip, unpacked
from .faults import caller_gone, invalid, too_large, unsupported_media_type
from .framing import TURN
from .http_connection import HttpConnection
from .http_head import RequestHead
from .web_socket import WebSocketConnection

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
RawHeader: TypeAlias = tuple[bytes, bytes]

_SMALL_REST = 64 << 10  # bytes of an unread body that are sooner read and thrown away than a connection closed
_LINGER_BYTES = 1 << 20
_LINGER_SECONDS = 1.0
_CUT_SECONDS = 5.0
_CLOSE: RawHeader = (b"connection", b"close")
_VARY: RawHeader = (b"vary", b"accept-encoding")
_GZIP: RawHeader = (b"content-encoding", b"gzip")


class Exchange:
    """Reads the body when it is asked for, and knows what to do with a connection whose body nobody asked for."""

    __slots__ = (
        "_body_done",
        "_limit",
        "_parted",
        "_receive",
        "_send",
        "_written",
        "connection",
        "head",
        "pretty",
        "started",
    )

    def __init__(
        self, head: RequestHead, receive: Receive, send: Send, connection: HttpConnection, *, limit: int
    ) -> None:
        self.head = head
        self.connection = connection
        self.started = False
        self.pretty = False  # whether JSON has line breaks and indentation
        self._receive = receive
        self._parted = 0  # bytes of the body that went out in parts
        self._written = 0  # parts of the response
        self._send = send
        self._limit = limit  # bytes of a request body
        self._body_done = not head.may_have_body

    @property
    def upgrades(self) -> bool:
        """Whether the request asks for a WebSocket."""
        return self.head.upgrades and self.connection.upgradable

    async def body(self) -> bytes:
        """The whole body, decompressed. Raises ServiceError (413, 415, 400)."""
        encoding = self.head.encoding
        if self._body_done:
            return b""
        if encoding not in ("", "identity", "gzip"):
            raise unsupported_media_type("must come with no content-encoding, or gzip")
        if (self.head.content_length or 0) > self._limit:
            raise too_large(self._limit)
        body = await self._read()
        return body if encoding != "gzip" or not body else unpacked(body, self._limit)

    async def part(self) -> bytes:
        """What has arrived of the body, empty at its end; a compressed one is one part. Raises ServiceError as `body`."""
        if self.head.encoding not in ("", "identity"):
            return await self.body()
        if (self.head.content_length or 0) > self._limit:
            raise too_large(self._limit)
        while not self._body_done:
            piece = await self._chunk()
            self._parted += len(piece)
            if self._parted > self._limit:
                raise too_large(self._limit)
            if piece:
                return piece
        return b""

    async def no_body(self) -> None:
        """Make sure that there is none. Raises ServiceError."""
        while not self._body_done:
            if self.head.content_length or await self._chunk():
                raise invalid("", "must be empty: this route takes none")

    async def respond_json(self, status: int, headers: Sequence[RawHeader], body: bytes) -> None:
        """Send the whole response, which is JSON, under gzip where the caller takes it and the body is large enough."""
        if self.pretty:
            body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        if len(body) >= LEAST and _packable(headers):
            headers = [*headers, _VARY]
            if takes_gzip(self.head.accept_encoding):
                headers, body = [*headers, _GZIP], await packed(body)
        await self.respond(status, headers, body)

    async def respond(self, status: int, headers: Sequence[RawHeader], body: bytes) -> None:
        """Send the whole response."""
        # RFC 9110, section 8.6: a 204 has no length.
        length: list[RawHeader] = [] if status == 204 else [(b"content-length", str(len(body)).encode())]
        closing = self._must_close()
        await self.start(status, [*headers, *length, _CLOSE] if closing else [*headers, *length])
        if closing:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            await self._linger()
            body = b""
        await self.end(body)

    async def start(self, status: int, headers: Sequence[RawHeader]) -> None:
        """Send the head of the response."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes) -> None:
        """Send a part of the body; returns when the connection's buffer has room for more."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        self._written += 1
        if self._written % TURN == 0:
            await asyncio.sleep(0)

    async def end(self, body: bytes = b"") -> None:
        """Send the last part of the body."""
        await self._send({"type": "http.response.body", "body": body})

    def become_web_socket(self, head: bytes, limit: int) -> WebSocketConnection:
        """Answer with that head, and go on as a WebSocket, whose messages have at most `limit` bytes."""
        self.started = True
        return self.connection.become_web_socket(head, limit)

    async def cut(self) -> None:
        """Close the connection short of the body's end, so that nobody can take it for whole."""
        self.connection.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CUT_SECONDS):
                await self.gone()
                return
        self.connection.abort()
        await self.gone()

    async def _read(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while not self._body_done:
            piece = await self._chunk()
            size += len(piece)
            if size > self._limit:
                raise too_large(self._limit)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _chunk(self) -> bytes:
        event = await self._receive()
        if event["type"] != "http.request":
            raise caller_gone()
        self._body_done = not event.get("more_body", False)
        body: bytes = event.get("body", b"")
        return body

    def _must_close(self) -> bool:
        head = self.head
        if self._body_done:
            return False
        return head.chunked or head.expects_continue or (head.content_length or 0) > _SMALL_REST

    async def _linger(self) -> None:
        """Take in a little more of a body that is not wanted, so that its sender comes to read the response.

        Closing with unread input would reset the connection, and the response would be lost with it (RFC 9112,
        section 9.6).
        """
        budget = _LINGER_BYTES
        with suppress(TimeoutError, ServiceError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while budget > 0 and not self._body_done:
                    budget -= len(await self._chunk()) + 1

    async def gone(self) -> None:
        """Wait until the connection is no more."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _packable(headers: Sequence[RawHeader]) -> bool:
    """Whether the response may have another form: a strong ETag names one form only (RFC 9110, section 8.8.3)."""
    return not any(
        (name == b"etag" and not value.startswith(b"W/")) or (name == b"cache-control" and b"no-transform" in value)
        for name, value in headers
    )

"""One HTTP request and its response: the body read with limits, the response written once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import orjson

from ..errors import ServiceError
from .compression import LEAST, packed, takes_gzip, unpacked
from .faults import caller_gone, invalid, too_large, unsupported_media_type
from .framing import TURN
from .web_socket import WebSocketConnection

if TYPE_CHECKING:
    from .http_connection import HttpConnection

RawHeader: TypeAlias = tuple[bytes, bytes]

_HELD_BYTES = 64 << 10  # of a body that nobody has asked for yet; then the peer is held back
_SMALL_REST = 64 << 10  # bytes of an unread body that are sooner read and thrown away than a connection closed
_LINGER_BYTES = 1 << 20
_LINGER_SECONDS = 1.0
_CUT_SECONDS = 5.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = MappingProxyType(
    {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
)
_NO_BODY = (204, 304)  # RFC 9110, sections 15.3.5 and 15.4.5
_VARY: RawHeader = (b"vary", b"accept-encoding")
_GZIP: RawHeader = (b"content-encoding", b"gzip")


class Exchange:
    """A request and what is answered to it.

    `headers` have lower-case names; `path` is percent-encoded; `added` goes into the head of whatever is answered.
    With `chunks`, the caller understands a body in chunks.
    """

    __slots__ = (
        "_body_done",
        "_chunked",
        "_chunks",
        "_held",
        "_invited",
        "_limit",
        "_more",
        "_news",
        "_parted",
        "_pieces",
        "_wanted",
        "_written",
        "added",
        "complete",
        "connection",
        "head",
        "headers",
        "keep_alive",
        "path",
        "pretty",
        "query",
        "started",
        "trailers",
        "verb",
    )

    def __init__(
        self,
        connection: HttpConnection,
        verb: str,
        path: str,
        query: bytes,
        headers: Sequence[RawHeader],
        *,
        keep_alive: bool,
        chunks: bool,
    ) -> None:
        self.connection = connection
        self.verb = verb
        self.path = path
        self.query = query
        self.headers = headers
        self.head = connection.listening.heads.read(headers)
        self.keep_alive = keep_alive
        self.added: Sequence[RawHeader] = ()
        self.trailers: Sequence[RawHeader] = ()  # for a caller that takes them
        self.started = False
        self.pretty = False  # whether JSON has line breaks and indentation
        self.complete = False  # the response
        self._limit = connection.listening.max_body_bytes
        self._pieces: list[bytes] = []  # of the body, not yet asked for
        self._held = 0  # bytes of them
        self._more = True  # of the body may come
        self._wanted = True
        self._invited = False  # the caller, to send the body
        self._body_done = not self.head.may_have_body
        self._news: asyncio.Event | None = None
        self._parted = 0  # bytes of the body that went out in parts
        self._written = 0  # parts of the response
        self._chunks = chunks
        self._chunked = False

    # -- what the connection uses ----------------------------------------------------------------------------------

    def arrived(self, piece: bytes) -> None:
        """A piece of the body has come."""
        if self.complete or not self._wanted:
            return
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > _HELD_BYTES:
            self.connection.hold_back()
        if self._news is not None:
            self.wake()

    def arrived_whole(self) -> None:
        """The body has come to its end."""
        self._more = False
        if self._news is not None:
            self.wake()

    def wake(self) -> None:
        """Have whoever waits look again."""
        if self._news is not None:
            self._news.set()

    # -- the request -----------------------------------------------------------------------------------------------

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
        body = await self._read() if self._more else self._taken()
        if len(body) > self._limit:
            raise too_large(self._limit)
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

    async def no_body(self) -> bytes:
        """Make sure that there is none, and return that. Raises ServiceError."""
        while not self._body_done:
            if self.head.content_length or await self._chunk():
                raise invalid("", "must be empty: this route takes none")
        return b""

    def respond_json(self, status: int, headers: Sequence[RawHeader], body: bytes) -> Awaitable[None]:
        """Send the whole response, which is JSON, under gzip where the caller takes it and the body is large enough."""
        if self.pretty:
            body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        if len(body) < LEAST or not _packable(headers):
            return self.respond(status, headers, body)
        if not takes_gzip(self.head.accept_encoding):
            return self.respond(status, [*headers, _VARY], body)
        return self._respond_packed(status, [*headers, _VARY, _GZIP], body)

    async def _respond_packed(self, status: int, headers: Sequence[RawHeader], body: bytes) -> None:
        await self.respond(status, headers, await packed(body))

    async def respond(self, status: int, headers: Sequence[RawHeader], body: bytes) -> None:
        """Send the whole response."""
        closing = not self._body_done and self._must_close()
        if self.trailers and self._chunks and self.verb != "HEAD" and not closing:
            names = b", ".join(dict.fromkeys(name for name, _ in self.trailers))
            await self.start(status, [*headers, (b"trailer", names)])
            await self.end(body)
            return
        if closing:
            self.keep_alive = False
        head = self._head(status, headers)
        head.append(b"\r\n" if status in _NO_BODY else b"content-length: %d\r\n\r\n" % len(body))
        if self.connection.full:
            await self.connection.room()
        self.started = True
        self.connection.write(b"".join(head), b"" if self.verb == "HEAD" else body)
        if closing:
            await self._linger()
        self._finish()

    async def start(self, status: int, headers: Sequence[RawHeader]) -> None:
        """Send the head of the response."""
        self.started = True
        head = self._head(status, headers)
        self._chunked = self._chunks and self.verb != "HEAD" and status not in _NO_BODY
        head.append(b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n")
        if self.connection.full:
            await self.connection.room()
        self.connection.write(b"".join(head))

    async def write(self, body: bytes) -> None:
        """Send a part of the body; returns when the connection's buffer has room for more."""
        await self._send(body)
        self._written += 1
        if self._written % TURN == 0:
            await asyncio.sleep(0)

    async def end(self, body: bytes = b"") -> None:
        """Send the last part of the body."""
        await self._send(body)
        if self._chunked:
            trailers = [piece for name, value in self.trailers for piece in (name, b": ", value, b"\r\n")]
            self.connection.write(b"0\r\n", *trailers, b"\r\n")
        self._finish()

    def become_web_socket(self, head: bytes, limit: int, held: int | None) -> WebSocketConnection:
        """Answer with that head, and go on as a WebSocket of messages of at most `limit` bytes, of which it holds `held`."""
        self.started = True
        return self.connection.become_web_socket(head, limit, held)

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
        """What there is of the body; waits until there is something. Raises ServiceError where the caller goes away."""
        if self.head.expects_continue and not self._invited and not self.started:
            self._invited = True
            self.connection.write(_CONTINUE)
        while self._more and not self._pieces:
            self.connection.take_in()
            await self._wait()
            if self.connection.lost:
                raise caller_gone()
        return self._taken()

    def _taken(self) -> bytes:
        """What there is of the body, and is no more."""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        self._body_done = not self._more
        return body

    async def _wait(self) -> None:
        if self._news is None:
            self._news = asyncio.Event()
        self._news.clear()
        await self._news.wait()

    def _head(self, status: int, headers: Sequence[RawHeader]) -> list[bytes]:
        """The head of a response, but for the length of its body."""
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, self.connection.listening.date]
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
        for name, value in self.added:
            lines += (name, b": ", value, b"\r\n")
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        return lines

    async def _send(self, body: bytes) -> None:
        if self.connection.full:
            await self.connection.room()
        if not body or self.verb == "HEAD":
            return
        if self._chunked:
            self.connection.write(b"%x\r\n" % len(body), body, b"\r\n")
        else:
            self.connection.write(body)

    def _finish(self) -> None:
        self.complete = True
        if self._news is not None:
            self.wake()
        if not self.keep_alive:
            self.connection.close()

    def _must_close(self) -> bool:
        """Whether so much of the body is still to come that the connection is sooner closed than used again."""
        head = self.head
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
        self._wanted = False
        self._pieces.clear()
        while not self.connection.lost and not self.complete:
            self.connection.take_in()
            await self._wait()


def _packable(headers: Sequence[RawHeader]) -> bool:
    """Whether the response may have another form: a strong ETag names one form only (RFC 9110, section 8.8.3)."""
    return not any(
        (name == b"etag" and not value.startswith(b"W/")) or (name == b"cache-control" and b"no-transform" in value)
        for name, value in headers
    )

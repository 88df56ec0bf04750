"""One HTTP/1.1 connection, parsed by httptools: requests one after the other, limits of time, callers that disappear.

It is an asyncio.Protocol without ASGI in between: events as dictionaries, a queue and a timer for each request took as
long as everything between the parser and the handler does now.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import httptools

from ..clock import Clock, Timer
from ..principal import Peer
from .exchange import Exchange
from .http_head import HeadReader
from .http_tls import peer_certificate
from .verbs import with_known_verb
from .web_socket import WebSocketConnection
from .write_buffer import WriteBuffer

HEAD_TIMEOUT = 10.0  # seconds from a connection's opening, or a request's first byte, to the end of its head
KEEP_ALIVE = 75.0  # seconds; longer than load balancers keep theirs, else a request meets the connection closing
MAX_HEAD_BYTES = 128 << 10  # an endless head is cut off here; what a call may have is less
_MILLISECOND = 0.001  # by which a timer may be early


class Listening:
    """What the connections of one listener share.

    `serve` answers a request, and raises nothing but CancelledError. `bad_request` and `head_too_large` are whole
    responses, with the status that `observe_refusal` hears of; with `any_verb`, requests may have methods that the
    parser does not know. A request's body has `max_body_bytes` at most.
    """

    def __init__(
        self,
        serve: Callable[[Exchange], Awaitable[None]],
        heads: HeadReader,
        *,
        max_body_bytes: int,
        bad_request: tuple[int, bytes],
        head_too_large: tuple[int, bytes],
        any_verb: bool,
        observe_refusal: Callable[[int], None],
        clock: Clock,
    ) -> None:
        self.serve = serve
        self.heads = heads
        self.max_body_bytes = max_body_bytes
        self.bad_request = bad_request
        self.head_too_large = head_too_large
        self.any_verb = any_verb
        self.observe_refusal = observe_refusal
        self.clock = clock
        self.connections: set[HttpConnection | WebSocketConnection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.date = b""  # the Date header, as a line
        self.draining = False


class HttpConnection(asyncio.Protocol):
    """A connection's requests, each served by a task of its own when the one before it is done.

    `serving` is the task that answers the request at hand; it is cancelled when the peer goes away.
    """

    def __init__(self, listening: Listening) -> None:
        self.listening = listening
        self.serving: asyncio.Task[None] | None = None
        self.upgradable = False  # the request at hand asks for another protocol, and is the last one of HTTP
        self.lost = False
        self.full = False
        self.peer = ""
        self.certificate: Peer | None = None  # of the client
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # the response to what came before it
        self._exchange: Exchange | None = None  # of the last request whose head is complete
        self._waiting: deque[Exchange] = deque()  # for the one before
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._verb = ""  # of the message at hand, where the parser does not know it
        self._between = True  # messages
        self._in_head = True
        self._head_bytes = 0
        self._reading = True
        self._writable = asyncio.Event()
        self._writable.set()
        self._clock = listening.clock
        self._due = math.inf  # time at which the connection is closed
        self._timer: Timer | None = None  # at `_due` or before
        self._timer_at = math.inf

    # -- what requests use ----------------------------------------------------------------------------------------

    def write_buffer(self, most: int | None) -> WriteBuffer:
        """The buffer of a response stream that holds so many messages, None for as many as there is room for."""
        return WriteBuffer(self._transport, self._writable, most)

    async def room(self) -> None:
        """Return when the connection is not `full`: its buffer has room for more, or nobody reads it any more."""
        await self._writable.wait()

    def write(self, *pieces: bytes) -> None:
        """Send the bytes, if there is still somebody."""
        if not self._transport.is_closing():
            self._transport.writelines(pieces)

    def hold_back(self) -> None:
        """Take nothing more in for now."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def take_in(self) -> None:
        """Take in what comes."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def become_web_socket(self, head: bytes, limit: int, held: int | None) -> WebSocketConnection:
        """Answer the request at hand with that head, and speak WebSocket from then on, messages of `limit` bytes at most."""
        self.listening.connections.discard(self)
        self._stop_timer()
        self._transport.write(head)
        socket = WebSocketConnection(self._transport, self.listening.connections, self.serving, limit=limit, held=held)
        self.serving = None
        self._transport.set_protocol(socket)
        return socket

    def close(self) -> None:
        """Close now, after what is written; a response that is not complete is seen to be cut off."""
        self._transport.close()

    def abort(self) -> None:
        """Close at once, whatever is still unsent."""
        self._transport.abort()

    # -- what the listener uses -----------------------------------------------------------------------------------

    def close_after_response(self) -> None:
        """Say `Connection: close` with the response at hand, and do so after it."""
        if self._exchange is not None:
            self._exchange.keep_alive = False

    # -- what the event loop calls --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as it is for TCP
        self._transport = transport
        self.peer = _peer(transport.get_extra_info("peername"))
        self.certificate = peer_certificate(transport.get_extra_info("peercert"))
        self.listening.connections.add(self)
        self._close_in(HEAD_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.listening.connections.discard(self)
        self._stop_timer()
        self._parser = None  # which knows this connection
        self._waiting.clear()
        self.resume_writing()
        if self._exchange is not None:
            self._exchange.wake()
            self._exchange = None  # which knows this connection
        if self.serving is not None:
            self.serving.add_done_callback(self.listening.tasks.discard)  # it may not have begun
            self.serving.cancel()

    def data_received(self, data: bytes) -> None:
        if self._between and self.listening.any_verb:
            self._verb, data = with_known_verb(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(self.listening.bad_request)
        except httptools.HttpParserUpgrade:  # the parser takes what comes after it for no HTTP
            self.upgradable = True
            self.close_after_response()
        if self._in_head:
            if not self._head_bytes and self._exchange is not None and self.serving is None:
                self._close_in(HEAD_TIMEOUT)
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(self.listening.head_too_large)

    def pause_writing(self) -> None:
        self.full = True
        self._writable.clear()

    def resume_writing(self) -> None:
        self.full = False
        self._writable.set()

    # -- what the parser calls ------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._between = False
        self._in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._due = math.inf
        parser, verb = self._parser, self._verb
        if verb:
            self._verb = ""
        else:
            verb = parser.get_method().decode("ascii")
        path, query = _target(self._url)
        version = parser.get_http_version()
        keep_alive = version != "1.0" and parser.should_keep_alive() and not self.listening.draining
        exchange = Exchange(self, verb, path, query, self._headers, keep_alive=keep_alive, chunks=version != "1.0")
        self._exchange = exchange
        if self.serving is None:
            self._start(exchange)
        else:
            self._waiting.append(exchange)
            self.hold_back()

    def on_body(self, body: bytes) -> None:
        if self._exchange is not None:
            self._exchange.arrived(body)

    def on_message_complete(self) -> None:
        self._between = True
        if self._exchange is not None:
            self._exchange.arrived_whole()

    # -- one request after the other ------------------------------------------------------------------------------

    def _start(self, exchange: Exchange) -> None:
        self.serving = self._loop.create_task(self._serve(exchange))
        self.listening.tasks.add(self.serving)

    async def _serve(self, exchange: Exchange) -> None:
        task = self.serving
        try:
            await self.listening.serve(exchange)
        except asyncio.CancelledError:
            pass  # the peer is gone, or about to be: a call that the service ends is answered
        finally:
            self.listening.tasks.discard(task)
            if self.serving is task:  # and no WebSocket's by now
                self.serving = None
                self._go_on(exchange)

    def _go_on(self, after: Exchange) -> None:
        if not after.complete:
            self.abort()
        elif self._transport.is_closing():
            return
        elif self._waiting:
            following = self._waiting.popleft()
            if not self._waiting:
                self.take_in()  # else nobody would notice that the peer goes away
            self._start(following)
        else:
            if not self._reading:
                self.take_in()
            self._close_in(HEAD_TIMEOUT if self._in_head else KEEP_ALIVE)

    def _refuse(self, refusal: tuple[int, bytes]) -> None:
        if self._transport.is_closing():
            return
        status, response = refusal
        self.listening.observe_refusal(status)
        exchange = self._exchange
        if exchange is None or exchange.complete or not (exchange.started or self._waiting):
            self._transport.write(response)  # else it would be read as a part of the response that is under way
        self._transport.close()

    # -- time -----------------------------------------------------------------------------------------------------

    def _close_in(self, seconds: float) -> None:
        """Close the connection then, unless a request is being served or something else has come to be due."""
        self._due = self._clock.now() + seconds
        if self._due < self._timer_at:
            self._stop_timer()
            self._timer_at = self._due
            self._timer = self._clock.call_later(seconds, self._look_at_time)

    def _look_at_time(self) -> None:
        """A timer stays where it is while requests come and go: to cancel one for each costs a turn of the loop."""
        self._timer, self._timer_at = None, math.inf
        left = self._due - self._clock.now()
        if left <= _MILLISECOND:
            self._transport.close()
        elif left < math.inf:
            self._close_in(left)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, math.inf


def _target(url: bytes) -> tuple[str, bytes]:
    """The path and the query of a request target. Raises HttpParserInvalidURLError or UnicodeDecodeError."""
    if url.startswith(b"/") and b"#" not in url:
        path, _, query = url.partition(b"?")
        return path.decode("ascii"), query
    parsed = httptools.parse_url(url)
    return (parsed.path or b"").decode("ascii"), parsed.query or b""


def _peer(address: Any) -> str:
    """The peer's address as gRPC writes it."""
    if not isinstance(address, tuple):
        return ""
    host, port = address[:2]
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"

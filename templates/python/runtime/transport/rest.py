"""REST on its port: the listener, its connections, and how they end."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from ..clock import Clock, LoopClock
from ..definition import Definition
from ..hurry import Hurry
from ..pipeline import Endpoint
from ..protojson.codec import Codec, CodecFor
from .cors import App, CorsApp
from .faults import head_too_large, invalid
from .http_connection import HEAD_TIMEOUT, HttpConnection, Listening
from .http_head import HeadReader
from .rest_app import ObserveRefusal, RestApp, Spawn, unobserved
from .verbs import beyond_parser

if TYPE_CHECKING:
    from ..certificates import Certificates

_BACKLOG = 2048
_QUIET_TURNS = 3  # of the loop with nobody waiting to be accepted
_END_SECONDS = 1.0  # for what is left to notice that it is cancelled


class RestTransport:
    """An HTTP/1.1 server for the definition's routes; made inside the event loop that it runs on.

    `clock` is what connections are closed by, the event loop's own without one.
    """

    def __init__(
        self,
        definition: Definition,
        endpoints: Mapping[str, Endpoint],
        *,
        host: str,
        port: int,
        spawn: Spawn,
        reuse_port: bool,
        observe_refusal: ObserveRefusal | None = None,
        clock: Clock | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        observe = observe_refusal or unobserved
        self._certificates = certificates
        self._app = RestApp(definition, endpoints, codecs(definition), spawn, observe)
        self._outermost: App = self._app
        if (cors := definition.policies.rest.cors) is not None:
            self._outermost = CorsApp(self._app, self._app.methods_at, cors, definition.policies.taken_in)
        self._address = (host, port)
        self._reuse_port = reuse_port
        self._listening = Listening(
            self._outermost,
            HeadReader(definition.policies.taken_in),
            max_body_bytes=definition.policies.rest.max_body_bytes,
            bad_request=self._app.raw_refusal(invalid("request", "is no HTTP request")),
            head_too_large=self._app.raw_refusal(head_too_large()),
            any_verb=beyond_parser(definition.routes),
            observe_refusal=lambda status: observe("", status, 0.0),
            clock=clock or LoopClock(),
        )
        self._server: asyncio.Server | None = None
        self._date_timer: asyncio.TimerHandle | None = None

    async def start(self) -> int:
        """Bind and listen; returns the port. Raises OSError where the address cannot be had."""
        sock = listening_socket(*self._address, reuse_port=self._reuse_port)
        loop = asyncio.get_running_loop()
        self._tell_time(loop)
        tls = None if self._certificates is None else self._certificates.server_context()
        self._server = await loop.create_server(
            lambda: HttpConnection(self._listening),
            sock=sock,
            backlog=_BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else HEAD_TIMEOUT,
        )
        port: int = sock.getsockname()[1]
        return port

    async def stop_accepting(self, hurry: Hurry) -> None:
        """Close the listener; each connection says `Connection: close` with its next response, and closes after it."""
        if self._server is None:
            return
        await _accept_backlog(self._server)
        self._server.close()
        self._listening.draining = True
        for connection in tuple(self._listening.connections):
            connection.close_after_response()

    async def stop(self, grace: float) -> None:
        """Wait up to `grace` seconds for the calls in flight, end the rest, and release everything."""
        await self.stop_accepting(Hurry(hurried=True))
        if tasks := set(self._listening.tasks):
            await asyncio.wait(tasks, timeout=grace)
        for connection in tuple(self._listening.connections):
            connection.abort() if connection.serving is not None else connection.close()
        if tasks := set(self._listening.tasks):
            await asyncio.wait(tasks, timeout=_END_SECONDS)
        if self._date_timer is not None:
            self._date_timer.cancel()

    def _tell_time(self, loop: asyncio.AbstractEventLoop) -> None:
        """Keep the Date header (RFC 9110, section 6.6.1) at the second."""
        self._listening.date = b"date: %b\r\n" % formatdate(usegmt=True).encode()
        self._date_timer = loop.call_later(1.0, self._tell_time, loop)


def codecs(definition: Definition) -> CodecFor:
    """The codec of any message type, each made once: from generated code where there is some."""
    policy = definition.policies.rest
    made: dict[type[Message], Codec] = {}

    def codec_for(message_type: type[Message]) -> Codec:
        if message_type not in made:
            made[message_type] = Codec(
                message_type,
                definition.codecs(message_type.DESCRIPTOR.full_name),
                emit_defaults=policy.emit_defaults,
                ignore_unknown=policy.unknown_fields == "ignore",
            )
        return made[message_type]

    return codec_for


def listening_socket(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    """A bound TCP socket. Raises OSError where the address cannot be had.

    Its protocol is named: asyncio sets TCP_NODELAY only on sockets made with IPPROTO_TCP, and without it every small
    response waits for the peer's delayed acknowledgement.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


async def _accept_backlog(server: asyncio.Server) -> None:
    """Let the loop accept who has connected already: closing the listener would reset them.

    asyncio accepts in one turn of the loop and makes the connection in the next, which a closed server refuses.
    """
    poll = select.poll()
    for sock in server.sockets:
        poll.register(sock.fileno(), select.POLLIN)
    quiet = 0
    for _ in range(_BACKLOG):
        quiet = 0 if poll.poll(0) else quiet + 1
        if quiet > _QUIET_TURNS:
            return
        await asyncio.sleep(0)

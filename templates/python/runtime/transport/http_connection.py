"""One HTTP/1.1 connection: uvicorn's, with limits of time and a caller's disappearance made known at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from .verbs import with_known_verb
from .web_socket import WebSocketConnection

HEAD_TIMEOUT = 10.0  # seconds from a connection's opening, or a request's first byte, to the end of its head
MAX_HEAD_BYTES = 128 << 10  # an endless head is cut off here; what a call may have is less


class Listening(ServerState):
    """What the connections of one listener share.

    `bad_request` and `head_too_large` are whole responses, with the status that `observe_refusal` hears of; with
    `any_verb`, requests may have methods that the parser does not know.
    """

    def __init__(
        self,
        bad_request: tuple[int, bytes],
        head_too_large: tuple[int, bytes],
        *,
        any_verb: bool,
        observe_refusal: Callable[[int], None],
    ) -> None:
        super().__init__()
        self.draining = False
        self.any_verb = any_verb
        self.observe_refusal = observe_refusal
        self.bad_request = bad_request
        self.head_too_large = head_too_large


class HttpConnection(HttpToolsProtocol):
    """uvicorn's connection; `serving` is the task that answers the request at hand.

    The task is cancelled when the peer goes away. Waiting for ASGI's `http.disconnect` would do the same at the
    price of a second task for every request.
    """

    server_state: Listening
    serving: asyncio.Task[Any] | None = None
    upgradable = False  # the request at hand asks for another protocol, and is the last one of HTTP

    def __init__(self, config: Config, listening: Listening) -> None:
        super().__init__(config=config, server_state=listening, app_state={"connection": self})
        self._in_head = True
        self._between = True  # messages
        self._verb = ""  # of the message at hand, where the parser does not know it
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_head_timer()
        if self.serving is not None:
            self.serving.cancel()

    def data_received(self, data: bytes) -> None:
        if self._between and self.server_state.any_verb:
            self._verb, data = with_known_verb(data)
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(self.server_state.head_too_large)
        elif self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, in the service's error shape; `msg` is uvicorn's text."""
        self._refuse(self.server_state.bad_request)

    def _unsupported_upgrade_warning(self) -> None:
        """Let the request be served, as it is or as a WebSocket: the parser takes what comes after it for no HTTP."""
        self.upgradable = True
        self.close_after_response()

    def become_web_socket(self, head: bytes, limit: int) -> WebSocketConnection:
        """Answer the request at hand with that head, and speak WebSocket from then on, messages of `limit` bytes at most."""
        self.connections.discard(self)
        if self.cycle is not None:
            self.cycle.disconnected = True  # as uvicorn calls a request that it must not answer
        self.transport.write(head)
        socket = WebSocketConnection(self.transport, self.connections, self.serving, limit=limit)
        self.serving = None
        self.transport.set_protocol(socket)
        return socket

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._between = False
        self._in_head = True
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._between = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_head_timer()
        super().on_headers_complete()
        if self._verb:
            self.scope["method"], self._verb = self._verb, ""
        if self.server_state.draining:
            self.close_after_response()

    def close_after_response(self) -> None:
        """Say `Connection: close` with the response at hand, and do so after it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def close(self) -> None:
        """Close now, after what is written; a response that is not complete is seen to be cut off."""
        self.transport.close()

    def abort(self) -> None:
        """Close at once, whatever is still unsent."""
        self.transport.abort()

    def _refuse(self, refusal: tuple[int, bytes]) -> None:
        status, response = refusal
        self.server_state.observe_refusal(status)
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not (cycle.response_started or self.pipeline):
            self.transport.write(response)  # else it would be read as a part of the response that is under way
        self.transport.close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

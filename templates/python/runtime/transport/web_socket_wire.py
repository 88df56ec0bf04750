"""The wire of a bidirectional REST call: a WebSocket with a JSON message in each text frame."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from google.protobuf.message import Message

from ..call import Header
from ..errors import ServiceError
from ..protojson.codec import read_body
from .exchange import Exchange
from .faults import invalid, upgrade_required
from .http_head import response_headers
from .rest_wire import ServedRoute
from .web_socket import FAILURE, NORMAL, REFUSED_INPUT, WebSocketConnection, answer_to_upgrade, is_key

_VERSION = "13"
_OPEN_SECONDS = 1.0  # until the upgrade is answered, whatever the handler does


class WebSocketWire:
    """The wire of one call. Its upgrade is answered when the handler first reads or writes, with the headers set by then.

    An empty frame is the end of the requests: a WebSocket that is closed is closed both ways.
    """

    __slots__ = (
        "_ended",
        "_exchange",
        "_limit",
        "_query",
        "_read",
        "_served",
        "_socket",
        "_timer",
        "_values",
        "headers",
        "refused",
    )

    def __init__(
        self,
        served: ServedRoute,
        exchange: Exchange,
        values: Sequence[str],
        query: bytes,
        *,
        limit: int,
    ) -> None:
        self.headers: Sequence[Header] = ()  # the call's
        self.refused: ServiceError | None = None  # what is wrong with what the caller has sent
        self._served = served
        self._exchange = exchange
        self._values = values
        self._query = query
        self._read = served.binding.no_query
        self._limit = limit  # bytes of a message
        self._socket: WebSocketConnection | None = None
        self._ended = False
        self._timer = asyncio.get_running_loop().call_later(_OPEN_SECONDS, self._open)

    async def receive(self) -> Message | None:
        if self._ended:
            return None
        try:
            text = await self._begin().receive()
            if not text:
                self._ended = True
                return None
            return self._served.binding.message(self._values, self._read, read_body(text))
        except ServiceError as error:
            self._ended = True
            self.refused = error
            raise

    async def send_headers(self, headers: Sequence[Header]) -> None:
        self._begin()

    async def send(self, message: Message) -> None:
        try:
            text = self._served.encode_json(message, self._read.form)
        except ValueError as error:
            raise TypeError(f"a response of {self._served.route.method.path} has no JSON form") from error
        await self._open().send(text)

    async def end(self) -> None:
        """End a call that went well."""
        await self._open().finish(NORMAL)

    async def end_with(self, error: ServiceError, frame: bytes) -> None:
        """End a call that failed with `{"error": …}`."""
        refused = self.refused is not None and self.refused.code is error.code
        await self._open().finish(REFUSED_INPUT if refused else FAILURE, frame)

    async def leave(self) -> None:
        """End a call whose caller has gone."""
        self._timer.cancel()
        if self._socket is not None:
            await self._socket.leave()

    def _begin(self) -> WebSocketConnection:
        """The open connection. Raises ServiceError where the head, the path or the query are not in order."""
        if self._socket is None and self.refused is None:
            try:
                if self._exchange.head.fault is not None:
                    raise self._exchange.head.fault
                self._read = self._served.binding.query(self._query)
                self._served.binding.check(self._values, self._read)
            except ServiceError as error:
                self._ended = True
                self.refused = error
                raise
        return self._open()

    def _open(self) -> WebSocketConnection:
        self._timer.cancel()
        if self._socket is None:
            head = answer_to_upgrade(self._exchange.head.socket_key, response_headers(self.headers))
            self._socket = self._exchange.become_web_socket(head, self._limit, self._served.held)
        return self._socket


async def check_upgrade(exchange: Exchange) -> None:
    """Raises ServiceError for a request that opens no WebSocket (RFC 6455, section 4.2.1)."""
    head = exchange.head
    if head.socket_version != _VERSION:
        raise upgrade_required()
    if not is_key(head.socket_key):
        raise invalid("sec-websocket-key", "must be 16 bytes in base64")
    await exchange.no_body()

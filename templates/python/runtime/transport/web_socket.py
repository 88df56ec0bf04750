"""A WebSocket connection (RFC 6455): the messages that come and those that go, with a bounded buffer for each."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import Sequence
from typing import Any

from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import SEND_EOF, Protocol, Side, State
from websockets.utils import accept_key

from ..errors import ServiceError
from .faults import caller_gone, invalid, too_large
from .framing import TURN
from .write_buffer import WriteBuffer

NORMAL, REFUSED_INPUT, FAILURE = 1000, 1008, 1011
"""Close codes (RFC 6455, section 7.4.1)."""

_QUEUED_BYTES = 64 << 10  # of messages that nobody has asked for yet; then the peer is held back
_QUEUED_MESSAGES = 256
_MASK, _LENGTH = 0x80, 0x7F  # of a frame's second byte
_MORE_LENGTH = {126: 2, 127: 8}  # bytes of a length that the seven bits only announce
_PING_SECONDS = 20.0
_CLOSE_SECONDS = 5.0  # for the peer's Close frame
_LINGER_SECONDS = 0.5  # for a peer whose Close frame is not to be told from the rest of what is refused
_FLUSH_SECONDS = 60.0  # for what is written to leave, once nothing more comes


class WebSocketConnection(asyncio.Protocol):
    """The server's side of an open WebSocket, from the answer to the upgrade on.

    `serving` is the task that answers the call; it is cancelled when the peer closes or goes away.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        connections: set[Any],
        serving: asyncio.Task[Any] | None,
        *,
        limit: int,
        held: int | None = None,
    ) -> None:
        self.serving = serving
        self._transport = transport
        self._connections = connections
        self._limit = limit  # bytes of a message
        self._held = _QUEUED_MESSAGES if held is None else held  # messages; then the peer is held back
        self._unread = bytearray()  # what has come and is not parsed yet
        self._missing = 0  # bytes of the frame that is being parsed
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=limit)
        self._loop = asyncio.get_running_loop()
        self._message = bytearray()  # of which not every fragment is there
        self._inbox: deque[bytes | ServiceError] = deque()
        self._queued = 0  # bytes in the inbox
        self._taking = True  # whether what comes is still for somebody
        self._held_back = False
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._buffer = WriteBuffer(transport, self._writable, held)
        self._late_pong = b""
        self._sent = 0  # messages
        self._left = False  # the peer has closed, or is not to be understood any more
        self._lost = asyncio.Event()
        self._heard = True
        self._timer = self._loop.call_later(_PING_SECONDS, self._tick)
        connections.add(self)

    # -- what the call uses ----------------------------------------------------------------------------------------

    async def receive(self) -> bytes:
        """The next message, empty where the peer says that it was the last.

        Raises ServiceError for one that is no text or too large, and when the peer has gone.
        """
        while not self._inbox:
            if self._left:
                raise caller_gone()
            self._arrived.clear()
            await self._arrived.wait()
        message = self._inbox.popleft()
        if isinstance(message, ServiceError):
            raise message
        self._queued -= len(message)
        if self._held_back and self._queued <= _QUEUED_BYTES // 2 and len(self._inbox) <= self._held // 2:
            self._take_in()
        return message

    async def send(self, text: bytes) -> None:
        """Send a message; returns when the connection's buffer has room for more. Raises ServiceError."""
        if not self._left:
            self._write(Opcode.TEXT, text)
            await self._buffer.room()
            self._sent += 1
            if self._sent % TURN == 0:
                await asyncio.sleep(0)
        if self._left:
            raise caller_gone()

    async def finish(self, code: int, last: bytes = b"") -> None:
        """Send a last message and the Close frame, and wait for the peer's own.

        The connection is closed when it has come, or has not in time; what was written may leave after that.
        """
        self.serving = None
        self._taking = False
        self._take_in()
        if not self._left:
            if last:
                self._write(Opcode.TEXT, last)
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(code)
                self._flush()
            else:  # it has given up on a message that is too large
                self._write(Opcode.CLOSE, Close(code, "").serialize())
        await self._end()

    async def leave(self) -> None:
        """The call is of no use any more: close the connection, at once unless the peer has closed in good order."""
        self.serving = None
        if not self._left:
            self._transport.abort()
        await self._end()

    # -- what the listener uses ------------------------------------------------------------------------------------

    def close_after_response(self) -> None:
        """Nothing yet: the call ends by itself, or is ended."""

    def close(self) -> None:
        """Close at once: nothing is said any more."""
        self._transport.abort()

    abort = close

    # -- what the transport calls ----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._unread += data
        self._parse_unread()

    def _parse_unread(self) -> None:
        """Parse frame by frame, until as many messages wait as may: one read can bring thousands."""
        while self._unread and not self._held_back:
            if not self._missing:
                self._missing = frame_size(self._unread)
                if not self._missing:
                    return
            piece = bytes(self._unread[: self._missing])
            del self._unread[: len(piece)]
            self._missing -= len(piece)
            self._parse(piece)

    def _parse(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        fault = self._protocol.parser_exc
        if isinstance(fault, PayloadTooBig):
            self._protocol.data_to_send()  # a Close frame: the call's error goes before it
            self._put(too_large(self._limit))
            self._taking = False
        else:
            self._flush()
            if fault is not None:
                self._depart()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
        pong, self._late_pong = self._late_pong, b""
        if pong:
            self._transport.write(pong)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._connections.discard(self)
        self._writable.set()
        self._lost.set()
        self._depart()

    def _take(self, frame: Frame) -> None:
        """Note a frame; pings are answered by the protocol."""
        if frame.opcode is Opcode.CLOSE:
            self._depart()
        elif frame.opcode is Opcode.BINARY:
            self._put(invalid("", "must be a text frame"))
            self._taking = False
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT) and self._taking:
            self._message += frame.data
            if frame.fin:
                text, self._message = bytes(self._message), bytearray()
                self._put(text)
                self._taking = bool(text)

    def _put(self, message: bytes | ServiceError) -> None:
        if not self._taking:
            return
        self._inbox.append(message)
        self._arrived.set()
        if isinstance(message, bytes):
            self._queued += len(message)
        if not self._held_back and (self._queued > _QUEUED_BYTES or len(self._inbox) >= self._held):
            self._held_back = True
            self._transport.pause_reading()

    def _take_in(self) -> None:
        if not self._held_back:
            return
        self._held_back = False
        self._parse_unread()
        if not self._held_back and not self._transport.is_closing():
            self._transport.resume_reading()

    def _write(self, opcode: Opcode, payload: bytes) -> None:
        self._transport.write(Frame(opcode, payload).serialize(mask=False))

    def _flush(self) -> None:
        """Write the protocol's own frames. To a peer that does not read goes only the last of its pongs."""
        written = self._protocol.data_to_send()
        ended = SEND_EOF in written
        if ended or self._writable.is_set() or self._protocol.state is not State.OPEN:
            self._transport.write(b"".join(written))
        elif written:
            self._late_pong = written[-1]
        if ended:
            self._close_gently()

    def _depart(self) -> None:
        self._left = True
        self._taking = False
        self._arrived.set()
        self._writable.set()
        if self.serving is not None:
            self.serving.cancel()
            self.serving = None

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(_LINGER_SECONDS if self._protocol.parser_exc else _CLOSE_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            self._close_gently()

    def _close_gently(self) -> None:
        self._timer.cancel()
        if not self._lost.is_set():
            self._timer = self._loop.call_later(_FLUSH_SECONDS, self._transport.abort)
            self._transport.close()

    def _tick(self) -> None:
        """Ask whether the peer is there; one that was asked, could answer and has not is gone."""
        open_to_answer = self._writable.is_set() and not self._held_back
        if open_to_answer and not self._heard:
            self._transport.abort()
            return
        if self._protocol.state is State.OPEN and open_to_answer:
            self._heard = False
            self._protocol.send_ping(b"")
            self._flush()
        self._timer = self._loop.call_later(_PING_SECONDS, self._tick)


def frame_size(data: bytearray) -> int:
    """How many bytes the frame has that `data` begins with (RFC 6455, section 5.2), 0 while its header is not whole."""
    if len(data) < 2:
        return 0
    length, masked = data[1] & _LENGTH, bool(data[1] & _MASK)
    begin = 2 + _MORE_LENGTH.get(length, 0)
    if len(data) < begin:
        return 0
    if length in _MORE_LENGTH:
        length = int.from_bytes(data[2:begin])
    return begin + 4 * masked + length


def answer_to_upgrade(key: str, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The head of the response that opens the WebSocket."""
    own = [(b"upgrade", b"websocket"), (b"connection", b"Upgrade"), (b"sec-websocket-accept", accept_key(key).encode())]
    lines = [b"%b: %b\r\n" % pair for pair in (*own, *headers)]
    return b"HTTP/1.1 101 Switching Protocols\r\n" + b"".join(lines) + b"\r\n"


def is_key(text: str) -> bool:
    """Whether that is a Sec-WebSocket-Key: sixteen bytes in base64."""
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False

"""A WebSocket takes in as many messages ahead of the handler as its policy allows, then holds its peer back."""

from __future__ import annotations

import asyncio

import pytest
from runtime.transport.web_socket import WebSocketConnection
from websockets.frames import Frame, Opcode


class RecordingTransport(asyncio.Transport):
    """A transport that only notes whether it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return False

    def write(self, data: object) -> None: ...

    def abort(self) -> None: ...


@pytest.mark.parametrize("held", [1, 4, 16])
async def test_the_peer_is_held_back_until_the_handler_has_caught_up(held: int) -> None:
    transport = RecordingTransport()
    socket = WebSocketConnection(transport, set(), None, limit=1000, held=held)
    taken = 0
    while transport.reading:
        socket.data_received(Frame(Opcode.TEXT, b"{}").serialize(mask=True))
        taken += 1
    assert taken == held
    while not transport.reading:
        await socket.receive()
        taken -= 1
    assert taken == held // 2
    socket.connection_lost(None)


async def test_however_the_bytes_come_the_messages_are_the_same() -> None:
    texts = [b"{}", b'"' + b"x" * 125 + b'"', b'"' + b"y" * 70_000 + b'"', b"[]"] * 3
    sent = b"".join(Frame(Opcode.TEXT, text).serialize(mask=True) for text in texts)
    for size in (1, 2, 3, 1000, len(sent)):
        socket = WebSocketConnection(RecordingTransport(), set(), None, limit=100_000, held=2)
        for at in range(0, len(sent), size):
            socket.data_received(sent[at : at + size])
        assert [await socket.receive() for _ in texts] == texts
        socket.connection_lost(None)

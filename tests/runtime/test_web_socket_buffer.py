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
    assert taken == held + 1
    while not transport.reading:
        await socket.receive()
        taken -= 1
    assert taken == held // 2
    socket.connection_lost(None)

"""No more messages wait in this process than `maxBufferedMessages` says: for the handler, and for a caller that does not read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from runtime.snapshot import StreamingPolicy
from runtime.testing import PATIENCE, Messages, Received, Scripted, Served, serving
from runtime.testing.web_socket import write_at_once
from runtime.transport.write_buffer import WriteBuffer
from websockets.frames import Opcode

from tests.runtime.sample_service import Note
from tests.runtime.test_backpressure import REQUESTS
from tests.runtime.test_limits_served import WAYS, with_policy

(CHAT,) = (way for way in WAYS if way.over_web_socket)
SIZE = 100  # bytes of a message


@asynccontextmanager
async def holding(held: int, script: Any) -> AsyncIterator[tuple[Served, Scripted]]:
    definition = with_policy(lambda each: replace(each, streaming=StreamingPolicy(max_buffered_messages=held)))
    scripted = Scripted(definition, script)
    async with serving(definition, scripted.application) as served:
        yield served, scripted


@pytest.mark.parametrize("held", [1, 4, 16])
async def test_a_web_socket_takes_in_so_many_messages_of_one_read_and_no_more(held: int) -> None:
    go_on = asyncio.Event()

    async def reading(received: Received) -> Messages:
        await received.call.send_headers()
        await go_on.wait()
        await received.read()
        yield Note()

    assert CHAT.route is not None
    async with holding(held, reading) as (served, scripted):
        for ahead in (held - 1, held, 1000):
            scripted.plays(reading)
            go_on.clear()
            async with served.client.web_socket(CHAT.route, Note()) as opened:
                received = await scripted.arrived()
                write_at_once(opened, [*[(Opcode.TEXT, b"{}")] * ahead, (Opcode.CLOSE, b"")])
                if ahead >= held:  # the Close frame, which ends the call, has not been come to
                    await served.client.admin_page("/livez")
                    assert not received.cancelled.is_set()
                    go_on.set()
                async with asyncio.timeout(PATIENCE):
                    await received.left.wait()


class Writing(asyncio.Protocol):
    """Notes whether there is room, as the connections do."""

    def __init__(self) -> None:
        self.writable = asyncio.Event()
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()


async def stands_still(produced: list[int]) -> int:
    """How many there are once it has not become more for a while."""
    reached = -1
    while reached != len(produced):
        reached = len(produced)
        for _ in range(300):
            await asyncio.sleep(0)
    return reached


@pytest.mark.parametrize("held", [1, 4, 500, None])
async def test_so_many_messages_wait_for_the_socket_and_all_of_them_leave(held: int | None) -> None:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    loop, written = asyncio.get_running_loop(), list[int]()
    transport, protocol = await loop.create_connection(Writing, sock=ours)
    buffer = WriteBuffer(transport, protocol.writable, held)

    async def write() -> None:
        for number in range(5000):
            transport.write(b"x" * SIZE)
            written.append(number)
            await buffer.room()
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    await stands_still(written)
    waiting = transport.get_write_buffer_size()
    assert waiting > 0
    assert waiting <= (SIZE * held if held else (64 << 10) + SIZE)
    reader, writer = await asyncio.open_connection(sock=theirs)
    await reader.readexactly(5000 * SIZE)
    await writing
    transport.close()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("form", REQUESTS)
async def test_a_handler_is_held_back_after_so_many_messages_in_every_form(form: str) -> None:

    async def produced_with(held: int) -> int:
        produced: list[int] = []

        async def producing(received: Received) -> Messages:
            while True:
                produced.append(len(produced))
                yield Note(text="x" * SIZE)

        async with holding(held, producing) as (served, scripted):
            port = served.server.rest_port
            with socket.socket() as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                peer.setblocking(False)
                await asyncio.get_running_loop().sock_connect(peer, ("127.0.0.1", port))
                await asyncio.get_running_loop().sock_sendall(peer, REQUESTS[form].encode())
                await scripted.arrived()
                count = await stands_still(produced)
            await scripted.last.left.wait()
        return count

    # What the kernel takes is the same both times, give or take a message.
    more = await produced_with(400) - await produced_with(1)
    assert 395 < more < 405

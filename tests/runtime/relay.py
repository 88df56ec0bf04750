"""A TCP relay in front of a server: counts connections, and refuses, cuts, holds back or trickles when told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Connections through it, and how many of them their client has closed."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._held: dict[asyncio.StreamWriter, bytearray] = {}
        self._holds = False
        self._left: int | None = None  # bytes of answers that may still pass
        self._then_reset = False
        self._piece = 1 << 16
        self._writers: set[asyncio.StreamWriter] = set()
        self.refuses = False
        self._closed = asyncio.Condition()
        self.address = ""
        self.connections = 0
        self.closed = 0

    def hold(self) -> None:
        """From now on nothing goes through; connections stay open."""
        self._holds = True

    def release(self) -> None:
        """Let through what was held back, and all that comes."""
        self._holds = False
        for writer, content in self._held.items():
            writer.write(content)
        self._held.clear()

    def pass_answers(self, count: int, *, then_reset: bool) -> None:
        """Let so many more bytes of answers through; then reset the connection, once, or keep silent from there on."""
        self._left, self._then_reset = count, then_reset

    def trickle(self) -> None:
        """From now on everything goes through byte by byte."""
        self._piece = 1

    def reset(self) -> None:
        """Reset every connection that there is."""
        for writer in self._writers:
            writer.transport.abort()

    async def until_closed(self, count: int) -> None:
        """Wait until clients have closed so many connections. Raises TimeoutError where they do not."""
        async with asyncio.timeout(5.0), self._closed:
            await self._closed.wait_for(lambda: self.closed >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection, until its client closes it."""
        self.connections += 1
        if self.refuses:
            await _aborted(writer)
            return
        self._writers.add(writer)
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        back = asyncio.create_task(self._pass_on(there_reader, writer, answers=True))
        try:
            await self._pass_on(reader, there_writer)
            async with self._closed:
                self.closed += 1
                self._closed.notify_all()
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            self._writers.discard(writer)
            await _aborted(there_writer)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        with suppress(ConnectionError):
            while content := await reader.read(self._piece):
                if answers and self._left is not None:
                    content, more = content[: self._left], len(content) > self._left
                    self._left -= len(content)
                    writer.write(content)
                    if more and self._then_reset:
                        await writer.drain()
                        writer.transport.abort()
                        self._left = None
                elif self._holds:
                    self._held.setdefault(writer, bytearray()).extend(content)
                else:
                    writer.write(content)
                    await writer.drain()


@asynccontextmanager
async def relaying(target: str) -> AsyncIterator[Relay]:
    """A relay to `host:port` on a free local port."""
    relay = Relay(target)
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
    closing = False

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if closing:  # it was accepted just before
            writer.transport.abort()
            return
        serving[asyncio.create_task(relay.serve(reader, writer))] = writer

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    relay.address = f"{host}:{port}"
    try:
        yield relay
    finally:
        closing = True
        server.close()
        for task, writer in serving.items():
            await _aborted(writer)  # which ends the task
            await task


async def _aborted(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()

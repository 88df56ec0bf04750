"""A TCP relay in front of a server: counts connections, and holds back what goes through when told."""

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

    async def until_closed(self, count: int) -> None:
        """Wait until clients have closed so many connections. Raises TimeoutError where they do not."""
        async with asyncio.timeout(5.0), self._closed:
            await self._closed.wait_for(lambda: self.closed >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection, until its client closes it."""
        self.connections += 1
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        back = asyncio.create_task(self._pass_on(there_reader, writer))
        try:
            await self._pass_on(reader, there_writer)
            async with self._closed:
                self.closed += 1
                self._closed.notify_all()
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            await _aborted(there_writer)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while content := await reader.read(1 << 16):
                if self._holds:
                    self._held.setdefault(writer, bytearray()).extend(content)
                else:
                    writer.write(content)
                    await writer.drain()


@asynccontextmanager
async def relaying(target: str) -> AsyncIterator[Relay]:
    """A relay to `host:port` on a free local port."""
    relay = Relay(target)
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving[asyncio.create_task(relay.serve(reader, writer))] = writer

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    relay.address = f"{host}:{port}"
    try:
        yield relay
    finally:
        server.close()
        for task, writer in serving.items():
            await _aborted(writer)  # which ends the task
            await task


async def _aborted(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()

"""An HTTP server that does what a test says with each request, down to the bytes, and the client that calls it."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest
from runtime.client.environment import Outbound
from runtime.client.http_client import HttpClient, Operation
from runtime.client.http_transport import connection
from runtime.clock import Clock, LoopClock
from runtime.definition import DependencyFallbacks
from runtime.errors import DependencyError
from runtime.snapshot import DependencyPolicy, OutgoingPolicy

from tests.runtime.sample_service import POLICIES


class FxClient(HttpClient):
    """A client as the generator writes it."""

    DEPENDENCY: ClassVar[str] = "fx"
    OPERATIONS: ClassVar[tuple[Operation, ...]] = (Operation("GET", "/rates/{base}"), Operation("POST", "/orders"))


@dataclass(eq=False)
class Seen:
    """A request as it came, and the connection that it came over."""

    verb: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    writer: asyncio.StreamWriter
    over: asyncio.Event  # the connection is
    number: int  # of the connection

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def send(self, *pieces: bytes | str) -> None:
        for piece in pieces:
            self.writer.write(piece.encode() if isinstance(piece, str) else piece)

    def answer(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]), b"" if self.verb == "HEAD" else body)

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Close with a RST in place of a FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the connection is over."""
        async with asyncio.timeout(5):
            await self.over.wait()


Script = Callable[[Seen], Awaitable[None] | None]


@dataclass
class Peer:
    """What the server has seen, and what it does with the next request."""

    script: Script = lambda seen: seen.answer()
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    arrival: asyncio.Event = field(default_factory=asyncio.Event)
    context: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.context else ''}://localhost:{self.port}/api/"

    async def arrived(self) -> Seen:
        async with asyncio.timeout(5):
            await self.arrival.wait()
        return self.seen[-1]

    async def have_arrived(self, count: int) -> None:
        """Wait until that many requests have come."""
        async with asyncio.timeout(5):
            while len(self.seen) < count:
                self.arrival.clear()
                await self.arrival.wait()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """The server, on the port that it had before, or on any."""
        tasks: set[asyncio.Task[Any]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.current_task() or asyncio.Task(asyncio.sleep(0)))
            self.connections += 1
            over = asyncio.Event()
            try:
                await self._serve(reader, writer, over, self.connections)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                over.set()
                writer.close()

        server = await asyncio.start_server(connected, "localhost", self.port, ssl=self.context, family=socket.AF_INET)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, over: asyncio.Event, number: int
    ) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            verb, target, _ = head[0].split(" ")
            headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in head[1:-2])]
            length = int(dict(headers).get("content-length", 0))
            body = await reader.readexactly(length)
            seen = Seen(verb, target, headers, body, writer, over, number)
            self.seen.append(seen)
            self.arrival.set()
            waiting = self.script(seen)
            if waiting is not None:
                await waiting
            if writer.is_closing():
                return


def status(code: int, **headers: str) -> Script:
    """Answer with that status."""
    return lambda seen: seen.answer(code, b"", **headers)


async def failure(work: Awaitable[Any]) -> DependencyError:
    """What a call fails with."""
    with pytest.raises(DependencyError) as caught:
        await work
    return caught.value


@asynccontextmanager
async def peer(script: Script | None = None, context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    made = Peer(context=context)
    if script is not None:
        made.script = script
    async with made.listening():
        yield made


@asynccontextmanager
async def client_of(
    target: str, clock: Clock | None = None, own: DependencyFallbacks | None = None, **policy: Any
) -> AsyncIterator[FxClient]:
    """A client of that URL; `own` is what it may fall back on, keyword arguments are the policy of calls, or the dependency's own."""
    whole = {name: policy.pop(name) for name in ("channel", "max_response_bytes", "methods", "tls") if name in policy}
    declared = DependencyPolicy(target, OutgoingPolicy(**policy), **whole)
    opened = replace(outbound(declared, clock=clock), fallbacks={} if own is None else {"fx": own})
    async with connection("fx", opened) as connected:
        yield FxClient(connected)


def outbound(
    policy: DependencyPolicy, environ: Mapping[str, str] | None = None, clock: Clock | None = None
) -> Outbound:
    """What a client of the peer is opened with."""
    policies = replace(POLICIES, dependencies={"fx": policy})
    return Outbound(policies, environ or {}, clock or LoopClock(), random.Random(1))

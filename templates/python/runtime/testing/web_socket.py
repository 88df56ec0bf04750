"""A caller of bidirectional REST routes: frames out, frames in, and how the WebSocket was closed."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from .scripted import PATIENCE

NORMAL: Final = 1000
"""The close code of a call that went well."""

END: Final = b""
"""The frame that ends the requests."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came over a WebSocket until it was closed; `http` is the status where it was never opened."""

    headers: tuple[tuple[str, str], ...]
    frames: tuple[bytes, ...]
    code: int = 0
    http: int | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        """The JSON of the responses."""
        return tuple(json.loads(frame) for frame in (self.frames if self.code == NORMAL else self.frames[:-1]))

    @property
    def failure(self) -> bytes:
        """The last frame of a call that failed, the body of a response that is no WebSocket's; empty where none came."""
        return self.frames[-1] if self.frames and self.code != NORMAL else b""


@asynccontextmanager
async def opened(
    url: str, headers: Sequence[tuple[str, str]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[ClientConnection]:
    """An open WebSocket, closed at the end; `tls` is for a `wss` address. Raises InvalidStatus where the upgrade is refused."""
    async with connect(
        url,
        additional_headers=headers,
        compression=None,
        max_size=None,
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
        proxy=None,
        ssl=tls,
    ) as socket:
        yield socket


def write_at_once(socket: ClientConnection, frames: Sequence[tuple[Opcode, bytes]]) -> None:
    """Send these frames in one piece, whatever the state of the connection."""
    socket.transport.write(b"".join(Frame(opcode, payload).serialize(mask=True) for opcode, payload in frames))


async def exchange(
    url: str,
    headers: Sequence[tuple[str, str]],
    frames: Iterable[bytes] | AsyncIterable[bytes],
    tls: ssl.SSLContext | None = None,
) -> Heard:
    """Send the frames and the end of the requests, and hear the answer to its end. Raises OSError, and as `opened`."""
    try:
        async with opened(url, headers, tls) as socket:
            sending = asyncio.ensure_future(_send(socket, frames))
            try:
                return await _hear(socket)
            finally:
                sending.cancel()
                await asyncio.wait({sending})
    except InvalidStatus as refused:
        response = refused.response
        return Heard(tuple(response.headers.raw_items()), (bytes(response.body),), http=response.status_code)


async def _send(socket: ClientConnection, frames: Iterable[bytes] | AsyncIterable[bytes]) -> None:
    with suppress(ConnectionClosed):  # the answer may end before the requests do
        if isinstance(frames, AsyncIterable):
            async for frame in frames:
                await socket.send(frame, text=True)
        else:
            for frame in frames:
                await socket.send(frame, text=True)
        await socket.send(END, text=True)


async def _hear(socket: ClientConnection) -> Heard:
    received: list[bytes] = []
    try:
        while True:
            received.append(await socket.recv(decode=False))
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd is not None else 0
        headers = () if socket.response is None else tuple(socket.response.headers.raw_items())
        return Heard(headers, tuple(received), code)

"""Fetching an issuer's keys: what is taken from the network, and what is not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from runtime.tokens.fetching import FetchError
from runtime.tokens.jwks import in_thread


@asynccontextmanager
async def answering(response: bytes) -> AsyncIterator[str]:
    """An HTTP server that says one thing, whatever it is asked."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"


async def test_the_body_is_what_is_fetched() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}") as url:
        assert await in_thread(url) == b"{}"


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (b"HTTP/1.1 503 Gone Fishing\r\ncontent-length: 0\r\n\r\n", "HTTP 503"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (1 << 21), "the answer is longer than 1048576 bytes"),
        (b"no http at all\r\n\r\n", "BadStatusLine"),
        (b"", "RemoteDisconnected|closed connection"),
    ],
    ids=["error", "redirect", "endless", "noise", "nothing"],
)
async def test_anything_else_is_an_error_that_says_why(response: bytes, why: str) -> None:
    async with answering(response) as url:
        with pytest.raises(FetchError, match=why):
            await in_thread(url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/keys", "data:,{}", "nonsense"])
async def test_nothing_but_http_is_fetched(url: str) -> None:
    with pytest.raises(FetchError):
        await in_thread(url)


async def test_nobody_listening_is_an_error() -> None:
    async with answering(b"") as url:
        pass
    with pytest.raises(FetchError, match="refused"):
        await in_thread(url)

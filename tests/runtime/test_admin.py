"""The admin port's HTTP: connections that last, requests that are none, and an end that waits for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from runtime.admin import Admin, AdminServer
from runtime.breakers import Breakers
from runtime.health import Report

from tests.runtime.raw_http import PATIENCE, Peer, get, peer, post

HEALTHY = Report("serving", True, {})


def healthy() -> Report:
    return HEALTHY


@asynccontextmanager
async def serving(
    report: Callable[[], Report] = healthy, exposition: Any = None
) -> AsyncIterator[tuple[AdminServer, int]]:
    server = AdminServer(Admin(report, b"{}", exposition, dict, Breakers().operate), "127.0.0.1", 0)
    port = await server.start()
    yield server, port
    await asyncio.wait_for(server.stop(), PATIENCE)


async def status(caller: Peer, *request: bytes) -> int:
    caller.send(*request)
    return (await caller.answer())[0]


async def test_a_connection_takes_one_request_after_the_other() -> None:
    async with serving() as (_, port), peer(port) as caller:
        assert await status(caller, get("/livez")) == 200
        assert await status(caller, get("/nowhere")) == 404
        caller.send(get("/readyz?verbose"), get("/livez"))
        assert [(await caller.answer())[0] for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "last",
    [
        get("/livez", "Connection: close"),
        get("/livez").replace(b"HTTP/1.1", b"HTTP/1.0"),
        post("/livez", b"GET /livez HTTP/1.1\r\n\r\n"),
        get("/livez", "transfer-encoding: chunked"),
    ],
)
async def test_a_connection_ends_with_its_last_answer(last: bytes) -> None:
    async with serving() as (_, port), peer(port) as caller:
        caller.send(last)
        _, headers, _ = await caller.answer()
        assert headers["connection"] == "close"
        assert await caller.closed()


@pytest.mark.parametrize("nonsense", [b"\r\n\r\n", b"GET /livez\r\n\r\n", b"\xff / HTTP/1.1\r\n\r\n", b"x" * 100_000])
async def test_what_is_no_request_is_refused_and_ends_the_connection(nonsense: bytes) -> None:
    async with serving() as (_, port), peer(port) as caller:
        assert await status(caller, nonsense) == 400
        assert await caller.closed()


async def test_a_page_that_cannot_be_made_says_nothing_of_why(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Report:
        raise RuntimeError("secret")

    async with serving(broken) as (_, port), peer(port) as caller:
        caller.send(get("/healthz"))
        assert (await caller.answer())[::2] == (500, b"internal error\n")
        assert await status(caller, get("/livez")) == 200
    assert "secret" in caplog.text


async def test_a_server_that_stops_waits_for_pages_and_not_for_connections() -> None:
    loop, made, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def exposition() -> tuple[str, bytes]:
        loop.call_soon_threadsafe(made.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(PATIENCE)
        return "text/plain", b"series"

    async with serving(exposition=exposition) as (server, port), peer(port) as idle, peer(port) as busy:
        assert await status(idle, get("/livez")) == 200
        busy.send(get("/metrics"))
        await asyncio.wait_for(made.wait(), PATIENCE)
        stopping = asyncio.ensure_future(server.stop())
        assert await idle.closed()
        assert not stopping.done()
        go_on.set()
        status_, headers, body = await busy.answer()
        assert (status_, headers["connection"], body) == (200, "close", b"series")
        await asyncio.wait_for(stopping, PATIENCE)

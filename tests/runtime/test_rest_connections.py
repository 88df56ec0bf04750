"""Connections under REST: callers that go away, hostile requests, keep-alive, and how the port stops."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from runtime.call import Call
from runtime.hurry import Hurry
from runtime.pipeline import NamedStage, compose, handler_endpoint
from runtime.stages.boundary import Boundary, InFlight
from runtime.transport.http_connection import MAX_HEAD_BYTES
from runtime.transport.rest import RestTransport

from tests.runtime.raw_http import PATIENCE, Peer, get, peer, post
from tests.runtime.wire_service import Item, Wire, definition, rest_policy, serving


class Held(Wire):
    """Holds every call until it is cancelled or opened."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.cancelling = 0

    async def hold(self) -> None:
        self.entered.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            self.cancelling = task.cancelling()
            self.cancelled.set()
            raise

    async def unary(self, request: Any, call: Call) -> Any:
        await self.hold()
        return request

    async def count(self, request: Any, call: Call) -> Any:
        yield Item()
        await self.hold()


@pytest.mark.parametrize("target", ["/v1/items", "/v1/count/1"])
@pytest.mark.parametrize("how", ["close", "reset", "half"])
async def test_a_caller_that_goes_away_cancels_the_handler(target: str, how: str) -> None:
    handler = Held()
    async with serving(handler) as served, peer(served.rest_port) as caller:
        caller.send(get(target))
        await asyncio.wait_for(handler.entered.wait(), PATIENCE)
        if how == "close":
            caller.writer.close()
        elif how == "reset":
            caller.writer.transport.abort()
        else:
            caller.writer.write_eof()
        await asyncio.wait_for(handler.cancelled.wait(), PATIENCE)
        assert handler.cancelling == 1


async def test_a_caller_that_goes_away_in_the_middle_of_its_body_reaches_no_handler() -> None:
    handler = Wire()
    ended = asyncio.Event()
    what = definition()

    async def watched(call: Call) -> None:
        try:
            await call.request()
        finally:
            ended.set()

    transport = RestTransport(
        what,
        {method.path: watched for method in what.methods},
        host="127.0.0.1",
        port=0,
        spawn=asyncio.ensure_future,
        reuse_port=False,
    )
    port = await transport.start()
    async with peer(port) as caller:
        caller.send(post("/v1/items", b"{}")[:-1])
        for _ in range(10):
            await asyncio.sleep(0)
        caller.writer.close()
        await asyncio.wait_for(ended.wait(), PATIENCE)
    assert handler.requests == []
    await transport.stop(0)


async def test_one_connection_serves_many_requests_pipelined_too() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        caller.send(*(get(f"/v1/items?i32={number}") for number in range(1, 51)))
        for number in range(1, 51):
            status, headers, body = await caller.answer()
            assert (status, json.loads(body)) == (200, {"i32": number})
            assert "connection" not in headers


async def test_a_request_to_close_the_connection_is_followed() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        caller.send(get("/v1/items", "connection: close"))
        status, headers, _ = await caller.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await caller.closed()


LIMIT = 1000


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(post("/v1/items", b"x" * (LIMIT + 1)), 413, id="a body over the limit"),
        pytest.param(get("/v1/items").replace(b"GET", b"POST")[:-2] + b"content-length: 99999999999\r\n\r\n", 413, id="a promise of one"),
        pytest.param(
            b"POST /v1/items HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"1f4\r\n" + b"x" * 500 + b"\r\n" + b"1f5\r\n" + b"x" * 501 + b"\r\n",
            413,
            id="chunks over the limit",
        ),
        pytest.param(post("/v1/items", b"{}", "expect: 100-continue", "content-type: text/plain"), 415, id="an unwanted body"),
        pytest.param(get("/v1/items/%ff"), 400, id="no UTF-8 in the path"),
        pytest.param(get("/v1/items/%"), 400, id="half an escape"),
        pytest.param(get("/" + "a/" * 5000), 404, id="many segments"),
        pytest.param(get("/v1/items/" + ":" * 5000), 200, id="many colons"),
        pytest.param(get("/v1/items?" + "%" * 5000), 400, id="a percent bomb"),
        pytest.param(get("//v1//items//"), 404, id="doubled slashes"),
        pytest.param(get("/v1/items/../../etc/passwd"), 404, id="dots"),
        pytest.param(get("http://x/v1/items"), 200, id="an absolute target"),
        pytest.param(get("/v1/items", "x-flood: " + "y" * 70_000), 431, id="a long header"),
        pytest.param(get("/v1/items", *(f"x-{number}: y" * 3 for number in range(4000))), 431, id="a header flood"),
        pytest.param(get("/v1/items", "accept-language: " + "a," * 20_000), 200, id="many languages"),
        pytest.param(get("/v1/count/0", "accept: " + "a/b," * 10_000), 200, id="many media types"),
        pytest.param(b"BREW /v1/items HTTP/1.1\r\nhost: x\r\n\r\n", 400, id="an unknown method"),
        pytest.param(b"GET /v1/items HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n", 400, id="a bad header"),
        pytest.param(b"GET /v1/items HTTP/9.9\r\nhost: x\r\n\r\n", 400, id="a version of tomorrow"),
        pytest.param(post("/v1/items", b"{}", "content-length: 3"), 400, id="two lengths"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01", 400, id="TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(b"POST /v1/items HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\nxx", 400, id="a coding nobody knows"),
        pytest.param(get("/v1/items\xff"), 400, id="raw bytes in the path"),
    ],
)  # fmt: skip
async def test_a_hostile_request_gets_its_4xx_and_the_server_goes_on(request_: bytes, status: int) -> None:
    async with serving(Wire(), definition(**rest_policy(max_body_bytes=LIMIT))) as served:
        async with peer(served.rest_port) as caller:
            caller.send(request_)
            got, _, body = await caller.answer()
            assert got == status
            assert status == 200 or json.loads(body)["error"]["code"] == status
            assert b"Traceback" not in body
            assert b"Error:" not in body
        async with peer(served.rest_port) as caller:
            caller.send(get("/v1/items"))
            assert (await caller.answer())[0] == 200


async def test_a_refused_body_is_answered_before_it_has_come_and_ends_the_connection() -> None:
    what = definition(**rest_policy(max_body_bytes=LIMIT))
    async with serving(Wire(), what) as served, peer(served.rest_port) as caller:
        caller.send(b"POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n")
        status, headers, _ = await caller.answer()
        assert (status, headers["connection"]) == (413, "close")
        assert await caller.closed()


async def test_the_sender_of_a_refused_body_gets_to_read_the_answer() -> None:
    what = definition(**rest_policy(max_body_bytes=LIMIT))
    async with serving(Wire(), what) as served, peer(served.rest_port) as caller:
        caller.send(post("/v1/items", b"x" * 700_000))
        await caller.writer.drain()
        await caller.reader.read(0)
        for _ in range(100):  # the answer is on its way before it is read
            await asyncio.sleep(0)
        assert (await caller.answer())[0] == 413
        assert await caller.reader.read() == b""


async def test_a_small_body_that_nobody_read_does_not_end_the_connection() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        caller.send(post("/v1/nope", b"x" * 1000), get("/v1/items"))
        assert [(await caller.answer())[0] for _ in range(2)] == [404, 200]


async def test_a_body_is_asked_for_only_once_it_is_wanted() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        caller.send(b"POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert (
            await asyncio.wait_for(caller.reader.readuntil(b"\r\n\r\n"), PATIENCE) == b"HTTP/1.1 100 Continue\r\n\r\n"
        )
        caller.send(b"{}")
        assert (await caller.answer())[0] == 200


async def test_two_ways_to_say_the_length_are_refused_and_end_the_connection() -> None:
    lengths = ("content-length: 2", "transfer-encoding: chunked")
    for first, second in (lengths, lengths[::-1]):
        async with serving(Wire()) as served, peer(served.rest_port) as caller:
            head = f"POST /v1/items HTTP/1.1\r\nhost: x\r\n{first}\r\n{second}\r\n\r\n".encode()
            caller.send(head, b"2\r\n{}\r\n0\r\n\r\n", get("/v1/items"))
            assert (await caller.answer())[0] == 400
            assert await caller.closed()


async def test_an_endless_head_is_cut_off() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        caller.send(b"GET /v1/items HTTP/1.1\r\n")
        caller.send(*[b"x: " + b"y" * 1000 + b"\r\n"] * (MAX_HEAD_BYTES // 1000 + 1))
        assert (await caller.answer())[0] == 431
        assert await caller.closed()


async def test_an_upgrade_nobody_offers_is_passed_over_and_ends_the_connection() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        caller.send(get("/v1/items?name=a", "connection: upgrade", "upgrade: websocket", "sec-websocket-key: x"))
        status, headers, body = await caller.answer()
        assert (status, headers["connection"], json.loads(body)) == (200, "close", {"name": "a"})
        assert await caller.closed()


async def test_a_header_nobody_can_send_back_is_not_sent_back() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        caller.send(get("/v1/items?" + "a%0d%0ax:%20y" * 3 + "=1"))
        status, headers, body = await caller.answer()
    assert status == 400
    assert "x" not in headers
    assert b"\\r" not in body


@asynccontextmanager
async def listening(handler: Wire) -> AsyncIterator[tuple[RestTransport, int]]:
    """The REST transport alone, with nothing but the boundary around the handler."""
    what = definition()
    boundary = NamedStage("boundary", Boundary(InFlight()))
    transport = RestTransport(
        what,
        {method.path: compose([boundary], handler_endpoint(method, handler)) for method in what.methods},
        host="127.0.0.1",
        port=0,
        spawn=asyncio.ensure_future,
        reuse_port=False,
    )
    port = await transport.start()
    yield transport, port
    await transport.stop(0)


async def test_a_port_that_stops_accepting_finishes_calls_and_says_close() -> None:
    handler = Held()
    async with listening(handler) as (transport, port), peer(port) as busy, peer(port) as idle:
        idle.send(get("/v1/nothing"))
        assert "connection" not in (await idle.answer())[1]
        busy.send(get("/v1/items?name=a"))
        await asyncio.wait_for(handler.entered.wait(), PATIENCE)
        await transport.stop_accepting(Hurry())
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        idle.send(get("/v1/nothing"))
        status, headers, _ = await idle.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await idle.closed()
        stopping = asyncio.ensure_future(transport.stop(60))
        handler.opened.set()
        status, headers, body = await busy.answer()
        assert (status, headers["connection"], json.loads(body)) == (200, "close", {"name": "a"})
        await asyncio.wait_for(stopping, PATIENCE)


async def test_who_has_connected_before_the_port_stops_is_still_served() -> None:
    async with listening(Wire()) as (transport, port):
        socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]  # the loop has accepted none yet
        await transport.stop_accepting(Hurry())
        for sock in socks:
            sock.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=sock)
            caller = Peer(reader, writer)
            caller.send(get("/v1/items"))
            assert (await caller.answer())[0] == 200
            writer.close()


async def test_a_call_that_outlasts_the_grace_is_cancelled_and_idle_connections_closed() -> None:
    handler = Held()
    async with listening(handler) as (transport, port), peer(port) as busy, peer(port) as idle:
        idle.send(get("/v1/nothing"))
        await idle.answer()
        busy.send(get("/v1/items"))
        await asyncio.wait_for(handler.entered.wait(), PATIENCE)
        await asyncio.wait_for(transport.stop(0.05), PATIENCE)
        assert handler.cancelled.is_set()
        assert await idle.closed()
        assert await busy.closed()


async def test_a_busy_port_is_an_os_error_unless_it_is_shared() -> None:
    what = definition()
    endpoints = {method.path: handler_endpoint(method, Wire()) for method in what.methods}

    async def open_at(port: int, *, reuse_port: bool) -> RestTransport:
        transport = RestTransport(
            what, endpoints, host="127.0.0.1", port=port, spawn=asyncio.ensure_future, reuse_port=reuse_port
        )
        transports.append(transport)
        ports.append(await transport.start())
        return transport

    transports: list[RestTransport] = []
    ports: list[int] = []
    await open_at(0, reuse_port=True)
    await open_at(ports[0], reuse_port=True)
    with pytest.raises(OSError, match="in use"):
        await open_at(ports[0], reuse_port=False)
    for transport in transports:
        await transport.stop(0)


async def test_many_connections_at_once_are_all_served() -> None:
    async with serving(Wire()) as served:
        answers = await asyncio.gather(*(served.http.get(f"/v1/items?i32={number}") for number in range(1, 201)))
    assert [answer.json()["i32"] for answer in answers] == list(range(1, 201))

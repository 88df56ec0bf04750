"""HTTP/1.1 as the REST port speaks it: versions, bodies in pieces, requests in a row, and how long it waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from runtime.call import Call
from runtime.pipeline import handler_endpoint
from runtime.testing import VirtualClock
from runtime.transport.http_connection import HEAD_TIMEOUT, KEEP_ALIVE
from runtime.transport.rest import RestTransport
from websockets.frames import Frame, Opcode

from tests.runtime.test_rest_connections import PATIENCE, Held, Peer, get, peer, post
from tests.runtime.wire_service import Wire, definition, rest_policy, serving

MIB = 1 << 20


@asynccontextmanager
async def listening(handler: Wire, clock: VirtualClock) -> AsyncIterator[int]:
    """The REST transport alone; its port."""
    what = definition()
    transport = RestTransport(
        what,
        {method.path: handler_endpoint(method, handler) for method in what.methods},
        host="127.0.0.1",
        port=0,
        spawn=asyncio.ensure_future,
        reuse_port=False,
        clock=clock,
    )
    yield await transport.start()
    await transport.stop(0)


async def settled(caller: Peer) -> None:
    """Return when the server has read what the caller has sent."""
    await caller.writer.drain()
    for _ in range(20):
        await asyncio.sleep(0)


async def open_still(caller: Peer) -> bool:
    """Whether the connection answers another request."""
    caller.send(get("/v1/items?name=still"))
    try:
        return (await caller.answer())[0] == 200
    except (asyncio.IncompleteReadError, ConnectionError):
        return False


# -- time ----------------------------------------------------------------------------------------------------------


async def test_a_head_that_does_not_come_closes_the_connection() -> None:
    clock = VirtualClock()
    async with listening(Wire(), clock) as port, peer(port) as silent, peer(port) as slow:
        await settled(silent)
        await clock.advance(HEAD_TIMEOUT / 2)
        slow.send(b"GET /v1/items HTTP/1.1\r\nhost: x")
        await settled(slow)
        await clock.advance(HEAD_TIMEOUT / 2 - 0.01)
        slow.send(b"y")  # a byte now and then buys no time
        await settled(slow)
        await clock.advance(0.02)
        assert await silent.closed()
        assert await slow.closed()


async def test_a_connection_without_requests_is_closed() -> None:
    clock = VirtualClock()
    async with listening(Wire(), clock) as port, peer(port) as caller:
        assert await open_still(caller)
        await clock.advance(KEEP_ALIVE - 1)
        assert await open_still(caller)
        await clock.advance(KEEP_ALIVE - 1)
        assert await open_still(caller)
        await clock.advance(KEEP_ALIVE + 0.01)
        assert await caller.closed()


async def test_the_next_head_must_come_as_fast_as_the_first() -> None:
    clock = VirtualClock()
    async with listening(Wire(), clock) as port, peer(port) as caller:
        assert await open_still(caller)
        caller.send(b"GET /v1/items HTTP/1.1\r\n")
        await settled(caller)
        await clock.advance(HEAD_TIMEOUT + 0.01)
        assert await caller.closed()


async def test_a_call_may_take_longer_than_an_idle_connection() -> None:
    clock = VirtualClock()
    handler = Held()
    async with listening(handler, clock) as port, peer(port) as caller:
        caller.send(get("/v1/items?name=a"), get("/v1/items?name=b"), b"GET /v1/items")  # the next head is on its way
        await asyncio.wait_for(handler.entered.wait(), PATIENCE)
        await clock.advance(2 * KEEP_ALIVE)
        handler.opened.set()
        for name in ("a", "b"):
            status, _, body = await caller.answer()
            assert (status, json.loads(body)) == (200, {"name": name})
        await settled(caller)
        await clock.advance(HEAD_TIMEOUT + 0.01)  # from now on it is waited for
        assert await caller.closed()


async def test_a_rest_of_a_body_that_nobody_wants_keeps_no_connection_open() -> None:
    clock = VirtualClock()
    async with listening(Wire(), clock) as port, peer(port) as caller:
        caller.send(post("/v1/nope", b"x" * 100)[:-50])
        assert (await caller.answer())[0] == 404
        for _ in range(3):
            caller.send(b"x")
            await settled(caller)
            await clock.advance(KEEP_ALIVE / 3 + 1)
        assert await caller.closed()


# -- versions and methods ------------------------------------------------------------------------------------------


async def test_http_1_0_is_answered_without_chunks_and_the_connection_closed() -> None:
    async with serving(Wire()) as served:
        for target, expected in (("/v1/items?name=a", {"name": "a"}), ("/v1/count/3", [{}, {"i32": 1}, {"i32": 2}])):
            async with peer(served.rest_port) as caller:
                caller.send(f"GET {target} HTTP/1.0\r\nconnection: keep-alive\r\n\r\n".encode())
                head, _, body = (await asyncio.wait_for(caller.reader.read(), PATIENCE)).partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 ")
                assert b"connection: close" in head
                assert b"transfer-encoding" not in head
                assert json.loads(body) == expected


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        for target in ("/v1/items?name=a", "/v1/count/3", "/v1/nope"):
            caller.send(get(target).replace(b"GET", b"HEAD"))
            async with asyncio.timeout(PATIENCE):
                head = await caller.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 404" if target == "/v1/nope" else b"HTTP/1.1 200")
        assert await open_still(caller)


async def test_every_answer_has_a_date() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        for target in ("/v1/items", "/v1/nope"):
            caller.send(get(target))
            assert (await caller.answer())[1]["date"].endswith(" GMT")


# -- bodies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_come_in_any_pieces(chunked: bool) -> None:
    body = json.dumps({"name": "x" * 300}).encode()
    raw = post("/v1/items", body)
    if chunked:
        head = b"POST /v1/items HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        raw = head + b"".join(b"1;a=b\r\n%c\r\n" % byte for byte in body) + b"0\r\nx-trailer: y\r\n\r\n"
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        for start in range(0, len(raw), 7):
            caller.send(raw[start : start + 7])
            await asyncio.sleep(0)
        status, _, answer = await caller.answer()
        assert (status, json.loads(answer)) == (200, json.loads(body))
        assert await open_still(caller)


async def test_a_large_body_is_taken_in_piece_by_piece() -> None:
    body = json.dumps({"name": "x" * 8 * MIB}).encode()
    what = definition(**rest_policy(max_body_bytes=9 * MIB))
    async with serving(Wire(), what) as served, peer(served.rest_port) as caller:
        caller.send(post("/v1/items", body))
        status, _, answer = await caller.answer()
        assert (status, json.loads(answer)) == (200, json.loads(body))
        assert await open_still(caller)


async def test_a_body_that_nobody_asks_for_yet_is_not_taken_in() -> None:
    entered, opened = asyncio.Event(), asyncio.Event()

    async def waiting(requests: Any, call: Call) -> Any:
        entered.set()
        await opened.wait()
        return [part async for part in requests]

    class Late(Wire):
        async def deposit(self, requests: Any, call: Call) -> Any:
            parts = await waiting(requests, call)
            return await super().deposit(_again(parts), call)

    limit = 32 * MIB
    what = definition(**rest_policy(max_body_bytes=limit))
    async with serving(Late(), what) as served, peer(served.rest_port) as caller:
        caller.send(post("/v1/deposit", b"x" * limit, "content-type: text/plain"))
        await asyncio.wait_for(entered.wait(), PATIENCE)
        for _ in range(500):
            await asyncio.sleep(0)
        assert caller.writer.transport.get_write_buffer_size() > limit // 2  # the rest is in the sockets' own buffers
        opened.set()
        assert (await caller.answer())[0] == 200


async def _again(parts: list[Any]) -> AsyncIterator[Any]:
    for part in parts:
        yield part


# -- requests in a row ---------------------------------------------------------------------------------------------


async def test_requests_in_a_row_are_served_one_after_the_other() -> None:
    running, most = 0, 0

    async def behave(request: Any, call: Call) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return request

    async with serving(Wire(behave)) as served, peer(served.rest_port) as caller:
        caller.send(*(post("/v1/items", b'{"i32": %d}' % number) for number in range(1, 101)))
        answers = [await caller.answer() for _ in range(100)]
        assert await open_still(caller)
    assert [json.loads(body)["i32"] for _, _, body in answers] == list(range(1, 101))
    assert most == 1


async def test_a_caller_that_goes_away_while_its_last_request_is_served_cancels_the_handler() -> None:
    handler = Held()
    async with serving(handler) as served, peer(served.rest_port) as caller:
        caller.send(get("/v1/nope"), get("/v1/nope"), get("/v1/items"))
        await asyncio.wait_for(handler.entered.wait(), PATIENCE)
        caller.writer.close()
        await asyncio.wait_for(handler.cancelled.wait(), PATIENCE)


async def test_a_web_socket_may_follow_other_requests() -> None:
    async with serving(Wire()) as served, peer(served.rest_port) as caller:
        caller.send(get("/v1/nope"), get("/v1/chat", *UPGRADE))
        assert (await caller.answer())[0] == 404
        assert (await caller.answer())[0] == 101
        caller.send(Frame(Opcode.TEXT, b'{"i32": 7}').serialize(mask=True))
        async with asyncio.timeout(PATIENCE):
            assert await caller.reader.readexactly(11) == Frame(Opcode.TEXT, b'{"i32":7}').serialize(mask=False)


async def test_what_follows_a_request_to_close_is_not_served() -> None:
    handler = Wire()
    async with serving(handler) as served, peer(served.rest_port) as caller:
        caller.send(get("/v1/items?name=a", "connection: close"), get("/v1/items?name=b"))
        assert (await caller.answer())[1]["connection"] == "close"
        assert await caller.closed()
    assert [request.name for request in handler.requests] == ["a"]


async def test_what_is_no_http_after_a_request_ends_the_connection_and_its_call() -> None:
    handler = Held()
    async with serving(handler) as served, peer(served.rest_port) as caller:
        caller.send(get("/v1/items"))
        await asyncio.wait_for(handler.entered.wait(), PATIENCE)
        caller.send(b"\x00\x01")
        assert (await caller.answer())[0] == 400
        assert await caller.closed()
        await asyncio.wait_for(handler.cancelled.wait(), PATIENCE)


# -- anything at all -----------------------------------------------------------------------------------------------

UPGRADE = ("connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", f"sec-websocket-key: {'A' * 22}==")
REQUESTS = (
    get("/v1/items?name=a"),
    get("/v1/count/5", "accept: text/event-stream"),
    get("/v1/chat", *UPGRADE),
    get("/v1/items", "expect: 100-continue"),
    post("/v1/items", b'{"i32": 1}'),
    post("/v1/nope", b"x" * 3000),
    post("/v1/items", b"x" * 5000, "connection: close"),
    b"POST /v1/items HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HEAD /v1/count/3 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /v1/items HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"\r\n\r\n",
)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_comes_in_whatever_pieces_leaves_nothing_behind(seed: int) -> None:
    random = Random(seed)
    faults: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    async with serving(Wire(), definition(**rest_policy(max_body_bytes=2000))) as served:
        before = asyncio.all_tasks()
        for _ in range(100):
            raw = bytearray(b"".join(random.choices(REQUESTS, k=random.randint(1, 6))))
            for _ in range(random.choice([0, 0, 1, 3])):
                raw[random.randrange(len(raw))] = random.randrange(256)
            size = random.choice([20, 500, len(raw)])
            async with peer(served.rest_port) as caller:
                for start in range(0, len(raw), size):
                    caller.send(raw[start : start + size])
                    await asyncio.sleep(0)
                if random.random() < 0.3:
                    caller.writer.transport.abort()
        if left := asyncio.all_tasks() - before:
            _, left = await asyncio.wait(left, timeout=3)  # less than a WebSocket waits for a peer's last word
        assert left == set()
        assert (await served.http.get("/v1/items")).status_code == 200
    assert faults == []

"""The connections to a dependency over HTTP: how long one may take, and what becomes of one that was idle."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from grpc import StatusCode
from runtime.snapshot import ChannelPolicy, IdempotencyKeyPolicy
from runtime.testing import VirtualClock

from tests.runtime.http_peer import Seen, client_of, failure, peer

KEY = IdempotencyKeyPolicy("Idempotency-Key")


@asynccontextmanager
async def full_backlog() -> AsyncIterator[int]:
    """A port at which no further connection is established, and none refused: its queue is full."""
    sockets: list[socket.socket] = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            held = socket.socket()
            held.setblocking(False)
            held.connect_ex(listener.getsockname())
            sockets.append(held)
        try:
            yield listener.getsockname()[1]
        finally:
            for held in sockets:
                held.close()


async def test_a_connection_has_a_time_of_its_own() -> None:
    clock, policy = VirtualClock(), {"connect_timeout": 7.0, "total_timeout": 20.0}
    async with full_backlog() as port, client_of(f"http://127.0.0.1:{port}", clock, **policy) as client:
        call = asyncio.create_task(failure(client.get("/x")))
        await clock.until_waiting(1)
        await clock.advance(6.9)
        assert not call.done()
        await clock.advance(0.1)
        error = await call
        assert error.message_received == "no connection in time"
        assert (error.code_received, error.broken, error.expired) == (StatusCode.UNAVAILABLE, True, False)
        assert clock.waiting == 0


async def test_a_caller_that_goes_while_it_waits_for_a_connection_is_gone_even_as_the_time_runs_out() -> None:
    clock = VirtualClock()
    async with full_backlog() as port, client_of(f"http://127.0.0.1:{port}", clock, connect_timeout=7.0) as client:
        for expires in (False, True):
            call = asyncio.create_task(client.get("/x"))
            await clock.until_waiting(1)
            call.cancel()
            if expires:
                await clock.stall(7.0)
            with pytest.raises(asyncio.CancelledError):
                await call
            assert clock.waiting == 0


async def test_once_connected_a_request_takes_as_long_as_the_call_may() -> None:
    clock = VirtualClock()
    async with peer(lambda seen: None) as fx, client_of(fx.url, clock, connect_timeout=7.0) as client:
        call = asyncio.create_task(client.get("/x"))
        seen = await fx.arrived()
        await clock.advance(8.0)
        seen.answer()
        assert (await call).status == 200


@pytest.mark.parametrize(
    ("verb", "key", "again"), [("GET", None, True), ("PUT", None, True), ("POST", None, False), ("POST", KEY, True)]
)
async def test_an_idle_connection_that_is_closed_under_a_request_costs_what_may_happen_twice_nothing(
    verb: str, key: Any, again: bool
) -> None:
    def script(seen: Seen) -> None:
        if seen.number == 1 and len(fx.seen) > 1:
            seen.reset()
        else:
            seen.answer()

    async with peer(script) as fx, client_of(fx.url, idempotency=key) as client:
        await client.get("/x")
        if again:
            assert (await client.request(verb, "/y")).status == 200
        else:
            assert (await failure(client.request(verb, "/y"))).broken
        assert [seen.verb for seen in fx.seen] == ["GET", verb, *([verb] if again else [])]
        assert fx.connections == (2 if again else 1)


async def test_a_connection_that_was_closed_while_it_was_idle_is_not_used() -> None:
    def script(seen: Seen) -> None:
        seen.answer(connection="close")
        seen.close()

    async with peer(script) as fx, client_of(fx.url) as client:
        for _ in range(3):
            await client.post("/x", {})
        assert fx.connections == 3


# -- age -----------------------------------------------------------------------------------------------------------

AGEING = ChannelPolicy(max_connection_age=60.0, max_connection_age_grace=5.0)


async def test_requests_get_a_new_connection_once_the_old_one_has_its_age() -> None:
    clock = VirtualClock()
    async with peer() as fx, client_of(fx.url, clock, channel=AGEING) as client:
        await client.get("/x")
        await clock.advance(59.0)
        await client.get("/x")
        assert fx.connections == 1
        await clock.advance(1.0)
        await client.get("/x")
        assert fx.connections == 2
        await fx.seen[0].gone()
        assert clock.waiting == 0


async def test_a_request_over_an_aged_connection_is_finished_and_the_connection_closed() -> None:
    clock = VirtualClock()
    async with peer(lambda seen: None) as fx, client_of(fx.url, clock, channel=AGEING) as client:
        call = asyncio.create_task(client.get("/x"))
        old = await fx.arrived()
        await clock.advance(60.0)
        fx.script = lambda seen: seen.answer()
        await client.get("/x")
        assert not old.over.is_set()
        old.answer()
        assert (await call).status == 200
        await old.gone()
        assert clock.waiting == 0, "no grace to wait for any more"


@pytest.mark.parametrize(
    "half", ["", "HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nhalf"], ids=["no answer", "half of one"]
)
@pytest.mark.parametrize("reused", [False, True])
async def test_what_outlasts_the_grace_of_an_aged_connection_is_ended(half: str, reused: bool) -> None:
    clock = VirtualClock()
    async with peer() as fx, client_of(fx.url, clock, channel=AGEING) as client:
        if reused:
            await client.get("/x")
        fx.script, before = lambda seen: seen.send(half), len(fx.seen)
        call = asyncio.create_task(failure(client.get("/x")))
        await fx.have_arrived(before + 1)
        await clock.advance(60.0)
        fx.script = lambda seen: seen.answer()
        await client.get("/x")
        await clock.advance(5.0)
        error = await call
        assert (error.code_received, error.broken) == (StatusCode.UNAVAILABLE, True)
        assert len(fx.seen) == before + 2, "not sent once more"

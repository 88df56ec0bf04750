"""The channel to a dependency over real sockets: how its connections are kept, chosen and replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from grpc import StatusCode
from runtime.client.grpc_client import connection
from runtime.errors import DependencyError
from runtime.snapshot import ChannelPolicy, ClientKeepalive, DependencyPolicy, OutgoingPolicy
from runtime.targets import target_variable
from runtime.testing import PATIENCE, Messages, Received, Scripted, VirtualClock, answering, waiting
from runtime.testing.dependencies import call_dependency, standing_in

from tests.runtime.relay import Relay, relaying
from tests.runtime.sample_client import DECLARED, SampleClient, outbound
from tests.runtime.sample_service import CHAT, COUNT, ECHO, GATHER, Note

METHODS = (ECHO, GATHER, COUNT, CHAT)
PINGING = ClientKeepalive(time=0.1, timeout=0.1, permit_without_calls=False)


@dataclass(frozen=True, slots=True)
class Called:
    """A client, the peer that it calls, and the relay between them."""

    client: SampleClient
    peer: Scripted
    relay: Relay
    clock: VirtualClock


@asynccontextmanager
async def calling(*, connect_timeout: float | None = None, **channel: Any) -> AsyncIterator[Called]:
    """A client on a virtual clock; keyword arguments are its channel's policy."""
    clock = VirtualClock()
    async with standing_in(SampleClient, DECLARED) as peer, relaying(peer.environ[target_variable("sample")]) as relay:
        calls = OutgoingPolicy(connect_timeout=connect_timeout)
        policy = DependencyPolicy(relay.address, calls, channel=ChannelPolicy(**channel))
        async with connection("sample", outbound(policy, clock=clock)) as connected:
            yield Called(SampleClient(connected), peer.scripted, relay, clock)


async def failure(client: SampleClient) -> DependencyError:
    with pytest.raises(DependencyError) as caught:
        await client.echo(Note())
    return caught.value


# -- keepalive ---------------------------------------------------------------------------------------------------


async def test_a_call_over_a_dead_connection_fails_once_a_ping_is_not_answered() -> None:
    async with calling(keepalive=PINGING) as sample:
        sample.peer.plays(waiting())
        waits = asyncio.create_task(failure(sample.client))
        await sample.peer.arrived()
        sample.relay.hold()
        async with asyncio.timeout(PATIENCE):
            error = await waits
        assert (error.code_received, error.broken) == (StatusCode.UNAVAILABLE, True)


async def test_a_dead_connection_without_calls_is_closed_where_it_may_be_pinged() -> None:
    async with calling(keepalive=ClientKeepalive(0.1, 0.1, permit_without_calls=True)) as sample:
        await sample.client.echo(Note())
        sample.relay.hold()
        await sample.relay.until_closed(1)


# -- whom calls go to --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "called"), [("pick_first", 1), ("round_robin", 2)])
async def test_calls_go_to_the_first_address_or_to_each_in_turn(policy: str, called: int) -> None:
    async with standing_in(SampleClient, DECLARED) as one, standing_in(SampleClient, DECLARED) as other:
        addresses = ",".join(peer.environ[target_variable("sample")] for peer in (one, other))
        declared = DependencyPolicy(f"ipv4:{addresses}", channel=ChannelPolicy(load_balancing=policy))
        async with connection("sample", outbound(declared)) as connected:
            client = SampleClient(connected)
            for peer in (one, other):
                peer.scripted.plays(answering(Note(text="x")))
            for _ in range(20):
                await client.echo(Note())
            assert sum(bool(peer.scripted.received) for peer in (one, other)) == called


# -- sizes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "fits"), [(None, False), (6 << 20, True), (4 << 20, False)])
async def test_a_response_is_as_large_as_the_policy_says(limit: int | None, fits: bool) -> None:
    async with calling(max_message_bytes=limit) as sample:
        sample.peer.plays(answering(Note(text="x" * (5 << 20))))
        if fits:
            await sample.client.echo(Note())
        else:
            assert (await failure(sample.client)).code_received is StatusCode.RESOURCE_EXHAUSTED


async def test_a_request_that_is_too_large_is_not_sent() -> None:
    async with calling(max_message_bytes=1000) as sample:
        with pytest.raises(DependencyError) as caught:
            await sample.client.echo(Note(text="x" * 1001))
        assert caught.value.code_received is StatusCode.RESOURCE_EXHAUSTED
        assert sample.peer.received == []


@pytest.mark.parametrize(("limit", "fits"), [(None, False), (40 << 10, True)])
async def test_metadata_is_as_large_as_the_policy_says(limit: int | None, fits: bool) -> None:
    async def script(received: Received) -> Messages:
        await received.read()
        received.call.set_trailer("x-large", "x" * (20 << 10))
        yield Note()

    async with calling(max_metadata_bytes=limit) as sample:
        sample.peer.plays(script)
        if fits:
            await sample.client.echo(Note())
        else:
            assert (await failure(sample.client)).code_received is StatusCode.RESOURCE_EXHAUSTED


# -- waiting for a connection ------------------------------------------------------------------------------------


async def test_a_call_waits_for_a_connection_no_longer_than_it_may() -> None:
    async with calling(connect_timeout=0.2) as sample:
        sample.relay.hold()  # it takes connections, and never says a word
        waits = asyncio.create_task(failure(sample.client))
        await sample.clock.until_waiting(1)
        await sample.clock.advance(0.2)
        async with asyncio.timeout(PATIENCE):
            error = await waits
        assert (error.code_received, error.broken, error.final) == (StatusCode.UNAVAILABLE, True, False)
        assert error.message_received == "there was no connection within 0.2 s"
        assert sample.clock.waiting == 0


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_calls_go_out_once_there_is_a_connection(method: Any) -> None:
    async with calling(connect_timeout=60.0) as sample:
        sample.relay.hold()
        calls = [asyncio.create_task(call_dependency(sample.client, method)) for _ in range(10)]
        await sample.clock.until_waiting(10)
        sample.relay.release()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*calls)
        assert (len(sample.peer.received), sample.relay.connections) == (10, 1)


async def test_waiting_for_a_connection_ends_with_the_calls_own_time() -> None:
    async with calling(connect_timeout=60.0) as sample:
        sample.relay.hold()
        waits = asyncio.create_task(sample.client.echo(Note(), timeout=0.2))
        await sample.clock.until_waiting(1)
        await sample.clock.advance(0.2)
        with pytest.raises(DependencyError) as caught:
            await asyncio.wait_for(waits, PATIENCE)
        assert (caught.value.code, caught.value.expired) == (StatusCode.DEADLINE_EXCEEDED, True)


async def test_a_caller_that_goes_while_it_waits_for_a_connection_leaves_nothing() -> None:
    async with calling(connect_timeout=60.0) as sample:
        sample.relay.hold()
        waits = asyncio.create_task(sample.client.echo(Note()))
        await sample.clock.until_waiting(1)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        assert sample.clock.waiting == 0


# -- replacement -------------------------------------------------------------------------------------------------


async def test_a_connection_that_is_old_enough_is_replaced() -> None:
    async with calling(max_connection_age=60.0) as sample:
        await sample.client.echo(Note())
        await sample.clock.advance(59.0)
        await sample.client.echo(Note())
        assert sample.relay.connections == 1
        await sample.clock.advance(1.0)
        await sample.client.echo(Note())
        assert sample.relay.connections == 2
        await sample.relay.until_closed(1)


async def test_calls_over_a_replaced_connection_go_on_to_their_end() -> None:
    async with calling(max_connection_age=60.0) as sample:
        finish = asyncio.Event()
        sample.peer.plays(waiting(finish))
        old = [asyncio.create_task(call_dependency(sample.client, method)) for method in METHODS]
        await sample.peer.have_arrived(len(old))
        await sample.clock.advance(60.0)
        new = asyncio.create_task(sample.client.echo(Note()))
        await sample.peer.have_arrived(len(old) + 1)
        assert (sample.relay.connections, sample.relay.closed) == (2, 0)
        finish.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*old, new)
        await sample.relay.until_closed(1)
        await sample.client.echo(Note())
        assert sample.relay.connections == 2
        assert sample.clock.waiting == 0


async def test_calls_over_a_replaced_connection_end_with_the_grace() -> None:
    async with calling(max_connection_age=60.0, max_connection_age_grace=5.0) as sample:
        sample.peer.plays(waiting())
        old = asyncio.create_task(failure(sample.client))
        received = await sample.peer.arrived()
        await sample.clock.advance(60.0)
        sample.peer.plays(answering())
        await sample.client.echo(Note())
        await sample.clock.advance(4.9)
        assert not old.done()
        await sample.clock.advance(0.1)
        async with asyncio.timeout(PATIENCE):
            assert (await old).code_received is StatusCode.CANCELLED
        await received.until_cancelled()

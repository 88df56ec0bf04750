"""Calls to a dependency that behaves badly, over real sockets: every attempt is counted where it arrives."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from grpc import StatusCode
from runtime.client.grpc_client import connection
from runtime.clock import LoopClock
from runtime.errors import DependencyError
from runtime.snapshot import (
    BreakerPolicy,
    DependencyPolicy,
    HedgingPolicy,
    IdempotencyKeyPolicy,
    OutgoingPolicy,
    RetryPolicy,
)
from runtime.testing import HurriedClock, VirtualClock

from tests.runtime.client.peer import Arrived, client_of, failing, listening, stalling, well
from tests.runtime.relay import relaying
from tests.runtime.sample_client import SampleClient, outbound
from tests.runtime.sample_service import Note

THRICE = RetryPolicy(max_attempts=3, initial_backoff=1.0, max_backoff=4.0, jitter="none")
AT_ONCE = RetryPolicy(max_attempts=3, initial_backoff=0.001, max_backoff=0.001, jitter="none")
LONG = 100_000
"""Bytes of an answer that takes several packets."""


async def failure(client: SampleClient) -> DependencyError:
    with pytest.raises(DependencyError) as caught:
        await client.echo(Note())
    return caught.value


async def lengthy(_: Arrived) -> bytes:
    content: bytes = Note(text="x" * LONG).SerializeToString()
    return content


async def test_of_all_codes_only_the_declared_ones_are_tried_again_and_exactly_as_often() -> None:
    codes = frozenset({"UNAVAILABLE", "ABORTED"})
    retry = RetryPolicy(max_attempts=4, initial_backoff=1.0, max_backoff=1.0, jitter="none", codes=codes)
    found = {}
    async with listening(well) as peer, client_of(peer.address, OutgoingPolicy(retry=retry), HurriedClock()) as client:
        for code in set(StatusCode) - {StatusCode.OK}:
            peer.arrived.clear()
            peer.behaves = failing(code)
            assert (await failure(client)).code_received is code
            found[code.name] = len(peer.arrived)
    assert found == {code.name: 4 if code.name in codes else 1 for code in set(StatusCode) - {StatusCode.OK}}


@pytest.mark.parametrize(("pushback", "attempts", "waited"), [("2500", 3, 5.0), ("-1", 1, 0.0), ("soon", 1, 0.0)])
async def test_pushback_is_obeyed(pushback: str, attempts: int, waited: float) -> None:
    clock = HurriedClock(start=0.0)
    pushing = failing(StatusCode.UNAVAILABLE, grpc_retry_pushback_ms=pushback)
    async with listening(pushing) as peer, client_of(peer.address, OutgoingPolicy(retry=THRICE), clock) as client:
        await failure(client)
    assert (len(peer.arrived), clock.now()) == (attempts, pytest.approx(waited))


async def test_no_attempt_begins_past_the_deadline_and_each_is_told_what_is_left_of_it() -> None:
    clock = HurriedClock(start=0.0)
    policy = OutgoingPolicy(
        retry=RetryPolicy(max_attempts=10, initial_backoff=1.0, max_backoff=1.0, jitter="none"), total_timeout=3.5
    )
    async with listening(failing(StatusCode.UNAVAILABLE)) as peer, client_of(peer.address, policy, clock) as client:
        await failure(client)
    given = [arrived.timeout for arrived in peer.arrived]
    assert given == [pytest.approx(left, abs=0.2) for left in (3.5, 2.5, 1.5, 0.5)]
    assert clock.now() == 3.0, "it fails as soon as no attempt would be in time"


async def test_every_attempt_has_the_same_key_and_knows_how_many_there_were() -> None:
    policy = OutgoingPolicy(retry=THRICE, idempotency=IdempotencyKeyPolicy("idempotency-key"))
    bad = failing(StatusCode.UNAVAILABLE)
    async with listening(bad) as peer, client_of(peer.address, policy, HurriedClock(), idempotent=False) as client:
        await failure(client)
        await failure(client)
    keys = [arrived.metadata["idempotency-key"] for arrived in peer.arrived]
    assert len(set(keys[:3])) == len(set(keys[3:])) == 1
    assert keys[0] != keys[3]
    earlier = [arrived.metadata.get("grpc-previous-rpc-attempts") for arrived in peer.arrived]
    assert earlier == [None, "1", "2"] * 2


async def test_what_may_happen_once_only_is_sent_once() -> None:
    bad = failing(StatusCode.UNAVAILABLE)
    policy = OutgoingPolicy(retry=THRICE)
    async with listening(bad) as peer, client_of(peer.address, policy, HurriedClock(), idempotent=False) as client:
        await failure(client)
    assert len(peer.arrived) == 1


async def test_attempts_that_stall_run_out_of_their_own_time_and_are_cancelled_over_there() -> None:
    policy = OutgoingPolicy(retry=AT_ONCE, attempt_timeout=0.05, total_timeout=5.0)
    async with listening(stalling) as peer, client_of(peer.address, policy) as client:
        error = await failure(client)
        assert (error.code_received, error.attempt_expired) == (StatusCode.DEADLINE_EXCEEDED, True)
        assert len(peer.arrived) == 3
        async with asyncio.timeout(5.0):
            for arrived in peer.arrived:
                await arrived.cancelled.wait()


async def test_an_answer_that_comes_late_is_not_taken_for_that_of_the_next_attempt() -> None:
    late = asyncio.Event()

    async def slow_first(arrived: Arrived) -> bytes:
        content: bytes = Note(text=arrived.metadata.get("grpc-previous-rpc-attempts", "0")).SerializeToString()
        if len(peer.arrived) == 1:
            await late.wait()
        else:
            late.set()
        return content

    policy = OutgoingPolicy(retry=AT_ONCE, attempt_timeout=0.2, total_timeout=5.0)
    async with listening(slow_first) as peer, client_of(peer.address, policy) as client:
        assert (await client.echo(Note())).text == "1"
    assert len(peer.arrived) == 2


async def test_an_answer_that_trickles_in_is_whole_in_the_end() -> None:
    async def short(_: Arrived) -> bytes:
        content: bytes = Note(text="x" * 1000).SerializeToString()
        return content

    async with listening(short) as peer, relaying(peer.address) as relay:
        relay.trickle()
        async with client_of(relay.address, OutgoingPolicy(retry=THRICE, total_timeout=20.0)) as client:
            assert len((await client.echo(Note())).text) == 1000
    assert len(peer.arrived) == 1


async def test_a_connection_that_is_reset_in_the_middle_of_an_answer_is_a_broken_one_and_the_attempt_is_made_again() -> (
    None
):
    policy = OutgoingPolicy(retry=AT_ONCE, total_timeout=20.0)
    async with (
        listening(lengthy) as peer,
        relaying(peer.address) as relay,
        client_of(relay.address, policy) as client,
    ):
        await client.echo(Note())
        relay.pass_answers(LONG // 2, then_reset=True)
        assert len((await client.echo(Note())).text) == LONG
        assert relay.connections == 2
    assert len(peer.arrived) == 1 + 2


async def test_half_an_answer_is_none_once_the_time_is_up() -> None:
    async with (
        listening(lengthy) as peer,
        relaying(peer.address) as relay,
        client_of(relay.address, OutgoingPolicy(attempt_timeout=0.2)) as client,
    ):
        relay.pass_answers(LONG // 2, then_reset=False)
        error = await failure(client)
        assert (error.code_received, error.broken) == (StatusCode.DEADLINE_EXCEEDED, True)
    assert len(peer.arrived) == 1


async def test_who_refuses_connections_is_not_reached_however_often_it_is_tried() -> None:
    async with listening(well) as peer, relaying(peer.address) as relay:
        relay.refuses = True
        async with client_of(relay.address, OutgoingPolicy(retry=AT_ONCE)) as client:
            error = await failure(client)
            assert (error.code_received, error.broken) == (StatusCode.UNAVAILABLE, True)
    assert peer.arrived == []


async def test_half_open_lets_exactly_its_number_out_under_a_hundred_callers_at_once() -> None:
    clock = VirtualClock()
    breaker = BreakerPolicy(failure_threshold=3, open_initial=5.0, open_jitter=0.0, half_open_calls=4)
    finish = asyncio.Event()

    async def once_told(_: Arrived) -> bytes:
        await finish.wait()
        return await well(_)

    bad = failing(StatusCode.UNAVAILABLE)
    policy = OutgoingPolicy(circuit_breaker=breaker)
    async with listening(bad) as peer, client_of(peer.address, policy, clock) as client:
        for _ in range(3):
            await failure(client)
        peer.arrived.clear()
        peer.behaves = once_told
        await clock.advance(5.0)
        crowd = [asyncio.create_task(client.echo(Note())) for _ in range(100)]
        await peer.have_arrived(4)
        finish.set()
        ended = await asyncio.gather(*crowd, return_exceptions=True)
    assert len(peer.arrived) == 4
    refused = [error.rejected_by for error in ended if isinstance(error, DependencyError)]
    assert refused == ["circuit_breaker"] * 96


async def test_a_hedge_that_loses_is_cancelled_over_there_before_the_call_returns_here() -> None:
    async def slow_first(arrived: Arrived) -> bytes:
        return await (stalling if arrived is peer.arrived[0] else well)(arrived)

    policy = OutgoingPolicy(hedging=HedgingPolicy(max_attempts=3, delay=0.02))
    async with listening(slow_first) as peer, client_of(peer.address, policy) as client:
        assert (await client.echo(Note())).text == "well"
        assert len(peer.arrived) >= 2
        async with asyncio.timeout(5.0):
            await peer.arrived[0].cancelled.wait()


async def test_a_dependency_that_returns_is_called_again_within_one_open_period() -> None:
    clock = VirtualClock()
    breaker = BreakerPolicy(failure_threshold=3, open_initial=5.0, open_jitter=0.0, half_open_calls=1)
    policy = DependencyPolicy("", OutgoingPolicy(circuit_breaker=breaker))
    async with (
        listening(well) as peer,
        relaying(peer.address) as relay,
        connection("sample", outbound(replace(policy, target=relay.address), clock=clock)) as connected,
    ):
        client = SampleClient(connected)
        await client.echo(Note())
        relay.refuses = True
        relay.reset()
        for _ in range(3):
            assert (await failure(client)).rejected_by == ""
        assert (await failure(client)).rejected_by == "circuit_breaker"
        relay.refuses = False
        channel = connected.channels.take()
        assert await channel.ready(5.0, LoopClock()), "gRPC itself waits for longer before it connects again"
        connected.channels.give_back(channel)
        peer.arrived.clear()
        await clock.advance(5.0)
        for _ in range(2):
            assert (await client.echo(Note())).text == "well"
    assert len(peer.arrived) == 2

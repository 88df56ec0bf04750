"""Rate limits and idempotency over real sockets: the four kinds of RPC, and both protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from grpc import StatusCode
from runtime.definition import Kind, Route
from runtime.routing import Router
from runtime.snapshot import IdempotencyPolicy, MethodPolicy, RateLimitKeyPolicy, RateLimitPolicy
from runtime.testing import Entry, Scripted, VirtualClock, answering, entries, serving, waiting

from tests.runtime.sample_service import CHAT, ECHO, GATHER, POLICIES, ROUTES, Note, definition

EVERYTHING = replace(
    definition(),
    router=Router(
        (
            *ROUTES,
            Route("POST", "/v1/gather", ("v1", "gather"), "", (), "*", "", GATHER),
            Route("GET", "/v1/chat", ("v1", "chat"), "", (), "", "", CHAT),
        )
    ),
)
WAYS = entries(EVERYTHING)


def with_policy(change: Callable[[MethodPolicy], MethodPolicy]) -> Any:
    methods = {path: change(policy) for path, policy in POLICIES.methods.items()}
    return replace(EVERYTHING, policies=replace(POLICIES, methods=methods))


def limited(**policy: Any) -> Any:
    limit = RateLimitPolicy("", **policy)
    return with_policy(lambda declared: replace(declared, rate_limit=limit))


def test_every_kind_comes_over_both_protocols() -> None:
    assert {(way.protocol, way.method.kind) for way in WAYS} == {(p, k) for p in ("grpc", "rest") for k in Kind}


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_a_call_over_the_limit_is_refused_before_its_handler_and_told_when_to_come_again(way: Entry) -> None:
    scripted, clock = Scripted(EVERYTHING, answering(*way.responses())), VirtualClock()
    async with serving(limited(rate=0.5, burst=2), scripted.application, clock=clock) as served:
        outcomes = [await served.client.call(way) for _ in range(3)]
        assert [outcome.code for outcome in outcomes] == [StatusCode.OK, StatusCode.OK, StatusCode.RESOURCE_EXHAUSTED]
        assert len(scripted.received) == 2
        refused = outcomes[2]
        assert refused.info.reason == "RATE_LIMITED"
        assert refused.retry_after == 2.0
        if not way.over_web_socket:
            assert refused.pushback == 2.0
            assert refused.headers.get("ratelimit") == '"rate";r=0;t=2'
        await clock.advance(2.0)
        assert (await served.client.call(way)).succeeded


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_a_call_waits_in_line_and_one_that_gives_up_takes_nothing(way: Entry) -> None:
    scripted, clock = Scripted(EVERYTHING, answering(*way.responses())), VirtualClock()
    async with serving(limited(rate=1.0, burst=1, timeout=30.0), scripted.application, clock=clock) as served:
        assert (await served.client.call(way)).succeeded
        before = clock.waiting
        gone = asyncio.create_task(served.client.call(way))
        await clock.until_waiting(before + 2)
        patient = asyncio.create_task(served.client.call(way))
        await clock.until_waiting(before + 3)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        async with asyncio.timeout(5):
            while len(served.server.in_flight) > 1:  # noqa: ASYNC110 - the peer's going takes its time on the socket
                await asyncio.sleep(0)
        await clock.advance(1.1)
        assert (await patient).succeeded
        assert len(scripted.received) == 2


async def test_limits_tell_callers_apart_by_the_same_metadata_over_both_protocols() -> None:
    key = RateLimitKeyPolicy("metadata:x-tenant", "reject")
    scripted = Scripted(EVERYTHING, answering(Note()))
    over_grpc, over_rest = next(way for way in WAYS if way.method is ECHO), next(way for way in WAYS if way.route)
    async with serving(limited(rate=0.5, burst=1, key=key), scripted.application, clock=VirtualClock()) as served:
        for way, tenant, code in (
            (over_grpc, "a", StatusCode.OK),
            (over_rest, "a", StatusCode.RESOURCE_EXHAUSTED),
            (over_rest, "b", StatusCode.OK),
            (over_grpc, "b", StatusCode.RESOURCE_EXHAUSTED),
        ):
            assert (await served.client.call(way, metadata=[("x-tenant", tenant)])).code is code
        answer = await served.client.http.get(f"{served.client.addresses.rest}/v1/echo/a", headers={"X-Tenant": "c"})
        assert answer.status_code == 200


ONCE = with_policy(lambda declared: replace(declared, idempotency=IdempotencyPolicy("idempotency-key")))
KEY = [("idempotency-key", "k")]


async def test_a_call_over_one_protocol_is_answered_over_the_other() -> None:
    over_grpc, over_rest = next(way for way in WAYS if way.method is ECHO), next(way for way in WAYS if way.route)
    request = Note(text="a", number=7)
    scripted = Scripted(EVERYTHING, answering(Note(text="answer")))
    async with serving(ONCE, scripted.application, clock=VirtualClock()) as served:
        first = await served.client.call(over_grpc, [request], metadata=KEY)
        again = await served.client.call(over_rest, [request], metadata=KEY)
    assert first.responses == again.responses == (Note(text="answer"),)
    assert again.headers.get("idempotent-replayed") == "true"
    assert len(scripted.received) == 1


async def test_the_key_of_a_caller_that_has_gone_stays_locked() -> None:
    go_on = asyncio.Event()
    scripted = Scripted(EVERYTHING, waiting(go_on))
    way = next(way for way in WAYS if way.method is ECHO)
    async with serving(ONCE, scripted.application, clock=VirtualClock()) as served:
        gone = asyncio.create_task(served.client.call(way, metadata=KEY))
        await scripted.arrived()
        gone.cancel()
        await scripted.last.until_cancelled()
        await served.until_idle()
        refused = await served.client.call(way, metadata=KEY)
    assert refused.code is StatusCode.ABORTED, "nobody knows how much the first call did"
    assert len(scripted.received) == 1


@pytest.mark.parametrize("way", [way for way in WAYS if way.method.kind is not Kind.UNARY], ids=str)
async def test_a_stream_with_a_key_runs_each_time(way: Entry) -> None:
    scripted = Scripted(EVERYTHING, answering(*way.responses()))
    async with serving(ONCE, scripted.application, clock=VirtualClock()) as served:
        for _ in range(2):
            assert (await served.client.call(way, metadata=KEY)).succeeded
    assert len(scripted.received) == 2

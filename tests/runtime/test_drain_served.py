"""A shutdown over real sockets: the four kinds of RPC, and both protocols."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import Message
from grpc import StatusCode
from runtime.classification import DRAINING_REASON
from runtime.hurry import Hurry
from runtime.shutdown import shut_down
from runtime.testing import PATIENCE, Entry, Messages, Outcome, Received, Scripted, answering, serving, waiting

from tests.runtime.sample_service import POLICIES, Note
from tests.runtime.test_limits_served import EVERYTHING, WAYS

PATIENT = replace(POLICIES.lifecycle, propagation_delay=0.0, drain_timeout=PATIENCE, cleanup_timeout=5.0)
every_way = pytest.mark.parametrize("way", WAYS, ids=str)


class Closing(Hurry):
    """A hurry whose pauses last until the test opens it: the server refuses calls, and has closed nothing yet."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        self.begun.set()
        await self.go_on.wait()


def assert_told_to_come_again(outcome: Outcome, way: Entry) -> None:
    """Code, reason, and one and the same time in RetryInfo, the pushback and Retry-After."""
    assert (outcome.code, outcome.info.reason) == (StatusCode.UNAVAILABLE, DRAINING_REASON)
    assert outcome.retry_after == 1.0
    if not way.over_web_socket:  # which has no trailers, and no headers after its upgrade
        assert outcome.pushback == 1.0
    if way.route is not None and not way.over_web_socket:
        assert (outcome.http, outcome.headers.get("retry-after")) == (503, "1")


@every_way
async def test_a_new_call_is_refused_and_one_in_progress_finishes(way: Entry) -> None:
    go_on, closing = asyncio.Event(), Closing()
    scripted = Scripted(EVERYTHING, waiting(go_on))
    async with serving(EVERYTHING, scripted.application) as served:
        inside = asyncio.create_task(served.client.call(way))
        await scripted.arrived()
        stopping = asyncio.create_task(served.server.stop_accepting(closing))
        await closing.begun.wait()

        scripted.script = answering(*way.responses())
        assert_told_to_come_again(await served.client.call(way), way)
        assert len(scripted.received) == 1

        closing.go_on.set()
        await stopping
        go_on.set()
        assert (await inside).succeeded


async def test_health_and_the_admin_port_answer_while_calls_are_refused() -> None:
    closing = Closing()
    async with serving(EVERYTHING, Scripted(EVERYTHING).application) as served:
        served.server.begin_drain()
        stopping = asyncio.create_task(served.server.stop_accepting(closing))
        await closing.begun.wait()
        assert await served.client.health() == "NOT_SERVING"
        assert await served.client.admin_page("/livez")  # raises where it is not 200
        closing.go_on.set()
        await stopping


@every_way
async def test_a_stream_goes_on_in_both_directions_until_it_ends(way: Entry) -> None:
    draining = asyncio.Event()
    open_ended = way.method.kind.streams_requests and (way.route is None or way.over_web_socket)
    first, *_ = way.requests()

    async def sending() -> AsyncIterator[Message]:
        yield first
        await draining.wait()
        yield first

    async def talking(received: Received) -> Messages:
        if way.method.kind.streams_responses:
            yield Note(text="before")
        if not open_ended:
            await draining.wait()
        await received.read()
        yield Note(text="after")

    scripted = Scripted(EVERYTHING, talking)
    definition = replace(EVERYTHING, policies=replace(POLICIES, lifecycle=PATIENT))
    async with serving(definition, scripted.application) as served:
        call = asyncio.create_task(served.client.call(way, sending() if open_ended else None))
        received = await scripted.arrived()
        stopping = asyncio.create_task(served.stop())
        await served.client.until_sent_away()
        draining.set()
        outcome = await call
        shutdown = await stopping
    assert outcome.succeeded
    assert outcome.responses[-1] == Note(text="after")
    assert len(received.requests) == (2 if open_ended else len(way.requests()))
    assert (shutdown.ended, shutdown.stuck, shutdown.failed) == (0, 0, ())


@every_way
async def test_what_outlasts_the_drain_is_ended_and_told_when_to_come_again(way: Entry) -> None:
    scripted = Scripted(EVERYTHING, waiting())
    async with serving(EVERYTHING, scripted.application) as served:
        call = asyncio.create_task(served.client.call(way))
        received = await scripted.arrived()
        shutdown = await shut_down(served.server, replace(PATIENT, drain_timeout=0.05))
        assert shutdown.ended == 1
        assert_told_to_come_again(await call, way)
        await received.until_cancelled()


@pytest.mark.parametrize("way", [way for way in WAYS if way.method.kind.streams_responses], ids=str)
async def test_a_stream_that_has_begun_is_ended_too(way: Entry) -> None:
    begun = asyncio.Event()

    async def endless(received: Received) -> Any:
        yield Note(text="before")
        begun.set()
        await asyncio.Event().wait()

    scripted = Scripted(EVERYTHING, endless)
    async with serving(EVERYTHING, scripted.application) as served:
        call = asyncio.create_task(served.client.call(way))
        await begun.wait()
        shutdown = await shut_down(served.server, replace(PATIENT, drain_timeout=0.05))
        outcome = await call
        await scripted.last.until_cancelled()
    assert shutdown.ended == 1
    if way.route is not None and not way.over_web_socket:  # a JSON array that has begun is cut off
        assert outcome.code is StatusCode.UNAVAILABLE
    else:
        assert outcome.responses == (Note(text="before"),)
        assert_told_to_come_again(outcome, way)

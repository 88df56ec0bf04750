"""Scripted handlers, the client of both protocols, and the check for what a server leaves behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from google.protobuf import json_format
from grpc import StatusCode
from runtime.client.bulkhead import Permits
from runtime.definition import Kind
from runtime.errors import ServiceError
from runtime.policies.concurrency import Fixed, Limiter
from runtime.shared import Shared
from runtime.snapshot import DeadlinePolicy
from runtime.testing import (
    Client,
    Entry,
    RestRequest,
    Scripted,
    answering,
    direct_call,
    echoing,
    entries,
    failing,
    nothing_left_behind,
    one_of_each,
    sample,
    serving,
    under_test,
    unfinished,
    unknown_rpcs,
    unrouted,
    waiting,
    wrong_verbs,
)

from tests.runtime.sample_service import ECHO, Note, OutOfStock, Sample, application, definition

ENTRIES = entries(definition())
EACH = one_of_each(ENTRIES)
(BIDI,) = (entry for entry in ENTRIES if entry.method.kind is Kind.BIDI)


@pytest.fixture
def scripted() -> Scripted:
    return Scripted(definition())


@pytest.fixture
async def client(scripted: Scripted) -> AsyncIterator[Client]:
    async with serving(under_test(definition()), scripted.application) as served:
        yield served.client


def test_every_rpc_and_every_route_is_an_entry() -> None:
    assert [str(entry) for entry in ENTRIES] == [
        "grpc /sample.v1.Sample/Echo",
        "grpc /sample.v1.Sample/Gather",
        "grpc /sample.v1.Sample/Count",
        "grpc /sample.v1.Sample/Chat",
        "rest POST /v1/echo",
        "rest GET /v1/echo/{text}",
        "rest GET /v1/count/{number}",
    ]


def test_one_of_each_has_every_protocol_and_kind_once() -> None:
    found = [(entry.protocol, entry.method.kind) for entry in EACH]
    assert len(found) == len(set(found)) == 6


@pytest.mark.parametrize("entry", EACH, ids=str)
async def test_a_stand_in_answers_and_notes_what_it_got(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(answering(*entry.responses()))
    outcome = await client.call(entry)
    assert outcome.succeeded
    assert outcome.responses == entry.responses()
    assert tuple(scripted.last.requests) == entry.requests()


@pytest.mark.parametrize("entry", EACH, ids=str)
async def test_a_failure_reads_alike_over_both_protocols(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(failing(lambda: ServiceError(StatusCode.UNAVAILABLE, "later", reason="LATER", retry_after=1.5)))
    outcome = await client.call(entry)
    assert (outcome.code, outcome.message, outcome.info.reason) == (StatusCode.UNAVAILABLE, "later", "LATER")
    assert outcome.retry_after == 1.5
    assert outcome.pushback == (2 if entry.protocol == "rest" else 1.5)


@pytest.mark.parametrize("shape", ["google", "problem", "status"])
async def test_every_error_shape_is_read(scripted: Scripted, shape: str) -> None:
    rest = replace(definition().policies.rest, errors=shape)
    scripted.plays(failing(lambda: OutOfStock(sku="a", available=3)))
    async with serving(under_test(definition(rest=rest)), scripted.application) as served:
        grpc, *_, over_rest = [await served.client.call(entry) for entry in EACH]
    assert json_format.MessageToDict(over_rest.status) == json_format.MessageToDict(grpc.status)
    assert over_rest.http == 409


@pytest.mark.parametrize("entry", EACH, ids=str)
async def test_cancelling_a_call_stops_its_stand_in(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(waiting())
    calling = asyncio.create_task(client.call(entry))
    received = await scripted.arrived()
    assert not received.cancelled.is_set()
    calling.cancel()
    await received.until_cancelled()


async def test_an_unfinished_request_stream_keeps_the_call_open(client: Client, scripted: Scripted) -> None:
    scripted.plays(answering())
    calling = asyncio.create_task(client.call(BIDI, unfinished(sample(Note))))
    received = await scripted.arrived()
    assert not received.left.is_set()
    calling.cancel()
    await received.until_cancelled()


async def test_a_conversation_is_answered_request_by_request(client: Client, scripted: Scripted) -> None:
    scripted.plays(echoing(Note(text="answer")))
    assert await client.converse(BIDI, BIDI.requests()) == (Note(text="answer"),) * 3


async def test_health_is_asked_and_watched(client: Client) -> None:
    assert await client.health("sample.v1.Sample") == "SERVING"
    async for status in client.watch_health():
        assert status == "SERVING"
        break


@pytest.mark.parametrize("entry", unknown_rpcs(definition()), ids=str)
async def test_an_rpc_that_is_not_there_is_unimplemented(client: Client, entry: Entry) -> None:
    assert (await client.call(entry)).code is StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("path", unrouted(definition()))
async def test_a_path_that_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert (await client.send(RestRequest("GET", path))).http == 404


async def test_every_route_has_a_verb_that_it_refuses(client: Client) -> None:
    assert len(wrong_verbs(definition())) == 3
    for _, wrong in wrong_verbs(definition()):
        assert (await client.send(wrong)).http == 405


async def test_a_server_that_is_gone_is_unavailable_over_both_protocols(scripted: Scripted) -> None:
    async with serving(under_test(definition()), scripted.application) as served:
        await served.stop()
        assert {(await served.client.call(entry)).code for entry in EACH} == {StatusCode.UNAVAILABLE}


async def test_a_definition_under_test_may_have_other_deadlines(scripted: Scripted) -> None:
    deadline = DeadlinePolicy(default=3.0, max=4.0, min_remaining=0.0, reserve=0.0)
    scripted.plays(answering())
    async with serving(under_test(definition(), deadline=deadline), scripted.application) as served:
        await served.client.call(Entry(ECHO))
        assert scripted.last.timeout == pytest.approx(3.0)
        await served.client.call(Entry(ECHO), deadline=3600)
        assert scripted.last.timeout == pytest.approx(4.0)


async def test_a_users_own_handlers_are_served_as_well() -> None:
    async with serving(definition(), application(Sample())) as served:
        outcome = await served.client.call(Entry(ECHO), [Note(text="out-of-stock")])
    assert outcome.info.reason == "OUT_OF_STOCK"


async def test_a_handler_can_be_called_directly() -> None:
    call = direct_call(ECHO, metadata=[("x-tenant", "a")], deadline=5.0)
    assert await Sample().echo(Note(text="hello"), call) == Note(text="hello")
    assert call.metadata.get("x-tenant") == "a"
    assert 4.0 < (call.time_remaining() or 0) <= 5.0


async def test_a_whole_server_leaves_no_task(scripted: Scripted) -> None:
    scripted.plays(answering())
    async with nothing_left_behind(), serving(under_test(definition()), scripted.application) as served:
        for entry in EACH:
            await served.client.call(entry)


async def test_a_timer_and_sockets_that_are_left_are_told() -> None:
    check = nothing_left_behind(within=0.01)
    await check.__aenter__()
    pair = socket.socketpair()
    timer = asyncio.get_running_loop().call_later(60, asyncio.Event().set)
    with pytest.raises(AssertionError, match=r"left behind: socket \(2\), timer Event.set$"):
        await check.__aexit__(None, None, None)
    timer.cancel()
    for each in pair:
        each.close()


async def test_a_permit_that_no_call_gave_back_is_told(scripted: Scripted) -> None:
    service = serving(under_test(definition()), scripted.application)
    served = await service.__aenter__()
    served.server.shared.one("calls", lambda: Limiter(Fixed(2))).acquire(0)
    with pytest.raises(AssertionError, match=r"permits that no call gave back: \{'calls': 1\}"):
        await served.until_idle()
    with pytest.raises(AssertionError, match=r"permits that no call gave back: \{'calls': 1\}"):
        await service.__aexit__(None, None, None)


def test_what_dependencies_hold_is_told_by_dependency() -> None:
    shared = Shared()
    permits = shared.one(("dependency", "stock"), Shared).one(("bulkhead", ""), lambda: Permits(2))
    assert permits.take()
    assert shared.held() == {"('dependency', 'stock') ('bulkhead', '')": 1}
    permits.give_back()
    assert shared.held() == {}


async def test_a_task_that_is_left_is_named() -> None:
    async def forgotten() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="forgotten"):
        async with nothing_left_behind(within=0.01):
            task = asyncio.create_task(forgotten())
    task.cancel()

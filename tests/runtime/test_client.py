"""Calls to a dependency over real sockets: what goes onward, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from grpc import StatusCode
from runtime.background import Background
from runtime.call import Call, Header
from runtime.current import current_call
from runtime.errors import DependencyError, ServiceError, has_reason
from runtime.targets import target_variable
from runtime.testing import Received, answering, echoing, failing, nothing_left_behind, waiting
from runtime.testing.dependencies import PEER_DOMAIN, call_dependency

from tests.runtime.fake_call import call_of
from tests.runtime.sample_client import SampleClient, calling
from tests.runtime.sample_service import CHAT, COUNT, ECHO, GATHER, OUT_OF_STOCK, Note

METHODS = (ECHO, GATHER, COUNT, CHAT)
ids = [method.name for method in METHODS]
HIDDEN = "what the peer keeps to itself"
TRACE = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", "trace_flags": 1}


async def notes(*texts: str) -> AsyncIterator[Any]:
    for text in texts:
        yield Note(text=text)


def serve(metadata: tuple[Header, ...] = (), **facts: Any) -> Call:
    """Makes the running task the one that serves a call."""
    call = call_of(metadata=metadata)
    for name, value in facts.items():
        setattr(call, name, value)
    current_call.set(call)
    return call


# -- the four kinds ----------------------------------------------------------------------------------------------


async def test_a_unary_call_brings_its_response() -> None:
    async with calling() as sample:
        sample.peer.plays(answering(Note(text="b")))
        assert await sample.client.echo(Note(text="a")) == Note(text="b")
        assert sample.peer.last.requests == [Note(text="a")]


async def test_a_request_stream_arrives_whole_and_in_order() -> None:
    async with calling() as sample:
        sample.peer.plays(answering(Note(text="all")))
        assert await sample.client.gather(notes("a", "b", "c")) == Note(text="all")
        assert sample.peer.last.requests == [Note(text="a"), Note(text="b"), Note(text="c")]


async def test_a_response_stream_is_iterated_as_it_comes() -> None:
    async with calling() as sample:
        sample.peer.plays(answering(Note(number=1), Note(number=2)))
        assert [note.number async for note in sample.client.count(Note())] == [1, 2]


async def test_both_streams_go_on_at_once() -> None:
    async with calling() as sample:
        sample.peer.plays(echoing(Note(text="yes")))
        answered = asyncio.Event()

        async def questions() -> AsyncIterator[Any]:
            yield Note(text="a")
            await answered.wait()
            yield Note(text="b")

        answers = []
        async for note in sample.client.chat(questions()):
            answers.append(note)
            answered.set()
        assert len(answers) == 2


# -- the deadline onward -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_the_current_calls_deadline_goes_onward_less_its_reserve(method: Any) -> None:
    async with calling(total_timeout=60.0) as sample:
        serve(deadline=asyncio.get_running_loop().time() + 20.0, reserve=5.0)
        await call_dependency(sample.client, method)
        assert sample.peer.last.timeout == pytest.approx(15.0, abs=1.0)


@pytest.mark.parametrize(
    ("policy", "asked", "expected"),
    [
        ({"total_timeout": 7.0}, None, 7.0),
        ({"total_timeout": 7.0, "attempt_timeout": 3.0}, None, 3.0),
        ({"total_timeout": 7.0}, 2.0, 2.0),
        ({"total_timeout": 7.0}, 60.0, 7.0),
        ({}, 4.0, 4.0),
    ],
)
async def test_the_least_of_all_timeouts_holds(policy: Any, asked: float | None, expected: float) -> None:
    async with calling(**policy) as sample:
        serve(deadline=asyncio.get_running_loop().time() + 20.0)
        await sample.client.echo(Note(), timeout=asked)
        assert sample.peer.last.timeout == pytest.approx(expected, abs=0.5)


async def test_without_any_timeout_there_is_no_deadline() -> None:
    async with calling() as sample:
        await sample.client.echo(Note())
        assert sample.peer.last.timeout is None


async def test_work_that_outlives_its_call_has_the_dependencys_timeout_alone() -> None:
    async with calling(total_timeout=7.0) as sample:
        serve(deadline=asyncio.get_running_loop().time() + 1.0, request_id="r-1")
        await Background().spawn(sample.client.echo(Note()))
        assert sample.peer.last.timeout == pytest.approx(7.0, abs=0.5)
        assert sample.peer.last.call.request_id == "r-1"


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_no_call_is_begun_without_time_for_it(method: Any) -> None:
    async with calling() as sample:
        serve(deadline=asyncio.get_running_loop().time() + 1.0, reserve=2.0)
        with pytest.raises(DependencyError) as caught:
            await call_dependency(sample.client, method)
        assert (caught.value.code, caught.value.code_received) == (StatusCode.DEADLINE_EXCEEDED,) * 2
        assert caught.value.message_received == "no time was left to call it"  # gRPC was not asked
        assert sample.peer.received == []


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_a_call_that_outlasts_its_time_is_deadline_exceeded_and_the_peer_is_told(method: Any) -> None:
    async with calling(total_timeout=0.1) as sample:
        sample.peer.plays(waiting())
        with pytest.raises(DependencyError) as caught:
            await call_dependency(sample.client, method)
        assert caught.value.code is StatusCode.DEADLINE_EXCEEDED
        await sample.peer.last.until_cancelled()


# -- metadata onward ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_request_id_and_trace_context_go_onward(method: Any) -> None:
    async with calling() as sample:
        serve(request_id="r-1", trace_state="vendor=1", **TRACE)
        await call_dependency(sample.client, method)
        seen = sample.peer.last.call
        assert (seen.request_id, seen.trace_id, seen.trace_state) == ("r-1", TRACE["trace_id"], "vendor=1")
        assert seen.metadata.get("traceparent") == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_the_criticality_goes_onward(method: Any) -> None:
    async with calling() as sample:
        serve(criticality="SHEDDABLE_PLUS")
        await call_dependency(sample.client, method)
        seen = sample.peer.last.call
        assert seen.metadata.get_all("x-criticality") == ["SHEDDABLE_PLUS"]
        assert seen.criticality == "SHEDDABLE_PLUS"  # the peer's method is CRITICAL


async def test_the_metadata_that_the_spec_names_goes_onward_and_no_other() -> None:
    async with calling() as sample:
        serve((("x-tenant", "a"), ("x-tenant", "b"), ("authorization", "secret")), request_id="r-1")
        await sample.client.echo(Note())
        metadata = sample.peer.last.call.metadata
        assert metadata.get_all("x-tenant") == ["a", "b"]
        assert metadata.get("authorization") is None


async def test_a_request_id_that_is_named_for_propagation_goes_onward_once() -> None:
    async with calling() as sample:
        serve((("x-request-id", "as it came"),), request_id="r-1")
        await sample.client.echo(Note())
        assert sample.peer.last.call.metadata.get_all("x-request-id") == ["r-1"]


async def test_metadata_given_to_the_call_wins() -> None:
    async with calling() as sample:
        serve((("x-tenant", "a"),), request_id="r-1")
        await sample.client.echo(Note(), metadata=[("X-Tenant", "b"), ("x-request-id", "r-2"), ("x-own-bin", b"\xff")])
        metadata = sample.peer.last.call.metadata
        assert metadata.get_all("x-tenant") == ["b"]
        assert metadata.get_all("x-request-id") == ["r-2"]
        assert metadata.get("x-own-bin") == b"\xff"


async def test_a_value_that_grpc_cannot_carry_is_left_out_and_fails_nothing() -> None:
    async with calling() as sample:
        serve((("x-tenant", "caf\xe9"), ("x-tenant", "b")))
        await sample.client.echo(Note())
        assert sample.peer.last.call.metadata.get_all("x-tenant") == ["b"]


@pytest.mark.parametrize("pair", [("x a", "b"), ("x-a", "b\n"), ("x-a-bin", "text"), ("x-a", b"bytes")])
async def test_metadata_that_no_call_can_have_is_refused(pair: Header) -> None:
    async with calling() as sample:
        with pytest.raises(ValueError, match="header"):
            await sample.client.echo(Note(), metadata=[pair])
        assert sample.peer.received == []


async def test_outside_of_a_call_only_what_is_given_goes_onward() -> None:
    async with calling() as sample:
        await sample.client.echo(Note(), metadata=[("x-tenant", "a")])
        metadata = sample.peer.last.call.metadata
        assert metadata.get("x-tenant") == "a"
        assert metadata.get("traceparent") is None


# -- errors --------------------------------------------------------------------------------------------------------


def out_of_stock() -> ServiceError:
    return ServiceError(StatusCode.FAILED_PRECONDITION, HIDDEN, reason="OUT_OF_STOCK", metadata={"sku": "a"})


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_a_handler_sees_all_that_the_peer_said(method: Any) -> None:
    async with calling() as sample:
        sample.peer.plays(failing(out_of_stock))
        with pytest.raises(DependencyError) as caught:
            await call_dependency(sample.client, method)
        error = caught.value
        assert (error.dependency, error.method) == ("sample", method.path)
        assert (error.code_received, error.message_received) == (StatusCode.FAILED_PRECONDITION, HIDDEN)
        assert (error.reason_received, error.domain_received) == ("OUT_OF_STOCK", PEER_DOMAIN)
        assert error.metadata_received == {"sku": "a"}
        assert all(part in str(error) for part in ("sample", method.path, "FAILED_PRECONDITION", HIDDEN))


async def test_the_caller_would_see_unavailable_and_nothing_of_it() -> None:
    async with calling() as sample:
        sample.peer.plays(failing(out_of_stock))
        with pytest.raises(DependencyError) as caught:
            await sample.client.echo(Note())
        error = caught.value
        assert (error.code, error.reason, error.http) == (StatusCode.UNAVAILABLE, "UNAVAILABLE", 503)
        assert (error.message, dict(error.metadata), error.details) == ("a dependency is unavailable", {}, ())


async def test_a_predicate_goes_by_reason_and_domain() -> None:
    async with calling() as sample:
        sample.peer.plays(failing(out_of_stock))
        with pytest.raises(DependencyError) as caught:
            await sample.client.echo(Note())
        assert has_reason(caught.value, OUT_OF_STOCK.reason, PEER_DOMAIN)
        assert not has_reason(caught.value, OUT_OF_STOCK.reason, "sample.example.com")
        assert not has_reason(caught.value, "LEDGER_DOWN", PEER_DOMAIN)


async def test_a_deadline_of_the_peers_own_is_no_deadline_of_ours() -> None:
    async with calling(total_timeout=20.0) as sample:
        sample.peer.plays(failing(lambda: ServiceError(StatusCode.DEADLINE_EXCEEDED)))
        with pytest.raises(DependencyError) as caught:
            await sample.client.echo(Note())
        assert (caught.value.code, caught.value.code_received) == (
            StatusCode.UNAVAILABLE,
            StatusCode.DEADLINE_EXCEEDED,
        )


async def test_what_came_before_a_stream_failed_is_there() -> None:
    async with calling() as sample:
        sample.peer.plays(failing(out_of_stock, Note(number=1)))
        async with aclosing(sample.client.count(Note())) as numbers:
            assert await anext(numbers) == Note(number=1)
            with pytest.raises(DependencyError, match="OUT_OF_STOCK"):
                await anext(numbers)


# -- cancellation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_cancelling_the_handler_cancels_the_call(method: Any) -> None:
    async with nothing_left_behind(), calling() as sample:
        sample.peer.plays(waiting())
        handler = asyncio.create_task(call_dependency(sample.client, method))
        received = await sample.peer.arrived()
        handler.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handler
        await received.until_cancelled()


async def test_a_response_stream_that_is_closed_early_is_cancelled() -> None:
    async def endless(received: Received) -> Any:
        async for _ in received.each():
            pass
        while True:
            yield Note()

    async with calling() as sample:
        sample.peer.plays(endless)
        async with aclosing(sample.client.count(Note())) as numbers:
            await anext(numbers)
        await sample.peer.last.until_cancelled()


async def test_a_response_stream_that_nobody_iterates_is_never_called() -> None:
    async with calling() as sample:
        await sample.client.count(Note()).aclose()
        assert sample.peer.received == []


# -- what is put in its place ------------------------------------------------------------------------------------------


async def test_a_subclass_without_a_connection_stands_in_for_a_dependency() -> None:
    class Fake(SampleClient):
        async def echo(self, request: Any, **_: Any) -> Any:
            return Note(text=f"fake {request.text}")

    fake = Fake()
    assert await fake.echo(Note(text="a")) == Note(text="fake a")
    with pytest.raises(RuntimeError, match="Fake has no connection, and does not override gather"):
        await fake.gather(notes())


def test_the_target_has_a_variable_of_the_dependencys_name() -> None:
    assert target_variable("fx-rates") == "FX_RATES_TARGET"

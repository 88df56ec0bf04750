"""Calls that go wrong below the application: peers that misbehave, streams that raise, channels that close."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc import StatusCode, aio
from runtime.client.grpc_client import connection
from runtime.errors import DependencyError, ServiceError
from runtime.snapshot import DependencyPolicy, OutgoingPolicy
from runtime.testing import answering, nothing_left_behind, waiting
from runtime.testing.dependencies import call_dependency

from tests.runtime.sample_client import SampleClient, calling, outbound
from tests.runtime.sample_service import CHAT, COUNT, ECHO, GATHER, Note

METHODS = (ECHO, GATHER, COUNT, CHAT)
ids = [method.name for method in METHODS]
RESPONDERS = (ECHO, COUNT)


class Peer(grpc.GenericRpcHandler):
    """A bare grpc.aio server: answers with bytes that are no message, or with a code of its own."""

    def __init__(self, content: bytes = b"", code: StatusCode | None = None) -> None:
        self.calls = 0
        self._content = content
        self._code = code

    def service(self, details: Any) -> Any:
        async def unary(request: bytes, context: Any) -> bytes:
            return await self._answer(context)

        async def stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
            yield await self._answer(context)

        if details.method == COUNT.path:
            return grpc.unary_stream_rpc_method_handler(stream)  # type: ignore[arg-type]  # typed for the sync server
        return grpc.unary_unary_rpc_method_handler(unary)  # type: ignore[arg-type]

    async def _answer(self, context: Any) -> bytes:
        self.calls += 1
        if self._code is not None:
            await context.abort(self._code, "the peer's text")
        return self._content


@asynccontextmanager
async def client_of(target: str, **policy: Any) -> AsyncIterator[SampleClient]:
    async with connection("sample", outbound(DependencyPolicy(target, OutgoingPolicy(**policy)))) as connected:
        yield SampleClient(connected)


@asynccontextmanager
async def facing(peer: Peer) -> AsyncIterator[SampleClient]:
    server = aio.server()
    server.add_generic_rpc_handlers((peer,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with client_of(f"127.0.0.1:{port}") as client:
            yield client
    finally:
        await server.stop(None)


@pytest.mark.parametrize("method", RESPONDERS, ids=lambda method: method.name)
async def test_an_answer_that_is_no_message_is_an_error_and_not_none(method: Any) -> None:
    async with facing(Peer(content=b"\xff\xff")) as client:
        with pytest.raises(DependencyError, match=r"the answer is no sample\.v1\.Note") as caught:
            await call_dependency(client, method)
        assert (caught.value.code, caught.value.code_received) == (StatusCode.UNAVAILABLE, StatusCode.INTERNAL)


@pytest.mark.parametrize("method", RESPONDERS, ids=lambda method: method.name)
async def test_a_peer_that_answers_cancelled_cancels_nobody_here(method: Any) -> None:
    async with facing(Peer(code=StatusCode.CANCELLED)) as client:
        with pytest.raises(DependencyError) as caught:
            await call_dependency(client, method)
        assert (caught.value.code_received, caught.value.message_received) == (StatusCode.CANCELLED, "the peer's text")


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_a_peer_that_is_not_there_is_unavailable(method: Any) -> None:
    async with client_of("127.0.0.1:1") as client:
        with pytest.raises(DependencyError) as caught:
            await call_dependency(client, method)
        assert (caught.value.code, caught.value.code_received) == (StatusCode.UNAVAILABLE, StatusCode.UNAVAILABLE)


async def test_grpc_makes_no_second_attempt_of_its_own() -> None:
    peer = Peer(code=StatusCode.UNAVAILABLE)
    async with facing(peer) as client:
        with pytest.raises(DependencyError):
            await client.echo(Note())
    assert peer.calls == 1


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_a_call_whose_channel_is_closed_fails_and_cancels_nobody(method: Any) -> None:
    async with calling() as sample:
        sample.peer.plays(waiting())
        async with client_of(sample.target) as client:
            handler = asyncio.create_task(call_dependency(client, method))
            await sample.peer.arrived()
        with pytest.raises(DependencyError) as caught:
            await handler
        assert caught.value.code_received is StatusCode.CANCELLED


# -- request streams -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [GATHER, CHAT], ids=["Gather", "Chat"])
async def test_what_a_request_stream_raises_reaches_the_handler_and_cancels_the_call(method: Any) -> None:
    async def broken() -> AsyncIterator[Any]:
        yield Note()
        await sample.peer.arrived()
        raise LookupError("from the handler's own stream")

    async with nothing_left_behind(), calling() as sample:
        sample.peer.plays(waiting())
        with pytest.raises(LookupError, match="own stream"):
            await all_of(sample.client, method, broken())
        await sample.peer.last.until_cancelled()


@pytest.mark.parametrize("method", [GATHER, CHAT], ids=["Gather", "Chat"])
async def test_a_request_stream_is_not_read_on_once_the_peer_has_answered(method: Any) -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[Any]:
        try:
            yield Note()
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def answers_at_once(received: Any) -> Any:
        yield Note(text="enough")

    async with nothing_left_behind(), calling() as sample:
        sample.peer.plays(answers_at_once)
        assert await all_of(sample.client, method, endless()) == [Note(text="enough")]
        assert stopped.is_set()


@pytest.mark.parametrize("method", [GATHER, CHAT], ids=["Gather", "Chat"])
async def test_a_refusal_is_seen_as_it_is_while_requests_are_still_on_their_way(method: Any) -> None:
    async def many() -> AsyncIterator[Any]:
        for number in range(30):
            yield Note(number=number)

    async def refuses(received: Any) -> Any:
        raise ServiceError(StatusCode.NOT_FOUND)
        yield

    async with calling() as sample:
        sample.peer.plays(refuses)
        for _ in range(20):  # grpc.aio's own write loses nearly every one
            with pytest.raises(DependencyError) as caught:
                await all_of(sample.client, method, many())
            assert caught.value.code_received is StatusCode.NOT_FOUND


@pytest.mark.parametrize("method", METHODS, ids=ids)
async def test_a_message_of_another_type_is_refused_before_it_is_sent(method: Any) -> None:
    async def wrong() -> AsyncIterator[Any]:
        yield StringValue()

    async with calling() as sample:
        sample.peer.plays(answering())
        with pytest.raises(TypeError, match=f"{method.path} takes Note, not StringValue"):
            await all_of(sample.client, method, wrong() if method.kind.streams_requests else StringValue())


async def all_of(client: SampleClient, method: Any, given: Any) -> list[Any]:
    call: Any = getattr(client, method.handler)
    if method.kind.streams_responses:
        return [message async for message in call(given)]
    return [await call(given)]

"""gRPC calls of the four kinds: messages, metadata, headers, trailers, deadlines, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from grpc import StatusCode, aio
from runtime.call import Call
from runtime.errors import ServiceError
from runtime.health import Health
from runtime.transport.grpc_aio import GrpcTransport

from tests.runtime.wire_service import (
    CHAT,
    COUNT,
    GATHER,
    UNARY,
    Item,
    Served,
    Wire,
    definition,
    multicallable,
    serving,
)


async def items(*names: str) -> AsyncIterator[Any]:
    for name in names:
        yield Item(name=name)


async def test_each_kind_carries_its_messages() -> None:
    async with serving(Wire()) as served:
        assert await multicallable(served.grpc, UNARY)(Item(name="a")) == Item(name="a")
        assert await multicallable(served.grpc, GATHER)(items("a", "b")) == Item(i32=2, tags=["a", "b"])
        counted = [item.i32 async for item in multicallable(served.grpc, COUNT)(Item(i32=3))]
        assert counted == [0, 1, 2]
        assert [item.name async for item in multicallable(served.grpc, CHAT)(items("a", "b"))] == ["a", "b"]


async def test_streams_may_be_empty_both_ways() -> None:
    async with serving(Wire()) as served:
        assert await multicallable(served.grpc, GATHER)(items()) == Item()
        assert [item async for item in multicallable(served.grpc, COUNT)(Item())] == []
        assert [item async for item in multicallable(served.grpc, CHAT)(items())] == []


async def test_a_bidirectional_stream_answers_while_it_is_being_asked() -> None:
    async with serving(Wire()) as served:
        call = multicallable(served.grpc, CHAT)()
        for name in ("a", "b", "c"):
            await call.write(Item(name=name))
            assert (await call.read()).name == name
        await call.done_writing()
        assert await call.code() is StatusCode.OK


async def test_a_call_knows_its_metadata_peer_protocol_and_method() -> None:
    handler = Wire()
    async with serving(handler) as served:
        metadata = (("x-tenant", "a"), ("x-tenant", "b"), ("trace-bin", b"\x00\xff"))
        await multicallable(served.grpc, UNARY)(Item(), metadata=metadata)
    call = handler.calls[0]
    assert call.metadata.get_all("X-Tenant") == ["a", "b"]
    assert call.metadata.get("trace-bin") == b"\x00\xff"
    assert (call.protocol, call.method, call.route) == ("grpc", UNARY, None)
    assert call.peer.startswith("ipv4:127.0.0.1:")


async def test_a_client_without_a_deadline_has_none_and_one_with_a_deadline_has_that() -> None:
    handler = Wire()
    async with serving(handler) as served:
        await multicallable(served.grpc, UNARY)(Item())
        await multicallable(served.grpc, UNARY)(Item(), timeout=5)
    without, with_one = (call.client_timeout for call in handler.calls)
    assert without is None
    assert with_one is not None
    assert 4 < with_one < 5.1


@pytest.mark.parametrize("method", [UNARY, GATHER, COUNT, CHAT], ids=lambda method: method.name)
@pytest.mark.parametrize("early", [False, True], ids=["with the answer", "before the answer"])
async def test_headers_and_trailers_arrive_whenever_they_are_sent(method: Any, early: bool) -> None:
    class Setting(Wire):
        async def set_both(self, call: Call) -> None:
            call.set_header("x-head", "1")
            call.set_header("x-head-bin", b"\x01")
            call.set_trailer("x-tail", "2")
            call.set_trailer("x-tail-bin", b"\x02")
            if early:
                await call.send_headers()

        async def unary(self, request: Any, call: Call) -> Any:
            await self.set_both(call)
            return request

        async def gather(self, requests: Any, call: Call) -> Any:
            await self.set_both(call)
            return Item()

        async def count(self, request: Any, call: Call) -> Any:
            await self.set_both(call)
            yield request

        async def chat(self, requests: Any, call: Call) -> Any:
            await self.set_both(call)
            yield Item()

    async with serving(Setting()) as served:
        argument = items("a") if method.kind.streams_requests else Item()
        call = multicallable(served.grpc, method)(argument)
        headers = await call.initial_metadata()
        assert (headers["x-head"], headers["x-head-bin"]) == ("1", b"\x01")
        if method.kind.streams_responses:
            assert len([item async for item in call]) == 1
        else:
            await call
        trailers = await call.trailing_metadata()
        assert (trailers["x-tail"], trailers["x-tail-bin"]) == ("2", b"\x02")


async def test_headers_sent_early_arrive_before_the_first_message() -> None:
    done = asyncio.Event()

    async def behave(request: Any, call: Call) -> Any:
        call.set_header("x-head", "1")
        await call.send_headers()
        await done.wait()
        yield request

    async with serving(Wire(behave)) as served:  # a unary client gets headers and answer in one piece
        call = multicallable(served.grpc, COUNT)(Item())
        assert (await call.initial_metadata())["x-head"] == "1"
        done.set()
        assert [item async for item in call] == [Item()]


class Held(Wire):
    """Holds every kind of call until it is cancelled, a request stream after its first message."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.ended = asyncio.Event()
        self.went_well = False

    async def hold(self) -> None:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def unary(self, request: Any, call: Call) -> Any:
        await self.hold()

    async def count(self, request: Any, call: Call) -> Any:
        yield Item()
        await self.hold()

    async def gather(self, requests: Any, call: Call) -> Any:
        try:
            async for _ in requests:
                self.entered.set()
            self.went_well = True
        finally:
            self.ended.set()
        return Item()

    async def chat(self, requests: Any, call: Call) -> Any:
        try:
            async for item in requests:
                self.entered.set()
                yield item
            self.went_well = True
        finally:
            self.ended.set()


def open_call(served: Served, method: Any, until: asyncio.Event | None = None, **options: Any) -> Any:
    """A call of the method that has sent one message, and ends its requests then, if ever."""

    async def held() -> AsyncIterator[Any]:
        yield Item()
        await (until or asyncio.Event()).wait()

    argument = held() if method.kind.streams_requests else Item()
    return multicallable(served.grpc, method)(argument, **options)


@pytest.mark.parametrize("method", [UNARY, GATHER, COUNT, CHAT], ids=lambda method: method.name)
async def test_a_caller_that_cancels_cancels_the_handler_and_its_requests_do_not_seem_complete(method: Any) -> None:
    handler = Held()
    async with serving(handler) as served:
        call = open_call(served, method)
        await asyncio.wait_for(handler.entered.wait(), 5)
        call.cancel()
        await asyncio.wait_for(handler.ended.wait(), 5)
        assert not handler.went_well


@pytest.mark.parametrize("method", [UNARY, GATHER, COUNT, CHAT], ids=lambda method: method.name)
async def test_an_expired_deadline_ends_every_kind_with_deadline_exceeded(method: Any) -> None:
    handler, until = Held(), asyncio.Event()
    async with serving(handler) as served:
        call = open_call(served, method, until, timeout=0.1)
        assert await asyncio.wait_for(call.code(), 5) is StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(handler.ended.wait(), 5)
        assert not handler.went_well
        until.set()  # grpc.aio reads on after the end


async def test_many_calls_share_one_connection() -> None:
    async with serving(Wire()) as served:
        rpc = multicallable(served.grpc, UNARY)
        answers = await asyncio.gather(*(rpc(Item(i32=number)) for number in range(200)))
    assert [answer.i32 for answer in answers] == list(range(200))


async def test_a_message_over_the_limit_is_refused_and_the_server_goes_on() -> None:
    policy = replace(definition().policies.grpc, max_message_bytes=1000)
    async with serving(Wire(), definition(grpc=policy)) as served:
        with pytest.raises(aio.AioRpcError) as caught:
            await multicallable(served.grpc, UNARY)(Item(name="x" * 2000))
        assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
        assert await multicallable(served.grpc, UNARY)(Item(name="x")) == Item(name="x")


async def test_an_unknown_rpc_is_unimplemented() -> None:
    async with serving(Wire()) as served:
        with pytest.raises(aio.AioRpcError) as caught:
            await served.grpc.unary_unary("/wire.v1.Wire/Nope")(b"")
    assert caught.value.code() is StatusCode.UNIMPLEMENTED


async def test_a_busy_port_is_an_os_error() -> None:
    async with serving(Wire()) as served:
        what = definition()
        endpoints = {method.path: _never for method in what.methods}
        second = GrpcTransport(
            what,
            endpoints,
            host="127.0.0.1",
            port=served.grpc_port,
            health=Health([]),
            spawn=asyncio.ensure_future,
            reuse_port=False,
        )
        with pytest.raises(OSError, match="cannot listen on"):
            await second.start()
        await second.stop(0)


async def _never(call: Call) -> None:
    raise ServiceError(StatusCode.INTERNAL)

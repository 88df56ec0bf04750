"""Health and reflection on the gRPC port, and how the port stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc import StatusCode, aio
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from runtime.call import Call
from runtime.health import Health
from runtime.hurry import Hurry
from runtime.pipeline import handler_endpoint
from runtime.transport.grpc_aio import GrpcTransport, server_options

from tests.runtime.wire_service import COUNT, SERVICE, UNARY, Item, Wire, definition, multicallable, serving

HEALTH = "/grpc.health.v1.Health/"
REFLECTIONS = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
Serving = health_pb2.HealthCheckResponse.ServingStatus


def check(channel: aio.Channel, service: str) -> Any:
    rpc = channel.unary_unary(
        HEALTH + "Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return rpc(health_pb2.HealthCheckRequest(service=service))


def watch(channel: aio.Channel, service: str) -> Any:
    rpc = channel.unary_stream(
        HEALTH + "Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return rpc(health_pb2.HealthCheckRequest(service=service))


def reflection(channel: aio.Channel, service: str) -> Any:
    rpc = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return rpc()


@asynccontextmanager
async def listening(
    handler: Wire, health: Health | None = None
) -> AsyncIterator[tuple[GrpcTransport, aio.Channel, Health]]:
    """The gRPC transport alone, without any stage."""
    health = health or Health([SERVICE])
    health.serve()
    what = definition()
    transport = GrpcTransport(
        what,
        {method.path: handler_endpoint(method, handler) for method in what.methods},
        host="127.0.0.1",
        port=0,
        health=health,
        spawn=asyncio.ensure_future,
        reuse_port=False,
    )
    port = await transport.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield transport, channel, health
    await transport.stop(0)


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_checks_the_server_and_each_service(service: str) -> None:
    async with listening(Wire()) as (_, channel, health):
        assert (await check(channel, service)).status == Serving.SERVING
        health.terminate()
        assert (await check(channel, service)).status == Serving.NOT_SERVING


async def test_health_knows_no_unknown_service() -> None:
    async with listening(Wire()) as (_, channel, _):
        with pytest.raises(aio.AioRpcError) as caught:
            await check(channel, "no.Such")
        assert caught.value.code() is StatusCode.NOT_FOUND
        assert (await watch(channel, "no.Such").read()).status == Serving.SERVICE_UNKNOWN


async def test_health_lists_everything() -> None:
    async with listening(Wire()) as (_, channel, _):
        raw = await channel.unary_unary(HEALTH + "List")(b"")
    statuses = health_pb2.HealthListResponse.FromString(raw).statuses
    assert {name: status.status for name, status in statuses.items()} == {"": Serving.SERVING, SERVICE: Serving.SERVING}


@pytest.mark.parametrize("method", ["Check", "List"])
async def test_a_health_request_that_cannot_be_decoded_is_internal(method: str) -> None:
    async with listening(Wire()) as (_, channel, _):
        with pytest.raises(aio.AioRpcError) as caught:
            await channel.unary_unary(HEALTH + method)(b"\xff")
    assert caught.value.code() is StatusCode.INTERNAL


async def test_a_watch_tells_every_change_and_ends_when_the_server_stops() -> None:
    async with listening(Wire()) as (transport, channel, health):
        call = watch(channel, SERVICE)
        assert (await call.read()).status == Serving.SERVING
        health.set(SERVICE, False)
        assert (await call.read()).status == Serving.NOT_SERVING
        await asyncio.wait_for(transport.stop(60), 5)
        assert await call.read() is aio.EOF
        assert await call.code() is StatusCode.OK


class Interrupted(Health):
    """Health whose watches are ended while their first answer is being written."""

    def __init__(self) -> None:
        super().__init__([SERVICE])
        self.interrupt = asyncio.Event()

    async def watch(self, service: str) -> AsyncIterator[bool | None]:
        asyncio.get_running_loop().call_soon(self.interrupt.set)
        yield self.status(service)
        await asyncio.Event().wait()


async def test_a_watch_that_is_ended_while_it_is_written_to_ends_well() -> None:
    health = Interrupted()
    async with listening(Wire(), health) as (transport, channel, _):
        call = watch(channel, SERVICE)
        await health.interrupt.wait()
        await transport.stop_accepting(Hurry())
        assert [response.status async for response in call] == [Serving.SERVING]


@pytest.mark.parametrize("service", REFLECTIONS)
async def test_reflection_lists_the_services_and_describes_them(service: str) -> None:
    async with listening(Wire()) as (_, channel, _):
        call = reflection(channel, service)
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        listed = {each.name for each in (await call.read()).list_services_response.service}
        assert listed == {SERVICE, "grpc.health.v1.Health", *REFLECTIONS}
        for name in listed:
            await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=name))
            files = (await call.read()).file_descriptor_response.file_descriptor_proto
            described = [FileDescriptorProto.FromString(file) for file in files]
            assert name in {f"{file.package}.{each.name}" for file in described for each in file.service}


async def test_an_open_reflection_stream_does_not_hold_up_the_stop() -> None:
    async with listening(Wire()) as (transport, channel, _):
        call = reflection(channel, REFLECTIONS[1])
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        await call.read()
        await asyncio.wait_for(transport.stop(60), 5)
        assert await call.code() is StatusCode.OK


async def test_reflection_is_there_only_if_the_policy_says_so() -> None:
    policy = replace(definition().policies.grpc, reflection=False)
    async with serving(Wire(), definition(grpc=policy)) as served:
        call = reflection(served.grpc, REFLECTIONS[0])
        assert await call.code() is StatusCode.UNIMPLEMENTED  # without a word: a request could meet the status


async def test_a_server_that_stops_accepting_finishes_its_calls_and_takes_no_new_ones() -> None:
    entered, opened = asyncio.Event(), asyncio.Event()

    async def behave(request: Any, call: Call) -> Any:
        entered.set()
        await opened.wait()
        return request

    async with listening(Wire(behave)) as (transport, channel, _):
        call = multicallable(channel, UNARY)(Item(name="a"))
        await entered.wait()
        await transport.stop_accepting(Hurry())
        with pytest.raises(aio.AioRpcError) as caught:
            await multicallable(channel, COUNT)(Item()).read()
        assert caught.value.code() is StatusCode.UNAVAILABLE
        opened.set()
        assert await call == Item(name="a")
        await asyncio.wait_for(transport.stop(60), 5)


async def test_a_call_that_outlasts_the_grace_is_cancelled() -> None:
    entered, ended = asyncio.Event(), asyncio.Event()

    async def behave(request: Any, call: Call) -> Any:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with listening(Wire(behave)) as (transport, channel, _):
        call = multicallable(channel, UNARY)(Item())
        await entered.wait()
        await transport.stop_accepting(Hurry())
        await asyncio.wait_for(transport.stop(0.05), 5)
        assert await call.code() is StatusCode.UNAVAILABLE
        await asyncio.wait_for(ended.wait(), 5)


def test_the_policy_becomes_channel_arguments() -> None:
    policy = replace(
        definition().policies.grpc,
        max_concurrent_streams=7,
        max_message_bytes=1000,
        max_metadata_bytes=2000,
        max_connection_age=300.0,
        max_connection_age_grace=30.5,
    )
    options = dict(server_options(policy, reuse_port=True))
    assert options == {
        "grpc.so_reuseport": 1,
        "grpc.http2.bdp_probe": 0,
        "grpc.http2.lookahead_bytes": 256 << 10,
        "grpc.max_receive_message_length": 1000,
        "grpc.max_metadata_size": 2000,
        "grpc.absolute_max_metadata_size": 2000,
        "grpc.max_concurrent_streams": 7,
        "grpc.max_connection_age_ms": 300_000,
        "grpc.max_connection_age_grace_ms": 30_500,
    }


async def test_metadata_over_the_limit_is_refused() -> None:
    async with listening(Wire()) as (_, channel, _):
        with pytest.raises(aio.AioRpcError) as caught:
            await multicallable(channel, UNARY)(Item(), metadata=(("x-big", "y" * 17_000),))
        assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
        assert await multicallable(channel, UNARY)(Item(), metadata=(("x-big", "y" * 15_000),)) == Item()

"""gRPC connections that the server gives up, for silence or for age, and the calls over them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from grpc import StatusCode, aio
from runtime.server import running
from runtime.settings import Settings
from runtime.snapshot import Keepalive
from runtime.testing import PATIENCE, Scripted, serving, waiting

from tests.runtime.relay import relaying
from tests.runtime.sample_service import ECHO, POLICIES, Note, definition
from tests.runtime.test_limits_served import EVERYTHING, WAYS


async def test_a_client_that_answers_no_ping_in_time_has_its_calls_cancelled() -> None:
    served = definition(grpc=replace(POLICIES.grpc, keepalive=Keepalive(0.1, 0.1, min_ping_interval=300.0)))
    scripted = Scripted(served, waiting())
    async with (
        running(served, scripted.application, Settings(host="127.0.0.1")) as server,
        relaying(f"127.0.0.1:{server.grpc_port}") as relay,
        aio.insecure_channel(relay.address) as channel,
    ):
        call = asyncio.ensure_future(channel.unary_unary(ECHO.path)(Note().SerializeToString()))
        received = await scripted.arrived()
        relay.hold()
        await received.until_cancelled()
        relay.release()
        with pytest.raises(aio.AioRpcError) as caught:
            await asyncio.wait_for(call, PATIENCE)
        assert caught.value.code() is StatusCode.UNAVAILABLE


async def test_a_call_that_outlasts_its_aged_connection_is_told_to_come_again() -> None:
    aged = replace(POLICIES.grpc, max_connection_age=0.2, max_connection_age_grace=0.1)
    scripted = Scripted(EVERYTHING, waiting())
    policies = replace(POLICIES, grpc=aged)
    async with serving(replace(EVERYTHING, policies=policies), scripted.application) as served:
        ways = [way for way in WAYS if way.route is None]
        outcomes = await asyncio.gather(*(served.client.call(way) for way in ways))
        assert {outcome.code for outcome in outcomes} == {StatusCode.UNAVAILABLE}
        for received in scripted.received:
            await received.until_cancelled()

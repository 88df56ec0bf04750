"""What a service's readiness waits for when it starts, and what it never waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from runtime.client import grpc_client, http_transport, redis_client
from runtime.client.environment import Outbound
from runtime.client.reachability import Probe, reach
from runtime.server import Server, running
from runtime.settings import Settings
from runtime.snapshot import DependencyPolicy
from runtime.testing import VirtualClock, nothing_left_behind
from runtime.testing.dependencies import standing_in

from tests.runtime.http_peer import Peer
from tests.runtime.redis_server import running as redis_server
from tests.runtime.sample_client import DECLARED, SampleClient
from tests.runtime.sample_service import POLICIES, Sample, application, definition

LOCAL = Settings(host="127.0.0.1")
NOBODY = "http://127.0.0.1:1"


class Trial:
    """Dependencies that come when a test says so, and whether the service is ready."""

    def __init__(self, *names: str) -> None:
        self.clock = VirtualClock(start=0.0)
        self.there: set[str] = set()
        self.looks: list[str] = []
        self.ready: list[float] = []
        self.probes = [self.probe(name) for name in names]

    def probe(self, name: str) -> Probe:
        async def connect(within: float) -> bool:
            self.looks.append(name)
            if name.startswith("raising"):
                raise ConnectionRefusedError("nobody there")
            return name in self.there

        return Probe(name, name.endswith("?"), connect)

    def start(self, within: float = 30.0) -> asyncio.Task[None]:
        return asyncio.create_task(reach(self.probes, within, self.clock, lambda: self.ready.append(self.clock.now())))


async def test_a_service_is_ready_once_all_that_it_needs_was_reached(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trial = Trial("stock", "payments", "fx?")
    trial.there = {"payments"}
    waiting = trial.start()
    await trial.clock.advance(3.0)
    assert trial.ready == []
    trial.there.add("stock")
    await trial.clock.advance(1.0)
    assert trial.ready == [3.5]
    assert not waiting.done(), "what is optional is tried on"
    trial.there.add("fx?")
    await trial.clock.advance(1.0)
    await waiting
    assert (trial.ready, trial.clock.waiting) == ([3.5], 0)
    assert [record.getMessage() for record in caplog.records] == [
        "stock cannot be reached: no connection within 1 s; the service is not ready before it is",
        "fx? cannot be reached: no connection within 1 s; the service is ready without it",
        "stock has been reached",
        "fx? has been reached",
    ]


async def test_a_service_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    trial = Trial("stock", "raising", "payments", "fx?")
    trial.there = {"payments"}
    waiting = trial.start(within=10.0)
    await trial.clock.advance(9.9)
    assert trial.ready == []
    await trial.clock.advance(0.2)
    await waiting
    assert (trial.ready, trial.clock.waiting) == ([10.0], 0)
    assert caplog.records[-1].getMessage() == "ready without stock and raising, which could not be reached in 10 s"
    assert "raising cannot be reached: nobody there; " in caplog.text
    looks = len(trial.looks)
    await trial.clock.advance(60.0)
    assert len(trial.looks) == looks, "nobody is asked any more"


async def test_what_is_optional_holds_nothing_up() -> None:
    trial = Trial("fx?")
    waiting = trial.start(within=10.0)
    await trial.clock.advance(0.0)
    assert trial.ready == [0.0]
    await trial.clock.advance(10.0)
    await waiting
    assert trial.ready == [0.0]


async def test_a_stop_ends_the_looking() -> None:
    async with nothing_left_behind():
        trial = Trial("stock")
        waiting = trial.start()
        await trial.clock.advance(1.0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert (trial.ready, trial.clock.waiting) == ([], 0)


# -- a server, and real dependencies ---------------------------------------------------------------------------------


@asynccontextmanager
async def serving(
    opener: Any, target: str, *, optional: bool = False, clock: VirtualClock | None = None
) -> AsyncIterator[Server]:
    """A server with one dependency, called "sample"."""

    @asynccontextmanager
    async def opened(outbound: Outbound) -> AsyncIterator[None]:
        async with opener("sample", outbound):
            yield None

    policies = replace(POLICIES, dependencies={"sample": DependencyPolicy(target, optional=optional)})
    declared = replace(definition(), policies=policies, open_clients=opened)
    async with running(declared, application(Sample()), LOCAL, clock=clock) as server:
        yield server


async def readiness(server: Server) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{server.admin_port}/readyz")).status_code


async def until_ready(server: Server) -> None:
    async with asyncio.timeout(5):
        async for ready in server.health.watch(""):
            if ready:
                return


async def test_a_server_serves_while_it_is_not_ready_and_is_once_its_dependency_is_there() -> None:
    fx = Peer()
    async with fx.listening():
        pass  # it has a port, and nobody there
    clock = VirtualClock()
    async with serving(http_transport.connection, fx.url, clock=clock) as server:
        await clock.until_waiting(2)
        assert (await readiness(server), server.health.status("sample.v1.Sample")) == (503, False)
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{server.rest_port}/v1/echo/a")
        assert answer.status_code == 200
        async with fx.listening():
            await clock.advance(1.0)
            await until_ready(server)
            assert await readiness(server) == 200
        await clock.advance(60.0)
        assert await readiness(server) == 200, "once started, a dependency's health is not the service's"


async def test_a_server_is_ready_in_the_end_whoever_is_missing() -> None:
    clock = VirtualClock()
    async with serving(http_transport.connection, NOBODY, clock=clock) as server:
        await clock.until_waiting(2)
        await clock.advance(POLICIES.lifecycle.startup_timeout)
        await until_ready(server)


async def test_a_server_is_ready_at_once_without_what_is_optional() -> None:
    async with serving(http_transport.connection, NOBODY, optional=True, clock=VirtualClock()) as server:
        assert await readiness(server) == 200


async def test_a_server_that_stops_while_it_waits_leaves_nothing_and_is_never_ready() -> None:
    async with nothing_left_behind():
        async with serving(http_transport.connection, NOBODY, clock=VirtualClock()) as server:
            server.begin_drain()
        assert not server.health.ready


async def test_each_protocol_has_its_own_way_of_looking(tmp_path: Path) -> None:
    fx = Peer()
    with redis_server(tmp_path) as redis:
        async with standing_in(SampleClient, DECLARED) as sample, fx.listening():
            (target,) = sample.environ.values()
            ways: Sequence[tuple[Any, str]] = (
                (grpc_client.connection, target),
                (http_transport.connection, fx.url),
                (redis_client.connection, redis.url),
            )
            for opener, url in ways:
                async with serving(opener, url) as server:
                    await until_ready(server)
            assert (sample.scripted.received, fx.seen) == ([], []), "nothing was asked"


@pytest.mark.parametrize(
    ("opener", "target"), [(grpc_client.connection, "127.0.0.1:1"), (redis_client.connection, "redis://127.0.0.1:1")]
)
async def test_who_is_not_there_is_not_reached(opener: Any, target: str) -> None:
    clock = VirtualClock()
    async with serving(opener, target, clock=clock) as server:
        await clock.until_waiting(2)
        await clock.advance(5.0)
        assert await readiness(server) == 503

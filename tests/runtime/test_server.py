"""The server in this process: every kind of call over real sockets, the admin port, and what does not fit."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import httpx
import pytest
from grpc import StatusCode
from runtime.admin import config_of
from runtime.application import ApplicationError
from runtime.call import Call
from runtime.client.environment import Outbound
from runtime.definition import Application, DependencyFallbacks
from runtime.hurry import Hurry
from runtime.logs import LineWriter
from runtime.pipeline import Endpoint, UserStage
from runtime.server import PortError, Server, running
from runtime.settings import Settings
from runtime.shutdown import Outcome, shut_down

from tests.runtime.sample_service import (
    ECHO,
    POLICIES,
    Gate,
    Note,
    Sample,
    SampleBase,
    application,
    definition,
)

LOCAL = Settings(host="127.0.0.1")


@asynccontextmanager
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        yield opened


def echo(opened: grpc.aio.Channel) -> Any:
    return opened.unary_unary(
        ECHO.path, request_serializer=Note.SerializeToString, response_deserializer=Note.FromString
    )


def lines(fd: int) -> list[dict[str, Any]]:
    os.set_blocking(fd, False)
    return [json.loads(line) for line in io.BytesIO(os.read(fd, 1 << 20))]


async def test_one_handler_serves_both_protocols() -> None:
    async with running(definition(), application(Sample()), LOCAL) as server, channel(server) as opened:
        assert (await echo(opened)(Note(text="a"))).text == "a"
        async with httpx.AsyncClient() as client:
            response = await client.get(f"http://127.0.0.1:{server.rest_port}/v1/echo/a")
        assert response.json()["text"] == "a"


async def test_a_failure_is_the_same_over_both_protocols() -> None:
    async with running(definition(), application(Sample()), LOCAL) as server, channel(server) as opened:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await echo(opened)(Note(text="crash"))
        async with httpx.AsyncClient() as client:
            response = await client.get(f"http://127.0.0.1:{server.rest_port}/v1/echo/crash")
    assert (caught.value.code(), response.status_code) == (StatusCode.INTERNAL, 500)
    assert "secret" not in (caught.value.details() or "") + response.text


async def test_a_service_without_a_handler_is_unimplemented() -> None:
    @asynccontextmanager
    async def empty(clients: Any) -> AsyncIterator[Application]:
        yield Application([])

    async with running(definition(), empty, LOCAL) as server, channel(server) as opened:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await echo(opened)(Note())
    assert caught.value.code() is StatusCode.UNIMPLEMENTED


async def test_a_call_is_measured_and_logged() -> None:
    read, write = os.pipe()
    async with running(definition(), application(Sample()), LOCAL, writer=LineWriter(write)) as server:
        async with channel(server) as opened:
            await echo(opened)(Note(text="a"), metadata=[("x-request-id", "r-1")])
        async with httpx.AsyncClient() as client:
            metrics = (await client.get(f"http://127.0.0.1:{server.admin_port}/metrics")).text
    (line,) = lines(read)
    assert (line["request_id"], line["code"]) == ("r-1", "OK")
    assert 'rpc_response_status_code="OK"' in metrics
    assert 'target_info{service_name="sample",team="shop"} 1.0' in metrics
    os.close(read)
    os.close(write)


async def test_a_users_stage_runs_in_its_place() -> None:
    seen: list[str] = []

    async def audit(call: Call, proceed: Endpoint) -> None:
        seen.append(call.request_id)
        await proceed(call)

    stage = UserStage("audit", audit, after="context")
    async with running(definition(), application(Sample(), stage), LOCAL) as server, channel(server) as opened:
        await echo(opened)(Note(text="a"), metadata=[("x-request-id", "r-1")])
    assert seen == ["r-1"]


async def test_a_generated_stage_stands_before_the_users_of_the_same_place() -> None:
    seen: list[str] = []

    def noting(name: str) -> UserStage:
        async def note(call: Call, proceed: Endpoint) -> None:
            seen.append(name)
            await proceed(call)

        return UserStage(name, note, after="context")

    generated = replace(definition(), stages=(noting("generated"),))
    async with running(generated, application(Sample(), noting("own")), LOCAL) as server, channel(server) as opened:
        await echo(opened)(Note(text="a"))
    assert seen == ["generated", "own"]

    with pytest.raises(ApplicationError, match="two stages are named 'generated'"):
        async with running(generated, application(Sample(), noting("generated")), LOCAL):
            pass


class Wrong(SampleBase):
    def echo(self, request: Any, call: Call) -> Any:  # an async generator where a coroutine belongs
        return self.count(request, call)

    async def count(self, request: Any, call: Call) -> Any:  # type: ignore[override]  # the fault
        return Note()


@pytest.mark.parametrize(
    ("handlers", "finding"),
    [
        ([object()], "object handles no service of this contract"),
        ([Sample(), Sample()], "Sample and Sample both handle sample.v1.Sample"),
        ([Sample], "has the class Sample, not an object of it"),
        ([Wrong(None)], "Wrong.count must be an async generator"),
    ],
)
async def test_an_application_that_does_not_fit_is_refused(handlers: list[Any], finding: str) -> None:
    @asynccontextmanager
    async def odd(clients: Any) -> AsyncIterator[Application]:
        yield Application(handlers)

    with pytest.raises(ApplicationError, match=finding):
        async with running(definition(), odd, LOCAL):
            pytest.fail("it has started")


class StockFallbacksBase(DependencyFallbacks, ABC):
    """As the generator writes it."""

    DEPENDENCY = "stock"

    @abstractmethod
    async def from_catalogue(self, request: Any) -> Any:
        """Answers in the place of stock."""


class StockFallbacks(StockFallbacksBase):
    async def from_catalogue(self, request: Any) -> Any:
        return Note(text="from the catalogue")


@pytest.mark.parametrize(
    ("own", "finding"),
    [
        ([], "calls to stock fall back on methods of yours: .* a subclass of StockFallbacksBase"),
        ([StockFallbacks(), StockFallbacks()], "two of Application.fallbacks are for stock"),
        ([StockFallbacks(), Sample()], "Sample in Application.fallbacks is no object that calls to a dependency"),
        ([StockFallbacks], "StockFallbacks in Application.fallbacks is no object"),
    ],
)
async def test_an_application_without_what_calls_fall_back_on_does_not_start(own: list[Any], finding: str) -> None:
    @asynccontextmanager
    async def lacking(clients: Any) -> AsyncIterator[Application]:
        yield Application([Sample()], fallbacks=own)

    with pytest.raises(ApplicationError, match=finding):
        async with running(dataclasses.replace(definition(), fallbacks=(StockFallbacksBase,)), lacking, LOCAL):
            pytest.fail("it has started")


async def test_calls_fall_back_on_what_the_application_has() -> None:
    opened: list[Outbound] = []

    @asynccontextmanager
    async def opening(outbound: Outbound) -> AsyncIterator[None]:
        opened.append(outbound)
        yield None

    own = StockFallbacks()

    @asynccontextmanager
    async def having(clients: Any) -> AsyncIterator[Application]:
        yield Application([Sample()], fallbacks=[own])

    made = dataclasses.replace(definition(), fallbacks=(StockFallbacksBase,), open_clients=opening)
    async with running(made, having, LOCAL):
        assert opened[0].fallbacks == {"stock": own}


@pytest.mark.parametrize("port", ["grpc_port", "rest_port", "admin_port"])
async def test_a_port_that_is_taken_is_refused(port: str) -> None:
    async with running(definition(), application(Sample()), LOCAL) as first:
        taken = dataclasses.replace(LOCAL, **{port: getattr(first, port)})
        with pytest.raises(PortError, match=str(getattr(first, port))):
            async with running(definition(), application(Sample()), taken):
                pytest.fail("it has started")


async def admin(server: Server, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.request(method, f"http://127.0.0.1:{server.admin_port}{path}")


async def test_the_admin_port_tells_of_a_server_that_serves() -> None:
    async with running(definition(), application(Sample()), LOCAL) as server:
        assert [(await admin(server, path)).status_code for path in ("/livez", "/readyz", "/healthz")] == [200] * 3
        assert (await admin(server, "/healthz")).json() == {
            "phase": "serving",
            "ready": True,
            "services": {"sample.v1.Sample": "SERVING"},
        }
        config = (await admin(server, "/config")).json()
        assert config["hash"] == POLICIES.hash
        assert config["policies"]["methods"][ECHO.path]["deadline"]["default"] == 10.0


def test_the_shown_policies_hold_no_credentials() -> None:
    secret = dataclasses.replace(POLICIES, hash="redis://user:p%40ss@redis:6379/0")
    assert b'"redis://redis:6379/0"' in config_of("sample", secret)


async def test_a_draining_server_is_alive_and_not_ready() -> None:
    async with running(definition(), application(Sample()), LOCAL) as server:
        server.begin_drain()
        assert (await admin(server, "/livez")).status_code == 200
        ready = await admin(server, "/readyz")
        assert (ready.status_code, ready.text) == (503, "terminating\n")
        assert (await admin(server, "/healthz")).json()["services"] == {"sample.v1.Sample": "NOT_SERVING"}


async def test_the_admin_port_has_no_other_pages_and_no_other_methods() -> None:
    async with running(definition(), application(Sample()), LOCAL) as server:
        assert (await admin(server, "/")).status_code == 404
        refused = await admin(server, "/config", "POST")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        head = await admin(server, "/livez", "HEAD")
        assert (head.status_code, head.content) == (200, b"")


async def test_metrics_that_are_off_are_not_there() -> None:
    off = dataclasses.replace(POLICIES.observability, metrics=False)
    async with (
        running(definition(observability=off), application(Sample()), LOCAL) as server,
        channel(server) as opened,
    ):
        await echo(opened)(Note(text="a"))
        assert (await admin(server, "/metrics")).status_code == 404


@asynccontextmanager
async def holding(
    server_gate: Gate, handler: Sample
) -> AsyncIterator[tuple[Server, asyncio.Task[Any], asyncio.Task[Any]]]:
    """A server with one call held in its handler over each protocol."""
    server = Server(definition(), LOCAL)
    await server.start(application(handler))
    async with channel(server) as opened, httpx.AsyncClient() as client:
        over_grpc = asyncio.ensure_future(echo(opened)(Note(text="hold")))
        await server_gate.entered.wait()
        server_gate.entered.clear()
        over_rest = asyncio.ensure_future(client.get(f"http://127.0.0.1:{server.rest_port}/v1/echo/hold"))
        await server_gate.entered.wait()
        yield server, over_grpc, over_rest


async def test_calls_in_flight_are_drained_over_both_protocols() -> None:
    gate = Gate()
    async with holding(gate, Sample(gate=gate)) as (server, over_grpc, over_rest):
        stopping = asyncio.ensure_future(shut_down(server, POLICIES.lifecycle))
        await asyncio.sleep(0)
        gate.opened.set()
        assert (await over_grpc).text == "hold"
        assert (await over_rest).json()["text"] == "hold"
        assert await stopping == Outcome()


async def test_calls_that_take_too_long_are_ended_with_a_pushback() -> None:
    gate = Gate()
    handler = Sample(gate=gate)
    async with holding(gate, handler) as (server, over_grpc, over_rest):
        outcome = await shut_down(server, dataclasses.replace(POLICIES.lifecycle, drain_timeout=0.05))
        assert outcome == Outcome(ended=2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await over_grpc
        response = await over_rest
    assert caught.value.code() is StatusCode.UNAVAILABLE
    assert ("grpc-retry-pushback-ms", "1000") in tuple(caught.value.trailing_metadata() or ())
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert handler.cancelled.is_set()


async def test_a_hurried_shutdown_waits_for_nothing() -> None:
    gate, hurry = Gate(), Hurry()
    patient = dataclasses.replace(POLICIES.lifecycle, propagation_delay=3600.0, drain_timeout=3600.0)
    async with holding(gate, Sample(gate=gate)) as (server, over_grpc, over_rest):
        stopping = asyncio.ensure_future(shut_down(server, patient, hurry=hurry))
        await asyncio.sleep(0)
        assert not server.health.ready
        hurry.set()
        assert await stopping == Outcome(ended=2)
        await asyncio.gather(over_grpc, over_rest, return_exceptions=True)


async def test_what_fails_to_close_does_not_keep_the_rest_open(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def failing(clients: Any) -> AsyncIterator[Application]:
        yield Application([Sample()])
        raise RuntimeError("cannot close")

    server = Server(definition(), LOCAL)
    await server.start(failing)
    assert await shut_down(server, POLICIES.lifecycle) == Outcome(failed=("application",))
    assert "cannot close" in caplog.text
    with pytest.raises(httpx.ConnectError):
        await admin(server, "/livez")


async def test_the_parts_close_in_their_order() -> None:
    closed: list[str] = []

    @asynccontextmanager
    async def clients(_: Any) -> AsyncIterator[None]:
        yield
        closed.append("clients")

    @asynccontextmanager
    async def app(_: Any) -> AsyncIterator[Application]:
        yield Application([handler])
        closed.append("application")

    class Spawning(Sample):
        async def echo(self, request: Any, call: Call) -> Any:
            call.spawn(self.later())
            return request

        async def later(self) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                closed.append("background")

    begun, handler = asyncio.Event(), Spawning()
    server = Server(dataclasses.replace(definition(), open_clients=clients), LOCAL)
    await server.start(app)
    async with channel(server) as opened:
        await echo(opened)(Note())
    await begun.wait()
    assert await shut_down(server, dataclasses.replace(POLICIES.lifecycle, cleanup_timeout=0.05)) == Outcome()
    assert closed == ["background", "application", "clients"]


async def test_a_shutdown_leaves_no_task_and_no_watch_behind() -> None:
    before = asyncio.all_tasks()
    server = Server(definition(), LOCAL)
    await server.start(application(Sample()))
    watching = asyncio.ensure_future(every(server.health.watch("")))
    await asyncio.sleep(0)
    assert await shut_down(server, POLICIES.lifecycle) == Outcome()
    assert await asyncio.wait_for(watching, 5) == [True, False]
    assert asyncio.all_tasks() == before


async def every(states: AsyncIterator[bool | None]) -> list[bool | None]:
    return [state async for state in states]

"""Stand-ins for dependencies over HTTP, as users' tests script them: what a script sees of a request, and answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from grpc import StatusCode
from runtime.client.http_client import HttpClient
from runtime.client.http_transport import connection
from runtime.errors import DependencyError, ServiceError
from runtime.snapshot import DependencyPolicy
from runtime.testing import Scripted, answering_json, by_request, direct_call, failing, in_turn
from runtime.testing.dependencies import standing_in
from runtime.testing.http_received import received_over_http

from tests.runtime.http_peer import FxClient, failure, outbound
from tests.runtime.sample_service import ECHO, POLICIES, Note


@asynccontextmanager
async def standing(client: type[HttpClient] = FxClient) -> AsyncIterator[tuple[HttpClient, Scripted]]:
    """A client and its stand-in."""
    declared = DependencyPolicy("http://fx/v1")
    policies = replace(POLICIES, dependencies={"fx": declared})
    async with (
        standing_in(client, policies) as peer,
        connection("fx", outbound(peer.policy, peer.environ)) as connected,
    ):
        yield client(connected), peer.scripted


async def test_a_script_sees_all_of_a_request() -> None:
    async with standing() as (client, fx):
        fx.plays(answering_json({"USD": 1.25}))
        path, query = {"base": "a/b c"}, {"to": ["USD", "JPY"], "alt": "x", "on": ""}
        response = await client.get("/rates/{base}", path=path, query=query, headers={"x-tenant": "shop"})
        assert response.json() == {"USD": 1.25}
        seen = fx.last.http
        assert (seen.verb, seen.path) == ("GET", "/rates/a%2Fb%20c")
        assert seen.query == {"to": ["USD", "JPY"], "alt": ["x"], "on": [""]}
        assert seen.headers.get("x-tenant") == "shop"
        assert seen.values("/rates/{base}") == {"base": "a/b c"}
        assert (seen.values("/rates"), seen.values("/rates/{base}/x")) == (None, None)
        assert seen.body == b""


@pytest.mark.parametrize(
    ("body", "sent"),
    [({"id": [7, None]}, b'{"id":[7,null]}'), (b"\xff\x00", b"\xff\x00"), (Note(text="a"), b'{"text":"a"}')],
)
@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH"])
async def test_a_body_is_there_as_it_was_sent_whatever_it_is(verb: str, body: object, sent: bytes) -> None:
    async with standing() as (client, fx):
        await client.request(verb, "/orders", body)  # type: ignore[arg-type]  # of three types
        assert (fx.last.http.verb, fx.last.http.body) == (verb, sent)


async def test_json_of_a_body_is_read_for_the_test() -> None:
    async with standing() as (client, fx):
        await client.post("/orders", {"id": 7})
        assert fx.last.http.json() == {"id": 7}


async def test_requests_are_told_apart_by_method_and_path() -> None:
    busy = failing(lambda: ServiceError(StatusCode.UNAVAILABLE))
    scripts = {
        "GET /rates/latest": answering_json("latest"),
        "GET /rates/{base}": answering_json([1, 2.5, None]),
        "POST /rates/{base}": in_turn(busy, answering_json({})),
    }
    async with standing() as (client, fx):
        fx.plays(by_request(scripts))
        assert (await client.get("/rates/latest")).json() == "latest"
        assert (await client.get("/rates/{b}", path={"b": "latest1"})).json() == [1, 2.5, None]
        assert (await failure(client.post("/rates/x"))).http_received == 503
        assert (await client.post("/rates/x")).json() == {}
        for other in (client.get("/rates"), client.get("/rates/a/b"), client.delete("/rates/latest")):
            assert (await failure(other)).http_received == 404
        assert len(fx.received) == 7


async def test_head_is_head_and_has_no_content() -> None:
    async with standing() as (client, fx):
        fx.plays(by_request({"HEAD /x": answering_json({"a": 1})}))
        assert (await client.head("/x")).content == b""
        with pytest.raises(DependencyError):
            await client.get("/x")


async def test_a_call_over_grpc_is_no_request_of_http() -> None:
    with pytest.raises(TypeError, match="was not called over HTTP"):
        received_over_http(direct_call(ECHO))

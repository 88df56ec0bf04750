"""Requests that are refused before or inside a call: all of them are measured, and all say the request id."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from grpc import StatusCode, aio
from runtime.call import Call
from runtime.errors import ServiceError
from runtime.server import Server, running
from runtime.settings import Settings

from tests.runtime import sample_service
from tests.runtime.wire_service import NO_TLS, UNARY, Item, Wire, definition, multicallable, rest_policy

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _behave(request: Any, call: Call) -> Any:
    if request.name == "fail":
        raise ServiceError(StatusCode.ABORTED, "no")
    return request


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    application = sample_service.application(Wire(_behave))
    settings = Settings(host="127.0.0.1")
    async with running(definition(**rest_policy(max_body_bytes=1000)), application, settings) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}", verify=NO_TLS) as http:
        yield http


def measured(server: Server) -> dict[tuple[str, str, str], float]:
    """How often each method, route and status was observed."""
    assert server.measures is not None
    return {
        (labels["http_request_method"], labels["http_route"], labels["http_response_status_code"]): sample.value
        for family in server.measures.registry.collect()
        for sample in family.samples
        if sample.name == "http_server_request_duration_seconds_count"
        for labels in [sample.labels]
    }


@pytest.mark.parametrize(
    ("verb", "target", "options", "labels"),
    [
        ("GET", "/nope", {}, ("GET", "", "404")),
        ("PURGE", "/nope", {}, ("_OTHER", "", "404")),
        ("GET", "/v1/items/a/b%ZZ", {}, ("GET", "", "400")),
        ("PATCH", "/v1/items", {"json": {}}, ("PATCH", "", "405")),
        ("POST", "/v1/chat", {"json": {}}, ("POST", "", "426")),
        ("GET", "/v1/items", {"headers": {"x": "a" * (66 << 10)}}, ("GET", "", "431")),
        ("POST", "/v1/tags", {"json": ["a" * 1000]}, ("POST", "/v1/tags", "413")),
        ("POST", "/v1/tags", {"data": {"name": "a"}}, ("POST", "/v1/tags", "415")),
        ("POST", "/v1/tags", {"content": b"{"}, ("POST", "/v1/tags", "400")),
    ],
)
async def test_each_refusal_is_measured_once(
    server: Server, http: httpx.AsyncClient, verb: str, target: str, options: Any, labels: tuple[str, str, str]
) -> None:
    before = measured(server)
    response = await http.request(verb, target, **options)
    after = measured(server)
    assert str(response.status_code) == labels[2]
    assert {key: value for key, value in after.items() if value != before.get(key)} == {
        labels: before.get(labels, 0) + 1
    }


@pytest.mark.parametrize(
    ("text", "status"), [(b"HELO\r\n\r\n", "400"), (b"GET / HTTP/1.1\r\nx: " + b"a" * (200 << 10), "431")]
)
async def test_what_is_no_http_is_measured_too(server: Server, text: bytes, status: str) -> None:
    labels = ("_OTHER", "", status)
    before = measured(server).get(labels, 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.rest_port)
    writer.write(text)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 " + status.encode())
    assert measured(server)[labels] == before + 1


@pytest.mark.parametrize("target", ["/v1/items", "/v1/items/fail", "/v1/items?nope=1", "/v1/download/n", "/nope"])
async def test_every_answer_over_rest_says_the_callers_request_id(http: httpx.AsyncClient, target: str) -> None:
    response = await http.get(target, headers={"x-request-id": "r-1"})
    assert response.headers.get_list("x-request-id") == ["r-1"]


@pytest.mark.parametrize("target", ["/v1/items", "/v1/items/fail"])
async def test_a_call_without_an_id_is_told_the_one_that_it_got(http: httpx.AsyncClient, target: str) -> None:
    response = await http.get(target, headers={"x-request-id": "no id: it has spaces"})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


async def test_a_refusal_repeats_no_id_that_is_none(http: httpx.AsyncClient) -> None:
    response = await http.get("/nope", headers={"x-request-id": "a" * 129})
    assert "x-request-id" not in response.headers


@pytest.mark.parametrize("name", ["well", "fail"])
async def test_a_call_over_grpc_that_has_an_id_is_answered_with_it(server: Server, name: str) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = multicallable(channel, UNARY)(Item(name=name), metadata=(("x-request-id", "r-1"),))
        trailers = await call.trailing_metadata()
    assert trailers.get_all("x-request-id") == ["r-1"]


async def test_a_failure_over_grpc_says_the_id_that_the_call_got() -> None:
    handler = Wire(_behave)
    async with (
        running(definition(), sample_service.application(handler), Settings(host="127.0.0.1")) as server,
        aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
    ):
        trailers = await multicallable(channel, UNARY)(Item(name="fail")).trailing_metadata()
    assert trailers.get_all("x-request-id") == [handler.calls[0].request_id]


async def test_a_handler_cannot_answer_with_another_id() -> None:
    async def behave(request: Any, call: Call) -> Any:
        with pytest.raises(ValueError, match="x-request-id"):
            call.set_header("X-Request-Id", "mine")
        with pytest.raises(ValueError, match="x-request-id"):
            call.set_trailer("x-request-id", "mine")
        return request

    application = sample_service.application(Wire(behave))
    async with (
        running(definition(), application, Settings(host="127.0.0.1")) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}", verify=NO_TLS) as http,
    ):
        assert (await http.get("/v1/items")).status_code == 200

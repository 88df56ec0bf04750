"""Which web pages may call: preflights, the headers of every answer, and OPTIONS without CORS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from runtime.snapshot import CorsPolicy

from tests.runtime.wire_service import COUNT, UNARY, Wire, definition, rest_policy, route, serving

SHOP = "https://shop.example.com"
OTHER = "https://other.example.com"
POLICY = CorsPolicy(
    (SHOP, "http://localhost:3000"), ("X-Custom",), ("retry-after",), allow_credentials=False, max_age=600.0
)
USUAL = (
    "content-type, grpc-timeout, x-server-timeout, authorization, x-request-id, traceparent, tracestate, x-criticality, baggage, "
    "idempotency-key, accept-language, x-tenant, x-custom"
)
ROUTES = (
    route("GET", "/v1/items/{name}"),
    route("PUT", "/v1/items/{name}", body="*"),
    route("GET", "/v1/count/{i32}", COUNT),
    route("*", "/v1/any/{name}"),
    route("OPTIONS", "/v1/asked/{name}", UNARY),
)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with served(POLICY) as running:
        yield running.http


def served(policy: CorsPolicy | None, behave: Any = None) -> Any:
    return serving(Wire(behave), definition(ROUTES, **rest_policy(cors=policy)))


async def preflight(
    http: httpx.AsyncClient, path: str, method: str = "PUT", origin: str = SHOP, headers: str = ""
) -> Any:
    asked = {"origin": origin, "access-control-request-method": method}
    return await http.options(path, headers=asked | ({"access-control-request-headers": headers} if headers else {}))


def cors_headers(answer: httpx.Response) -> dict[str, str]:
    return {name[15:]: value for name, value in answer.headers.items() if name.startswith("access-control-")}


async def test_a_preflight_says_what_a_page_of_an_allowed_origin_may_send(http: httpx.AsyncClient) -> None:
    answer = await preflight(http, "/v1/items/a", headers="X-Custom, Grpc-Metadata-Color,, bad name, X-Other")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers
    assert cors_headers(answer) == {
        "allow-origin": SHOP,
        "allow-methods": "GET, HEAD, PUT",
        "allow-headers": f"{USUAL}, grpc-metadata-color",
        "max-age": "600",
    }
    vary = answer.headers["vary"].split(", ")
    assert vary == ["origin", "access-control-request-method", "access-control-request-headers"]


async def test_a_page_of_another_origin_gets_no_permission(http: httpx.AsyncClient) -> None:
    answer = await preflight(http, "/v1/items/a", origin=OTHER)
    assert (answer.status_code, cors_headers(answer)) == (204, {})
    assert "origin" in answer.headers["vary"].split(", ")
    read = await http.get("/v1/items/a", headers={"origin": OTHER})
    assert (read.status_code, cors_headers(read), read.headers["vary"]) == (200, {}, "origin")


@pytest.mark.parametrize(
    "origin", [SHOP.upper(), f"{SHOP}/", f"{SHOP}:443", f"{SHOP}.evil.com", "null", f"{SHOP}, {OTHER}"]
)
async def test_an_origin_is_allowed_only_as_it_stands(http: httpx.AsyncClient, origin: str) -> None:
    answer = await http.get("/v1/items/a", headers={"origin": origin})
    assert cors_headers(answer) == {}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/items/a", 200), ("/v1/nowhere", 404), ("/v1/items/%", 400), ("/v1/items/a?color=9x", 400)],
)
async def test_every_answer_to_an_allowed_page_may_be_read_errors_too(
    http: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await http.get(path, headers={"origin": SHOP})
    assert answer.status_code == status
    assert cors_headers(answer) == {"allow-origin": SHOP, "expose-headers": "retry-after"}
    assert answer.headers["vary"] == "origin"


async def test_a_stream_may_be_read_too(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/count/2", headers={"origin": "http://localhost:3000"})
    assert answer.json() == [{}, {"i32": 1}]
    assert cors_headers(answer)["allow-origin"] == "http://localhost:3000"


async def test_a_caller_that_is_no_page_is_served_as_ever(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/items/a")
    assert (answer.status_code, cors_headers(answer), answer.headers["vary"]) == (200, {}, "origin")


async def test_vary_of_the_handler_is_kept() -> None:
    async def behave(request: Any, call: Any) -> Any:
        call.set_header("vary", "accept-language")
        return request

    async with served(POLICY, behave) as running:
        answer = await running.http.get("/v1/items/a", headers={"origin": SHOP})
    assert answer.headers["vary"] == "accept-language, origin"


async def test_a_preflight_of_an_unknown_path_is_not_found(http: httpx.AsyncClient) -> None:
    answer = await preflight(http, "/v1/nowhere")
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert (await preflight(http, "/v1/items/%zz")).status_code == 400


async def test_a_preflight_never_reaches_a_handler() -> None:
    wire = Wire()
    async with serving(wire, definition(ROUTES, **rest_policy(cors=POLICY))) as running:
        for path in ("/v1/any/a", "/v1/asked/a"):
            answer = await preflight(running.http, path, "REPORT")
            assert answer.status_code == 204
        assert not wire.calls
        assert (await running.http.options("/v1/asked/a", headers={"origin": SHOP})).json() == {"name": "a"}
        assert (await running.http.options("/v1/any/b")).json() == {"name": "b"}
    assert [request.name for request in wire.requests] == ["a", "b"]


async def test_a_route_of_any_method_allows_the_one_that_is_asked_for(http: httpx.AsyncClient) -> None:
    assert cors_headers(await preflight(http, "/v1/any/a", "REPORT"))["allow-methods"] == "REPORT"
    assert cors_headers(await preflight(http, "/v1/any/a", "A B"))["allow-methods"] == "*"


async def test_every_origin_is_allowed_by_a_star() -> None:
    policy = CorsPolicy(("*",), ("*",), (), allow_credentials=False, max_age=0.0)
    async with served(policy) as running:
        answer = await preflight(running.http, "/v1/items/a", origin=OTHER, headers="x-whatever")
        allowed = cors_headers(answer)
        assert (allowed["allow-origin"], allowed["max-age"]) == ("*", "0")
        assert allowed["allow-headers"].endswith(", x-tenant, x-whatever")
        read = await running.http.get("/v1/items/a")
        assert cors_headers(read) == {"allow-origin": "*"}
        assert "vary" not in read.headers


async def test_credentials_are_allowed_to_named_origins() -> None:
    policy = CorsPolicy((SHOP,), (), (), allow_credentials=True, max_age=1.0)
    async with served(policy) as running:
        for answer in (
            await preflight(running.http, "/v1/items/a"),
            await running.http.get("/v1/items/a", headers={"origin": SHOP}),
        ):
            assert cors_headers(answer)["allow-credentials"] == "true"
        assert cors_headers(await running.http.get("/v1/items/a", headers={"origin": OTHER})) == {}


async def test_without_cors_options_says_what_a_path_is_served_under() -> None:
    async with served(None) as running:
        answer = await preflight(running.http, "/v1/items/a")
        assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, PUT, OPTIONS")
        assert not {"content-length", "transfer-encoding", "vary"} & set(answer.headers)
        assert cors_headers(answer) == {}
        assert (await running.http.options("/v1/nowhere")).status_code == 404
        assert (await running.http.request("OPTIONS", "/v1/items/a", content=b"x")).status_code == 204
        wrong = await running.http.delete("/v1/items/a")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, PUT")


async def test_cors_leaves_plain_options_alone(http: httpx.AsyncClient) -> None:
    answer = await http.options("/v1/items/a", headers={"origin": SHOP})
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, PUT, OPTIONS")
    assert cors_headers(answer)["allow-origin"] == SHOP


async def test_the_server_as_a_whole_has_options_too() -> None:
    async with served(None) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.rest_port)
        writer.write(b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 204 ")
    assert b"\r\nallow: OPTIONS\r\n" in head

"""Trailers over REST: behind the body, for callers that take them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from grpc import StatusCode
from runtime.call import Call
from runtime.errors import ServiceError

from tests.runtime.raw_http import get, peer
from tests.runtime.wire_service import Item, Served, Wire, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
TRAILERS = b"0\r\ngrpc-metadata-x-sum: a\r\ngrpc-metadata-x-sum: b\r\ngrpc-metadata-raw-bin: AP8=\r\n\r\n"


def _set(call: Call) -> None:
    call.set_trailer("x-sum", "a")
    call.set_trailer("x-sum", "b")
    call.set_trailer("raw-bin", b"\x00\xff")


class Trailing(Wire):
    """Sets trailers, whatever becomes of the call."""

    async def unary(self, request: Any, call: Call) -> Any:
        _set(call)
        if request.name == "fail":
            raise ServiceError(StatusCode.ABORTED, "no")
        return request

    async def count(self, request: Any, call: Call) -> AsyncIterator[Any]:
        _set(call)
        for number in range(request.i32):
            yield Item(i32=number)
        if request.name == "fail":
            raise ServiceError(StatusCode.ABORTED, "no")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Served]:
    async with serving(Trailing()) as served:
        yield served


async def answer(served: Served, request: bytes) -> bytes:
    """All that is answered on a connection that ends with it."""
    async with peer(served.rest_port) as caller:
        caller.send(request)
        return await caller.reader.read()


@pytest.mark.parametrize(
    "target", ["/v1/items/well", "/v1/items/fail", "/v1/items/fail?$prettyPrint=1", "/v1/count/2", "/v1/count/0"]
)
async def test_who_takes_trailers_gets_them_behind_the_body(served: Served, target: str) -> None:
    whole = await answer(served, get(target, "te: trailers", "connection: close"))
    head, _, body = whole.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert b"content-length" not in head
    assert body.endswith(TRAILERS)
    if target != "/v1/count/2":  # a stream's head is sent before its trailers are known
        assert b"trailer: grpc-metadata-x-sum, grpc-metadata-raw-bin" in head


async def test_a_failure_in_a_stream_has_them_too(served: Served) -> None:
    whole = await answer(
        served, get("/v1/count/1?name=fail", "te: trailers", "accept: application/x-ndjson", "connection: close")
    )
    assert b'{"error":' in whole
    assert whole.endswith(TRAILERS)


@pytest.mark.parametrize("target", ["/v1/items/well", "/v1/items/fail", "/v1/count/2"])
@pytest.mark.parametrize("asked", ["te: gzip", "x-te: trailers"])
async def test_nobody_else_gets_any(served: Served, target: str, asked: str) -> None:
    assert b"x-sum" not in await answer(served, get(target, asked, "connection: close"))


async def test_a_caller_that_knows_no_chunks_gets_none(served: Served) -> None:
    whole = await answer(served, b"GET /v1/items/well HTTP/1.0\r\nte: trailers\r\n\r\n")
    assert b"x-sum" not in whole
    assert whole.endswith(b'{"name":"well"}')


async def test_a_connection_goes_on_after_trailers(served: Served) -> None:
    async with peer(served.rest_port) as caller:
        caller.send(get("/v1/items/well", "te: trailers"), get("/v1/items/again"))
        await caller.reader.readuntil(TRAILERS)
        assert (await caller.answer())[0] == 200

"""Compressed answers over REST: for whom, of what size, and what caches are told."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from grpc import StatusCode
from runtime.call import Call
from runtime.errors import ServiceError
from runtime.transport.compression import takes_gzip

from tests.runtime.wire_service import HttpBody, Item, Wire, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
LARGE = 200_000  # bytes, packed by another thread


async def _behave(request: Any, call: Call) -> Any:
    if call.method.name == "Upload":
        return HttpBody(content_type="text/plain", data=b"a" * LARGE)
    match request.name.split("-"):
        case "fail", size:
            raise ServiceError(StatusCode.ABORTED, "a" * int(size))
        case "strong", size:
            call.set_header("etag", '"1"')
        case "weak", size:
            call.set_header("etag", 'W/"1"')
        case "kept", size:
            call.set_header("cache-control", "no-transform")
        case _, size:
            pass
    return Item(name="a" * int(size))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with serving(Wire(_behave)) as served:
        yield served.http


async def raw(http: httpx.AsyncClient, target: str, accepted: str | None) -> tuple[httpx.Headers, bytes]:
    """The headers and the body as they are on the wire; None for no Accept-Encoding at all."""
    request = http.build_request("GET", target)
    del request.headers["accept-encoding"]
    if accepted is not None:
        request.headers["accept-encoding"] = accepted
    response = await http.send(request, stream=True)
    body = b"".join([piece async for piece in response.aiter_raw()])
    assert int(response.headers["content-length"]) == len(body)
    return response.headers, body


@pytest.mark.parametrize("size", [1100, LARGE])
@pytest.mark.parametrize("what", ["item", "fail"])
async def test_a_large_answer_is_compressed_for_who_takes_it(http: httpx.AsyncClient, what: str, size: int) -> None:
    plain_headers, plain = await raw(http, f"/v1/items/{what}-{size}", None)
    headers, packed = await raw(http, f"/v1/items/{what}-{size}", "br, gzip")
    assert (headers["content-encoding"], headers["content-type"]) == ("gzip", "application/json")
    assert "content-encoding" not in plain_headers
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 5
    assert plain_headers["vary"] == headers["vary"] == "accept-encoding"


async def test_a_small_answer_is_not(http: httpx.AsyncClient) -> None:
    headers, body = await raw(http, "/v1/items/item-100", "gzip")
    assert "content-encoding" not in headers
    assert "vary" not in headers
    assert json.loads(body) == {"name": "a" * 100}


@pytest.mark.parametrize("what", ["strong", "kept"])
async def test_an_answer_that_has_one_form_only_keeps_it(http: httpx.AsyncClient, what: str) -> None:
    headers, body = await raw(http, f"/v1/items/{what}-2000", "gzip")
    assert "content-encoding" not in headers
    assert json.loads(body) == {"name": "a" * 2000}


async def test_a_weak_etag_stands_for_both_forms(http: httpx.AsyncClient) -> None:
    headers, _ = await raw(http, "/v1/items/weak-2000", "gzip")
    assert (headers["content-encoding"], headers["etag"]) == ("gzip", 'W/"1"')


async def test_bytes_of_the_handlers_own_go_out_as_they_are(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/upload", content=b"x", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in response.headers
    assert response.content == b"a" * LARGE


async def test_a_stream_is_never_compressed(http: httpx.AsyncClient) -> None:
    async with http.stream("GET", "/v1/download/n", headers={"accept-encoding": "gzip"}) as response:
        assert "content-encoding" not in response.headers


async def test_head_has_the_headers_of_get(http: httpx.AsyncClient) -> None:
    headers, packed = await raw(http, "/v1/items/item-2000", "gzip")
    head = await http.head("/v1/items/item-2000", headers={"accept-encoding": "gzip"})
    assert head.headers["content-encoding"] == "gzip"
    assert int(head.headers["content-length"]) == len(packed)
    assert head.headers["vary"] == headers["vary"]


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("br;q=1, *;q=0.1", True),
        ("gzip, identity", True),
        ("", False),
        ("identity", False),
        ("br, deflate", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=x", False),
        ("gzip;q=0.4, identity;q=0.5", False),
        ("gzip-but-not-quite", False),
        (",".join(["br"] * 100 + ["gzip"]), False),
    ],
)
async def test_gzip_is_sent_only_where_it_is_wanted(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken

"""Requests that mean harm: each gets its 4xx without a word of an exception, memory is bounded, and the service goes on."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.runtime.raw_http import get, peer, post
from tests.runtime.server_process import ServerProcess, started
from tests.runtime.test_backpressure import MIB, memory
from tests.runtime.wire_service import Served, Wire, definition, rest_policy, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMIT = 100_000  # bytes of a body


def nested(levels: int) -> bytes:
    return b'{"extra":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


def children(levels: int) -> bytes:
    return b'{"inner":' + b'{"child":' * levels + b"{}" + b"}" * (levels + 1)


def bomb(size: int) -> bytes:
    return gzip.compress(b" " * size)


def chunked(*chunks: bytes, headers: str = "") -> bytes:
    head = f"POST /v1/items HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n{headers}\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


GZIP = "content-encoding: gzip"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Served]:
    async with serving(Wire(), definition(**rest_policy(max_body_bytes=LIMIT))) as served:
        yield served


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        # Bodies that are no JSON, or too much of it.
        pytest.param(post("/v1/items", b'{"name": "a'), 400, id="truncated JSON"),
        pytest.param(post("/v1/items", b'{"name": "a"}{}'), 400, id="two values"),
        pytest.param(post("/v1/items", b'{"name": "\xff\xfe"}'), 400, id="no UTF-8"),
        pytest.param(post("/v1/items", b"\xef\xbb\xbf{}"), 400, id="a byte order mark"),
        pytest.param(post("/v1/items", '{"name": "a"}'.encode("utf-16")), 400, id="UTF-16"),
        pytest.param(post("/v1/items", b'{"name": "\\ud800"}'), 400, id="half a surrogate pair"),
        pytest.param(post("/v1/items", b'{"na\\u0000me": 1}'), 400, id="a NUL in a key"),
        pytest.param(post("/v1/items", nested(99)), 400, id="nested 101 deep"),
        pytest.param(post("/v1/items", nested(40)), 400, id="a Struct deeper than protobuf goes"),
        pytest.param(post("/v1/items", nested(10_000)), 400, id="nested 10,000 deep"),
        pytest.param(post("/v1/items", b"[" * 50_000), 400, id="50,000 brackets"),
        pytest.param(post("/v1/items", b"[" * 50_000 + b"]" * 50_000), 400, id="50,000 arrays"),
        pytest.param(post("/v1/items", children(99)), 400, id="messages nested 101 deep"),
        pytest.param(post("/v1/items", b'{"i64": ' + b"9" * 90_000 + b"}"), 400, id="a long number"),
        pytest.param(post("/v1/items", b'{"f64": 1e999999999}'), 400, id="an endless exponent"),
        pytest.param(post("/v1/items", b'{"i64": "1e999999999"}'), 400, id="an endless exponent in quotes"),
        pytest.param(post("/v1/items", b'{"a":1,' * 5000 + b'"a":1' + b"}" * 5000), 400, id="a key at every level"),
        pytest.param(post("/v1/items", b'{"' + b"k" * 90_000 + b'": 1}'), 400, id="a long key"),
        pytest.param(post("/v1/items", b'{"any": {"@type": "x/' + b"a" * 90_000 + b'"}}'), 400, id="a long type"),
        pytest.param(post("/v1/items", b'{"span": "' + b"9" * 90_000 + b's"}'), 400, id="a long duration"),
        pytest.param(post("/v1/items", b'{"blob": "' + b"=" * 90_000 + b'"}'), 400, id="padding alone"),
        # Compressed bodies.
        pytest.param(post("/v1/items", bomb(LIMIT + 1), GZIP), 413, id="a byte over the limit once unpacked"),
        pytest.param(post("/v1/items", bomb(64 << 20), GZIP), 413, id="a gzip bomb"),
        pytest.param(post("/v1/items", gzip.compress(bomb(64 << 20)), GZIP), 400, id="a bomb in a bomb"),
        pytest.param(post("/v1/items", gzip.compress(bomb(1000)), GZIP, GZIP), 415, id="compressed twice"),
        pytest.param(post("/v1/items", bomb(1000)[:-1], GZIP), 400, id="truncated gzip"),
        pytest.param(post("/v1/items", gzip.compress(b"{}") * 2, GZIP), 400, id="two gzip members"),
        pytest.param(post("/v1/items", b"\x1f\x8b" + b"\xff" * 1000, GZIP), 400, id="a gzip header and noise"),
        pytest.param(chunked(*[bomb(64 << 20)[:60_000]] * 2, headers=f"{GZIP}\r\n"), 413, id="chunks over the limit"),
        # Framing.
        pytest.param(chunked(*[b" "] * 20_000, b"{}"), 200, id="chunks of a byte"),
        pytest.param(chunked(b"{}").replace(b"2\r\n", b"2;" + b"x" * 60_000 + b"\r\n", 1), 200, id="a long chunk extension, which means nothing"),
        pytest.param(chunked(b"{}").replace(b"2\r\n", b"ffffffffffffffffff\r\n", 1), 400, id="a chunk beyond 64 bits"),
        pytest.param(chunked(b"{}").replace(b"2\r\n", b"-2\r\n", 1), 400, id="a negative chunk"),
        pytest.param(post("/v1/items", b"{}").replace(b": 2", b": -2"), 400, id="a negative length"),
        pytest.param(post("/v1/items", b"{}").replace(b": 2", b": +2"), 400, id="a signed length"),
        pytest.param(post("/v1/items", b"{}").replace(b": 2", b": 99999999999999999999999"), 400, id="a length beyond 64 bits"),
        pytest.param(get("/v1/items", "content-length : 2"), 400, id="a space before a colon"),
        pytest.param(get("/v1/items", "x: a", " folded"), 400, id="a folded header"),
        # Duplicates.
        pytest.param(post("/v1/items", b"{}", "content-type: application/json", "content-type: text/plain"), 400, id="two types"),
        pytest.param(get("/v1/items", "host: y"), 200, id="two hosts"),
        pytest.param(get("/v1/items", "x-server-timeout: 1", "x-server-timeout: x"), 400, id="two time-outs"),
        pytest.param(get("/v1/items", *["x-request-id: a"] * 100), 200, id="a hundred request ids"),
        pytest.param(get("/v1/items", *["traceparent: 00-1-2-3"] * 100), 200, id="a hundred traces"),
        pytest.param(get("/v1/items", "grpc-metadata-x-bin: " + "," * 50_000), 200, id="many empty values"),
        # Paths and queries.
        pytest.param(get("/v1/items?" + "name=a&" * 2000), 400, id="a parameter 2,000 times"),
        pytest.param(get("/v1/items?" + "tags=a&" * 1001), 400, id="too many parameters"),
        pytest.param(get("/v1/items?" + "inner." + "child." * 5000 + "name=x"), 400, id="a deep parameter"),
        pytest.param(get("/v1/items?" + "a" * 60_000), 400, id="a long parameter"),
        pytest.param(get("/v1/items?i64=" + "9" * 60_000), 400, id="a long number in the query"),
        pytest.param(get("/v1/items?name=" + "%41" * 20_000), 200, id="a value of escapes"),
        pytest.param(get("/v1/items?" + "%2525" * 10_000), 400, id="escaped escapes"),
        pytest.param(get("/v1/items?name=%C0%AF"), 400, id="an overlong slash"),
        pytest.param(get("/v1/items/%C0%AF"), 400, id="an overlong slash in the path"),
        pytest.param(get("/v1/items/%00"), 200, id="a NUL in the path"),
        pytest.param(get("/v1/files/" + "a/" * 15_000 + "b"), 200, id="15,000 segments that are one value"),
        pytest.param(get("/v1/files/" + "%2F" * 20_000), 200, id="20,000 escaped slashes"),
        pytest.param(get("/v1/items?$fields=" + "inner.child." * 4000), 400, id="a deep mask"),
        pytest.param(get("/v1/items?$fields=" + "name," * 10_000), 400, id="a long mask"),
    ],
)  # fmt: skip
async def test_a_request_that_means_harm_gets_its_status_and_the_service_goes_on(
    served: Served, request_: bytes, status: int
) -> None:
    async with peer(served.rest_port) as caller:
        caller.send(request_)
        got, headers, body = await caller.answer()
    assert got == status, body[:1000]
    assert headers["content-type"] == "application/json"
    assert len(body) < 2000 or status == 200
    if status >= 400:
        error = json.loads(body)["error"]
        assert error["code"] == status
        named = [detail for detail in error["details"] if detail["@type"].endswith("BadRequest")]
        assert named or status == 413
    for word in (b"Traceback", b"Error:", b"Error(", b"Exception", b"orjson", b"zlib", b"File "):
        assert word not in body
    async with peer(served.rest_port) as caller:
        caller.send(get("/v1/items?name=still+here"))
        assert (await caller.answer())[0] == 200


async def test_a_body_that_never_ends_costs_its_call_no_more_than_its_time(served: Served) -> None:
    async with peer(served.rest_port) as caller:
        caller.send(b"POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\nx-server-timeout: 0.05\r\n\r\n{")
        status, _, _ = await caller.answer()
    assert status == 504


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with started(tmp_path_factory.mktemp("abused"), module="tests.runtime.stream_process") as process:
        process.serve()
        yield process


BODY = 1 << 20  # bytes: the limit of that process
FLOODS = {
    "gzip bombs": post("/v1/items", bomb(256 << 20), GZIP),
    "bodies at the limit": post("/v1/items", b" " * (BODY - 2) + b"{}"),
    "bodies over the limit": post("/v1/items", b" " * (BODY + 1)),
    "deep bodies": post("/v1/items", b"[" * BODY),
    "header floods": get("/v1/items", *(f"x-{number}: y" for number in range(20_000))),
    "percent bombs": get("/v1/items?" + "%41" * 20_000),
    "bodies that stop half-way": post("/v1/items", b" " * BODY)[:-10],
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's memory from /proc")
@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_costs_a_bounded_amount_of_memory(process: ServerProcess, flood: str) -> None:
    async def send() -> None:
        async with peer(process.serving["rest_port"]) as caller:
            caller.send(FLOODS[flood])
            if flood == "bodies that stop half-way":
                await caller.writer.drain()
            else:
                await caller.answer()

    await asyncio.gather(*(send() for _ in range(4)))  # what is made once is made
    before = memory(process)
    for _ in range(4):
        await asyncio.gather(*(send() for _ in range(8)))
    assert memory(process) - before < 32 * MIB
    async with peer(process.serving["rest_port"]) as caller:
        caller.send(get("/v1/items?name=still+here"))
        assert (await caller.answer())[0] == 200

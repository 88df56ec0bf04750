"""Streams over HTTP: the three forms, errors before and after the first message, uploads, a slow reader."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.errors import ServiceError
from runtime.transport.framing import ARRAY, NDJSON, SSE, Framing, framing_for

from tests.runtime.sample_service import OutOfStock
from tests.runtime.wire_service import Item, Wire, definition, rest_policy, serving

NDJSON_TYPE = "application/x-ndjson"
SSE_TYPE = "text/event-stream"


@pytest.mark.parametrize(
    ("accept", "framing"),
    [
        ("", ARRAY),
        ("*/*", ARRAY),
        ("text/html", ARRAY),
        ("application/json", ARRAY),
        ("application/x-ndjson", NDJSON),
        ("Text/Event-Stream; charset=utf-8", SSE),
        ("application/json;q=0.5, application/x-ndjson", NDJSON),
        ("application/json, application/x-ndjson", ARRAY),
        ("text/event-stream;q=0, */*", ARRAY),
        ("text/event-stream;q=x", ARRAY),
    ],
)
def test_the_form_is_what_the_caller_accepts_most(accept: str, framing: Framing) -> None:
    assert framing_for(accept) is framing


async def test_a_stream_is_a_json_array_by_default() -> None:
    async with serving(Wire()) as served:
        response = await served.http.get("/v1/count/3")
        empty = await served.http.get("/v1/count/0")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == [{}, {"i32": 1}, {"i32": 2}]
    assert empty.text == "[]"


async def test_ndjson_has_a_result_a_line() -> None:
    async with serving(Wire()) as served:
        response = await served.http.get("/v1/count/2", headers={"accept": NDJSON_TYPE})
        empty = await served.http.get("/v1/count/0", headers={"accept": NDJSON_TYPE})
    assert response.headers["content-type"] == NDJSON_TYPE
    assert response.text == '{"result":{}}\n{"result":{"i32":1}}\n'
    assert (empty.status_code, empty.text) == (200, "")


async def test_server_sent_events_have_a_message_each() -> None:
    async with serving(Wire()) as served:
        response = await served.http.get("/v1/count/2", headers={"accept": SSE_TYPE})
    assert response.headers["content-type"] == SSE_TYPE
    assert response.text == 'data: {}\n\ndata: {"i32":1}\n\n'


def failing(after: int) -> Wire:
    async def behave(request: Any, call: Call) -> Any:
        for number in range(after):
            yield Item(i32=number)
        raise OutOfStock(sku="a", available=3)

    return Wire(behave)


@pytest.mark.parametrize("accept", ["application/json", NDJSON_TYPE, SSE_TYPE])
async def test_an_error_before_the_first_message_is_an_ordinary_response(accept: str) -> None:
    async with serving(failing(0)) as served:
        response = await served.http.get("/v1/count/1", headers={"accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (409, "application/json")
    assert response.json()["error"]["status"] == "FAILED_PRECONDITION"


@pytest.mark.parametrize("shape", ["google", "problem", "status"])
async def test_an_error_after_it_is_the_last_line_of_ndjson(shape: str) -> None:
    async with serving(failing(2), definition(**rest_policy(errors=shape))) as served:
        response = await served.http.get("/v1/count/1", headers={"accept": NDJSON_TYPE})
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [list(line) for line in lines] == [["result"], ["result"], ["error"]]
    assert "Only 3 of a left" in lines[-1]["error"].values()


async def test_an_error_after_it_is_an_event_of_its_own() -> None:
    async with serving(failing(1)) as served:
        response = await served.http.get("/v1/count/1", headers={"accept": SSE_TYPE})
    first, last = response.text.rstrip("\n").split("\n\n")
    assert first == "data: {}"
    kind, data = last.split("\n")
    assert kind == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"]["status"] == "FAILED_PRECONDITION"


async def test_an_error_after_it_breaks_an_array_off_so_that_nobody_takes_it_for_whole() -> None:
    async with serving(failing(2)) as served:
        received = b""
        with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012 - what came before matters
            async with served.http.stream("GET", "/v1/count/1") as response:
                assert response.status_code == 200
                async for chunk in response.aiter_raw():
                    received += chunk
        assert received == b'[{},{"i32":1}'
        assert (await served.http.get("/nope")).status_code == 404


async def test_each_message_leaves_at_once() -> None:
    steps = asyncio.Queue[None]()
    steps.put_nowait(None)

    async def behave(request: Any, call: Call) -> Any:
        for number in range(3):
            await steps.get()
            yield Item(i32=number)

    async with (
        serving(Wire(behave)) as served,
        served.http.stream("GET", "/v1/count/1", headers={"accept": NDJSON_TYPE}) as response,
    ):
        lines = response.aiter_lines()
        for number in range(3):
            assert json.loads(await anext(lines))["result"].get("i32", 0) == number
            steps.put_nowait(None)


async def test_a_raw_stream_is_its_chunks_under_the_first_ones_content_type() -> None:
    async with serving(Wire()) as served:
        response = await served.http.get("/v1/download/n", headers={"accept": NDJSON_TYPE})
    assert (response.text, response.headers["content-type"]) == ("one two", "text/plain")


async def test_headers_set_before_the_first_message_arrive() -> None:
    async def behave(request: Any, call: Call) -> Any:
        call.set_header("etag", "1")
        yield request

    async with serving(Wire(behave)) as served:
        response = await served.http.get("/v1/count/1")
    assert response.headers["etag"] == "1"


async def test_head_of_a_stream_has_its_headers_and_no_body() -> None:
    async with serving(Wire()) as served:
        response = await served.http.head("/v1/count/3")
        after = await served.http.get("/v1/count/1")
    assert (response.status_code, response.content, after.json()) == (200, b"", [{}])


async def test_a_slow_reader_holds_the_handler_back() -> None:
    produced = 0

    async def behave(request: Any, call: Call) -> Any:
        nonlocal produced
        for _ in range(100_000):
            produced += 1
            yield Item(name="x" * 1000)

    async with serving(Wire(behave)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.rest_port, limit=1 << 12)
        writer.write(b"GET /v1/count/1 HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"[")
        reached = -1
        while reached != produced:  # until the handler stands still
            reached = produced
            for _ in range(200):
                await asyncio.sleep(0)
        assert produced < 50_000
        await reader.readexactly(2_000_000)
        assert produced > reached
        writer.close()


async def test_an_upload_is_a_json_array_or_a_value_a_line() -> None:
    async with serving(Wire()) as served:
        array = await served.http.post("/v1/gather", json=[{"name": "a"}, {"name": "b"}])
        lines = await served.http.post(
            "/v1/gather", content=b'{"name":"a"}\n\n{"name":"b"}', headers={"content-type": NDJSON_TYPE}
        )
        empty = await served.http.post("/v1/gather")
    assert array.json() == lines.json() == {"i32": 2, "tags": ["a", "b"]}
    assert empty.json() == {}


async def test_a_raw_upload_reaches_the_handler_part_by_part() -> None:
    arrived = asyncio.Event()

    class Taker(Wire):
        async def deposit(self, requests: AsyncIterator[Any], call: Call) -> Any:
            async def told() -> AsyncIterator[Any]:
                async for part in requests:
                    arrived.set()
                    yield part

            return await super().deposit(told(), call)

    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        await asyncio.wait_for(arrived.wait(), 5)
        yield b"two"

    handler = Taker()
    async with serving(handler) as served:

        response = await served.http.post("/v1/deposit", content=parts(), headers={"content-type": "text/plain"})
        empty = await served.http.post("/v1/deposit", headers={"content-type": "text/plain"})
    assert response.json() == {"name": "text/plain", "i32": 2}
    assert [part.data for part in handler.requests] == [b"one ", b"two"]
    assert empty.status_code == 200


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_raw_upload_that_is_too_large_is_refused(chunked: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    async with serving(Wire(), definition(**rest_policy(max_body_bytes=1000))) as served:
        response = await served.http.post("/v1/deposit", content=parts() if chunked else b"x" * 2000)
    assert response.status_code == 413


async def test_a_compressed_raw_upload_is_one_part() -> None:
    handler = Wire()
    async with serving(handler) as served:
        headers = {"content-encoding": "gzip"}
        response = await served.http.post("/v1/deposit", content=gzip.compress(b"one two"), headers=headers)
    assert (response.status_code, [part.data for part in handler.requests]) == (200, [b"one two"])


async def test_path_and_body_field_apply_to_each_element_of_an_upload() -> None:
    handler = Wire()
    async with serving(handler) as served:
        response = await served.http.post("/v1/gather/n?i32=4", json=[{"name": "a"}, {"name": "b"}])
    assert response.status_code == 200
    assert handler.requests == [Item(name="n", i32=4, inner={"name": name}) for name in ("a", "b")]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{}", "application/json"),
        (b"[{}", "application/json"),
        (b"[3]", "application/json"),
        (b'[{"nope":1}]', "application/json"),
        (b"{}\n{", NDJSON_TYPE),
        (b"[{}]", NDJSON_TYPE),
    ],
)
async def test_an_upload_that_is_no_such_thing_is_refused(content: bytes, kind: str) -> None:
    async with serving(Wire()) as served:
        response = await served.http.post("/v1/gather", content=content, headers={"content-type": kind})
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_a_stream_that_the_service_ends_says_so() -> None:
    entered = asyncio.Event()

    async def behave(request: Any, call: Call) -> Any:
        yield Item()
        entered.set()
        call.end(ServiceError(StatusCode.UNAVAILABLE, "the server is shutting down", retry_after=1.0))
        await asyncio.Event().wait()

    async with serving(Wire(behave)) as served:
        response = await served.http.get("/v1/count/1", headers={"accept": NDJSON_TYPE})
    assert json.loads(response.text.splitlines()[-1])["error"]["status"] == "UNAVAILABLE"

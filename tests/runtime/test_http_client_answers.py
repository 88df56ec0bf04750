"""What comes back from a dependency over HTTP: answers, and what a failure says of itself."""

from __future__ import annotations

import datetime as dt
import email.utils
import gzip
import json
from typing import Any

import pytest
from grpc import StatusCode
from runtime.client.http_response import code_of, retry_after
from runtime.errors import DependencyError

from tests.runtime.http_peer import Seen, client_of, failure, peer
from tests.runtime.sample_service import Note

ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
HIDDEN = "what the peer keeps to itself"


# -- answers ---------------------------------------------------------------------------------------------------------


async def test_an_answer_has_its_status_headers_and_content() -> None:
    def script(seen: Seen) -> None:
        seen.answer(201, b'{"text":"a","new":[1]}', x_a="1", x_A="2")

    async with peer(script) as fx, client_of(fx.url) as client:
        response = await client.get("/x")
        assert (response.status, response.headers.get_all("X-A")) == (201, ["1", "2"])
        assert response.json() == {"text": "a", "new": [1]}
        assert response.message(Note) == Note(text="a"), "a peer may say more than is known here"


@pytest.mark.parametrize(
    ("content", "as_json"), [(b"", False), (b'{"text":', False), (b"\xff", False), (b"[" * 5000, False), (b"[1]", True)]
)
async def test_content_that_is_something_else_is_an_error_of_the_dependency(content: bytes, as_json: bool) -> None:
    async with peer(lambda seen: seen.answer(200, content)) as fx, client_of(fx.url) as client:
        response = await client.get("/x")
        readers = [lambda: response.message(Note)] if as_json else [lambda: response.message(Note), response.json]
        for read in readers:
            with pytest.raises(DependencyError, match="the answer is no") as caught:
                read()
            assert (caught.value.code, caught.value.code_received) == (StatusCode.UNAVAILABLE, StatusCode.INTERNAL)


async def test_no_cookie_is_kept_and_the_connection_is() -> None:
    async with peer(lambda seen: seen.answer(set_cookie="a=b; Path=/")) as fx, client_of(fx.url) as client:
        for _ in range(3):
            await client.get("/x")
        assert [seen.header("cookie") for seen in fx.seen] == [None] * 3
        assert fx.connections == 1


async def test_a_redirect_is_an_answer_unless_it_may_be_followed() -> None:
    def script(seen: Seen) -> None:
        seen.answer(302, b"", location="/api/b") if seen.target == "/api/a" else seen.answer(200, b"[]")

    async with peer(script) as fx, client_of(fx.url) as client:
        assert (await client.get("/a")).status == 302
        assert [seen.target for seen in fx.seen] == ["/api/a"]
        assert (await client.get("/a", redirects=1)).json() == []
        with pytest.raises(ValueError, match="redirects of POST"):
            await client.post("/a", redirects=1)


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:1/x",
        "//evil.example/x",
        "https://localhost:{port}/",
        "http://u:p@localhost:{port}/",
        "https:///",
        "http://[",
        "",
    ],
)
async def test_no_redirect_leads_away_from_the_dependency(location: str) -> None:
    def script(seen: Seen) -> None:
        seen.answer(302, b"", location=location.format(port=fx.port))

    async with peer(script) as fx, client_of(fx.url) as client:
        assert (await client.get("/a", redirects=5)).status == 302
        assert len(fx.seen) == 1


async def test_redirects_in_a_circle_end() -> None:
    async with peer(lambda seen: seen.answer(307, b"", location="/api/a")) as fx, client_of(fx.url) as client:
        assert (await client.get("/a", redirects=3)).status == 307
        assert len(fx.seen) == 4


@pytest.mark.parametrize("compressed", [False, True])
async def test_content_larger_than_its_bound_is_refused(compressed: bool) -> None:
    content = b"[" + b" " * 100_000 + b"]"

    def script(seen: Seen) -> None:
        body = gzip.compress(content) if compressed else content
        seen.answer(200, body, **({"content_encoding": "gzip"} if compressed else {}))

    async with peer(script) as fx:
        async with client_of(fx.url, max_response_bytes=len(content)) as client:
            assert (await client.get("/x")).content == content
        async with client_of(fx.url, max_response_bytes=len(content) - 1) as client:
            with pytest.raises(DependencyError, match="larger than 100001 bytes") as caught:
                await client.get("/x")
            assert (caught.value.code_received, caught.value.final) == (StatusCode.RESOURCE_EXHAUSTED, True)


async def test_content_without_an_end_is_refused_and_not_waited_for() -> None:
    async def script(seen: Seen) -> None:
        seen.send("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
        while not seen.writer.is_closing():
            seen.send("400\r\n", b"a" * 1024, "\r\n")
            await seen.writer.drain()

    async with peer(script) as fx, client_of(fx.url, max_response_bytes=1 << 16) as client:
        with pytest.raises(DependencyError, match="larger than 65536 bytes"):
            await client.get("/x")
        await fx.seen[0].gone()


async def test_an_answer_to_head_has_no_content_however_long_it_would_be() -> None:
    def script(seen: Seen) -> None:
        seen.send("HTTP/1.1 200 X\r\ncontent-length: 99999999\r\n\r\n")

    async with peer(script) as fx, client_of(fx.url) as client:
        response = await client.head("/x")
        assert (response.content, response.headers.get("content-length")) == (b"", "99999999")
        await client.head("/x")
        assert fx.connections == 1


# -- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (408, "FAILED_PRECONDITION"),
        (409, "ABORTED"),
        (416, "OUT_OF_RANGE"),
        (418, "FAILED_PRECONDITION"),
        (429, "RESOURCE_EXHAUSTED"),
        (499, "CANCELLED"),
        (500, "INTERNAL"),
        (501, "UNIMPLEMENTED"),
        (502, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (599, "INTERNAL"),
        (999, "INTERNAL"),
    ],
)
async def test_each_status_has_its_code_and_the_caller_sees_none_of_it(status: int, code: str) -> None:
    async with peer(lambda seen: seen.answer(status, HIDDEN.encode())) as fx, client_of(fx.url) as client:
        error = await failure(client.get("/x"))
        assert (error.http_received, error.code_received.name) == (status, code)
        assert (error.code, error.http, error.message) == (StatusCode.UNAVAILABLE, 503, "a dependency is unavailable")
        assert HIDDEN not in str(error)
        await failure(client.get("/x"))
        assert fx.connections == 1, "an error is an answer like any other"


DETAILS = [
    {"@type": "type.example/unknown.Detail", "a": 1},
    {"@type": ERROR_INFO, "reason": "OUT_OF_STOCK", "domain": "fx.example", "metadata": {"sku": "a"}},
    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"},
    "no detail",
]
AIP_193 = {"error": {"code": 409, "message": HIDDEN, "status": "ALREADY_EXISTS", "details": DETAILS}}
STATUS = {"code": 6, "message": HIDDEN, "details": DETAILS}
PROBLEM = {
    "type": "about:blank",
    "title": "Conflict",
    "status": 409,
    "detail": HIDDEN,
    "code": "ALREADY_EXISTS",
    "reason": "OUT_OF_STOCK",
    "domain": "fx.example",
    "metadata": {"sku": "a"},
    "details": [DETAILS[2]],
}


@pytest.mark.parametrize("body", [AIP_193, STATUS, {"error": STATUS}, PROBLEM], ids=["google", "status", "in", "9457"])
async def test_a_handler_sees_all_that_the_body_says_in_whichever_shape(body: Any) -> None:
    content = json.dumps(body).encode()
    async with peer(lambda seen: seen.answer(409, content)) as fx, client_of(fx.url) as client:
        error = await failure(client.get("/x"))
        assert (error.code_received, error.message_received) == (StatusCode.ALREADY_EXISTS, HIDDEN)
        assert (error.reason_received, error.domain_received) == ("OUT_OF_STOCK", "fx.example")
        assert (error.metadata_received, error.pushback) == ({"sku": "a"}, 1.5)
        assert error.is_for("OUT_OF_STOCK", "fx.example")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'"text"',
        b'{"error": 7}',
        b'{"error": {"status": 3, "details": {}}}',
        b'{"error": {"status": "NO_CODE", "message": 1, "details": [[]]}}',
        b'{"code": 99, "metadata": [], "reason": {}}',
        b'{"a": ' * 3000,
        b"\xff\xfe",
        b'{"message": "' + b"a" * 70_000 + b'"}',
    ],
)
async def test_a_body_that_says_nothing_leaves_the_status_to_speak(content: bytes) -> None:
    async with peer(lambda seen: seen.answer(404, content)) as fx, client_of(fx.url) as client:
        error = await failure(client.get("/x"))
        assert (error.code_received, error.reason_received, error.http_received) == (StatusCode.NOT_FOUND, "", 404)
        assert error.message_received == ""


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (409, 6, StatusCode.ALREADY_EXISTS),
        (400, 9, StatusCode.FAILED_PRECONDITION),
        (400, 14, StatusCode.INVALID_ARGUMENT),
        (503, 5, StatusCode.UNAVAILABLE),
        (500, 15, StatusCode.DATA_LOSS),
        (500, 2, StatusCode.UNKNOWN),
        (404, 0, StatusCode.NOT_FOUND),
    ],
)
def test_the_bodys_code_counts_where_it_blames_the_same_side(status: int, told: int, code: StatusCode) -> None:
    assert code_of(status, told) is code


NOW = dt.datetime(2030, 5, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 0 ", 0.0),
        (email.utils.format_datetime(NOW + dt.timedelta(seconds=7), usegmt=True), 7.0),
        (email.utils.format_datetime(NOW - dt.timedelta(seconds=7), usegmt=True), 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 30, None),
        ("soon", None),
        ("Wed, 99 May 2030 12:00:00 GMT", None),
        ("\u0663", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW.timestamp) == seconds

"""Bidirectional calls over WebSocket: frames to messages and back, how they end, and what is no such call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from runtime.call import Call
from runtime.server import running
from runtime.settings import Settings
from runtime.shutdown import shut_down
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from tests.runtime import sample_service
from tests.runtime.sample_service import OutOfStock
from tests.runtime.wire_service import Item, Served, Wire, definition, rest_policy, serving

UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def opening(served: Served, path: str = "/v1/chat", **headers: str) -> connect:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return connect(f"ws://127.0.0.1:{served.rest_port}{path}", additional_headers=names, proxy=None, max_size=None)


async def ended(socket: ClientConnection) -> tuple[list[Any], int]:
    """The messages until the server closes, and its close code."""
    messages = []
    with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 - as many as there are
        while True:
            messages.append(json.loads(await socket.recv()))
    received = closed.value.rcvd
    return messages, 0 if received is None else received.code


async def test_each_frame_is_a_message_and_an_empty_one_ends_the_requests() -> None:
    async with serving(Wire()) as served, opening(served) as socket:
        await socket.send('{"name": "a"}')
        assert json.loads(await socket.recv()) == {"name": "a"}
        await socket.send('{"i32": 2}')
        await socket.send("")
        assert await ended(socket) == ([{"i32": 2}], 1000)


@pytest.mark.parametrize(
    ("path", "frame", "answer"),
    [
        ("/v1/chat/n:talk", {"i32": 2}, {"name": "n", "i32": 2}),
        ("/v1/chat/a%2Fb:talk?i32=3&tags=x", {"i64": "4"}, {"name": "a/b", "i32": 3, "i64": "4", "tags": ["x"]}),
        ("/v1/chat/n?i32=3", {"name": "inner"}, {"name": "inner"}),
    ],
)
async def test_path_query_and_body_field_apply_to_each_message(path: str, frame: Any, answer: Any) -> None:
    handler = Wire()
    async with serving(handler) as served, opening(served, path) as socket:
        for _ in range(2):
            await socket.send(json.dumps(frame))
            assert json.loads(await socket.recv()) == answer
    assert handler.calls[0].route == path.partition("?")[0].replace("a%2Fb", "n").replace("/n", "/{name}")


async def test_a_message_in_fragments_is_one_message() -> None:
    async with serving(Wire()) as served, opening(served) as socket:
        await socket.send(['{"na', 'me": ', '"a"}'])
        assert json.loads(await socket.recv()) == {"name": "a"}


async def test_the_upgrades_headers_are_the_calls_metadata_and_the_handlers_answer_it() -> None:
    class Greeter(Wire):
        async def chat(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
            call.set_header("etag", "1")
            call.set_header("x-own", "2")
            async for _ in requests:
                yield Item(name=str(call.metadata.get("x-mine")), tags=[call.request_id, call.protocol])

    async with (
        serving(Greeter()) as served,
        opening(served, grpc_metadata_x_mine="m", x_request_id="id", cookie="c") as socket,
    ):
        assert socket.response is not None
        assert socket.response.headers["etag"] == "1"
        assert socket.response.headers["grpc-metadata-x-own"] == "2"
        await socket.send("{}")
        assert json.loads(await socket.recv()) == {"name": "m", "tags": ["id", "rest"]}


async def test_the_upgrade_is_answered_although_the_handler_neither_reads_nor_writes() -> None:
    class Thinker(Wire):
        async def chat(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
            await asyncio.Event().wait()
            yield Item()

    async with serving(Thinker()) as served, asyncio.timeout(3), opening(served):
        pass


async def test_the_path_and_the_query_apply_to_each_message_whatever_it_holds() -> None:
    async with (
        serving(Wire()) as served,
        opening(served, "/v1/chat/n:talk?i32=0&flag=true&tags=b&inner.size=2&right=3&mask=&wrapped=4") as socket,
    ):
        for _ in range(2):
            await socket.send('{"name": "m", "i32": 5, "tags": ["a"], "inner": {"name": "x"}, "left": "y"}')
            assert json.loads(await socket.recv()) == {
                "name": "n",
                "flag": True,
                "tags": ["a", "b"],
                "inner": {"name": "x", "size": 2},
                "right": 3,
                "mask": "",
                "wrapped": "4",
            }


@pytest.mark.parametrize(("shape", "key"), [("google", "message"), ("problem", "detail"), ("status", "message")])
async def test_a_failure_is_a_frame_in_the_declared_shape(shape: str, key: str) -> None:
    async def behave(request: Any, call: Call) -> Any:
        yield Item(i32=1)
        raise OutOfStock(sku="a", available=3)

    async with serving(Wire(behave), definition(**rest_policy(errors=shape))) as served, opening(served) as socket:
        await socket.send("{}")
        messages, code = await ended(socket)
    assert (messages[0], messages[1]["error"][key], code) == ({"i32": 1}, "Only 3 of a left", 1011)


@pytest.mark.parametrize(
    ("frame", "status", "field"),
    [
        ("{", "INVALID_ARGUMENT", "body"),
        ("[]", "INVALID_ARGUMENT", "body"),
        ('{"nope": 1}', "INVALID_ARGUMENT", "nope"),
        ('{"i32": "x"}', "INVALID_ARGUMENT", "i32"),
        ('{"name": "' + "x" * 2000 + '"}', "RESOURCE_EXHAUSTED", None),
        (b"{}", "INVALID_ARGUMENT", "body"),
        (['{"name": "' + "x" * 600, "x" * 600 + '"}'], "RESOURCE_EXHAUSTED", None),
    ],
)
async def test_what_is_no_message_is_refused_after_those_before_it(frame: Any, status: str, field: str | None) -> None:
    async with serving(Wire(), definition(**rest_policy(max_body_bytes=1000))) as served, opening(served) as socket:
        await socket.send('{"i32": 1}')
        await socket.send(frame)
        messages, code = await ended(socket)
        assert (messages[0], messages[1]["error"]["status"], code) == ({"i32": 1}, status, 1008)
        info = messages[1]["error"]["details"][0]
        assert info.get("metadata", {}).get("field") == field
        assert (await served.http.get("/v1/items")).status_code == 200


async def test_text_that_is_not_utf_8_is_refused() -> None:
    async with serving(Wire()) as served:
        reader, writer = await opened(served)
        writer.write(Frame(Opcode.TEXT, b'{"name": "\xff"}').serialize(mask=True))
        answer = await reader.readuntil(b"\x88\x02\x03\xf0")  # 1008
        writer.close()
    assert b"INVALID_ARGUMENT" in answer


@pytest.mark.parametrize(
    ("path", "header"),
    [("/v1/chat?i32=1", {}), ("/v1/chat/n:talk?nope=1", {}), ("/v1/chat", {"grpc_timeout": "soon"})],
)
async def test_an_upgrade_of_a_call_that_cannot_be_made_is_refused_over_the_socket(path: str, header: Any) -> None:
    async with serving(Wire()) as served, opening(served, path, **header) as socket:
        messages, code = await ended(socket)
    assert (messages[0]["error"]["status"], code) == ("INVALID_ARGUMENT", 1008)


async def test_bytes_that_are_no_frames_end_the_call() -> None:
    entered, left = asyncio.Event(), asyncio.Event()
    async with serving(Waiting(entered, left)) as served:
        reader, writer = await opened(served)
        writer.write(Frame(Opcode.TEXT, b"{}").serialize(mask=False))  # a client must mask
        assert b"\x03\xea" in await reader.read()  # 1002, protocol error
        await asyncio.wait_for(left.wait(), 5)
        writer.close()


class Waiting(Wire):
    """Waits for ever without reading, and tells that it was cancelled."""

    def __init__(self, entered: asyncio.Event, left: asyncio.Event) -> None:
        super().__init__()
        self._entered = entered
        self._left = left

    async def chat(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
        yield Item()
        self._entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._left.set()
            raise


@pytest.mark.parametrize("how", ["close", "going away", "abort", "unread"])
async def test_a_caller_that_goes_away_cancels_the_handler(how: str) -> None:
    entered, left = asyncio.Event(), asyncio.Event()
    async with serving(Waiting(entered, left)) as served:
        socket = await opening(served)
        await asyncio.wait_for(entered.wait(), 5)
        if how == "unread":
            await socket.send("{}")
        if how == "abort":
            socket.transport.abort()
        else:
            await socket.close(1001 if how == "going away" else 1000)
            assert socket.close_code == (1001 if how == "going away" else 1000)
        await asyncio.wait_for(left.wait(), 5)


async def test_a_deadline_ends_the_call_with_a_frame() -> None:
    async with (
        serving(Waiting(asyncio.Event(), asyncio.Event())) as served,
        opening(served, grpc_timeout="50m") as socket,
    ):
        messages, code = await ended(socket)
    assert (messages[-1]["error"]["status"], code) == ("DEADLINE_EXCEEDED", 1011)


async def test_a_slow_reader_holds_the_handler_back() -> None:
    produced = 0

    async def behave(request: Any, call: Call) -> Any:
        nonlocal produced
        for _ in range(10_000):
            produced += 1
            yield Item(name="x" * 10_000)

    async with serving(Wire(behave)) as served:
        reader, writer = await opened(served, limit=1 << 12)
        writer.write(Frame(Opcode.TEXT, b"{}").serialize(mask=True))
        await reader.readexactly(1000)
        reached = -1
        while reached != produced:  # until the handler stands still
            reached = produced
            for _ in range(200):
                await asyncio.sleep(0)
        assert produced < 5_000
        await reader.readexactly(2_000_000)
        assert produced > reached
        writer.close()


async def test_a_slow_handler_holds_the_sender_back_and_loses_nothing() -> None:
    count, go_on = 3_000, asyncio.Event()

    class Counter(Wire):
        async def chat(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
            await call.send_headers()
            await go_on.wait()
            numbers = [request.i32 async for request in requests]
            yield Item(flag=numbers == list(range(count)))

    async with serving(Counter()) as served:
        reader, writer = await opened(served)
        writer.transport.set_write_buffer_limits(high=0)
        padding = "x" * 5000

        async def send() -> None:
            for number in range(count):
                text = json.dumps({"i32": number, "name": padding}).encode()
                writer.write(Frame(Opcode.TEXT, text).serialize(mask=True))
                await writer.drain()
            writer.write(Frame(Opcode.TEXT, b"").serialize(mask=True))

        sending = asyncio.create_task(send())
        done, _ = await asyncio.wait([sending], timeout=0.5)
        assert not done
        go_on.set()
        await sending
        assert b'{"flag":true}' in await reader.readuntil(b"\x88\x02\x03\xe8")  # 1000
        writer.close()


@pytest.mark.parametrize("verb", ["GET", "POST"])
async def test_a_plain_request_is_told_to_upgrade(verb: str) -> None:
    async with serving(Wire()) as served:
        response = await served.http.request(verb, "/v1/chat")
        again = await served.http.get("/v1/items")
    assert (response.status_code, response.headers["upgrade"]) == (426, "websocket")
    assert response.json()["error"]["status"] == "UNIMPLEMENTED"
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("/v1/chat", {"sec-websocket-version": "8"}, 426),
        ("/v1/chat", {"sec-websocket-key": "short"}, 400),
        ("/v1/chat", {"sec-websocket-key": ""}, 400),
        ("/v1/chat", {"connection": "close"}, 426),
        ("/v1/chat", {"upgrade": "h2c"}, 426),
        ("/v1/chat/%zz:talk", {}, 400),
        ("/nope", {}, 404),
        ("/v1/items", {}, 200),
    ],
)
async def test_what_opens_no_web_socket_is_answered_over_http(path: str, changes: Any, status: int) -> None:
    async with serving(Wire()) as served:
        response = await served.http.get(path, headers={**UPGRADE, **changes})
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")


async def test_an_upgrade_has_no_body() -> None:
    async with serving(Wire()) as served:
        response = await served.http.request("GET", "/v1/chat", headers=UPGRADE, content=b"{}")
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_an_upgrade_under_a_path_of_other_methods_is_refused() -> None:
    async with serving(Wire()) as served:
        with pytest.raises(InvalidStatus, match="405"):
            async with opening(served, "/v1/tags"):
                pass


async def test_a_drain_ends_the_call_with_a_frame_and_the_connection_with_it() -> None:
    entered, left = asyncio.Event(), asyncio.Event()
    application = sample_service.application(Waiting(entered, left))
    async with (
        running(definition(), application, Settings(host="127.0.0.1")) as server,
        connect(f"ws://127.0.0.1:{server.rest_port}/v1/chat", proxy=None) as socket,
    ):
        await entered.wait()
        stopping = asyncio.create_task(shut_down(server, definition().policies.lifecycle, patient=False))
        messages, code = await ended(socket)
        outcome = await stopping
    assert (messages[-1]["error"]["status"], code) == ("UNAVAILABLE", 1011)
    assert (outcome.ended, outcome.stuck, outcome.failed) == (1, 0, ())
    assert left.is_set()


async def opened(served: Served, limit: int = 1 << 16) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket without a library at its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.rest_port, limit=limit)
    lines = [f"{name}: {value}" for name, value in UPGRADE.items()]
    writer.write("\r\n".join(["GET /v1/chat HTTP/1.1", "host: x", *lines, "", ""]).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    return reader, writer

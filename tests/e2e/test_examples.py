"""The examples: emitted, filled with the handlers that stand beside them, started, and called over both protocols."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from grpc import StatusCode, aio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from tests.e2e.projects import EXAMPLES, Process, holdfast, in_project, serving
from tests.e2e.wire import PATIENCE, Stub

CHAT = "/chat.v1.ChatService"
OPERATIONS = "/google.longrunning.Operations"
ORDERS = "/orders.v1.OrderService"


@pytest.fixture(scope="module")
def chat(chat_project: Path) -> Iterator[Process]:
    with serving(chat_project, "chat") as process:
        yield process


@pytest.fixture(scope="module")
def operations(operations_project: Path) -> Iterator[Process]:
    with serving(operations_project, "operations") as process:
        yield process


@pytest.fixture(scope="module")
def orders(orders_project: Path) -> Iterator[Process]:
    command = [sys.executable, EXAMPLES / "orders" / "dependencies.py"]
    environment = {**os.environ, "PYTHONPATH": str(orders_project / "src")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as dependencies:
        assert dependencies.stdout is not None
        targets = json.loads(dependencies.stdout.readline())
        try:
            with serving(orders_project, "orders", targets) as process:
                yield process
        finally:
            dependencies.kill()


@pytest.fixture
async def chat_stub(chat: Process, chat_project: Path) -> AsyncIterator[Stub]:
    async with aio.insecure_channel(chat.grpc) as channel:
        yield Stub(chat_project, channel)


@pytest.fixture
async def operations_stub(operations: Process, operations_project: Path) -> AsyncIterator[Stub]:
    async with aio.insecure_channel(operations.grpc) as channel:
        yield Stub(operations_project, channel)


@pytest.fixture
async def orders_stub(orders: Process, orders_project: Path) -> AsyncIterator[Stub]:
    async with aio.insecure_channel(orders.grpc) as channel:
        yield Stub(orders_project, channel)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("name", ["chat", "operations", "orders"])
def test_the_tests_of_the_example_pass(name: str, request: pytest.FixtureRequest) -> None:
    project: Path = request.getfixturevalue(f"{name}_project")
    in_project(project, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "tests", "--ignore=tests/contract")


def test_the_committed_project_is_in_order_once_it_has_its_runtime(orders_project: Path) -> None:
    done = holdfast("check", "--project", orders_project)
    assert done.returncode == 0, done.stderr


def test_the_tour_of_make_demo_loses_no_call(orders_project: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(orders_project / "src")}
    command = [sys.executable, EXAMPLES / "orders" / "tour.py", orders_project]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "409 FAILED_PRECONDITION Only 3 of ink left" in done.stdout
    assert done.stdout.count("DEADLINE_EXCEEDED") == 2
    assert done.stdout.count("UNAVAILABLE a dependency is unavailable") == 2


# -- chat: the four kinds ------------------------------------------------------------------------------------------


async def test_what_is_posted_over_rest_is_followed_over_grpc(
    chat: Process, chat_stub: Stub, http: httpx.AsyncClient
) -> None:
    url = f"{chat.rest}/v1/rooms/both/messages"
    said = await http.post(url, json={"author": "ada", "text": "hello"})
    assert (said.status_code, said.json()["room"]) == (200, "rooms/both")
    following = chat_stub.listen(f"{CHAT}/Follow", {"room": "rooms/both"})
    assert (await anext(following))["text"] == "hello"
    await chat_stub.call(f"{CHAT}/Post", {"room": "rooms/both", "message": {"author": "bob", "text": "hi"}})
    assert (await anext(following))["author"] == "bob"


async def test_a_stream_is_followed_over_rest_while_it_goes_on(
    chat: Process, chat_stub: Stub, http: httpx.AsyncClient
) -> None:
    url, headers = f"{chat.rest}/v1/rooms/live/messages:follow", {"accept": "application/x-ndjson"}
    async with http.stream("GET", url, headers=headers) as stream:
        assert stream.status_code == 200
        lines = stream.aiter_lines()
        for text in ("one", "two"):
            await chat_stub.call(f"{CHAT}/Post", {"room": "rooms/live", "message": {"author": "ada", "text": text}})
            line = await anext(lines)
            assert json.loads(line)["result"]["text"] == text, line


async def test_who_talks_over_a_web_socket_hears_the_others_and_themselves(chat: Process, chat_stub: Stub) -> None:
    url = f"ws://127.0.0.1:{chat.rest_port}/v1/rooms/socket:talk"
    async with connect(url, proxy=None) as socket:
        await socket.send('{"author": "ada", "text": "one"}')
        assert json.loads(await socket.recv())["text"] == "one"
        message = {"room": "rooms/socket", "message": {"author": "bob", "text": "two"}}
        await chat_stub.call(f"{CHAT}/Post", message)
        assert json.loads(await socket.recv())["author"] == "bob"
        await socket.send('{"author": "troll", "text": "!"}')
        assert json.loads(await socket.recv())["error"]["reason"] == "MUTED"
        with pytest.raises(ConnectionClosedError, match="1011"):
            await socket.recv()


async def test_a_stream_of_requests_has_one_answer(chat_stub: Stub) -> None:
    archive = [{"room": "rooms/archive", "author": "ada", "text": str(number)} for number in range(20)]
    assert await chat_stub.gather(f"{CHAT}/Import", archive) == {"imported": 20}


async def test_both_sides_of_a_conversation_take_turns(chat_stub: Stub) -> None:
    conversation = chat_stub.talk(f"{CHAT}/Talk")
    for text in ("anybody here?", "I am talking to myself"):
        await conversation.say({"room": "rooms/echo", "author": "ada", "text": text})
        heard = await conversation.hear()
        assert heard is not None
        assert heard["text"] == text
    await conversation.end()
    assert await conversation.hear() is None


async def test_an_error_in_a_conversation_is_the_tables(chat_stub: Stub) -> None:
    conversation = chat_stub.talk(f"{CHAT}/Talk")
    await conversation.say({"room": "rooms/quiet", "author": "troll", "text": "!"})
    with pytest.raises(aio.AioRpcError) as failed:
        await conversation.hear()
    assert failed.value.code() is StatusCode.PERMISSION_DENIED
    assert failed.value.details() == "troll may not speak in rooms/quiet"


async def test_an_error_over_rest_is_a_problem_document(chat: Process, http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{chat.rest}/v1/rooms/quiet/messages", json={"author": "troll", "text": "!"})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert answer.json()["detail"] == "troll may not speak in rooms/quiet"


# -- operations: a contract that an installed package brings -------------------------------------------------------


async def test_an_operation_is_polled_over_rest_until_it_is_done(operations: Process, http: httpx.AsyncClient) -> None:
    url = f"{operations.rest}/v1/operations/count"
    while not (operation := (await http.get(url)).json()).get("done"):
        pass
    assert operation["response"] == {"@type": "type.googleapis.com/google.protobuf.Int32Value", "value": 10}
    assert operation["metadata"]["value"] == {"counted": 10}


async def test_waiting_for_an_operation_ends_when_its_work_does(operations_stub: Stub) -> None:
    operation = await operations_stub.call(f"{OPERATIONS}/WaitOperation", {"name": "operations/count"})
    assert operation["done"]


async def test_waiting_no_longer_than_asked_shows_an_operation_under_way(operations_stub: Stub) -> None:
    request = {"name": "operations/endless", "timeout": "0.05s"}
    operation = await operations_stub.call(f"{OPERATIONS}/WaitOperation", request)
    assert "done" not in operation


async def test_what_is_cancelled_over_rest_has_ended_over_grpc(
    operations: Process, operations_stub: Stub, http: httpx.AsyncClient
) -> None:
    answer = await http.post(f"{operations.rest}/v1/operations/endless:cancel", json={})
    assert (answer.status_code, answer.json()) == (200, {})
    operation = await operations_stub.call(f"{OPERATIONS}/WaitOperation", {"name": "operations/endless"})
    assert operation["error"]["code"] == StatusCode.CANCELLED.value[0]


async def test_a_forgotten_operation_is_not_found_over_either_protocol(
    operations: Process, operations_stub: Stub, http: httpx.AsyncClient
) -> None:
    url = f"{operations.rest}/v1/operations/broken"
    assert (await http.get(url)).json()["error"] == {"code": 15, "message": "the tape is torn"}
    assert (await http.delete(url)).status_code == 200
    assert (await http.get(url)).status_code == 404
    with pytest.raises(aio.AioRpcError) as failed:
        await operations_stub.call(f"{OPERATIONS}/GetOperation", {"name": "operations/broken"})
    assert failed.value.code() is StatusCode.NOT_FOUND
    listed = await operations_stub.call(f"{OPERATIONS}/ListOperations", {"name": "operations"})
    assert "operations/broken" not in {operation["name"] for operation in listed["operations"]}


# -- orders: every kind of binding ---------------------------------------------------------------------------------


async def test_an_order_lives_through_every_kind_of_binding(
    orders: Process, orders_stub: Stub, http: httpx.AsyncClient
) -> None:
    base = f"{orders.rest}/v1"
    placed = await http.post(f"{base}/customers/ada/orders", json={"lines": [{"sku": "pen", "quantity": 2}]})
    order: dict[str, Any] = placed.json()
    assert placed.status_code == 200
    assert placed.headers["location"] == f"/v1/{order['name']}"
    url = f"{base}/{order['name']}"
    assert (await http.get(url)).json() == order
    assert await orders_stub.call(f"{ORDERS}/GetOrder", {"name": order["name"]}) == order
    assert (await http.head(f"{url}/exists")).status_code == 200
    noted = await http.put(f"{url}/note", json={"text": "ring twice"})
    assert noted.json() == {"text": "ring twice"}
    patched = await http.patch(url, params={"updateMask": "labels"}, json={"labels": {"gift": "yes"}})
    assert (patched.json()["labels"], patched.json()["note"]) == ({"gift": "yes"}, {"text": "ring twice"})
    assert (await http.post(f"{url}:cancel", json={"reason": "changed my mind"})).json()["state"] == "CANCELLED"
    found = await http.get(f"{base}/customers/ada/orders", params={"states": "CANCELLED", "pageSize": 5})
    assert [each["name"] for each in found.json()["orders"]] == [order["name"]]
    exported = [each async for each in orders_stub.listen(f"{ORDERS}/ExportOrders", {"parent": "customers/ada"})]
    assert [each["name"] for each in exported] == [order["name"]]
    assert (await http.delete(url)).status_code == 200
    assert (await http.get(url)).status_code == 404


async def test_a_row_of_the_error_table_says_the_same_both_ways(
    orders: Process, orders_stub: Stub, http: httpx.AsyncClient
) -> None:
    order = {"lines": [{"sku": "ink", "quantity": 9}]}
    answer = await http.post(
        f"{orders.rest}/v1/customers/ada/orders", json=order, headers={"accept-language": "zh-CN,en;q=0.5"}
    )
    assert answer.status_code == 409
    assert answer.json()["error"]["message"] == "「ink」仅剩 3 件"
    with pytest.raises(aio.AioRpcError) as failed:
        await orders_stub.call(f"{ORDERS}/CreateOrder", {"parent": "customers/ada", "order": order})
    assert (failed.value.code(), failed.value.details()) == (StatusCode.FAILED_PRECONDITION, "Only 3 of ink left")


def test_the_readmes_examples_of_tests_are_some(orders_project: Path, tmp_path: Path) -> None:
    (example,) = re.findall(
        r"^```python\n(.*?)^```", (orders_project / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    test = tmp_path / "test_of_the_readme.py"
    test.write_text(example)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-c",
        str(orders_project / "pyproject.toml"),
        str(test),
    ]
    done = subprocess.run(command, cwd=orders_project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("..  "), "two tests, and both passed"

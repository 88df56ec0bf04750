"""System parameters: a caller chooses which fields of the answer it gets, how enums are written, and line breaks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc import StatusCode
from runtime.call import Call
from runtime.errors import ServiceError
from websockets.asyncio.client import connect

from tests.runtime.wire_service import UNARY, Item, Served, Wire, definition, route, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWER = Item(
    name="n",
    color=2,
    two_words="w",
    tags=["a"],
    counts={"a": 1},
    inner={"name": "i", "size": 3, "child": {"name": "c", "size": 4}},
    inners=[{"name": "x", "size": 1}, {"size": 2}],
    at={"seconds": 5},
    extra={"a": 1},
)
INNER = {"name": "i", "size": 3, "child": {"name": "c", "size": 4}}


async def _behave(request: Any, call: Call) -> Any:
    return ANSWER


class Answering(Wire):
    """A handler whose answers are all the same, but for those of a conversation."""

    def __init__(self) -> None:
        super().__init__(_behave)

    async def count(self, request: Any, call: Call) -> AsyncIterator[Any]:
        for _ in range(2):
            yield ANSWER


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Served]:
    async with serving(Answering()) as served:
        yield served


@pytest.fixture
def http(served: Served) -> httpx.AsyncClient:
    return served.http


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("name", {"name": "n"}),
        ("twoWords,color", {"color": "BLUE", "twoWords": "w"}),
        ("two_words", {"twoWords": "w"}),
        ("inner", {"inner": INNER}),
        ("inner.name", {"inner": {"name": "i"}}),
        ("inner.child.name,inner.size", {"inner": {"size": 3, "child": {"name": "c"}}}),
        ("inner,inner.name", {"inner": INNER}),
        ("inner.name,inner", {"inner": INNER}),
        ("inner.*", {"inner": INNER}),
        ("inners.name", {"inners": [{"name": "x"}, {}]}),
        ("counts,tags", {"tags": ["a"], "counts": {"a": 1}}),
        ("at,extra", {"at": "1970-01-01T00:00:05Z", "extra": {"a": 1.0}}),
        ("nick", {}),
    ],
)
async def test_a_mask_keeps_the_fields_that_it_names(http: httpx.AsyncClient, mask: str, expected: Any) -> None:
    response = await http.get("/v1/items", params={"$fields": mask})
    assert (response.status_code, response.json()) == (200, expected)


async def test_a_star_keeps_everything(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/items?$fields=*")).content == (await http.get("/v1/items")).content


@pytest.mark.parametrize(
    "query",
    [
        "$fields=",
        "$fields=nope",
        "$fields=name,",
        "$fields=inner..name",
        "$fields=name.first",
        "$fields=counts.a",
        "$fields=extra.a",
        "$fields=at.seconds",
        "$fields=*.name",
        "%24fields=nope",
        "$fields=" + ",".join(["name"] * 1001),
        "$fields=inner." + "child." * 32 + "name",
        "$alt=media",
        "alt=proto",
        "$alt=",
        "$alt=json;enum-encoding=text",
        "$prettyPrint=maybe",
        "$prettyPrint=",
    ],
)
async def test_a_parameter_that_asks_for_what_there_is_not_is_refused_by_its_name(
    http: httpx.AsyncClient, query: str
) -> None:
    response = await http.get(f"/v1/items?{query}")
    assert response.status_code == 400
    (violation,) = response.json()["error"]["details"][1]["fieldViolations"]
    assert violation["field"] == query.partition("=")[0].replace("%24", "$")


@pytest.mark.parametrize("query", ["$alt=json&alt=json;enum-encoding=int", "$fields=name&$fields=color"])
async def test_a_parameter_with_two_values_is_refused(http: httpx.AsyncClient, query: str) -> None:
    response = await http.get(f"/v1/items?{query}")
    assert (response.status_code, "given twice" in response.text) == (400, True)


@pytest.mark.parametrize("name", ["$alt", "alt", "%24alt"])
async def test_enums_are_numbers_for_who_asks(http: httpx.AsyncClient, name: str) -> None:
    assert (await http.get(f"/v1/items?{name}=json;enum-encoding=int")).json()["color"] == 2
    assert (await http.get(f"/v1/items?{name}=json%3Benum-encoding%3Dint&$fields=color")).json() == {"color": 2}
    assert (await http.get(f"/v1/items?{name}=json")).json()["color"] == "BLUE"


async def test_enum_numbers_and_masks_reach_every_message_of_a_stream(served: Served) -> None:
    query = "$alt=json;enum-encoding=int&$fields=color"
    array = await served.http.get(f"/v1/count/1?{query}")
    lines = await served.http.get(f"/v1/count/1?{query}", headers={"accept": "application/x-ndjson"})
    assert array.json() == [{"color": 2}, {"color": 2}]
    assert lines.text == '{"result":{"color":2}}\n' * 2


async def test_an_upload_is_answered_as_its_query_asks(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/gather?$fields=i32", json=[{"name": "a"}, {"name": "b"}])
    assert response.json() == {"i32": 2}


async def test_the_mask_of_an_answer_that_is_one_field_names_that_fields_own(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/inner/n?$fields=child.name")).json() == {"child": {"name": "c"}}
    assert (await http.get("/v1/inner/n?$fields=inner")).status_code == 400
    assert (await http.get("/v1/tags/n?$fields=name")).status_code == 400
    assert (await http.get("/v1/tags/n?$fields=*")).json() == ["a"]


async def test_a_readable_answer_is_the_same_with_line_breaks(http: httpx.AsyncClient) -> None:
    pretty, plain = [await http.get(f"/v1/items?$prettyPrint={value}") for value in ("true", "false")]
    assert pretty.json() == plain.json()
    assert pretty.text.startswith('{\n  "name": "n",\n')
    assert "\n" not in plain.text
    assert int(pretty.headers["content-length"]) == len(pretty.content)


async def test_an_error_of_the_handler_is_readable_too() -> None:
    async def behave(request: Any, call: Call) -> Any:
        raise ServiceError(StatusCode.ABORTED, "no")

    async with serving(Wire(behave)) as served:
        response = await served.http.get("/v1/items?$prettyPrint=1")
    assert (response.status_code, response.text[:14]) == (409, '{\n  "error": {')


async def test_a_field_of_that_name_is_no_system_parameter() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="alt/v1/alt.proto", package="alt.v1", syntax="proto3")
    message = file.message_type.add(name="Sung")
    message.field.add(name="alt", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL", json_name="alt")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    sung: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("alt.v1.Sung"))
    sing = replace(UNARY, request=sung, response=sung)

    async def behave(request: Any, call: Call) -> Any:
        return request

    async with serving(Wire(behave), definition((route("GET", "/v1/alt", sing),))) as served:
        response = await served.http.get("/v1/alt?alt=high&$prettyPrint=1")
    assert response.text == '{\n  "alt": "high"\n}\n'


async def test_a_conversation_is_answered_as_the_query_of_its_upgrade_asks() -> None:
    query = "$alt=json;enum-encoding=int&$fields=color,name&color=1"
    async with (
        serving(Wire()) as served,
        connect(f"ws://127.0.0.1:{served.rest_port}/v1/chat/n:talk?{query}") as socket,
    ):
        await socket.send('{"i32": 1}')
        assert json.loads(await socket.recv()) == {"name": "n", "color": 1}

"""REST requests to messages: path, query and body, and every way in which they are refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.runtime.wire_service import Item, Served, Wire, definition, rest_policy, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Shop:
    """One server for the module, and what its handler was given."""

    handler: Wire
    served: Served

    async def bound(self, verb: str, target: str, **options: Any) -> Any:
        """The message that the handler was given."""
        self.handler.requests.clear()
        response = await self.served.http.request(verb, target, **options)
        assert response.status_code == 200, response.text
        return self.handler.requests[0]

    async def refused(self, verb: str, target: str, **options: Any) -> tuple[httpx.Response, dict[str, Any]]:
        """The response to a request that reaches no handler, and its error."""
        self.handler.requests.clear()
        response = await self.served.http.request(verb, target, **options)
        assert self.handler.requests == []
        return response, response.json()["error"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[Shop]:
    handler = Wire()
    async with serving(handler) as served:
        yield Shop(handler, served)


def violation(error: dict[str, Any]) -> str:
    (bad_request,) = (detail for detail in error["details"] if detail["@type"].endswith("BadRequest"))
    return str(bad_request["fieldViolations"][0].get("field", ""))


def item(**fields: Any) -> Any:
    return Item(**fields)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("i32=-5&u32=7", item(i32=-5, u32=7)),
        ("i64=9223372036854775807&u64=18446744073709551615", item(i64=2**63 - 1, u64=2**64 - 1)),
        ("f64=1e300&f32=3.4028235e%2B38", item(f64=1e300, f32=3.4028234663852886e38)),
        ("f64=-Infinity", item(f64=float("-inf"))),
        ("flag=1", item(flag=True)),
        ("flag=True", item(flag=True)),
        ("blob=_-8", item(blob=b"\xff\xef")),
        ("blob=%2F%2B8%3D", item(blob=b"\xff\xef")),
        ("color=BLUE", item(color=2)),
        ("color=1", item(color=1)),
        ("color=77", item(color=77)),
        ("name=a+b%2Bc%20d", item(name="a b+c d")),
        ("tags=a,b&tags=c&tags=", item(tags=["a,b", "c", ""])),
        ("numbers=1&numbers=2", item(numbers=[1, 2])),
        ("inner.child.name=x&inner.size=3", item(inner={"child": {"name": "x"}, "size": 3})),
        ("twoWords=x", item(two_words="x")),
        ("two_words=x", item(two_words="x")),
        ("two%57ords=x", item(two_words="x")),
        ("nick=", item(nick="")),
        ("at=1970-01-01T00:00:05Z", item(at={"seconds": 5})),
        ("span=1.5s", item(span={"seconds": 1, "nanos": 500_000_000})),
        ("mask=twoWords,name", item(mask={"paths": ["two_words", "name"]})),
        ("wrapped=0", item(wrapped={"value": 0})),
        ("left=x", item(left="x")),
        ("middle.name=x", item(middle={"name": "x"})),
        ("&&name=x&", item(name="x")),
        ("$alt=json&$prettyPrint=1&$apiVersion=v1", item()),
    ],
)
async def test_a_query_parameter_fills_its_field(shop: Shop, query: str, expected: Any) -> None:
    assert await shop.bound("GET", f"/v1/items?{query}") == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("i32=", "i32"),
        ("i32=5_0", "i32"),
        ("i32=%D9%A3", "i32"),
        ("i32=+5", "i32"),
        ("i32=0x5", "i32"),
        ("i32=2147483648", "i32"),
        ("i32=1.0", "i32"),
        ("u32=-1", "u32"),
        ("u64=18446744073709551616", "u64"),
        ("i64=99999999999999999999999999", "i64"),
        ("f64=1e999", "f64"),
        ("f32=3.5e38", "f32"),
        ("f64=nan", "f64"),
        ("f64=1_0", "f64"),
        ("flag=yes", "flag"),
        ("blob=%25", "blob"),
        ("blob=a", "blob"),
        ("color=PURPLE", "color"),
        ("at=yesterday", "at"),
        ("span=5", "span"),
        ("name=a&name=b", "name"),
        ("twoWords=a&two_words=b", "two_words"),
        ("nope=1", "nope"),
        ("inner=1", "inner"),
        ("inner.nope=1", "inner.nope"),
        ("name.x=1", "name.x"),
        ("at.seconds=1", "at.seconds"),
        ("inners.name=x", "inners.name"),
        ("counts.a=1", "counts.a"),
        ("counts=1", "counts"),
        ("extra.a=1", "extra.a"),
        ("left=a&right=1", "right"),
        ("middle.name=a&left=b", "left"),
        ("=1", ""),
        (".=1", "."),
        ("inner.children.name=x", "inner.children.name"),
        ("i32=%zz", "query"),
        ("name=%ff", "query"),
    ],
)
async def test_a_parameter_that_no_field_takes_is_refused_by_its_name(shop: Shop, query: str, field: str) -> None:
    response, error = await shop.refused("GET", f"/v1/items?{query}")
    assert (response.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert violation(error) == (field or "body")


@pytest.mark.parametrize(
    ("verb", "target", "told"),
    [
        ("GET", "/v1/items?nope=1", "nope is no field of the request"),
        ("GET", "/v1/items?inner.nope=1", "inner.nope is no field of the request"),
        ("GET", "/v1/items?name.x=1", "name.x leads through a field that has no fields"),
        ("GET", "/v1/items?inners.name=x", "inners.name leads through a repeated field"),
        ("GET", "/v1/items?inner=1", "inner is a message: name one of its fields"),
        ("GET", "/v1/items?counts=1", "counts holds messages, which no query can give"),
        ("GET", "/v1/items?twoWords=a&two_words=b", "two_words is given twice"),
        ("GET", "/v1/items?inner.size=1&inner.size=1", "inner.size is given twice"),
        ("GET", "/v1/items?left=a&middle.size=1", "middle.size excludes left, which is given too"),
        ("GET", "/v1/items/n?name=n", "name is set by the path"),
        ("GET", "/v1/items?color=PURPLE", "color must be a value of wire.v1.Color"),
        ("GET", "/v1/items?u32=-1", "u32 must be an integer from 0 to 4294967295"),
        ("PUT", "/v1/items/n?inner.size=1", "inner.size must be in the body"),
        ("PUT", "/v1/items/n?inner=1", "inner must be in the body"),
        ("POST", "/v1/items?name=n", "name must be in the body: the whole request is"),
        ("POST", "/v1/numbers/x/y/RED", "i32 must be an integer"),
        ("POST", "/v1/middles?left=a", "left excludes middle, which is the body"),
    ],
)
async def test_what_is_wrong_with_the_path_or_the_query_is_told(shop: Shop, verb: str, target: str, told: str) -> None:
    response, error = await shop.refused(verb, target, **({} if verb == "GET" else {"json": {}}))
    assert (response.status_code, error["message"]) == (400, told)


async def test_of_several_things_wrong_the_paths_goes_first_and_the_bodys_last(shop: Shop) -> None:
    for target, field in (
        ("/v1/numbers/x/y/RED?nope=1", "i32"),
        ("/v1/numbers/1/y/RED?nope=1", "nope"),
        ("/v1/numbers/1/y/RED", "at"),
    ):
        _, error = await shop.refused("POST", target, json="yesterday")
        assert violation(error) == field


async def test_an_absent_body_excludes_nothing(shop: Shop) -> None:
    assert await shop.bound("POST", "/v1/middles?left=a") == item(left="a")
    assert await shop.bound("POST", "/v1/middles", json={"size": 1}) == item(middle={"size": 1})


async def test_null_is_an_absent_body_but_a_value_where_null_is_one(shop: Shop) -> None:
    null = {"content": b"null", "headers": {"content-type": "application/json"}}
    assert await shop.bound("POST", "/v1/middles?left=a", **null) == item(left="a")
    assert await shop.bound("POST", "/v1/tags", **null) == item()
    assert not (await shop.bound("POST", "/v1/nicks", **null)).HasField("nick")
    assert await shop.bound("POST", "/v1/values", **null) == item(value={"null_value": 0})


async def test_an_endless_query_is_refused(shop: Shop) -> None:
    response, error = await shop.refused("GET", "/v1/items?" + "&".join(f"a{number}=1" for number in range(2000)))
    assert (response.status_code, violation(error)) == (400, "query")


async def test_a_deep_parameter_name_is_refused(shop: Shop) -> None:
    response, _ = await shop.refused("GET", "/v1/items?inner" + ".child" * 500 + ".name=x")
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("verb", "target", "body", "expected"),
    [
        ("POST", "/v1/items", {"name": "a", "i64": "5"}, item(name="a", i64=5)),
        ("POST", "/v1/items", {"two_words": "a"}, item(two_words="a")),
        ("POST", "/v1/items", {"twoWords": "a", "name": None}, item(two_words="a")),
        ("POST", "/v1/items", {}, item()),
        ("POST", "/v1/items/n:polish", {"name": "overridden", "i32": 1}, item(name="n", i32=1)),
        ("PUT", "/v1/items/n", {"name": "in"}, item(name="n", inner={"name": "in"})),
        ("PUT", "/v1/items/n?i32=4", {"size": 2}, item(name="n", i32=4, inner={"size": 2})),
        ("POST", "/v1/tags", ["a", "b"], item(tags=["a", "b"])),
        ("POST", "/v1/tags?name=n", [], item(name="n")),
        ("POST", "/v1/counts", {"a": 1}, item(counts={"a": 1})),
        (
            "POST",
            "/v1/numbers/-7/x%2Fy/BLUE",
            "1970-01-01T00:00:05Z",
            item(i32=-7, inner={"child": {"name": "x/y"}}, color=2, at={"seconds": 5}),
        ),
    ],
)
async def test_path_query_and_body_each_fill_their_part(
    shop: Shop, verb: str, target: str, body: Any, expected: Any
) -> None:
    assert await shop.bound(verb, target, json=body) == expected


async def test_an_empty_body_is_the_default_message(shop: Shop) -> None:
    assert await shop.bound("POST", "/v1/items") == item()
    assert await shop.bound("PUT", "/v1/items/n") == item(name="n")
    assert await shop.bound("POST", "/v1/items", content=b"", headers={"content-type": "text/plain"}) == item()


async def test_a_delete_may_have_no_body_and_a_get_neither(shop: Shop) -> None:
    for verb in ("GET", "DELETE"):
        response, error = await shop.refused(verb, "/v1/items/n", content=b"{}")
        assert response.status_code == 400
        assert "must be empty" in error["message"]


@pytest.mark.parametrize(
    ("body", "query", "paths"),
    [
        ({"size": 1, "child": {"name": "x", "size": 2}}, "", ["child.name", "child.size", "size"]),
        ({"name": "", "children": [{"name": "x"}]}, "", ["children", "name"]),
        ({"child": {}}, "", ["child"]),
        ({"child": None}, "", ["child"]),
        ({}, "", []),
        ({"size": 1}, "?mask=name", ["name"]),
    ],
)
async def test_a_patch_without_a_mask_gets_its_bodys_fields_as_one(
    shop: Shop, body: Any, query: str, paths: list[str]
) -> None:
    assert list((await shop.bound("PATCH", f"/v1/items/n{query}", json=body)).mask.paths) == paths


async def test_other_methods_get_no_mask(shop: Shop) -> None:
    assert not (await shop.bound("PUT", "/v1/items/n", json={"size": 1})).HasField("mask")


async def test_a_body_nobody_takes_is_refused_chunked_too(shop: Shop) -> None:
    async def chunks() -> Any:
        yield b"{"
        yield b"}"

    response, _ = await shop.refused("DELETE", "/v1/items/n", content=chunks())
    assert response.status_code == 400


async def test_an_empty_chunked_body_is_none(shop: Shop) -> None:
    async def chunks() -> Any:
        for chunk in ():
            yield chunk

    assert await shop.bound("DELETE", "/v1/items/n", content=chunks()) == item(name="n")


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ("/v1/items?name=a", "name"),
        ("/v1/items/n:polish?i32=1", "i32"),
    ],
)
async def test_a_parameter_beside_a_whole_body_is_refused(shop: Shop, target: str, field: str) -> None:
    response, error = await shop.refused("POST", target, json={})
    assert (response.status_code, violation(error)) == (400, field)


async def test_system_parameters_beside_a_whole_body_are_not(shop: Shop) -> None:
    assert await shop.bound("POST", "/v1/items?$alt=json&alt=json", json={"name": "a"}) == item(name="a")


@pytest.mark.parametrize(("query", "field"), [("inner.size=1", "inner.size"), ("name=m", "name")])
async def test_a_parameter_inside_the_body_or_in_the_path_is_refused(shop: Shop, query: str, field: str) -> None:
    response, error = await shop.refused("PUT", f"/v1/items/n?{query}", json={})
    assert (response.status_code, violation(error)) == (400, field)


@pytest.mark.parametrize(
    ("target", "field"),
    [("/v1/numbers/x/y/RED", "i32"), ("/v1/numbers/1/y/PURPLE", "color"), ("/v1/numbers/99999999999/y/RED", "i32")],
)
async def test_a_path_variable_that_is_no_value_is_refused_by_its_name(shop: Shop, target: str, field: str) -> None:
    response, error = await shop.refused("POST", target, json=None)
    assert (response.status_code, violation(error)) == (400, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"{} {}", "body"),
        (b"[]", "body"),
        (b"3", "body"),
        (b"null", "body"),
        (b'"x"', "body"),
        (b"\xff", "body"),
        (b'{"name":"\xff"}', "body"),
        (b"\xef\xbb\xbf{}", "body"),
        (b'{"name":"a","name":"b"}', "name"),
        (b'{"f64":NaN}', "body"),
        (b"[" * 100_000, "body"),
        (b'{"i32":' + b"9" * 10_000 + b"}", "body"),
        (b'{"nope":1}', "nope"),
        (b'{"inner":{"nope":1}}', "inner.nope"),
        (b'{"inner":{"children":[{"size":"x"}]}}', "inner.children[0].size"),
        (b'{"i32":"secret"}', "i32"),
        (b'{"i32":1.5}', "i32"),
        (b'{"i32":2147483648}', "i32"),
        (b'{"name":5}', "name"),
        (b'{"tags":"a"}', "tags"),
        (b'{"tags":[null]}', "tags[0]"),
        (b'{"counts":{"a":"secret"}}', "counts[a]"),
        (b'{"color":"PURPLE"}', "color"),
        (b'{"at":"secret"}', "at"),
        (b'{"any":{"@type":"secret"}}', "any.@type"),
        (b'{"any":{"name":1}}', "any.@type"),
        (b'{"left":"a","right":1}', "right"),
        (b'{"name":"\\ud800"}', "body"),
        (b'{"extra":' + b'{"a":' * 150 + b"1" + b"}" * 151, "body"),
        (b'{"inner":' + b'{"child":' * 150 + b"{}" + b"}" * 151, "body"),
        (b'{"<script>":1}', "<script>"),
    ],
)
async def test_a_body_that_is_no_such_message_is_refused_without_any_exceptions_text(
    shop: Shop, body: bytes, field: str
) -> None:
    response, error = await shop.refused(
        "POST", "/v1/items", content=body, headers={"content-type": "application/json"}
    )
    assert (response.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert violation(error) == field
    for leak in ("secret", "Traceback", "Failed to", "expected", "JSONDecodeError", "PURPLE"):
        assert leak not in response.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json"])
async def test_a_body_of_another_media_type_is_415(shop: Shop, kind: str) -> None:
    response, error = await shop.refused("POST", "/v1/items", content=b"{}", headers={"content-type": kind})
    assert (response.status_code, error["status"]) == (415, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
)
async def test_json_under_any_of_its_names_is_taken(shop: Shop, kind: str) -> None:
    body = b'{"name":"a"}'
    assert await shop.bound("POST", "/v1/items", content=body, headers={"content-type": kind}) == item(name="a")


async def test_unknown_fields_and_parameters_are_ignored_where_the_policy_says_so() -> None:
    handler = Wire()
    async with serving(handler, definition(**rest_policy(unknown_fields="ignore"))) as served:
        posted = await served.http.post("/v1/items", json={"name": "a", "nope": 1})
        got = await served.http.get("/v1/items?name=a&nope=1")
        still = await served.http.get("/v1/items?name.x=1")
    assert (posted.status_code, got.status_code, still.status_code) == (200, 200, 400)
    assert handler.requests == [item(name="a")] * 2


async def test_a_gzipped_body_is_taken(shop: Shop) -> None:
    body = gzip.compress(json.dumps({"name": "a" * 1000}).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    assert (await shop.bound("POST", "/v1/items", content=body, headers=headers)).name == "a" * 1000


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(b" " * (8 << 20)), "gzip", 413),
        (gzip.compress(b"{}")[:-4], "gzip", 400),
        (gzip.compress(b"{}") + b"x", "gzip", 400),
        (b"{}", "gzip", 400),
        (b"{}", "br", 415),
    ],
    ids=["bomb", "truncated", "trailing", "none", "unknown"],
)
async def test_a_body_that_does_not_unpack_is_refused(shop: Shop, body: bytes, encoding: str, status: int) -> None:
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    response, _ = await shop.refused("POST", "/v1/items", content=body, headers=headers)
    assert response.status_code == status


async def test_a_raw_body_goes_both_ways_with_its_content_type() -> None:
    handler = Wire()
    async with serving(handler) as served:
        whole = await served.http.post("/v1/upload", content=b"\x00\xff", headers={"content-type": "image/png"})
        part = await served.http.post("/v1/upload/n", content=b"\x01", headers={"content-type": "text/x"})
    for response, data, kind in ((whole, b"\x00\xff", "image/png"), (part, b"\x01", "text/x")):
        assert (response.status_code, response.content, response.headers["content-type"]) == (200, data, kind)
    assert handler.requests[1].name == "n"


async def test_a_raw_response_with_a_content_type_no_header_can_carry_is_octets() -> None:
    async def behave(request: Any, call: Any) -> Any:
        request.content_type = "a/b\r\nx: y"
        return request

    async with serving(Wire(behave)) as served:
        response = await served.http.post("/v1/upload", content=b"a")
    assert response.headers["content-type"] == "application/octet-stream"
    assert "x" not in response.headers


@pytest.mark.parametrize(
    ("target", "behaviour", "body"),
    [
        ("/v1/tags/n", item(tags=["a"]), ["a"]),
        ("/v1/tags/n", item(), []),
        ("/v1/inner/n", item(inner={"name": "x"}), {"name": "x"}),
        ("/v1/inner/n", item(), {}),
        ("/v1/i64/n", item(i64=5), "5"),
        ("/v1/i64/n", item(), "0"),
        ("/v1/nothing", item(), {}),
    ],
)
async def test_a_response_may_be_one_field_or_nothing(target: str, behaviour: Any, body: Any) -> None:
    async def behave(request: Any, call: Any) -> Any:
        return behaviour

    async with serving(Wire(behave)) as served:
        response = await served.http.get(target)
    assert (response.status_code, response.json()) == (200, body)


async def test_a_response_is_compact_json_with_default_fields_only_if_the_policy_says_so() -> None:
    async with serving(Wire()) as served:
        bare = await served.http.post("/v1/items", json={"twoWords": "件"})
    async with serving(Wire(), definition(**rest_policy(emit_defaults=True))) as served:
        full = await served.http.post("/v1/items", json={})
    assert bare.text == '{"twoWords":"件"}'
    assert (full.json()["name"], full.json()["i64"], full.json()["tags"]) == ("", "0", [])


async def test_a_response_that_has_no_json_form_is_internal() -> None:
    async def behave(request: Any, call: Any) -> Any:
        return item(any={"type_url": "type.googleapis.com/no.Such", "value": b"\xff"})

    async with serving(Wire(behave)) as served:
        response = await served.http.get("/v1/items")
    assert (response.status_code, response.json()["error"]["message"]) == (500, "the response cannot be encoded")


async def test_a_response_with_an_any_of_the_contract_is_json() -> None:
    async def behave(request: Any, call: Any) -> Any:
        response = item()
        response.any.Pack(item(name="a"))
        return response

    async with serving(Wire(behave)) as served:
        response = await served.http.get("/v1/items")
    assert response.json() == {"any": {"@type": "type.googleapis.com/wire.v1.Item", "name": "a"}}

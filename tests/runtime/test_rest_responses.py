"""REST answers: errors in their three shapes, headers both ways, deadlines, and parity with gRPC."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import DebugInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode, aio
from runtime.call import Call
from runtime.codes import HTTP_STATUS
from runtime.errors import ServiceError

from tests.runtime.sample_service import LedgerDown, OutOfStock
from tests.runtime.wire_service import UNARY, Item, Wire, definition, multicallable, rest_policy, serving


def raising(error: BaseException) -> Wire:
    async def behave(request: Any, call: Call) -> Any:
        raise error

    return Wire(behave)


@pytest.mark.parametrize("code", [code for code in StatusCode if code is not StatusCode.OK], ids=lambda code: code.name)
async def test_each_code_has_its_http_status(code: StatusCode) -> None:
    async with serving(raising(ServiceError(code, "no"))) as served:
        response = await served.http.get("/v1/items")
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (HTTP_STATUS[code], HTTP_STATUS[code], code.name)


async def test_the_google_shape_is_aip_193() -> None:
    async with serving(raising(OutOfStock(sku="a", available=3))) as served:
        response = await served.http.get("/v1/items", headers={"accept-language": "zh"})
    assert (response.status_code, response.headers["content-type"]) == (409, "application/json")
    error = response.json()["error"]
    assert (error["code"], error["status"], error["message"]) == (409, "FAILED_PRECONDITION", "「a」仅剩 3 件")
    assert error["details"][0] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "OUT_OF_STOCK",
        "domain": "sample.example.com",
        "metadata": {"sku": "a", "available": "3", "code": "ERR_STOCK_001"},
    }


async def test_the_problem_shape_is_rfc_9457() -> None:
    handler = raising(OutOfStock(sku="a", available=3))
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with serving(handler, definition(**rest_policy(errors="problem"))) as served:
        response = await served.http.get("/v1/items", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        unknown = await served.http.get("/nope")
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Conflict", 409)
    assert (problem["detail"], problem["code"]) == ("Only 3 of a left", "FAILED_PRECONDITION")
    assert (problem["reason"], problem["domain"], problem["traceId"]) == ("OUT_OF_STOCK", "sample.example.com", trace)
    assert problem["metadata"]["code"] == "ERR_STOCK_001"
    assert unknown.json()["reason"] == "ROUTE_NOT_FOUND"


async def test_the_status_shape_is_the_bare_status() -> None:
    handler = raising(OutOfStock(sku="a", available=3))
    async with serving(handler, definition(**rest_policy(errors="status"))) as served:
        response = await served.http.get("/v1/items")
    status = json_format.Parse(response.text, Status())
    assert (response.status_code, status.code, status.message) == (409, 9, "Only 3 of a left")
    assert status.details[0].TypeName() == "google.rpc.ErrorInfo"


@pytest.mark.parametrize("shape", ["google", "problem", "status"])
async def test_a_detail_of_an_unknown_type_does_not_lose_the_error(shape: str) -> None:
    details = [AnyMessage(type_url="example.com/no.Such", value=b"\xff"), DebugInfo(detail="known")]
    handler = raising(ServiceError(StatusCode.ABORTED, "no", details=details))
    async with serving(handler, definition(**rest_policy(errors=shape))) as served:
        response = await served.http.get("/v1/items")
    assert response.status_code == 409
    assert '{"@type":"example.com/no.Such","value":"/w=="}' in response.text
    assert '"detail":"known"' in response.text


@pytest.mark.parametrize(
    "error",
    [
        OutOfStock(sku="a", available=3),
        LedgerDown(),
        ServiceError(StatusCode.NOT_FOUND, metadata={"resource": "order"}),
        ServiceError(StatusCode.INVALID_ARGUMENT, "no", reason="BAD", details=[DebugInfo(detail="x")]),
        ServiceError(StatusCode.UNAVAILABLE, "later", retry_after=0.25),
    ],
    ids=lambda error: type(error).__name__ + error.code.name,
)
async def test_the_same_failure_says_the_same_over_both_protocols(error: ServiceError) -> None:
    language = ("accept-language", "zh-CN, en;q=0.1")
    async with serving(raising(error), definition(**rest_policy(errors="status"))) as served:
        response = await served.http.get("/v1/items", headers=[language])
        with pytest.raises(aio.AioRpcError) as caught:
            await multicallable(served.grpc, UNARY)(Item(), metadata=(language,))
    trailers = dict(caught.value.trailing_metadata())
    over_grpc = Status.FromString(trailers["grpc-status-details-bin"])
    assert response.json() == {"code": over_grpc.code, **json_format.MessageToDict(over_grpc)}
    assert ("retry-after" in response.headers) == ("grpc-retry-pushback-ms" in trailers)


async def test_when_to_retry_is_said_in_whole_seconds() -> None:
    async with serving(raising(ServiceError(StatusCode.UNAVAILABLE, retry_after=0.25))) as served:
        response = await served.http.get("/v1/items")
    assert response.headers["retry-after"] == "1"


async def test_an_exceptions_text_reaches_no_one() -> None:
    async with serving(raising(KeyError("secret"))) as served:
        response = await served.http.get("/v1/items")
    assert response.status_code == 500
    assert "secret" not in response.text + str(response.headers)


async def test_an_unknown_path_is_404_and_a_wrong_method_405_with_allow() -> None:
    async with serving(Wire()) as served:
        unknown = await served.http.get("/v1/nope")
        wrong = await served.http.delete("/v1/items")
        overridden = await served.http.post("/v1/items/n", headers={"x-http-method-override": "DELETE"})
        slash = await served.http.get("/v1/items/")
    assert (unknown.status_code, slash.status_code) == (404, 404)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, POST")
    assert overridden.status_code == 405
    assert wrong.json()["error"]["details"][0]["reason"] == "METHOD_NOT_ALLOWED"


async def test_head_answers_as_get_without_a_body() -> None:
    async with serving(Wire()) as served:
        head = await served.http.head("/v1/items?name=a")
        get = await served.http.get("/v1/items?name=a")
        missing = await served.http.head("/v1/nope")
        after = await served.http.get("/v1/items?name=b")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    assert (missing.status_code, after.json()) == (404, {"name": "b"})


async def test_known_headers_and_prefixed_ones_are_the_calls_metadata_and_no_others() -> None:
    handler = Wire()
    headers = [
        ("authorization", "Bearer x"),
        ("x-request-id", "r1"),
        ("x-tenant", "t1"),
        ("x-tenant", "t2"),
        ("Grpc-Metadata-Anything", "a"),
        ("grpc-metadata-raw-bin", "AP8"),
        ("grpc-metadata-grpc-timeout", "1S"),
        ("x-other", "no"),
        ("cookie", "no"),
    ]
    async with serving(handler) as served:
        response = await served.http.get("/v1/items", headers=headers)
    metadata = handler.calls[0].metadata
    assert response.status_code == 200
    assert metadata.get_all("x-tenant") == ["t1", "t2"]
    assert (metadata.get("authorization"), metadata.get("anything")) == ("Bearer x", "a")
    assert metadata.get("raw-bin") == b"\x00\xff"
    assert {name for name, _ in metadata} == {"authorization", "x-request-id", "x-tenant", "anything", "raw-bin"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grpc-metadata-raw-bin", "%%%"),
        ("grpc-timeout", "5"),
        ("grpc-timeout", "123456789S"),
        ("grpc-timeout", "-1S"),
        ("grpc-timeout", ""),
        ("x-server-timeout", "soon"),
        ("x-server-timeout", "-1"),
        ("x-server-timeout", "inf"),
    ],
)
async def test_a_header_that_cannot_be_read_is_a_bad_request_by_its_name(name: str, value: str) -> None:
    handler = Wire()
    async with serving(handler) as served:
        response = await served.http.get("/v1/items", headers=[(name, value)])
    assert (response.status_code, handler.requests) == (400, [])
    assert f'"field":"{name}"' in response.text


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        ([("grpc-timeout", "2S")], 2.0),
        ([("grpc-timeout", "1500m")], 1.5),
        ([("grpc-timeout", "1H")], 3600.0),
        ([("x-server-timeout", "2.5")], 2.5),
        ([("x-server-timeout", "2.5"), ("grpc-timeout", "1S")], 1.0),
    ],
)
async def test_the_callers_timeout_is_the_calls(headers: list[tuple[str, str]], seconds: float | None) -> None:
    handler = Wire()
    async with serving(handler) as served:
        assert (await served.http.get("/v1/items", headers=headers)).status_code == 200
    assert handler.calls[0].client_timeout == seconds


async def test_a_call_knows_its_route_peer_and_protocol() -> None:
    handler = Wire()
    async with serving(handler) as served:
        await served.http.get("/v1/items/secret")
    call = handler.calls[0]
    assert (call.protocol, call.route, call.method) == ("rest", "/v1/items/{name}", UNARY)
    assert call.peer.startswith("ipv4:127.0.0.1:")


@pytest.mark.parametrize("error", [None, OutOfStock(sku="a", available=3)], ids=["well", "failed"])
async def test_known_response_headers_go_as_they_are_and_others_with_a_prefix(error: Exception | None) -> None:
    async def behave(request: Any, call: Call) -> Any:
        call.set_header("etag", '"1"')
        call.set_header("x-mine", "a")
        call.set_header("x-mine", "b")
        call.set_header("raw-bin", b"\x00\xff")
        if error is not None:
            raise error
        return request

    async with serving(Wire(behave)) as served:
        response = await served.http.get("/v1/items")
    assert response.headers["etag"] == '"1"'
    assert response.headers.get_list("grpc-metadata-x-mine") == ["a", "b"]
    assert base64.b64decode(response.headers["grpc-metadata-raw-bin"]) == b"\x00\xff"
    assert int(response.headers["content-length"]) == len(response.content)


async def test_a_response_has_a_date_and_does_not_name_the_server() -> None:
    async with serving(Wire()) as served:
        response = await served.http.get("/v1/items")
    assert "date" in response.headers
    assert "server" not in response.headers


async def test_early_headers_of_a_unary_call_do_not_fix_its_status() -> None:
    async def behave(request: Any, call: Call) -> Any:
        call.set_header("etag", "1")
        await call.send_headers()
        raise OutOfStock(sku="a", available=3)

    async with serving(Wire(behave)) as served:
        response = await served.http.get("/v1/items")
    assert (response.status_code, response.headers["etag"]) == (409, "1")

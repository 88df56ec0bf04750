"""gRPC calls that fail: the status both ends agree on, its details, and nothing of an exception's text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.rpc.error_details_pb2 import DebugInfo, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode, aio
from runtime.call import Call
from runtime.errors import ServiceError

from tests.runtime.sample_service import LedgerDown, OutOfStock
from tests.runtime.wire_service import CHAT, COUNT, GATHER, UNARY, Item, Wire, definition, multicallable, serving

KINDS = pytest.mark.parametrize("method", [UNARY, GATHER, COUNT, CHAT], ids=lambda method: method.name)


class Failing(Wire):
    """Every kind of call fails with what it was given, streams after `after` messages."""

    def __init__(self, error: BaseException, after: int = 0) -> None:
        super().__init__()
        self.error = error
        self.after = after

    async def unary(self, request: Any, call: Call) -> Any:
        raise self.error

    async def gather(self, requests: Any, call: Call) -> Any:
        raise self.error

    async def count(self, request: Any, call: Call) -> Any:
        for number in range(self.after):
            yield Item(i32=number)
        raise self.error

    async def chat(self, requests: Any, call: Call) -> Any:
        for number in range(self.after):
            yield Item(i32=number)
        raise self.error


async def one() -> AsyncIterator[Any]:
    yield Item()


async def failed(channel: aio.Channel, method: Any, **options: Any) -> tuple[aio.AioRpcError, int]:
    """How the call failed, and how many messages came before."""
    call = multicallable(channel, method)(one() if method.kind.streams_requests else Item(), **options)
    count = 0
    try:
        if method.kind.streams_responses:
            async for _ in call:
                count += 1
        else:
            await call
    except aio.AioRpcError as error:
        return error, count
    pytest.fail("the call went well")


def trailer(error: aio.AioRpcError, name: str) -> Any:
    return dict(error.trailing_metadata()).get(name)


def status(error: aio.AioRpcError) -> Status:
    return Status.FromString(trailer(error, "grpc-status-details-bin"))


@KINDS
async def test_a_table_error_arrives_whole_in_the_callers_language(method: Any) -> None:
    async with serving(Failing(OutOfStock(sku="a", available=3))) as served:
        error, _ = await failed(served.grpc, method, metadata=(("accept-language", "zh-CN"),))
    assert (error.code(), error.details()) == (StatusCode.FAILED_PRECONDITION, "「a」仅剩 3 件")
    sent = status(error)
    info, localized = ErrorInfo(), LocalizedMessage()
    assert sent.details[0].Unpack(info)
    assert sent.details[1].Unpack(localized)
    assert (sent.code, sent.message, localized.locale) == (9, "「a」仅剩 3 件", "zh")
    assert (info.reason, info.metadata["code"]) == ("OUT_OF_STOCK", "ERR_STOCK_001")


@pytest.mark.parametrize("method", [COUNT, CHAT], ids=lambda method: method.name)
async def test_messages_before_a_streams_failure_arrive(method: Any) -> None:
    async with serving(Failing(OutOfStock(sku="a", available=3), after=2)) as served:
        error, count = await failed(served.grpc, method)
    assert (error.code(), count) == (StatusCode.FAILED_PRECONDITION, 2)


async def test_when_to_retry_is_said_in_the_trailer_and_the_details_alike() -> None:
    async with serving(Failing(LedgerDown())) as served:
        error, _ = await failed(served.grpc, UNARY)
    retry = RetryInfo()
    assert any(detail.Unpack(retry) for detail in status(error).details)
    assert trailer(error, "grpc-retry-pushback-ms") == "1000"
    assert retry.retry_delay.seconds == 1


@KINDS
@pytest.mark.parametrize(
    "error",
    [
        KeyError("secret"),
        TimeoutError("secret"),
        ExceptionGroup("secret", [ValueError("secret")]),
        asyncio.CancelledError("secret"),
        aio.AioRpcError(StatusCode.NOT_FOUND, aio.Metadata(("k", "secret")), aio.Metadata(), details="secret"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_no_text_of_an_exception_reaches_the_caller_and_the_call_ends_at_once(
    method: Any, error: BaseException
) -> None:
    async with serving(Failing(error)) as served:
        seen, _ = await asyncio.wait_for(failed(served.grpc, method), 5)
    assert seen.code() in (StatusCode.INTERNAL, StatusCode.DEADLINE_EXCEEDED, StatusCode.UNAVAILABLE)
    assert "secret" not in repr(seen) + str(seen.trailing_metadata()) + str(status(seen))


async def test_a_request_that_is_no_such_message_is_internal_with_a_fixed_text() -> None:
    handler = Wire()
    async with serving(handler) as served:
        for raw in (b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", b"\x0b" * 200):
            with pytest.raises(aio.AioRpcError) as caught:
                await served.grpc.unary_unary(UNARY.path)(raw)
            assert caught.value.code() is StatusCode.INTERNAL
            assert caught.value.details() == "the request message cannot be decoded"
    assert handler.requests == []


async def test_a_stream_with_a_message_that_cannot_be_decoded_fails_there() -> None:
    async def requests() -> AsyncIterator[bytes]:
        yield Item(name="a").SerializeToString()
        yield b"\xff\xff"

    async with serving(Wire()) as served:
        call = served.grpc.stream_stream(CHAT.path)(requests())
        assert Item.FromString(await call.read()).name == "a"
        with pytest.raises(aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() is StatusCode.INTERNAL


async def test_an_error_too_big_for_metadata_loses_details_not_itself() -> None:
    big = DebugInfo(detail="x" * 20_000)
    error = ServiceError(StatusCode.ABORTED, "no", details=[big], retry_after=1.0)
    async with serving(Failing(error)) as served:
        seen, _ = await failed(served.grpc, UNARY)
    assert (seen.code(), seen.details()) == (StatusCode.ABORTED, "no")
    assert [detail.TypeName() for detail in status(seen).details] == ["google.rpc.ErrorInfo", "google.rpc.RetryInfo"]


async def test_a_text_too_long_for_metadata_is_cut() -> None:
    async with serving(Failing(ServiceError(StatusCode.ABORTED, "件" * 30_000))) as served:
        seen, _ = await failed(served.grpc, UNARY)
    assert seen.code() is StatusCode.ABORTED
    assert set(seen.details() or "") == {"件"}


async def test_an_error_text_of_any_characters_arrives() -> None:
    text = "100% of \n\t\x00 \u202e «件» \ud800"
    async with serving(Failing(ServiceError(StatusCode.ABORTED, text))) as served:
        seen, _ = await failed(served.grpc, UNARY)
    assert seen.details() == text.replace("\ud800", "?")


async def test_headers_and_trailers_of_a_failed_call_arrive() -> None:
    async def behave(request: Any, call: Call) -> Any:
        call.set_header("x-head", "1")
        call.set_trailer("x-tail", "2")
        raise OutOfStock(sku="a", available=3)

    async with serving(Wire(behave)) as served:
        seen, _ = await failed(served.grpc, UNARY)
    assert dict(seen.initial_metadata())["x-head"] == "1"
    assert trailer(seen, "x-tail") == "2"


async def test_a_response_of_another_type_is_internal() -> None:
    async def behave(request: Any, call: Call) -> Any:
        return Status()

    async with serving(Wire(behave)) as served:
        seen, _ = await failed(served.grpc, UNARY)
    assert seen.code() is StatusCode.INTERNAL


async def test_calls_of_unlike_ends_on_one_connection_do_not_disturb_each_other() -> None:
    async def behave(request: Any, call: Call) -> Any:
        if request.i32 % 3 == 0:
            raise OutOfStock(sku="a", available=request.i32)
        if request.i32 % 3 == 1:
            raise KeyError("secret")
        return request

    async with serving(Wire(behave), definition()) as served:
        rpc = multicallable(served.grpc, UNARY)
        ends = await asyncio.gather(*(rpc(Item(i32=number)) for number in range(60)), return_exceptions=True)
    for number, end in enumerate(ends):
        if number % 3 == 2:
            assert end == Item(i32=number)
        else:
            assert isinstance(end, aio.AioRpcError)
            assert end.code() is (StatusCode.FAILED_PRECONDITION if number % 3 == 0 else StatusCode.INTERNAL)


@pytest.mark.parametrize("name", ["grpc-timeout", "grpc-status", "Grpc-Message", "content-type", "te"])
async def test_a_header_of_the_protocols_own_is_refused_where_it_is_set(name: str) -> None:
    async def behave(request: Any, call: Call) -> Any:
        for set_one in (call.set_header, call.set_trailer):
            with pytest.raises(ValueError, match="belongs to the protocol"):
                set_one(name, "1S")
        return request

    async with serving(Wire(behave)) as served:
        assert await multicallable(served.grpc, UNARY)(Item(name="a")) == Item(name="a")

"""The error mapper: what a handler may raise, and what the caller gets to see of it."""

from __future__ import annotations

import asyncio
import gc
import random

import grpc
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata
from runtime.call import Call
from runtime.client.redis_client import connect
from runtime.errors import DependencyError, ServiceError
from runtime.snapshot import MethodPolicy, UnmappedPolicy
from runtime.stages.error_mapper import ErrorMapper, for_method

from tests.runtime.fake_call import call_of
from tests.runtime.fake_environment import NOBODY, environment
from tests.runtime.sample_service import ECHO

HIDDEN = "what only the log may tell"
REDACT = UnmappedPolicy("INTERNAL", redact=True)


async def mapped(error: BaseException, policy: UnmappedPolicy = REDACT) -> ServiceError:
    async def proceed(call: Call) -> None:
        raise error

    with pytest.raises(ServiceError) as caught:
        await ErrorMapper(policy, random.getrandbits, lambda: None)(call_of(), proceed)
    return caught.value


def dependency_error() -> AioRpcError:
    return AioRpcError(StatusCode.NOT_FOUND, Metadata(), Metadata(), details=HIDDEN, debug_error_string=None)


@pytest.mark.parametrize(
    "error", [KeyError(HIDDEN), SystemExit(HIDDEN), StopAsyncIteration(HIDDEN), GeneratorExit(HIDDEN), OSError(HIDDEN)]
)
async def test_an_exception_of_no_table_is_internal_with_an_id_and_without_its_text(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    seen = await mapped(error)
    assert (seen.code, seen.message) == (StatusCode.INTERNAL, "internal error")
    (record,) = caplog.records
    assert record.__dict__["error_id"] == seen.metadata["error_id"]
    assert HIDDEN in caplog.text


async def test_the_policy_may_choose_the_code_and_let_the_text_through() -> None:
    seen = await mapped(KeyError("a"), UnmappedPolicy("UNKNOWN", redact=False))
    assert (seen.code, seen.message) == (StatusCode.UNKNOWN, "KeyError: 'a'")


async def test_a_service_error_passes_as_it_is() -> None:
    error = ServiceError(StatusCode.NOT_FOUND)
    assert await mapped(error) is error


async def test_a_timeout_of_the_handlers_own_is_deadline_exceeded() -> None:
    assert (await mapped(TimeoutError(HIDDEN))).code is StatusCode.DEADLINE_EXCEEDED


async def test_a_cancellation_that_the_application_caused_is_internal() -> None:
    assert (await mapped(asyncio.CancelledError(HIDDEN))).code is StatusCode.INTERNAL


def unavailable_dependency(*, expired: bool = False) -> DependencyError:
    code = StatusCode.DEADLINE_EXCEEDED if expired else StatusCode.NOT_FOUND
    return DependencyError("stock", code, HIDDEN, method="/stock.Stock/Get", reason="GONE", expired=expired)


@pytest.mark.parametrize("error", [unavailable_dependency(), ExceptionGroup("", [unavailable_dependency()])])
async def test_what_a_client_raises_is_unavailable_with_an_id_to_find_the_dependency_by(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    seen = await mapped(error)
    assert (seen.code, seen.message, seen.reason) == (
        StatusCode.UNAVAILABLE,
        "a dependency is unavailable",
        "UNAVAILABLE",
    )
    (record,) = caplog.records
    assert dict(seen.metadata) == {"error_id": record.__dict__["error_id"]}
    assert f"stock /stock.Stock/Get: NOT_FOUND GONE: {HIDDEN}" in caplog.text


async def test_a_client_that_ran_out_of_time_is_deadline_exceeded() -> None:
    seen = await mapped(unavailable_dependency(expired=True))
    assert (seen.code, seen.message) == (StatusCode.DEADLINE_EXCEEDED, "a dependency took too long")


@pytest.mark.parametrize("error", [dependency_error(), grpc.RpcError(HIDDEN), grpc.aio.AbortError(HIDDEN)])
async def test_a_dependencys_error_is_unavailable_without_its_text(error: Exception) -> None:
    seen = await mapped(error)
    assert seen.code is StatusCode.UNAVAILABLE
    assert HIDDEN not in seen.message


async def test_a_redis_that_is_not_there_is_unavailable_without_its_text() -> None:
    mapper = for_method(ECHO, MethodPolicy(None, "CRITICAL"), environment(dependencies={"redis": NOBODY}))

    async def proceed(call: Call) -> None:
        async with connect(NOBODY.target, NOBODY) as client:
            await client.get("a")

    with pytest.raises(ServiceError) as caught:
        await mapper(call_of(), proceed)
    assert (caught.value.code, caught.value.message) == (StatusCode.UNAVAILABLE, "a dependency is unavailable")


async def test_a_group_is_its_first_failure_however_deep() -> None:
    first = ServiceError(StatusCode.NOT_FOUND)
    group = BaseExceptionGroup("", [asyncio.CancelledError(), ExceptionGroup("", [first, KeyError("a")])])
    assert await mapped(group) is first


async def test_the_failures_behind_the_first_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    await mapped(ExceptionGroup("", [ServiceError(StatusCode.NOT_FOUND), KeyError(HIDDEN)]))
    assert HIDDEN in caplog.text


async def test_a_task_groups_failure_is_its_tasks() -> None:
    async def failing() -> None:
        raise ServiceError(StatusCode.ABORTED)

    async def proceed(call: Call) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(failing())
            group.create_task(asyncio.Event().wait())

    with pytest.raises(ServiceError) as caught:
        await ErrorMapper(REDACT, random.getrandbits, lambda: None)(call_of(), proceed)
    assert caught.value.code is StatusCode.ABORTED


async def test_a_genuine_cancellation_passes() -> None:
    async def serve() -> None:
        async def proceed(call: Call) -> None:
            await asyncio.Event().wait()

        await ErrorMapper(REDACT, random.getrandbits, lambda: None)(call_of(), proceed)

    task = asyncio.ensure_future(serve())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("afterwards", [None, ServiceError(StatusCode.INTERNAL), KeyError("a")])
async def test_a_call_that_was_told_to_end_ends_with_what_it_was_given(afterwards: Exception | None) -> None:
    calls: list[Call] = []

    async def serve() -> None:
        async def proceed(call: Call) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if afterwards is not None:
                    raise afterwards from None
                raise

        calls.append(call_of())
        await ErrorMapper(REDACT, random.getrandbits, lambda: None)(calls[0], proceed)

    task = asyncio.ensure_future(serve())
    await asyncio.sleep(0)
    calls[0].end(ServiceError(StatusCode.UNAVAILABLE, "going"))
    with pytest.raises(ServiceError, match="going"):
        await task


async def test_unmapped_errors_are_counted() -> None:
    count = 0

    def counted() -> None:
        nonlocal count
        count += 1

    async def proceed(call: Call) -> None:
        raise KeyError

    with pytest.raises(ServiceError):
        await ErrorMapper(REDACT, random.getrandbits, counted)(call_of(), proceed)
    assert count == 1


async def test_a_coroutine_that_is_collected_raises_nothing_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    async def proceed(call: Call) -> None:
        await asyncio.Event().wait()

    async def make() -> Call:
        return call_of()

    call = await asyncio.ensure_future(make())
    coroutine = ErrorMapper(REDACT, random.getrandbits, lambda: None)(call, proceed)
    coroutine.send(None)
    del coroutine
    gc.collect()
    assert caplog.records == []

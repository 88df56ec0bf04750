"""The boundary stage: the calls in flight, and how each end becomes the call's error."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.current import current_call
from runtime.errors import ServiceError
from runtime.metadata import Metadata
from runtime.stages.boundary import Boundary, InFlight

from tests.runtime.fake_call import MemoryWire, call_of
from tests.runtime.sample_service import ECHO


def refused() -> ServiceError:
    return ServiceError(StatusCode.UNAVAILABLE, "going")


async def served(in_flight: InFlight, proceed: object, calls: list[Call]) -> None:
    """What a transport's task does with a call."""
    call = call_of()
    calls.append(call)
    await Boundary(in_flight)(call, proceed)  # type: ignore[arg-type]  # any endpoint


async def test_a_call_that_ends_well_has_no_error_and_is_in_flight_no_more() -> None:
    in_flight = InFlight()

    async def proceed(call: Call) -> None:
        assert list(in_flight) == [call]

    calls: list[Call] = []
    await served(in_flight, proceed, calls)
    assert (calls[0].error, len(in_flight)) == (None, 0)


async def test_a_service_error_becomes_the_calls_error() -> None:
    error = refused()

    async def proceed(call: Call) -> None:
        raise error

    calls: list[Call] = []
    await served(InFlight(), proceed, calls)
    assert calls[0].error is error


async def test_what_a_users_stage_raises_becomes_internal_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def proceed(call: Call) -> None:
        raise KeyError("secret")

    calls: list[Call] = []
    await served(InFlight(), proceed, calls)
    error = calls[0].error
    assert error is not None
    assert (error.code, error.message) == (StatusCode.INTERNAL, "internal error")
    assert "secret" in caplog.text


async def test_a_cancellation_that_nobody_asked_for_becomes_internal() -> None:
    async def proceed(call: Call) -> None:
        raise asyncio.CancelledError

    calls: list[Call] = []
    await served(InFlight(), proceed, calls)
    error = calls[0].error
    assert error is not None
    assert error.code is StatusCode.INTERNAL


async def test_a_genuine_cancellation_passes() -> None:
    in_flight = InFlight()

    async def proceed(call: Call) -> None:
        await asyncio.Event().wait()

    calls: list[Call] = []
    task = asyncio.ensure_future(served(in_flight, proceed, calls))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (calls[0].error, len(in_flight)) == (None, 0)


async def test_an_error_after_the_caller_has_gone_is_a_cancellation() -> None:
    async def proceed(call: Call) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ServiceError(StatusCode.ABORTED) from None

    task = asyncio.ensure_future(served(InFlight(), proceed, []))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_ending_all_calls_makes_each_answer_with_an_error_of_its_own() -> None:
    in_flight = InFlight()

    async def proceed(call: Call) -> None:
        await asyncio.Event().wait()

    calls: list[Call] = []
    tasks = [asyncio.ensure_future(served(in_flight, proceed, calls)) for _ in range(3)]
    await asyncio.sleep(0)
    assert in_flight.end_all(refused) == 3
    await asyncio.gather(*tasks)
    errors = [call.error for call in calls]
    assert [error.code for error in errors if error] == [StatusCode.UNAVAILABLE] * 3
    assert len({id(error) for error in errors}) == 3
    assert [task.cancelling() for task in tasks] == [0, 0, 0]


async def test_a_call_that_was_told_to_end_answers_so_even_if_its_cleanup_fails() -> None:
    in_flight = InFlight()

    async def proceed(call: Call) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ServiceError(StatusCode.INTERNAL)

    calls: list[Call] = []
    task = asyncio.ensure_future(served(in_flight, proceed, calls))
    await asyncio.sleep(0)
    in_flight.end_all(refused)
    await task
    assert calls[0].error is not None
    assert calls[0].error.message == "going"


async def test_an_answer_given_although_the_call_was_told_to_end_holds() -> None:
    in_flight = InFlight()

    async def proceed(call: Call) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    calls: list[Call] = []
    task = asyncio.ensure_future(served(in_flight, proceed, calls))
    await asyncio.sleep(0)
    in_flight.end_all(refused)
    await task
    assert (calls[0].error, task.cancelling()) == (None, 0)


async def test_waiting_ends_with_the_last_call() -> None:
    in_flight = InFlight()
    gate = asyncio.Event()

    async def proceed(call: Call) -> None:
        await gate.wait()

    tasks = [asyncio.ensure_future(served(in_flight, proceed, [])) for _ in range(2)]
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(in_flight.wait_until_empty())
    tasks[0].cancel()
    await asyncio.wait((tasks[0],))
    assert not waiting.done()
    gate.set()
    await waiting
    assert len(in_flight) == 0


async def test_waiting_for_no_calls_ends_at_once() -> None:
    await asyncio.wait_for(InFlight().wait_until_empty(), 1)


async def test_a_call_that_is_over_is_freed_without_the_garbage_collector() -> None:
    wires: list[weakref.ref[MemoryWire]] = []

    async def proceed(call: Call) -> None:
        current_call.set(call)  # as the context stage does

    async def serve() -> None:
        wire = MemoryWire()
        wires.append(weakref.ref(wire))
        await Boundary(InFlight())(Call(ECHO, "grpc", wire, Metadata()), proceed)

    gc.disable()
    try:
        await asyncio.create_task(serve())
        await asyncio.sleep(0)
        assert wires[0]() is None
    finally:
        gc.enable()

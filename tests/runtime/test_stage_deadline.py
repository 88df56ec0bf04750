"""The deadline stage, with deadlines that have passed already or pass at once: no test waits."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.errors import ServiceError
from runtime.expiry import Expiries
from runtime.pipeline import Endpoint
from runtime.stages.deadline import Deadline

from tests.runtime.fake_call import call_of

SOON = 0.005  # seconds


class Counts:
    def __init__(self) -> None:
        self.spent = 0
        self.expired = 0

    def stage(self, min_remaining: float = 0.0) -> Deadline:
        def spent() -> None:
            self.spent += 1

        def expired() -> None:
            self.expired += 1

        return Deadline(min_remaining, Expiries(), spent, expired)


async def run(proceed: Endpoint, left: float | None, counts: Counts, min_remaining: float = 0.0) -> Call:
    call = call_of()
    call.deadline = None if left is None else call.started + left
    await counts.stage(min_remaining)(call, proceed)
    return call


async def forever(call: Call) -> None:
    await asyncio.Event().wait()


async def at_once(call: Call) -> None:
    return


@pytest.mark.parametrize("left", [None, 10.0])
async def test_a_call_in_time_is_left_alone(left: float | None) -> None:
    counts = Counts()
    await run(at_once, left, counts)
    assert (counts.spent, counts.expired) == (0, 0)


@pytest.mark.parametrize(("left", "min_remaining"), [(0.0, 0.0), (-1.0, 0.0), (0.5, 1.0)])
async def test_a_call_with_too_little_time_never_reaches_the_handler(left: float, min_remaining: float) -> None:
    counts = Counts()

    async def proceed(call: Call) -> None:
        pytest.fail("the handler was reached")

    with pytest.raises(ServiceError) as caught:
        await run(proceed, left, counts, min_remaining)
    assert caught.value.code is StatusCode.DEADLINE_EXCEEDED
    assert (counts.spent, counts.expired) == (1, 0)


async def test_expiry_cancels_the_handler_and_leaves_the_task_uncancelled() -> None:
    counts = Counts()
    with pytest.raises(ServiceError) as caught:
        await run(forever, SOON, counts)
    assert caught.value.code is StatusCode.DEADLINE_EXCEEDED
    task = asyncio.current_task()
    assert task is not None
    assert (task.cancelling(), counts.expired) == (0, 1)


async def test_a_handler_that_swallows_its_cancellation_does_not_answer_after_the_deadline() -> None:
    async def stubborn(call: Call) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    with pytest.raises(ServiceError) as caught:
        await run(stubborn, SOON, Counts())
    assert caught.value.code is StatusCode.DEADLINE_EXCEEDED


async def test_an_error_raised_in_place_of_the_cancellation_is_the_deadlines_all_the_same() -> None:
    async def rude(call: Call) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ServiceError(StatusCode.INTERNAL)

    with pytest.raises(ServiceError) as caught:
        await run(rude, SOON, Counts())
    assert caught.value.code is StatusCode.DEADLINE_EXCEEDED


async def test_what_else_the_handler_raises_passes() -> None:
    async def failing(call: Call) -> None:
        raise ServiceError(StatusCode.NOT_FOUND)

    with pytest.raises(ServiceError) as caught:
        await run(failing, 10.0, Counts())
    assert caught.value.code is StatusCode.NOT_FOUND


async def test_a_caller_that_goes_before_the_deadline_is_a_cancellation() -> None:
    task = asyncio.ensure_future(run(forever, 10.0, Counts()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_caller_that_goes_while_the_handler_winds_up_after_the_deadline_is_a_cancellation() -> None:
    winding_up = asyncio.Event()

    async def slow_to_end(call: Call) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            winding_up.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(run(slow_to_end, SOON, Counts()))
    await winding_up.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

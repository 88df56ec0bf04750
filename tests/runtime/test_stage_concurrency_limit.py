"""The concurrency limit stage: what is admitted, what is a sample, and that no permit is lost."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.classification import SPENT_REASON
from runtime.errors import ServiceError
from runtime.policies.concurrency import Limiter
from runtime.stages.concurrency_limit import PUSHBACK, ConcurrencyLimit
from runtime.testing import VirtualClock

from tests.runtime.fake_call import call_of


class Noting:
    """A limit that notes its samples."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.samples: list[tuple[float, int, bool]] = []

    def sample(self, now: float, took: float, in_flight: int, *, dropped: bool) -> None:
        self.samples.append((took, in_flight, dropped))


class Limited:
    def __init__(self, limit: int = 1) -> None:
        self.clock = VirtualClock()
        self.limit = Noting(limit)
        self.limiter = Limiter(self.limit)
        self.refused = 0

        def count() -> None:
            self.refused += 1

        self.stage = ConcurrencyLimit(self.limiter, self.clock, count)

    async def call(self, outcome: BaseException | None = None, took: float = 0.5, served_from: str = "") -> None:
        async def handler(call: Call) -> None:
            await self.clock.advance(took)
            call.served_from = served_from
            if outcome is not None:
                raise outcome

        call = call_of()
        call.criticality = "SHEDDABLE"
        await self.stage(call, handler)


async def test_a_call_beyond_the_limit_is_refused_and_told_when_to_come_back() -> None:
    limited = Limited(limit=0)
    with pytest.raises(ServiceError) as caught:
        await limited.call()
    assert (caught.value.code, caught.value.reason) == (StatusCode.UNAVAILABLE, "CONCURRENCY_LIMIT")
    assert caught.value.retry_after == PUSHBACK
    assert (limited.refused, limited.limiter.in_flight) == (1, 0)


async def test_what_the_handler_answers_is_a_sample() -> None:
    limited = Limited()
    await limited.call(took=0.5)
    assert limited.limit.samples == [(0.5, 1, False)]
    assert limited.limiter.in_flight == 0


async def test_a_call_that_ran_out_of_time_is_a_drop() -> None:
    limited = Limited()
    with pytest.raises(ServiceError):
        await limited.call(ServiceError(StatusCode.DEADLINE_EXCEEDED), took=2.0)
    assert limited.limit.samples == [(2.0, 1, True)]
    assert limited.limiter.in_flight == 0


@pytest.mark.parametrize(
    "outcome",
    [
        ServiceError(StatusCode.UNAVAILABLE),
        ServiceError(StatusCode.NOT_FOUND),
        ServiceError(StatusCode.DEADLINE_EXCEEDED, reason=SPENT_REASON),
        asyncio.CancelledError(),
        KeyError("a"),
    ],
)
async def test_a_failure_is_no_sample_and_its_permit_comes_back(outcome: BaseException) -> None:
    limited = Limited()
    with pytest.raises(type(outcome)):
        await limited.call(outcome)
    assert limited.limit.samples == []
    assert limited.limiter.in_flight == 0


async def test_what_was_answered_from_a_store_is_no_sample() -> None:
    limited = Limited()
    await limited.call(served_from="cache")
    assert limited.limit.samples == []
    assert limited.limiter.in_flight == 0


async def test_a_call_cancelled_at_its_await_gives_its_permit_back() -> None:
    limited = Limited()

    async def forever(call: Call) -> None:
        await asyncio.Event().wait()

    async def serve() -> None:
        await limited.stage(call_of(), forever)

    task = asyncio.ensure_future(serve())
    await asyncio.sleep(0)
    assert limited.limiter.in_flight == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert limited.limiter.in_flight == 0

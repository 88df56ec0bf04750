"""Hedging: an attempt beside one that is slow."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from runtime.snapshot import (
    HedgingPolicy,
    OutgoingPolicy,
    RetryBudgetPolicy,
    RetryPolicy,
)

from tests.runtime.client.calls import Calls, failing
from tests.runtime.sample_service import Note

HEDGED = HedgingPolicy(max_attempts=3, delay=1.0)


async def test_a_slow_attempt_gets_another_one_beside_it_and_the_first_answer_counts() -> None:
    calls = Calls(OutgoingPolicy(hedging=HEDGED), 10.0, 0.5)
    outgoing = await calls.turning(calls.call())
    assert calls.attempts.began == [0.0, 1.0]
    assert (outgoing.response, outgoing.attempt) == (Note(number=2), 2)
    assert (calls.attempts.cancelled, calls.attempts.running, calls.clock.waiting) == (1, 0, 0)


async def test_a_fast_attempt_is_the_only_one() -> None:
    calls = Calls(OutgoingPolicy(hedging=HEDGED), 0.5)
    await calls.turning(calls.call())
    assert (calls.attempts.began, calls.clock.waiting) == ([0.0], 0)


async def test_after_a_failure_that_is_not_fatal_the_next_attempt_goes_out_at_once() -> None:
    calls = Calls(OutgoingPolicy(hedging=HEDGED), failing(), failing(), 0.5)
    await calls.turning(calls.call())
    assert calls.attempts.began == [0.0, 0.0, 0.0]


async def test_a_fatal_failure_ends_the_call_and_cancels_the_others() -> None:
    calls = Calls(OutgoingPolicy(hedging=HEDGED), 10.0, failing(StatusCode.NOT_FOUND))
    assert (await calls.failure()).code_received is StatusCode.NOT_FOUND
    assert (len(calls.attempts.began), calls.attempts.cancelled, calls.clock.waiting) == (2, 1, 0)


async def test_when_every_attempt_has_failed_the_call_fails_with_the_last_failure() -> None:
    last = failing(message_received="last")
    calls = Calls(OutgoingPolicy(hedging=HEDGED), failing(), failing(), last)
    assert await calls.failure() is last


@pytest.mark.parametrize(("pushback", "began"), [(4.0, [0.0, 4.0]), (-1.0, [0.0])])
async def test_pushback_puts_the_next_attempt_off_or_ends_them(pushback: float, began: list[float]) -> None:
    calls = Calls(OutgoingPolicy(hedging=HEDGED), failing(pushback=pushback), 0.5)
    if pushback < 0:
        await calls.failure()
    else:
        await calls.turning(calls.call())
    assert calls.attempts.began == began


async def test_hedges_spend_the_budget_of_retries() -> None:
    retry = RetryPolicy(1, budget=RetryBudgetPolicy(percent=50.0, min_per_second=0.0, window=10_000.0))
    calls = Calls(OutgoingPolicy(hedging=HEDGED, retry=retry), *[5.0] * 20)
    for _ in range(4):
        await calls.turning(calls.call())
    assert len(calls.attempts.began) == 4 + 2
    assert calls.counted("hedging", "hedged") == 2


async def test_a_caller_that_goes_leaves_no_attempt_behind() -> None:
    calls = Calls(OutgoingPolicy(hedging=HEDGED), 10.0, 10.0)
    task = asyncio.ensure_future(calls.call())
    await asyncio.sleep(0)
    await calls.clock.advance(1.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (calls.attempts.cancelled, calls.attempts.running, calls.clock.waiting) == (2, 0, 0)


async def test_what_may_not_happen_twice_is_not_hedged() -> None:
    calls = Calls(OutgoingPolicy(hedging=HEDGED), 10.0, idempotent=False)
    await calls.turning(calls.call())
    assert calls.attempts.began == [0.0]

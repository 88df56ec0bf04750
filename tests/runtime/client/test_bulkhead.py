"""The bulkhead: so many attempts at once, and who waits for one."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from runtime.errors import DependencyError
from runtime.snapshot import (
    BulkheadPolicy,
    OutgoingPolicy,
)

from tests.runtime.client.calls import TWICE, Calls, failing


async def test_no_more_calls_run_than_there_are_permits() -> None:
    calls = Calls(OutgoingPolicy(bulkhead=BulkheadPolicy(3)), *[1.0] * 3)
    crowd = [asyncio.ensure_future(calls.call()) for _ in range(10)]
    await asyncio.sleep(0)
    await calls.clock.advance(1.0)
    outcomes = await asyncio.gather(*crowd, return_exceptions=True)
    rejected = [outcome for outcome in outcomes if isinstance(outcome, DependencyError)]
    assert (calls.attempts.most, len(rejected)) == (3, 7)
    assert {(error.rejected_by, error.code_received) for error in rejected} == {
        ("bulkhead", StatusCode.RESOURCE_EXHAUSTED)
    }
    await calls.call()  # all permits are back


async def test_waiting_calls_get_their_turn_in_order_and_none_waits_longer_than_it_may() -> None:
    calls = Calls(OutgoingPolicy(bulkhead=BulkheadPolicy(1, max_wait=2.5)), *[1.0] * 9)
    order: list[int] = []

    async def one(number: int) -> None:
        await calls.call()
        order.append(number)

    crowd = [asyncio.ensure_future(one(number)) for number in range(5)]
    await asyncio.sleep(0)
    await calls.clock.advance(10.0)
    outcomes = await asyncio.gather(*crowd, return_exceptions=True)
    assert order == [0, 1, 2]
    assert [type(outcome) for outcome in outcomes[3:]] == [DependencyError] * 2


async def test_a_caller_that_goes_while_it_waits_takes_no_permit_with_it() -> None:
    calls = Calls(OutgoingPolicy(bulkhead=BulkheadPolicy(1, max_wait=50.0)), 1.0, 1.0)
    first = asyncio.ensure_future(calls.call())
    await asyncio.sleep(0)
    waiting = [asyncio.ensure_future(calls.call()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await calls.clock.advance(5.0)
    await first
    await waiting[1]
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert calls.clock.waiting == 0


async def test_no_permit_is_held_during_a_backoff() -> None:
    calls = Calls(OutgoingPolicy(bulkhead=BulkheadPolicy(1), retry=TWICE), failing(), 0.0)
    first = asyncio.ensure_future(calls.call())
    await asyncio.sleep(0)
    await calls.call()  # while the first one waits
    await calls.clock.advance(10.0)
    await first

"""A caller that goes away, at any step of a call with every mechanism on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from runtime.snapshot import (
    AdaptiveTimeoutPolicy,
    BreakerPolicy,
    BulkheadPolicy,
    FallbackPolicy,
    IdempotencyKeyPolicy,
    OutgoingPolicy,
    RateLimitPolicy,
    RetryBudgetPolicy,
    RetryPolicy,
)

from tests.runtime.client.calls import Calls, failing


@asynccontextmanager
async def everything() -> AsyncIterator[Calls]:
    """Calls with every mechanism on, that fail twice, wait, and then answer."""
    policy = OutgoingPolicy(
        attempt_timeout=2.0,
        total_timeout=60.0,
        idempotency=IdempotencyKeyPolicy("Idempotency-Key"),
        retry=RetryPolicy(4, 1.0, 8.0, jitter="none", budget=RetryBudgetPolicy(100.0, 100.0, 10.0)),
        fallback=FallbackPolicy("cache"),
        rate_limit=RateLimitPolicy("", rate=0.5, burst=2, timeout=10.0),
        circuit_breaker=BreakerPolicy(failure_threshold=10, half_open_calls=1),
        bulkhead=BulkheadPolicy(1, max_wait=5.0),
        adaptive_timeout=AdaptiveTimeoutPolicy(0.1, 2.0),
    )
    yield Calls(policy, 1.0, failing(), 1.0, failing(), 1.0)


@pytest.mark.parametrize("turn", range(40))
async def test_a_caller_may_go_at_any_point_and_nothing_is_left(turn: int) -> None:
    async with everything() as calls:
        before = asyncio.ensure_future(calls.call())  # holds the permit for a while
        task = asyncio.ensure_future(calls.call())
        for _ in range(turn):
            await calls.clock.advance(0.25)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await calls.clock.advance(30.0)
        await before
        assert (calls.attempts.running, calls.clock.waiting) == (0, 0)
        calls.attempts.steps.clear()
        await calls.call()  # every permit is back

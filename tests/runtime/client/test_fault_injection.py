"""Deliberate faults of a dependency: seen by every policy as if the dependency had them."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from runtime.snapshot import BreakerPolicy, FaultPolicy, OutgoingPolicy

from tests.runtime.client.calls import TWICE, Calls

DOWN = FaultPolicy(percent=100.0, abort="UNAVAILABLE")
SLOW = FaultPolicy(percent=100.0, latency=3.0)


async def test_an_error_is_seen_by_retry_and_breaker_and_the_dependency_is_left_alone() -> None:
    policy = OutgoingPolicy(
        retry=TWICE, circuit_breaker=BreakerPolicy(failure_threshold=3, open_initial=1000.0, open_max=1000.0)
    )
    calls = Calls(policy, faults=(DOWN,), inject_faults=True)
    error = await calls.failure()
    assert (error.code_received, error.reason_received) == (StatusCode.UNAVAILABLE, "FAULT_INJECTED")
    assert calls.attempts.began == []
    assert calls.counted("fault_injection", "aborted") == 3
    assert (await calls.refused()).rejected_by == "circuit_breaker"


async def test_a_delay_is_one_before_the_attempt() -> None:
    calls = Calls(OutgoingPolicy(), faults=(SLOW,), inject_faults=True)
    await calls.turning(calls.call())
    assert calls.attempts.began == [3.0]
    assert calls.counted("fault_injection", "delayed") == 1


async def test_no_delay_outlasts_the_attempt_which_then_is_one_that_ran_out_of_time() -> None:
    calls = Calls(OutgoingPolicy(attempt_timeout=2.0, retry=TWICE), faults=(SLOW,), inject_faults=True)
    error = await calls.failure()
    assert (error.code_received, error.attempt_expired, error.expired) == (StatusCode.DEADLINE_EXCEEDED, True, False)
    assert calls.counted("fault_injection", "delayed") == 3, "it is tried again"
    assert calls.attempts.began == []


async def test_a_delay_beyond_the_calls_own_time_ends_the_call() -> None:
    calls = Calls(OutgoingPolicy(total_timeout=2.0, retry=TWICE), faults=(SLOW,), inject_faults=True)
    assert (await calls.failure()).expired
    assert calls.counted("fault_injection", "delayed") == 1


async def test_no_fault_is_injected_where_that_is_not_allowed() -> None:
    calls = Calls(OutgoingPolicy(), faults=(DOWN,))
    await calls.call()
    assert calls.attempts.began == [0.0]


async def test_a_fault_with_a_header_hits_only_calls_that_carry_it() -> None:
    marked = FaultPolicy(percent=100.0, abort="ABORTED", header="x-fault")
    calls = Calls(OutgoingPolicy(), faults=(marked,), inject_faults=True)
    await calls.call()
    with pytest.raises(Exception, match="ABORTED"):
        await calls.call(metadata=[("x-fault", "1")])


async def test_no_more_calls_are_held_than_allowed() -> None:
    narrow = FaultPolicy(percent=100.0, latency=3.0, max_concurrent=1)
    calls = Calls(OutgoingPolicy(), faults=(narrow,), inject_faults=True)
    held = asyncio.ensure_future(calls.call())
    await asyncio.sleep(0)
    await calls.call()
    assert calls.attempts.began == [0.0]
    await calls.turning(held)

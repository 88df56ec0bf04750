"""The circuit breaker of calls to a dependency."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode
from runtime.client.chain import composed
from runtime.client.environment import Target
from runtime.client.outgoing import Outgoing
from runtime.definition import Kind
from runtime.errors import DependencyError
from runtime.policies.breaker import State
from runtime.snapshot import (
    BreakerPolicy,
    OutgoingPolicy,
    RetryPolicy,
)

from tests.runtime.client.calls import TWICE, Calls, Step, failing
from tests.runtime.sample_service import ECHO, Note

THREE = BreakerPolicy(failure_threshold=3, open_initial=10.0, open_jitter=0.0, half_open_calls=2)


async def test_an_open_breaker_lets_nothing_out_and_says_when_to_come_back() -> None:
    calls = await opened()
    error = await calls.refused()
    assert (error.rejected_by, error.code, error.retry_after) == ("circuit_breaker", StatusCode.UNAVAILABLE, 10.0)
    assert len(calls.attempts.began) == 3
    assert calls.counted("circuit_breaker", "open") == 1


async def opened(*more: Step, retry: RetryPolicy | None = None) -> Calls:
    """Calls whose breaker has just opened."""
    calls = Calls(OutgoingPolicy(circuit_breaker=THREE, retry=retry), failing(), failing(), failing(), *more)
    for _ in range(3):
        await calls.refused()
    return calls


async def test_half_open_admits_exactly_its_number_under_a_hundred_at_once_and_closes() -> None:
    calls = await opened(*[1.0] * 100)
    await calls.clock.advance(10.0)
    crowd = [asyncio.ensure_future(calls.call()) for _ in range(100)]
    await asyncio.sleep(0)
    await calls.clock.advance(5.0)
    outcomes = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(1 for outcome in outcomes if isinstance(outcome, Outgoing)) == 2
    assert len(calls.attempts.began) == 3 + 2
    await calls.turning(calls.call())  # closed again


@pytest.mark.parametrize(
    "error",
    [
        failing(StatusCode.NOT_FOUND),
        failing(StatusCode.INVALID_ARGUMENT),
        failing(StatusCode.RESOURCE_EXHAUSTED, rejected_by="bulkhead"),
        failing(StatusCode.UNAVAILABLE, rejected_by="rate_limit"),
    ],
)
async def test_what_does_not_speak_against_the_dependency_does_not_open_it(error: DependencyError) -> None:
    calls = Calls(OutgoingPolicy(circuit_breaker=THREE), *[error] * 5)
    for _ in range(5):
        await calls.failure()
    assert len(calls.attempts.began) == 5


async def test_a_cancelled_probe_gives_its_place_back() -> None:
    calls = await opened(50.0, 50.0, 1.0, 1.0)
    await calls.clock.advance(10.0)
    probes = [asyncio.ensure_future(calls.call()) for _ in range(2)]
    await asyncio.sleep(0)
    for probe in probes:
        probe.cancel()
    await asyncio.gather(*probes, return_exceptions=True)
    await calls.turning(calls.call())
    await calls.turning(calls.call())
    assert calls.dependency.breaker(ECHO.path, THREE).state is State.CLOSED


async def test_an_open_breaker_is_not_tried_again() -> None:
    calls = await opened()
    retrying = composed(
        Target(ECHO.path, OutgoingPolicy(circuit_breaker=THREE, retry=TWICE), Kind.UNARY, True),
        calls.dependency,
        calls.attempts,
    )
    with pytest.raises(DependencyError) as caught:
        await retrying(Outgoing(ECHO.path, Note(), (), None))
    assert caught.value.rejected_by == "circuit_breaker"

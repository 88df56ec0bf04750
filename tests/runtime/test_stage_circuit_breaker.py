"""The circuit breaker stage: what counts, what does not, and that every permit comes back."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.classification import DRAINING_REASON, IDLE_REASON, OPEN_REASON, SPENT_REASON, TOO_LONG_REASON, is_bad
from runtime.errors import ErrorRow, ServiceError, TableError
from runtime.policies.breaker import Breaker, State
from runtime.snapshot import BreakerPolicy
from runtime.stages.circuit_breaker import CircuitBreaker
from runtime.testing import VirtualClock

from tests.runtime.fake_call import call_of
from tests.runtime.sample_service import CHAT, COUNT, ECHO, ERRORS, GATHER, LedgerDown, OutOfStock

POLICY = BreakerPolicy(failure_threshold=2, open_jitter=0.0, half_open_calls=1, half_open_max_wait=0.0)


class Guarded:
    """A stage around a handler that does as it is told."""

    def __init__(self, policy: BreakerPolicy = POLICY, method: object = ECHO) -> None:
        self.clock = VirtualClock()
        self.breaker = Breaker(policy, Random(1))
        self.refused = 0
        self.reached = 0
        self.method = method

        def count() -> None:
            self.refused += 1

        self.stage = CircuitBreaker(self.breaker, method, ERRORS, self.clock, count)  # type: ignore[arg-type] # a Method

    async def call(self, outcome: BaseException | None = None, took: float = 0.0) -> None:
        async def handler(call: Call) -> None:
            self.reached += 1
            if took:
                await self.clock.advance(took)
            if outcome is not None:
                raise outcome

        await self.stage(call_of(), handler)

    async def fails(self, outcome: BaseException) -> None:
        with pytest.raises(type(outcome)):
            await self.call(outcome)


def error(code: StatusCode, **more: object) -> ServiceError:
    return ServiceError(code, **more)  # type: ignore[arg-type] # keyword arguments of a ServiceError


@pytest.mark.parametrize(
    "code",
    [
        StatusCode.UNKNOWN,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.INTERNAL,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
    ],
)
async def test_failures_open_it_and_the_next_call_is_refused_before_the_handler(code: StatusCode) -> None:
    guarded = Guarded()
    await guarded.fails(error(code))
    await guarded.fails(error(code))
    with pytest.raises(ServiceError) as caught:
        await guarded.call()
    assert (caught.value.code, caught.value.reason) == (StatusCode.UNAVAILABLE, OPEN_REASON)
    assert caught.value.retry_after == POLICY.open_initial
    assert (guarded.reached, guarded.refused) == (2, 1)


@pytest.mark.parametrize("code", sorted(set(StatusCode) - {StatusCode.OK}, key=str))
async def test_a_fault_of_the_callers_own_says_nothing(code: StatusCode) -> None:
    guarded = Guarded()
    failure = code.name in {"UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
    for _ in range(2):
        await guarded.fails(error(code))
    assert (guarded.breaker.state is State.OPEN) is failure


@pytest.mark.parametrize("reason", [SPENT_REASON, DRAINING_REASON, IDLE_REASON, TOO_LONG_REASON])
async def test_what_another_policy_refuses_or_ends_says_nothing_of_the_handler(reason: str) -> None:
    guarded = Guarded()
    for _ in range(5):
        await guarded.fails(error(StatusCode.UNAVAILABLE, reason=reason))
    assert guarded.breaker.state is State.CLOSED


async def test_the_row_of_an_error_decides_before_its_code() -> None:
    def row(reason: str, code: StatusCode, breaker: str, slo: str) -> type[TableError]:
        made = ErrorRow(reason, code, 500, "", False, None, {}, (), breaker=breaker, slo=slo)
        return type(reason, (TableError,), {"row": made})

    harmless = row("HARMLESS", StatusCode.INTERNAL, "ignore", "good")
    grave = row("GRAVE", StatusCode.NOT_FOUND, "failure", "bad")
    guarded = Guarded()
    for _ in range(5):
        await guarded.fails(harmless({}))
    assert guarded.breaker.state is State.CLOSED
    for _ in range(2):
        await guarded.fails(grave({}))
    assert guarded.breaker.state is State.OPEN
    assert (is_bad(harmless({}), ERRORS), is_bad(grave({}), ERRORS)) == (False, True)
    assert (is_bad(OutOfStock(sku=1, available=1), ERRORS), is_bad(LedgerDown(), ERRORS)) == (False, True)


async def test_what_the_failure_asks_for_keeps_it_open_that_long() -> None:
    guarded = Guarded()
    await guarded.fails(error(StatusCode.UNAVAILABLE, retry_after=60.0))
    await guarded.fails(error(StatusCode.UNAVAILABLE))
    await guarded.clock.advance(59.0)
    with pytest.raises(ServiceError) as caught:
        await guarded.call()
    assert caught.value.retry_after == 1.0
    await guarded.clock.advance(1.0)
    await guarded.call()
    assert guarded.breaker.state is State.CLOSED


async def test_a_pushback_in_half_open_opens_it_again() -> None:
    guarded = Guarded()
    await guarded.fails(error(StatusCode.INTERNAL))
    await guarded.fails(error(StatusCode.INTERNAL))
    await guarded.clock.advance(5.0)
    await guarded.fails(error(StatusCode.RESOURCE_EXHAUSTED, retry_after=30.0))
    assert guarded.breaker.retry_after(guarded.clock.now()) == 30.0


@pytest.mark.parametrize("outcome", [asyncio.CancelledError(), error(StatusCode.NOT_FOUND), KeyError("a"), None])
async def test_half_open_gets_its_permit_back_however_the_call_ends(outcome: BaseException | None) -> None:
    guarded = Guarded()
    await guarded.fails(error(StatusCode.INTERNAL))
    await guarded.fails(error(StatusCode.INTERNAL))
    await guarded.clock.advance(5.0)
    if outcome is not None:
        await guarded.fails(outcome)
        assert guarded.breaker.state is State.HALF_OPEN
    await guarded.call()
    assert guarded.breaker.state is State.CLOSED


async def test_a_call_cancelled_at_its_await_gives_its_permit_back() -> None:
    guarded = Guarded()
    await guarded.fails(error(StatusCode.INTERNAL))
    await guarded.fails(error(StatusCode.INTERNAL))
    await guarded.clock.advance(5.0)

    async def forever(call: Call) -> None:
        await asyncio.Event().wait()

    async def serve() -> None:
        await guarded.stage(call_of(), forever)

    task = asyncio.ensure_future(serve())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await guarded.call()
    assert guarded.breaker.state is State.CLOSED


async def test_slow_calls_count_but_streams_are_never_slow() -> None:
    slow = BreakerPolicy(slow_after=1.0, slow_rate=50, minimum_calls=2, open_jitter=0.0)
    for method, state in ((ECHO, State.OPEN), (COUNT, State.CLOSED), (GATHER, State.CLOSED), (CHAT, State.CLOSED)):
        guarded = Guarded(slow, method)
        for _ in range(2):
            await guarded.call(took=2.0)
        assert guarded.breaker.state is state

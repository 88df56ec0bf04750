"""The stages of calls to dependencies, each on a clock that the test turns, around attempts that the test scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from grpc import StatusCode
from prometheus_client import CollectorRegistry
from runtime.client.chain import composed
from runtime.client.environment import Dependency, Outbound, Target
from runtime.client.measures import CLIENT_ATTEMPTS, CLIENT_EVENTS, RPC_CLIENT_CALL_DURATION, ClientMeasures
from runtime.client.outgoing import Endpoint, Outgoing
from runtime.definition import Kind
from runtime.errors import DependencyError
from runtime.policies.breaker import State
from runtime.snapshot import (
    AdaptiveTimeoutPolicy,
    BreakerPolicy,
    BulkheadPolicy,
    DependencyPolicy,
    HedgingPolicy,
    IdempotencyKeyPolicy,
    OutgoingPolicy,
    RetryBudgetPolicy,
    RetryPolicy,
)
from runtime.testing import VirtualClock

from tests.runtime.sample_service import ECHO, POLICIES, Note

TWICE = RetryPolicy(max_attempts=3, initial_backoff=1.0, max_backoff=8.0, jitter="none")
Step = float | BaseException
"""What an attempt does: answers after so many seconds, or raises at once."""


def failing(code: StatusCode = StatusCode.UNAVAILABLE, **details: Any) -> DependencyError:
    return DependencyError("peer", code, **details)


class Attempts:
    """The transport: each attempt takes the next step, and is noted with its time."""

    def __init__(self, clock: VirtualClock, *steps: Step) -> None:
        self.clock = clock
        self.steps = list(steps)
        self.began: list[float] = []
        self.seen: list[Outgoing] = []
        self.cancelled = 0
        self.running = 0
        self.most = 0

    async def __call__(self, outgoing: Outgoing) -> None:
        self.began.append(self.clock.now())
        self.seen.append(outgoing)
        step = self.steps.pop(0) if self.steps else 0.0
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if isinstance(step, BaseException):
                raise step
            if step:
                await self.clock.sleep(step)
            outgoing.response = Note(number=outgoing.attempt)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


class Calls:
    """Calls to one RPC through its chain."""

    def __init__(self, policy: OutgoingPolicy, *steps: Step, idempotent: bool = True, kind: Kind = Kind.UNARY) -> None:
        self.clock = VirtualClock(start=0.0)
        self.registry = CollectorRegistry()
        outbound = Outbound(POLICIES, {}, self.clock, Random(5), ClientMeasures(self.registry, (1.0,)))
        self.dependency = Dependency("peer", DependencyPolicy("peer:1", policy), outbound)
        self.attempts = Attempts(self.clock, *steps)
        target = Target(ECHO.path, policy, kind, idempotent)
        self.endpoint: Endpoint = composed(target, self.dependency, self.attempts)

    async def call(self, within: float | None = None, request: Any = None, metadata: Any = ()) -> Outgoing:
        outgoing = Outgoing(ECHO.path, Note() if request is None else request, tuple(metadata), within)
        await self.endpoint(outgoing)
        return outgoing

    async def failure(self, within: float | None = None) -> DependencyError:
        with pytest.raises(DependencyError) as caught:
            await self.turning(self.call(within))
        return caught.value

    async def turning(self, work: Any, seconds: float = 100.0) -> Any:
        """What `work` comes to while the clock turns."""
        task = asyncio.ensure_future(work)
        await asyncio.sleep(0)
        await self.clock.advance(seconds)
        assert task.done(), "it waits for something that never comes"
        return await task

    def counted(self, stage: str, reason: str) -> float:
        labels = {"dependency": "peer", "stage": stage, "reason": reason, "rpc_method": ECHO.path[1:]}
        return self.registry.get_sample_value(f"{CLIENT_EVENTS}_total", labels) or 0.0


# -- retry ---------------------------------------------------------------------------------------------------------


async def test_a_failed_attempt_is_made_again_after_the_backoff() -> None:
    calls = Calls(OutgoingPolicy(retry=TWICE), failing(), failing())
    outgoing = await calls.turning(calls.call())
    assert (calls.attempts.began, outgoing.attempt) == ([0.0, 1.0, 3.0], 3)
    assert calls.counted("retry", "retried") == 2


async def test_after_the_last_attempt_the_call_fails_with_what_that_failed_with() -> None:
    last = failing(StatusCode.UNAVAILABLE, message_received="the last one")
    calls = Calls(OutgoingPolicy(retry=TWICE), failing(), failing(), last)
    assert await calls.failure() is last
    assert len(calls.attempts.began) == 3


@pytest.mark.parametrize(
    "error",
    [
        failing(StatusCode.NOT_FOUND),
        failing(StatusCode.RESOURCE_EXHAUSTED),
        failing(StatusCode.DEADLINE_EXCEEDED, expired=True, final=True),
        failing(StatusCode.DEADLINE_EXCEEDED),
        failing(StatusCode.UNAVAILABLE, rejected_by="circuit_breaker", final=True),
        failing(StatusCode.UNAVAILABLE, pushback=-1.0),
        ValueError("not the dependency's"),
    ],
    ids=[
        "a code not named",
        "no resources",
        "the caller's time",
        "the peer's time",
        "an open breaker",
        "no more",
        "a bug",
    ],
)
async def test_what_another_attempt_cannot_mend_is_not_tried_again(error: BaseException) -> None:
    calls = Calls(OutgoingPolicy(retry=TWICE), error)
    with pytest.raises(type(error)):
        await calls.turning(calls.call())
    assert calls.attempts.began == [0.0]


async def test_an_attempt_that_ran_out_of_its_own_time_is_tried_again() -> None:
    calls = Calls(OutgoingPolicy(retry=TWICE), failing(StatusCode.DEADLINE_EXCEEDED, attempt_expired=True))
    await calls.turning(calls.call())
    assert calls.attempts.began == [0.0, 1.0]


async def test_the_peers_pushback_takes_the_place_of_the_backoff_and_starts_it_anew() -> None:
    policy = OutgoingPolicy(retry=RetryPolicy(max_attempts=5, initial_backoff=1.0, max_backoff=8.0, jitter="none"))
    calls = Calls(policy, failing(), failing(), failing(pushback=5.0), failing())
    await calls.turning(calls.call())
    assert calls.attempts.began == [0.0, 1.0, 3.0, 8.0, 9.0]


async def test_no_attempt_begins_past_the_deadline_and_none_is_waited_for_in_vain() -> None:
    calls = Calls(OutgoingPolicy(retry=TWICE, total_timeout=2.5), failing(), failing())
    task = asyncio.ensure_future(calls.call())
    await asyncio.sleep(0)
    await calls.clock.advance(1.0)
    assert task.done(), "it fails now, not when the time is up"
    with pytest.raises(DependencyError):
        await task
    assert calls.attempts.began == [0.0, 1.0]


@pytest.mark.parametrize(
    ("idempotent", "key", "kind", "attempts"),
    [
        (True, None, Kind.UNARY, 2),
        (False, None, Kind.UNARY, 1),
        (False, IdempotencyKeyPolicy("Idempotency-Key"), Kind.UNARY, 2),
        (True, None, Kind.SERVER_STREAM, 2),
        (True, None, Kind.CLIENT_STREAM, 1),
        (True, IdempotencyKeyPolicy("Idempotency-Key"), Kind.BIDI, 1),
    ],
)
async def test_only_what_may_happen_twice_is_tried_again(
    idempotent: bool, key: IdempotencyKeyPolicy | None, kind: Kind, attempts: int
) -> None:
    calls = Calls(OutgoingPolicy(retry=TWICE, idempotency=key), failing(), idempotent=idempotent, kind=kind)
    if attempts == 1:
        await calls.failure()
    else:
        await calls.turning(calls.call())
    assert len(calls.attempts.began) == attempts


async def test_a_stream_is_not_begun_again_once_a_message_was_handed_on() -> None:
    calls = Calls(OutgoingPolicy(retry=TWICE), failing(), failing(), kind=Kind.SERVER_STREAM)
    outgoing = Outgoing(ECHO.path, Note(), (), None)
    outgoing.delivered = 1
    with pytest.raises(DependencyError):
        await calls.turning(calls.endpoint(outgoing))
    assert len(calls.attempts.began) == 1


async def test_a_spent_budget_ends_the_call_with_its_first_failure() -> None:
    budget = RetryBudgetPolicy(percent=50.0, min_per_second=0.0, window=10_000.0)
    retry = RetryPolicy(3, 1.0, 8.0, jitter="none", budget=budget)
    calls = Calls(OutgoingPolicy(retry=retry), *(failing() for _ in range(20)))
    for _ in range(4):
        await calls.failure()
    assert len(calls.attempts.began) == 4 + 2  # retries are half of the calls
    assert calls.counted("retry", "budget_exhausted") == 4


async def test_the_same_key_goes_with_every_attempt_and_another_with_the_next_call() -> None:
    policy = OutgoingPolicy(retry=TWICE, idempotency=IdempotencyKeyPolicy("Idempotency-Key", field="text"))
    calls = Calls(policy, failing(), failing())
    request = Note(number=7)
    await calls.turning(calls.call(request=request))
    await calls.turning(calls.call(request=request))
    keys = [dict(seen.metadata)["idempotency-key"] for seen in calls.attempts.seen]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert [seen.given.text for seen in calls.attempts.seen] == keys
    assert request == Note(number=7), "the caller's own message stays as it was"


@pytest.mark.parametrize(
    ("request_", "metadata", "expected"),
    [
        (Note(text="mine"), (), ("mine", "mine")),
        (Note(), (("idempotency-key", "given"),), ("given", "given")),
        (Note(text="mine"), (("idempotency-key", "given"),), ("given", "mine")),
    ],
)
async def test_a_key_that_the_call_brings_is_kept(request_: Any, metadata: Any, expected: tuple[str, str]) -> None:
    calls = Calls(OutgoingPolicy(idempotency=IdempotencyKeyPolicy("Idempotency-Key", field="text")))
    await calls.call(request=request_, metadata=metadata)
    (seen,) = calls.attempts.seen
    assert (dict(seen.metadata)["idempotency-key"], seen.given.text) == expected


# -- hedging -------------------------------------------------------------------------------------------------------

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


# -- breaker -------------------------------------------------------------------------------------------------------

THREE = BreakerPolicy(failure_threshold=3, open_initial=10.0, open_jitter=0.0, half_open_calls=2)


async def test_an_open_breaker_lets_nothing_out_and_says_when_to_come_back() -> None:
    calls = await opened()
    error = await refused(calls)
    assert (error.rejected_by, error.code, error.retry_after) == ("circuit_breaker", StatusCode.UNAVAILABLE, 10.0)
    assert len(calls.attempts.began) == 3
    assert calls.counted("circuit_breaker", "open") == 1


async def opened(*more: Step, retry: RetryPolicy | None = None) -> Calls:
    """Calls whose breaker has just opened."""
    calls = Calls(OutgoingPolicy(circuit_breaker=THREE, retry=retry), failing(), failing(), failing(), *more)
    for _ in range(3):
        await refused(calls)
    return calls


async def refused(calls: Calls) -> DependencyError:
    with pytest.raises(DependencyError) as caught:
        await calls.call()
    return caught.value


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


# -- bulkhead ------------------------------------------------------------------------------------------------------


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


# -- time ----------------------------------------------------------------------------------------------------------


async def test_an_attempt_may_take_its_own_time_within_that_of_the_call() -> None:
    calls = Calls(OutgoingPolicy(attempt_timeout=2.0, total_timeout=5.0, retry=TWICE), failing(), failing())
    await calls.turning(calls.call())
    assert [(seen.until, calls.attempts.began[n]) for n, seen in enumerate(calls.attempts.seen)] == [
        (5.0, 0.0),
        (5.0, 1.0),
        (5.0, 3.0),
    ]
    assert calls.attempts.seen[-1].attempt_until == 5.0


async def test_the_adaptive_timeout_follows_the_dependency_and_opens_its_breaker() -> None:
    adaptive = AdaptiveTimeoutPolicy(floor=0.1, ceiling=0.9)
    breaker = BreakerPolicy(failure_threshold=1000, open_initial=10.0, open_jitter=0.0)
    policy = OutgoingPolicy(attempt_timeout=0.3, adaptive_timeout=adaptive, circuit_breaker=breaker)
    calls = Calls(policy, *(failing(broken=True) for _ in range(50)))
    limits = []
    for _ in range(50):
        began = calls.clock.now()
        error = await refused(calls)
        if error.rejected_by:
            break
        limits.append((calls.attempts.seen[-1].attempt_until or 0.0) - began)
    assert limits[0] == pytest.approx(0.3)
    assert error.rejected_by == "circuit_breaker"
    assert calls.dependency.adaptive_timeout(ECHO.path, adaptive).timeout == 0.1


# -- what is shared, and what is counted -----------------------------------------------------------------------------


def test_methods_share_a_state_unless_their_policy_is_another() -> None:
    own = BreakerPolicy(failure_threshold=5)
    policy = DependencyPolicy(
        "peer:1",
        OutgoingPolicy(circuit_breaker=THREE),
        {"/a/Own": OutgoingPolicy(circuit_breaker=own), "/a/Same": OutgoingPolicy(circuit_breaker=THREE, retry=TWICE)},
    )
    dependency = Dependency("peer", policy, Outbound(POLICIES, {}, VirtualClock(), Random(1)))
    whole = dependency.breaker("/a/Any", THREE)
    assert dependency.breaker("/a/Same", THREE) is whole
    assert dependency.breaker("/a/Own", own) is not whole


async def test_calls_are_measured_as_a_whole_and_attempts_one_by_one() -> None:
    calls = Calls(OutgoingPolicy(retry=TWICE), failing())
    await calls.turning(calls.call())
    method = {"dependency": "peer", "rpc_method": ECHO.path[1:]}
    taken = {**method, "rpc_system_name": "grpc", "rpc_response_status_code": "OK"}
    assert calls.registry.get_sample_value(f"{RPC_CLIENT_CALL_DURATION}_count", taken) == 1
    attempts = {
        code: calls.registry.get_sample_value(f"{CLIENT_ATTEMPTS}_total", {**method, "rpc_response_status_code": code})
        for code in ("OK", "UNAVAILABLE")
    }
    assert attempts == {"OK": 1, "UNAVAILABLE": 1}


async def test_what_is_off_is_not_in_the_chain() -> None:
    bare = Calls(OutgoingPolicy())
    assert (await bare.call()).attempt_until is None


# -- cancelled anywhere ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def everything() -> AsyncIterator[Calls]:
    """Calls with every mechanism on, that fail twice, wait, and then answer."""
    policy = OutgoingPolicy(
        attempt_timeout=2.0,
        total_timeout=60.0,
        idempotency=IdempotencyKeyPolicy("Idempotency-Key"),
        retry=RetryPolicy(4, 1.0, 8.0, jitter="none", budget=RetryBudgetPolicy(100.0, 100.0, 10.0)),
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

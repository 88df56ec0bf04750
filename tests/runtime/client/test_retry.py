"""Retries: how often, when, and of what; and the key that makes them harmless."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc import StatusCode
from runtime.client.outgoing import Outgoing
from runtime.definition import Kind
from runtime.errors import DependencyError
from runtime.snapshot import (
    IdempotencyKeyPolicy,
    OutgoingPolicy,
    RetryBudgetPolicy,
    RetryPolicy,
)

from tests.runtime.client.calls import TWICE, Calls, failing
from tests.runtime.sample_service import ECHO, Note


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

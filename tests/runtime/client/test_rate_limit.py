"""The rate limit of calls to a dependency: who gets a permit, who waits, and what a refusal is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from grpc import StatusCode
from runtime.background import Background
from runtime.client.measures import CLIENT_ATTEMPTS, RPC_CLIENT_CALL_DURATION
from runtime.client.outgoing import Outgoing
from runtime.errors import DependencyError
from runtime.principal import Principal
from runtime.snapshot import (
    BreakerPolicy,
    DependencyPolicy,
    FallbackPolicy,
    FaultPolicy,
    OutgoingPolicy,
    RateLimitKeyPolicy,
    RateLimitPolicy,
    RetryPolicy,
)
from runtime.testing import direct_call

from tests.runtime.client.calls import Calls, failing
from tests.runtime.sample_service import ECHO, POLICIES

TWO_AT_ONCE = RateLimitPolicy("", rate=1.0, burst=2)
PATIENT = RateLimitPolicy("", rate=1.0, burst=2, timeout=2.5)


async def outcomes(calls: Calls, count: int, **arguments: float) -> list[Outgoing | BaseException]:
    """How so many calls end that are made at once, in order."""
    crowd = [asyncio.ensure_future(calls.call(**arguments)) for _ in range(count)]
    await asyncio.sleep(0)
    await calls.clock.advance(60.0)
    return list(await asyncio.gather(*crowd, return_exceptions=True))


async def test_so_many_attempts_are_made_at_once_and_then_at_the_rate() -> None:
    calls = Calls(OutgoingPolicy(rate_limit=TWO_AT_ONCE))
    ended = await outcomes(calls, 5)
    assert [isinstance(end, Outgoing) for end in ended] == [True, True, False, False, False]
    refused = ended[2]
    assert isinstance(refused, DependencyError)
    assert (refused.rejected_by, refused.code_received, refused.code) == (
        "rate_limit",
        StatusCode.RESOURCE_EXHAUSTED,
        StatusCode.UNAVAILABLE,
    )
    assert refused.retry_after == pytest.approx(1.0)
    assert calls.counted("rate_limit", "refused") == 3


async def test_an_attempt_waits_for_its_permit_in_order_of_arrival_but_not_longer_than_it_may() -> None:
    calls = Calls(OutgoingPolicy(rate_limit=PATIENT))
    ended = await outcomes(calls, 6)
    assert calls.attempts.began == [0.0, 0.0, pytest.approx(1.0), pytest.approx(2.0)]
    assert [isinstance(end, Outgoing) for end in ended] == [True] * 4 + [False] * 2
    assert calls.clock.waiting == 0


async def test_nobody_waits_past_its_deadline() -> None:
    calls = Calls(OutgoingPolicy(rate_limit=PATIENT, total_timeout=1.5))
    ended = await outcomes(calls, 4)
    assert calls.attempts.began == [0.0, 0.0, pytest.approx(1.0)]
    assert isinstance(ended[3], DependencyError)


async def test_a_caller_that_goes_while_it_waits_leaves_its_permit_to_the_next() -> None:
    calls = Calls(OutgoingPolicy(rate_limit=PATIENT))
    crowd = [asyncio.ensure_future(calls.call()) for _ in range(4)]
    await asyncio.sleep(0)
    crowd[2].cancel()
    await calls.clock.advance(10.0)
    await asyncio.gather(*crowd, return_exceptions=True)
    assert calls.attempts.began == [0.0, 0.0, pytest.approx(1.0)]


async def test_every_attempt_takes_a_permit() -> None:
    retry = RetryPolicy(max_attempts=3, initial_backoff=0.1, jitter="none")
    calls = Calls(OutgoingPolicy(rate_limit=TWO_AT_ONCE, retry=retry), failing(), failing())
    error = await calls.failure()
    assert (error.rejected_by, len(calls.attempts.began)) == ("rate_limit", 2)


async def test_a_refusal_neither_opens_the_breaker_nor_counts_as_an_attempt_or_an_answer() -> None:
    policy = OutgoingPolicy(rate_limit=TWO_AT_ONCE, circuit_breaker=BreakerPolicy(failure_threshold=1))
    calls = Calls(policy)
    await outcomes(calls, 5)
    await calls.clock.advance(10.0)
    await calls.call()  # the breaker is closed
    method = {"dependency": "peer", "rpc_method": ECHO.path[1:]}

    def measured(code: str, error: str) -> float | None:
        labels = {**method, "rpc_system_name": "grpc", "rpc_response_status_code": code, "error_type": error}
        return calls.registry.get_sample_value(f"{RPC_CLIENT_CALL_DURATION}_count", labels)

    assert (measured("OK", ""), measured("", "rate_limit")) == (3, 3)
    assert measured("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED") is None
    attempts = calls.registry.get_sample_value(f"{CLIENT_ATTEMPTS}_total", {**method, "rpc_response_status_code": "OK"})
    assert attempts == 3


def by(source: str, on_missing: str = "reject", **policy: Any) -> OutgoingPolicy:
    return OutgoingPolicy(rate_limit=replace(TWO_AT_ONCE, key=RateLimitKeyPolicy(source, on_missing), **policy))


def called_by(name: str) -> None:
    """Be in a call of somebody whose token, metadata and address are of that name."""
    caller = Principal(name, "https://id", {"tenant": name})
    call = direct_call(ECHO, metadata=[("x-tenant", name)], principal=caller)
    call.peer = name


@pytest.mark.parametrize("source", ["peer", "principal", "auth.claim:tenant", "metadata:x-tenant"])
async def test_calls_made_for_different_callers_do_not_count_together(source: str) -> None:
    calls = Calls(by(source))
    for name in ("ada", "grace"):
        called_by(name)
        ended = await outcomes(calls, 3)
        assert [isinstance(end, Outgoing) for end in ended] == [True, True, False]
    assert calls.counted("rate_limit", "refused") == 2


async def test_callers_with_a_key_wait_for_their_own_permits_alone() -> None:
    calls = Calls(by("principal", timeout=2.5))
    called_by("ada")
    crowd = [asyncio.ensure_future(calls.call()) for _ in range(4)]
    called_by("grace")
    crowd += [asyncio.ensure_future(calls.call()) for _ in range(2)]
    await asyncio.sleep(0)
    await calls.clock.advance(10.0)
    await asyncio.gather(*crowd)
    assert calls.attempts.began == [0.0] * 4 + [pytest.approx(1.0), pytest.approx(2.0)]


@pytest.mark.parametrize("within_a_call", [False, True])
async def test_without_a_key_no_attempt_is_made_and_none_is_made_again(within_a_call: bool) -> None:
    policy = replace(
        by("auth.claim:tenant"),
        retry=RetryPolicy(max_attempts=3, codes=frozenset({"FAILED_PRECONDITION"})),
        fallback=FallbackPolicy("static", value="{}"),
        circuit_breaker=BreakerPolicy(failure_threshold=1),
    )
    calls = Calls(policy)
    if within_a_call:
        direct_call(ECHO)  # of nobody who is known
    error = await calls.failure()
    assert (error.rejected_by, error.code_received) == ("rate_limit", StatusCode.FAILED_PRECONDITION)
    assert "auth.claim:tenant" in str(error)
    assert calls.attempts.began == []
    assert calls.counted("rate_limit", "key_missing") == 1


async def test_calls_without_a_key_count_together_where_they_may() -> None:
    calls = Calls(by("auth.claim:tenant", "shared"))
    await calls.call()
    direct_call(ECHO)
    ended = await outcomes(calls, 2)
    assert [isinstance(end, Outgoing) for end in ended] == [True, False]


async def test_no_more_keys_are_kept_than_the_policy_says() -> None:
    calls = Calls(by("principal", max_keys=2, rate=0.001))
    for name in ("ada", "ada", "grace", "edsger", "ada"):  # ada's were forgotten for edsger's
        called_by(name)
        await calls.call()
    assert len(calls.attempts.began) == 5


async def test_what_a_call_has_spawned_counts_with_the_call() -> None:
    calls = Calls(by("principal"))
    background = Background()
    called_by("ada")
    await calls.call()
    await calls.call()
    spawned = background.spawn(calls.refused())
    await asyncio.sleep(0)
    assert (await spawned).code_received is StatusCode.RESOURCE_EXHAUSTED


def test_rest_takes_in_the_metadata_that_calls_to_dependencies_are_told_apart_by() -> None:
    faulty = FaultPolicy(percent=1.0, abort="UNAVAILABLE", header="x-fault")
    peer = DependencyPolicy("peer:1", by("metadata:x-tenant"), {"/a": by("metadata:x-shop")}, faults=(faulty,))
    taken = replace(POLICIES, dependencies={"peer": peer}).taken_in
    assert {"x-tenant", "x-shop", "x-fault"} <= set(taken)

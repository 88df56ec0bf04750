"""The chain as a whole: what is in it, what its calls share, and what is counted."""

from __future__ import annotations

from random import Random

from runtime.client.environment import Dependency, Outbound
from runtime.client.measures import CLIENT_ATTEMPTS, RPC_CLIENT_CALL_DURATION
from runtime.snapshot import (
    BreakerPolicy,
    DependencyPolicy,
    OutgoingPolicy,
)
from runtime.testing import VirtualClock

from tests.runtime.client.calls import TWICE, Calls, failing
from tests.runtime.sample_service import ECHO, POLICIES

THREE = BreakerPolicy(failure_threshold=3)


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
    taken = {**method, "rpc_system_name": "grpc", "rpc_response_status_code": "OK", "error_type": ""}
    assert calls.registry.get_sample_value(f"{RPC_CLIENT_CALL_DURATION}_count", taken) == 1
    attempts = {
        code: calls.registry.get_sample_value(f"{CLIENT_ATTEMPTS}_total", {**method, "rpc_response_status_code": code})
        for code in ("OK", "UNAVAILABLE")
    }
    assert attempts == {"OK": 1, "UNAVAILABLE": 1}


async def test_what_is_off_is_not_in_the_chain() -> None:
    bare = Calls(OutgoingPolicy())
    assert (await bare.call()).attempt_until is None

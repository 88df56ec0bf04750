"""The time of an attempt, fixed or by the state of the dependency."""

from __future__ import annotations

import pytest
from runtime.snapshot import (
    AdaptiveTimeoutPolicy,
    BreakerPolicy,
    OutgoingPolicy,
)

from tests.runtime.client.calls import TWICE, Calls, failing
from tests.runtime.sample_service import ECHO


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
        error = await calls.refused()
        if error.rejected_by:
            break
        limits.append((calls.attempts.seen[-1].attempt_until or 0.0) - began)
    assert limits[0] == pytest.approx(0.3)
    assert error.rejected_by == "circuit_breaker"
    assert calls.dependency.adaptive_timeout(ECHO.path, adaptive).timeout == 0.1

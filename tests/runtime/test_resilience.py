"""The service judges itself window by window, on a clock that is turned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from runtime.client.latency import Latency
from runtime.clock import every
from runtime.resilience import LOOK_EVERY, WINDOW, Resilience
from runtime.snapshot import ScorePolicy
from runtime.testing import VirtualClock

POLICY = ScorePolicy(threshold=75, error_rate=0.4, dependency_latency=0.3, saturation=0.2, business=0.1)


class Judged:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.heard: list[tuple[float, bool]] = []
        self.made = Resilience(POLICY, lambda score, degraded: self.heard.append((score, degraded)))

    async def window(self, failed: int = 0, total: int = 20) -> float:
        for position in range(total):
            self.made.call(failed=position < failed)
        await self.clock.advance(WINDOW)
        return self.heard[-1][0]


@asynccontextmanager
async def judged() -> AsyncIterator[Judged]:
    made = Judged()
    async with every(made.clock, LOOK_EVERY, made.made.look):
        yield made
    assert made.clock.waiting == 0


def signal(made: Judged, name: str) -> Any:
    return made.made.signals[name]


async def test_failures_degrade_it_at_once_and_two_better_windows_restore_it() -> None:
    async with judged() as made:
        assert await made.window() == 100.0
        assert await made.window(failed=20) == 60.0
        assert made.made.degraded()
        await made.window()
        assert made.made.degraded()
        await made.window()
        assert not made.made.degraded()
        assert [degraded for _, degraded in made.heard] == [False, True, True, False]


async def test_the_slowest_dependency_is_held_against_its_timeout() -> None:
    async with judged() as made:
        for _ in range(100):
            made.made.attempt("stock", 0.1)
            made.made.attempt("payments", 0.99)
        assert await made.window() < 75
        assert signal(made, "dependencyLatency").why == "p99 of payments is 100% of its timeout"
        assert await made.window() == 100.0, "a window has its own calls only"


async def test_the_fullest_limit_counts_on_average() -> None:
    async with judged() as made:
        full = [1.0]
        made.made.fill += [lambda: 0.1, lambda: full[0]]
        await made.clock.advance(WINDOW / 2)
        full[0] = 0.5
        await made.clock.advance(WINDOW / 2)
        assert signal(made, "saturation").value == 0.5
        assert signal(made, "saturation").why == "the fullest limit is 75% full on average"


async def test_the_applications_gauge_counts_and_may_fail_without_harm() -> None:
    async with judged() as made:
        made.made.business = lambda: 0.5
        assert await made.window() == 95.0
        made.made.business = lambda: float("nan")
        assert await made.window() == 90.0
        made.made.business = lambda: 7
        assert await made.window() == 100.0

        def broken() -> float:
            raise KeyError("orders")

        made.made.business = broken
        assert await made.window() == 100.0
        assert signal(made, "business").why == "the application's gauge failed"


async def test_the_report_explains_the_score_signal_by_signal() -> None:
    async with judged() as made:
        await made.window(failed=2)
        assert made.made.report() == {
            "score": 84.0,
            "threshold": 75,
            "degraded": False,
            "signals": {
                "errorRate": {"value": 0.6, "weight": 0.4, "why": "2 of 20 calls failed"},
                "dependencyLatency": {"value": 1.0, "weight": 0.3, "why": "no dependency was called"},
                "saturation": {"value": 1.0, "weight": 0.2, "why": "the fullest limit is 0% full on average"},
                "business": {"value": 1.0, "weight": 0.1, "why": "the application has no gauge"},
            },
        }


async def test_attempts_are_measured_however_they_end_but_for_cancelled_ones() -> None:
    clock = VirtualClock()
    heard: list[tuple[str, float]] = []
    stage = Latency("stock", 2.0, lambda name, share: heard.append((name, share)), clock)

    async def attempt(seconds: float, error: BaseException | None = None) -> None:
        async def transport(_: object) -> None:
            await clock.advance(seconds)
            if error is not None:
                raise error

        try:
            await stage(object(), transport)  # type: ignore[arg-type] # nothing is asked of the call
        except (KeyError, asyncio.CancelledError):
            return

    await attempt(1.0)
    await attempt(2.0, KeyError("a"))
    await attempt(0.5, asyncio.CancelledError())
    assert heard == [("stock", 0.5), ("stock", 1.0)]

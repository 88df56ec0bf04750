"""How well the service is: what its calls, its dependencies, its limits and its owner say, as one score."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from .policies.health_score import ENOUGH_CALLS, HealthScore, LatencyShares, error_rate_signal, usage_signal
from .snapshot import ScorePolicy

WINDOW: Final = 10.0
"""Seconds that a score is taken over."""

_LOOKS: Final = 10  # at the limits, in a window

LOOK_EVERY: Final = WINDOW / _LOOKS
"""Seconds."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signal:
    """One part of the score: from 0 to 1, its weight, and what it was taken from, for people."""

    value: float
    weight: float
    why: str


class Resilience:
    """Collects a window's signals, and judges at its end, the last `look` of a window; one is due every LOOK_EVERY.

    `fill` is how full each limit is, from 0 to 1; `business` is the owner's own gauge, from 0 to 1.
    """

    def __init__(self, policy: ScorePolicy, heard: Callable[[float, bool], None] | None = None) -> None:
        self.fill: list[Callable[[], float]] = []
        self.business: Callable[[], float] | None = None
        self.signals: Mapping[str, Signal] = {}
        self._policy = policy
        self._heard = heard
        self._weights = {
            "errorRate": policy.error_rate,
            "dependencyLatency": policy.dependency_latency,
            "saturation": policy.saturation,
            "business": policy.business,
        }
        self._score = HealthScore(policy.threshold, self._weights)
        self._total = 0
        self._failed = 0
        self._latencies: dict[str, LatencyShares] = {}
        self._fills = 0.0
        self._looks = 0

    def degraded(self) -> bool:
        """Whether the service does only what matters most, and falls back where it can."""
        return self._score.degraded

    def call(self, *, failed: bool) -> None:
        """A handler has ended."""
        self._total += 1
        self._failed += failed

    def attempt(self, dependency: str, share: float) -> None:
        """An attempt to call a dependency took that share of its timeout."""
        found = self._latencies.get(dependency)
        if found is None:
            found = self._latencies[dependency] = LatencyShares()
        found.add(share)

    def report(self) -> dict[str, object]:
        """What `/healthz` shows: the score of the last window, signal by signal."""
        return {
            "score": round(self._score.score, 1),
            "threshold": self._policy.threshold,
            "degraded": self._score.degraded,
            "signals": {
                name: {"value": round(signal.value, 3), "weight": signal.weight, "why": signal.why}
                for name, signal in self.signals.items()
            },
        }

    def look(self, late: float = 0.0) -> None:
        """Look at the limits; the last look of a window ends it."""
        self._fills += max((fill() for fill in self.fill), default=0.0)
        self._looks += 1
        if self._looks == _LOOKS:
            self._looks = 0
            self._end()

    def _end(self) -> None:
        """The window is over."""
        before = self._score.degraded
        self.signals = self._taken()
        self._score.window({name: signal.value for name, signal in self.signals.items()})
        self._total = self._failed = 0
        self._latencies.clear()
        self._fills = 0.0
        if self._heard is not None:
            self._heard(self._score.score, self._score.degraded)
        if self._score.degraded is not before:
            said = "degraded" if self._score.degraded else "no longer degraded"
            _log.warning("the service is %s: score %.1f", said, self._score.score, extra={"signals": self.report()})

    def _taken(self) -> dict[str, Signal]:
        weights = self._weights
        rate = f"{self._failed} of {self._total} calls failed"
        few = f", fewer than {ENOUGH_CALLS} calls say nothing" if self._total < ENOUGH_CALLS else ""
        slowest = max(self._latencies, key=lambda name: self._latencies[name].p99(), default="")
        p99 = self._latencies[slowest].p99() if slowest else 0.0
        full = self._fills / _LOOKS
        business, told = self._business()
        return {
            "errorRate": Signal(error_rate_signal(self._failed, self._total), weights["errorRate"], rate + few),
            "dependencyLatency": Signal(
                usage_signal(p99),
                weights["dependencyLatency"],
                f"p99 of {slowest} is {p99:.0%} of its timeout" if slowest else "no dependency was called",
            ),
            "saturation": Signal(
                usage_signal(full), weights["saturation"], f"the fullest limit is {full:.0%} full on average"
            ),
            "business": Signal(business, weights["business"], told),
        }

    def _business(self) -> tuple[float, str]:
        if self.business is None:
            return 1.0, "the application has no gauge"
        try:
            return min(1.0, max(0.0, float(self.business()))), "the application's gauge"
        except Exception:  # noqa: BLE001 - it is the user's code, and judging goes on
            _log.exception("the application's gauge failed")
            return 1.0, "the application's gauge failed"

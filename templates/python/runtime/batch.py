"""Observations for metrics, entered many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

Enter = Callable[[float], None]
"""Enters one observation into its metric: `Histogram.observe`, `Counter.inc`, `Gauge.dec` and the like."""

_ENOUGH: Final = 100  # observations that wait no longer
_GATHER: Final = 0.01  # seconds that an observation waits for others


class Batch(Collector):
    """Takes observations as they are made, and enters them a hundredth of a second later, all of them together.

    A metric of prometheus_client is a few locks and a dozen calls away: done within a call, between everything else
    that a call needs the processor's caches for, that takes three times as long. Whoever collects `registry`, whose first
    collector the batch is, finds nothing missing; the timer is for the files of several workers (PROMETHEUS_MULTIPROC_DIR),
    which another process reads.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._waiting: list[tuple[Enter, float]] = []
        self._timer: asyncio.TimerHandle | None = None

    def later(self, enter: Enter) -> Enter:
        """What takes an observation that `enter` will enter."""
        return partial(self._take, enter)

    def flush(self) -> None:
        """Enter what waits."""
        waiting, self._waiting = self._waiting, []
        for enter, value in waiting:
            enter(value)

    def collect(self) -> Iterable[Any]:
        """No metrics: enters what waits, for those that are collected next."""
        self.flush()
        return ()

    def describe(self) -> Iterable[Any]:
        """No metrics."""
        return ()

    def _take(self, enter: Enter, value: float) -> None:
        self._waiting.append((enter, value))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER, self._on_time)
        elif len(self._waiting) >= _ENOUGH:
            self.flush()

    def _on_time(self) -> None:
        self._timer = None
        self.flush()

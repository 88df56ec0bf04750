"""Observations for metrics, entered many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

Enter = Callable[[float], None]
"""Enters a number into its metric: `Histogram.observe`, `Counter.inc` and the like."""

ENTER_EVERY: Final = 0.2
"""Seconds between two times at which a server enters what has been observed."""


class Batch(Collector):
    """Takes observations as they are made, each by appending it to a list, and enters them when `flush` is called.

    A metric of prometheus_client is a few locks and a dozen calls away: done within a call, between everything else
    that a call needs the processor's caches for, that takes three times as long. Whoever collects `registry`, whose first
    collector the batch is, finds nothing missing; the files of several workers (PROMETHEUS_MULTIPROC_DIR), which another
    process reads, have what was entered.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._single: list[tuple[Enter, list[float]]] = []
        self._summed: list[tuple[Enter, list[float]]] = []

    def single(self, enter: Enter) -> Enter:
        """What takes observations that are entered one by one."""
        return _kept(self._single, enter)

    def summed(self, enter: Enter) -> Enter:
        """What takes numbers whose sum is entered."""
        return _kept(self._summed, enter)

    def flush(self) -> None:
        """Enter what was observed."""
        for enter, values in self._single:
            for value in _taken(values):
                enter(value)
        for enter, values in self._summed:
            if values:
                enter(sum(_taken(values)))

    def collect(self) -> Iterable[Any]:
        """No metrics: enters what was observed, for those that are collected next."""
        self.flush()
        return ()

    def describe(self) -> Iterable[Any]:
        """No metrics."""
        return ()


def _kept(kept: list[tuple[Enter, list[float]]], enter: Enter) -> Enter:
    values: list[float] = []
    kept.append((enter, values))
    return values.append


def _taken(values: list[float]) -> list[float]:
    """What is in the list, and is no more; whatever comes meanwhile stays."""
    taken = values[:]
    del values[: len(taken)]
    return taken

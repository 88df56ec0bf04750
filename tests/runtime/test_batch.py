"""Observations that wait for others: nobody who reads them finds one missing, and none waits for long."""

from __future__ import annotations

import asyncio

from prometheus_client import Counter, Histogram
from runtime.batch import Batch


async def test_who_collects_the_registry_finds_every_observation() -> None:
    batch = Batch()
    seconds = Histogram("took_seconds", "Seconds.", registry=batch.registry, buckets=(1.0, 2.0))
    calls = Counter("calls", "Calls.", registry=batch.registry)
    batch.later(seconds.observe)(1.5)
    batch.later(calls.inc)(2.0)
    value = batch.registry.get_sample_value
    assert (value("took_seconds_sum"), value("calls_total")) == (1.5, 2.0)
    assert value("took_seconds_bucket", {"le": "1.0"}) == 0


async def test_an_observation_is_entered_though_nobody_asks_in_the_order_they_were_made() -> None:
    batch, entered, last = Batch(), list[float](), asyncio.Event()

    def enter(value: float) -> None:
        entered.append(value)
        last.set()

    take = batch.later(enter)
    for pair in ([1.0, 2.0], [3.0, 4.0]):  # the second one waits for a timer of its own
        entered.clear()
        last.clear()
        for number in pair:
            take(number)
        assert entered == []
        await last.wait()
        assert entered == pair


async def test_no_more_than_a_hundred_wait() -> None:
    batch, entered = Batch(), list[float]()
    take = batch.later(entered.append)
    for number in range(250):
        take(float(number))
        assert number - len(entered) < 100
    batch.flush()
    assert entered == [float(number) for number in range(250)]

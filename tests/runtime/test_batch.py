"""Observations that wait for others: nobody who reads them finds one missing."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram
from runtime.batch import Batch


def test_who_collects_the_registry_finds_every_observation() -> None:
    batch = Batch()
    value = batch.registry.get_sample_value
    seconds = Histogram("took_seconds", "Seconds.", registry=batch.registry, buckets=(1.0, 2.0))
    calls = Counter("calls", "Calls.", registry=batch.registry)
    in_flight = Gauge("in_flight", "Calls being served.", registry=batch.registry)
    observe, count, change = batch.single(seconds.observe), batch.summed(calls.inc), batch.summed(in_flight.inc)
    for took in (0.5, 1.5, 1.75):
        change(1.0)
        observe(took)
        count(1.0)
    change(-1.0)
    assert (value("took_seconds_sum"), value("calls_total"), value("in_flight")) == (3.75, 3.0, 2.0)
    assert [value("took_seconds_bucket", {"le": le}) for le in ("1.0", "2.0", "+Inf")] == [1.0, 3.0, 3.0]
    change(-2.0)
    assert (value("took_seconds_sum"), value("calls_total"), value("in_flight")) == (3.75, 3.0, 0.0)


def test_what_is_observed_while_others_are_entered_is_entered_next() -> None:
    batch, entered = Batch(), list[float]()

    def enter(value: float) -> None:
        entered.append(value)
        if value < 3.0:
            observe(value + 1.0)

    observe = batch.single(enter)
    observe(1.0)
    for so_far in ([1.0], [1.0, 2.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]):
        batch.flush()
        assert entered == so_far

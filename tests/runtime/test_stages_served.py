"""Every stage does its work on the four kinds of RPC and over both protocols: each is seen to from a client's side."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from grpc import StatusCode
from runtime.definition import Kind
from runtime.logs import LineWriter
from runtime.pipeline import ORDER
from runtime.snapshot import (
    BreakerPolicy,
    ConcurrencyPolicy,
    DeadlinePolicy,
    FallbackPolicy,
    FaultPolicy,
    ScorePolicy,
    SheddingPolicy,
    StreamingPolicy,
)
from runtime.testing import Entry, Outcome, Scripted, Served, VirtualClock, answering, failing, serving, waiting

from tests.runtime.sample_service import Note, OutOfStock
from tests.runtime.test_limits_served import EVERYTHING, WAYS, with_policy
from tests.runtime.test_stage_span import Recorded

HERE = {
    "access_log",
    "boundary",
    "circuit_breaker",
    "concurrency_limit",
    "context",
    "deadline",
    "error_mapper",
    "fallback",
    "fault_injection",
    "health_score",
    "load_shedding",
    "metrics",
    "span",
    "streaming",
}
ELSEWHERE = {
    "authentication": "test_stage_authentication.py",
    "authorization": "test_stage_authentication.py",
    "drain_gate": "test_drain_served.py",
    "idempotency": "test_limits_served.py",
    "rate_limit": "test_limits_served.py",
    "validation": "test_stage_validation.py",
}
"""The stages that are seen to in modules of their own, with the contract, the client or the shutdown that they need."""

SCORE = ScorePolicy(threshold=75, error_rate=1.0, dependency_latency=0.0, saturation=0.0, business=0.0)
TRACE = "0af7651916cd43dd8448eb211c80319c"

every_way = pytest.mark.parametrize("way", WAYS, ids=str)


@dataclass(frozen=True)
class Bench:
    """A server for one way of calling, on a clock that stands still."""

    way: Entry
    served: Served
    scripted: Scripted
    clock: VirtualClock

    async def call(self, **arguments: Any) -> Outcome:
        return await self.served.client.call(self.way, **arguments)


@asynccontextmanager
async def bench(
    way: Entry, score: ScorePolicy | None = None, writer: LineWriter | None = None, tracing: Any = None, **policy: Any
) -> AsyncIterator[Bench]:
    declared = with_policy(lambda each: replace(each, **policy))
    policies = replace(declared.policies, score=score, fault_environments=("production",))
    scripted, clock = Scripted(EVERYTHING, answering(*way.responses())), VirtualClock()
    definition = replace(declared, policies=policies)
    async with serving(definition, scripted.application, clock=clock, writer=writer, tracing=tracing) as served:
        yield Bench(way, served, scripted, clock)


def test_every_stage_is_seen_to() -> None:
    assert HERE | set(ELSEWHERE) == set(ORDER)


@every_way
async def test_boundary_counts_the_call_and_lets_it_go(way: Entry) -> None:
    go_on = asyncio.Event()
    async with bench(way) as it:
        it.scripted.plays(waiting(go_on))
        calling = asyncio.create_task(it.call())
        await it.scripted.arrived()
        assert [call.method for call in it.served.server.in_flight] == [way.method]
        go_on.set()
        await calling
        await it.served.until_idle()


@every_way
async def test_context_takes_over_the_callers_request_id_and_trace(way: Entry) -> None:
    given = [("x-request-id", "r-1"), ("traceparent", f"00-{TRACE}-b7ad6b7169203331-01")]
    async with bench(way) as it:
        assert (await it.call(metadata=given)).succeeded
        call = it.scripted.last.call
    assert (call.request_id, call.trace_id) == ("r-1", TRACE)


@every_way
async def test_span_is_the_calls(way: Entry) -> None:
    recorded = Recorded()
    async with bench(way, tracing=recorded.tracing) as it:
        assert (await it.call()).succeeded
        await it.served.until_idle()
        call = it.scripted.last.call
        context = recorded.only().context
    assert context is not None
    assert (f"{context.trace_id:032x}", f"{context.span_id:016x}") == (call.trace_id, call.span_id)


@every_way
async def test_metrics_and_access_log_tell_how_it_ended(way: Entry) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    writer = LineWriter(writing)
    async with bench(way, writer=writer) as it:
        it.scripted.plays(failing(lambda: OutOfStock(sku="ink", available=3)))
        await it.call()
        await it.served.until_idle()
        metrics = await it.served.client.admin_page("/metrics")
    writer.flush(wait=5.0)
    line = json.loads(os.read(reading, 1 << 16).splitlines()[-1])
    os.close(reading)
    os.close(writing)
    status = "FAILED_PRECONDITION" if way.route is None else "409"
    assert f'response_status_code="{status}"' in metrics
    assert (line["method"], line["protocol"], line["code"]) == (way.method.path, way.protocol, "FAILED_PRECONDITION")


@every_way
async def test_fault_injection_ends_the_call_before_its_handler(way: Entry) -> None:
    async with bench(way, faults=(FaultPolicy(percent=100.0, abort="UNAVAILABLE"),)) as it:
        assert (await it.call()).code is StatusCode.UNAVAILABLE
        assert it.scripted.received == []


@every_way
async def test_load_shedding_refuses_what_is_sheddable(way: Entry) -> None:
    shedding = SheddingPolicy(event_loop_lag=0.1, cpu_threshold=101.0, cool_off=1.0)
    async with bench(way, load_shedding=shedding, criticality="SHEDDABLE") as it:
        await it.clock.advance(1.0)
        await it.clock.stall(5.0)
        outcome = await it.call()
        assert (outcome.code, outcome.info.reason) == (StatusCode.UNAVAILABLE, "OVERLOADED")
        assert it.scripted.received == []


@every_way
async def test_concurrency_limit_refuses_the_second_call_at_once(way: Entry) -> None:
    go_on = asyncio.Event()
    limit = ConcurrencyPolicy(scope="", algorithm="fixed", limit=1, max_streams=1)
    async with bench(way, concurrency=limit) as it:
        it.scripted.plays(waiting(go_on))
        first = asyncio.create_task(it.call())
        await it.scripted.arrived()
        outcome = await it.call()
        assert (outcome.code, outcome.info.reason) == (StatusCode.UNAVAILABLE, "CONCURRENCY_LIMIT")
        go_on.set()
        await first
        await it.served.until_idle()
        assert (await it.call()).succeeded


@every_way
async def test_fallback_answers_for_unary_calls_and_leaves_streams_alone(way: Entry) -> None:
    instead = FallbackPolicy("static", value='{"text": "instead"}')
    async with bench(way, fallback=instead) as it:
        it.scripted.plays(failing(lambda: OSError("gone")))
        outcome = await it.call()
    if way.method.kind is Kind.UNARY:
        assert outcome.responses == (Note(text="instead"),)
    else:
        assert outcome.code is StatusCode.INTERNAL


@every_way
async def test_circuit_breaker_runs_no_handler_that_keeps_failing(way: Entry) -> None:
    async with bench(way, breaker=BreakerPolicy(failure_threshold=1, open_initial=5.0, open_jitter=0.0)) as it:
        it.scripted.plays(failing(lambda: OSError("gone")))
        assert (await it.call()).code is StatusCode.INTERNAL
        await it.served.until_idle()
        refused = await it.call()
        assert (refused.code, refused.info.reason) == (StatusCode.UNAVAILABLE, "CIRCUIT_OPEN")
        assert len(it.scripted.received) == 1
        await it.clock.advance(5.0)
        it.scripted.plays(answering(*way.responses()))
        assert (await it.call()).succeeded


@every_way
async def test_health_score_counts_how_handlers_end(way: Entry) -> None:
    async with bench(way, score=SCORE) as it:
        it.scripted.plays(failing(lambda: OSError("gone")))
        await asyncio.gather(*(it.call() for _ in range(20)))
        await it.served.until_idle()
        await it.clock.advance(10.0)
        report = json.loads(await it.served.client.admin_page("/healthz"))["resilience"]
    assert (report["degraded"], report["signals"]["errorRate"]["why"]) == (True, "20 of 20 calls failed")


@every_way
async def test_deadline_ends_the_handler(way: Entry) -> None:
    async with bench(way, deadline=DeadlinePolicy(default=0.1, max=1.0, min_remaining=0.0, reserve=0.0)) as it:
        it.scripted.plays(waiting())
        assert (await it.call()).code is StatusCode.DEADLINE_EXCEEDED
        await it.scripted.last.until_cancelled()


@every_way
async def test_streaming_ends_what_is_idle_and_leaves_unary_calls_alone(way: Entry) -> None:
    go_on = asyncio.Event()
    async with bench(way, streaming=StreamingPolicy(idle_timeout=5.0)) as it:
        it.scripted.plays(waiting(go_on))
        calling = asyncio.create_task(it.call())
        await it.scripted.arrived()
        await it.clock.advance(5.0)
        if way.method.kind.streams_requests or way.method.kind.streams_responses:
            outcome = await calling
            assert (outcome.code, outcome.info.reason) == (StatusCode.DEADLINE_EXCEEDED, "STREAM_IDLE")
        else:
            go_on.set()
            assert (await calling).succeeded


@every_way
async def test_error_mapper_answers_by_the_table(way: Entry) -> None:
    async with bench(way) as it:
        it.scripted.plays(failing(lambda: OutOfStock(sku="ink", available=3)))
        outcome = await it.call()
    assert (outcome.code, outcome.info.reason) == (StatusCode.FAILED_PRECONDITION, "OUT_OF_STOCK")

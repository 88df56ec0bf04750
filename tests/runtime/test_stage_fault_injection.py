"""Fault injection: shares, delays, caps, headers and environments, over both protocols and the four kinds."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.definition import Definition
from runtime.errors import ServiceError
from runtime.faults import Fault, Faults
from runtime.snapshot import FaultPolicy
from runtime.stages.fault_injection import FaultInjection
from runtime.testing import Scripted, VirtualClock, answering, direct_call, entries, one_of_each, serving

from tests.runtime import wire_service

ENTRIES = one_of_each(entries(wire_service.definition()))


def faulty(*faults: FaultPolicy) -> Definition:
    plain = wire_service.definition(fault_environments=("dev",))
    methods = {path: replace(policy, faults=faults) for path, policy in plain.policies.methods.items()}
    return replace(plain, policies=replace(plain.policies, methods=methods))


async def outcomes(calls: int, *faults: FaultPolicy) -> dict[str, int]:
    """How calls end, by code's name."""
    made = [Fault(fault) for fault in faults]
    stage = FaultInjection(Faults(made, VirtualClock(), random.Random(7), lambda reason: None))
    found: dict[str, int] = {}

    async def well(call: Call) -> None:
        """The handler."""

    for _ in range(calls):
        try:
            await stage(direct_call(wire_service.UNARY), well)
            name = "OK"
        except ServiceError as error:
            name = error.code.name
        found[name] = found.get(name, 0) + 1
    return found


async def test_the_share_of_calls_that_is_hit_is_the_declared_one() -> None:
    found = await outcomes(
        10_000, FaultPolicy(percent=5.0, abort="UNAVAILABLE"), FaultPolicy(percent=20.0, abort="ABORTED")
    )
    assert found["UNAVAILABLE"] == pytest.approx(500, rel=0.15)
    assert found["ABORTED"] == pytest.approx(2000, rel=0.1)


async def test_the_same_random_numbers_hit_the_same_calls() -> None:
    fault = FaultPolicy(percent=50.0, abort="ABORTED")
    assert await outcomes(100, fault) == await outcomes(100, fault)


async def test_no_share_and_every_share() -> None:
    assert await outcomes(100, FaultPolicy(percent=0.0, abort="ABORTED")) == {"OK": 100}
    assert await outcomes(100, FaultPolicy(percent=100.0, abort="ABORTED")) == {"ABORTED": 100}


async def delayed(fault: Fault, clock: VirtualClock, deadline: float | None = None) -> asyncio.Task[None]:
    """A call that has come as far as its delay."""
    stage = FaultInjection(Faults([fault], clock, random.Random(7), lambda reason: None))

    async def proceed(call: Call) -> None:
        """The handler."""

    async def run() -> None:
        await stage(direct_call(wire_service.UNARY, deadline=deadline), proceed)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    return task


async def test_a_delay_lasts_as_long_as_it_says_and_gives_its_place_back() -> None:
    clock, fault = VirtualClock(), Fault(FaultPolicy(percent=100.0, latency=2.0, max_concurrent=1))
    first = await delayed(fault, clock)
    second = await delayed(fault, clock)
    await second  # one too many: not hit
    await clock.advance(1.9)
    assert not first.done()
    await clock.advance(0.1)
    assert first.done()
    third = await delayed(fault, clock)
    assert fault.held == 1
    third.cancel()
    await asyncio.wait({third})
    assert (fault.held, clock.waiting) == (0, 0)


async def test_no_delay_outlasts_the_calls_deadline() -> None:
    clock = VirtualClock()
    task = await delayed(Fault(FaultPolicy(percent=100.0, latency=60.0)), clock, deadline=5.0)
    await clock.advance(5.0)
    assert task.done()


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
async def test_an_error_reaches_the_caller_and_not_the_handler(entry: Any) -> None:
    definition = faulty(FaultPolicy(percent=100.0, abort="RESOURCE_EXHAUSTED", header="x-fault"))
    scripted = Scripted(definition, answering(*entry.responses()))
    async with serving(definition, scripted.application, environment="dev") as served:
        hit = await served.client.call(entry, metadata=[("x-fault", "1")])
        assert (hit.code, hit.info.reason) == (StatusCode.RESOURCE_EXHAUSTED, "FAULT_INJECTED")
        assert scripted.received == []
        assert (await served.client.call(entry)).succeeded


async def test_over_rest_the_header_has_its_own_name() -> None:
    definition = faulty(FaultPolicy(percent=100.0, abort="ABORTED", header="x-fault"))
    scripted = Scripted(definition)
    async with serving(definition, scripted.application, environment="dev") as served:
        answer = await served.client.http.post(served.client.addresses.rest + "/v1/items", headers={"x-fault": "1"})
        plain = await served.client.http.post(served.client.addresses.rest + "/v1/items")
    assert (answer.status_code, plain.status_code) == (409, 200)


async def test_nothing_is_injected_where_it_is_not_allowed(caplog: pytest.LogCaptureFixture) -> None:
    definition = faulty(FaultPolicy(percent=100.0, abort="ABORTED"))
    scripted = Scripted(definition)
    async with serving(definition, scripted.application) as served:
        assert (await served.client.call(ENTRIES[0])).succeeded
    assert "no fault is injected: ENVIRONMENT is production, allowed are: dev" in caplog.text

"""Metrics, access log and drain gate: what they make of a call's end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.errors import ServiceError
from runtime.loggable import json_line
from runtime.logs import Clock
from runtime.measures import Measures
from runtime.pipeline import Stage
from runtime.stages.access_log import AccessLog
from runtime.stages.drain_gate import DrainGate, Gate
from runtime.stages.metrics import Metrics

from tests.runtime.fake_call import call_of
from tests.runtime.sample_service import ECHO

VERBS = {"/v1/echo": "POST"}


async def well(call: Call) -> None:
    return


async def not_found(call: Call) -> None:
    raise ServiceError(StatusCode.NOT_FOUND, "secret text", reason="NO_SUCH_ORDER", http=410)


async def forever(call: Call) -> None:
    await asyncio.Event().wait()


async def cancelled(stage: Stage, call: Call) -> None:
    task = asyncio.ensure_future(stage(call, forever))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def durations(measures: Measures, name: str) -> dict[tuple[str, ...], float]:
    """The number of observations by label values."""
    return {
        tuple(value for label, value in sample.labels.items() if label != "le"): sample.value
        for family in measures.registry.collect()
        for sample in family.samples
        if sample.name == f"{name}_count"
    }


async def test_grpc_calls_are_measured_by_method_and_code() -> None:
    measures = Measures((0.1, 1.0))
    stage = Metrics(measures, ECHO, VERBS)
    await stage(call_of(), well)
    await stage(call_of(), well)
    with pytest.raises(ServiceError):
        await stage(call_of(), not_found)
    await cancelled(stage, call_of())
    assert durations(measures, "rpc_server_call_duration_seconds") == {
        ("grpc", "sample.v1.Sample/Echo", "OK"): 2,
        ("grpc", "sample.v1.Sample/Echo", "NOT_FOUND"): 1,
        ("grpc", "sample.v1.Sample/Echo", "CANCELLED"): 1,
    }


async def test_rest_calls_are_measured_by_route_and_status() -> None:
    measures = Measures((0.1, 1.0))
    stage = Metrics(measures, ECHO, VERBS)
    await stage(call_of(protocol="rest", route="/v1/echo"), well)
    with pytest.raises(ServiceError):
        await stage(call_of(protocol="rest", route="/v1/echo"), not_found)
    assert durations(measures, "http_server_request_duration_seconds") == {
        ("POST", "/v1/echo", "200"): 1,
        ("POST", "/v1/echo", "410"): 1,
    }


def test_refusals_are_measured_without_a_route_and_by_methods_that_callers_cannot_invent() -> None:
    measures = Measures((0.1, 1.0))
    for verb in ("GET", "BREW", "BREW2", ""):
        measures.refusal(verb, 404, 0.01)
    assert durations(measures, "http_server_request_duration_seconds") == {
        ("GET", "", "404"): 1,
        ("_OTHER", "", "404"): 3,
    }


async def test_the_calls_in_flight_are_gauged() -> None:
    measures = Measures((0.1, 1.0))
    seen: list[float | None] = []

    def in_flight() -> float | None:
        return measures.registry.get_sample_value(
            "holdfast_server_calls_in_flight", {"rpc_method": "sample.v1.Sample/Echo"}
        )

    async def look(call: Call) -> None:
        seen.append(in_flight())

    await Metrics(measures, ECHO, VERBS)(call_of(), look)
    await cancelled(Metrics(measures, ECHO, VERBS), call_of())
    assert (seen, in_flight()) == ([1.0], 0.0)


def access_log(lines: list[bytes], level: int = logging.INFO, redact: Sequence[str] = ()) -> AccessLog:
    return AccessLog(lambda line: lines.append(line()), level, redact, Clock(), json_line)


def only(lines: list[bytes]) -> dict[str, Any]:
    (line,) = lines
    assert line.endswith(b"\n")
    fields: dict[str, Any] = json.loads(line)
    return fields


async def test_a_call_is_one_line_with_its_ids_and_its_end() -> None:
    lines: list[bytes] = []
    call = call_of(peer="ipv4:10.0.0.1:9", protocol="rest", route="/v1/echo")
    call.trace_id, call.span_id, call.request_id = "t", "s", "r"
    call.deadline = call.started + 5
    with pytest.raises(ServiceError):
        await access_log(lines)(call, not_found)
    fields = only(lines)
    assert 0 <= fields.pop("duration") < 1
    assert 4 < fields.pop("deadline_left") <= 5
    assert fields.pop("ts").endswith("Z")
    assert fields == {
        "level": "INFO",
        "event": "call",
        "trace_id": "t",
        "span_id": "s",
        "request_id": "r",
        "method": "/sample.v1.Sample/Echo",
        "route": "/v1/echo",
        "protocol": "rest",
        "peer": "ipv4:10.0.0.1:9",
        "code": "NOT_FOUND",
        "reason": "NO_SUCH_ORDER",
    }


@pytest.mark.parametrize(
    ("code", "level"),
    [
        (StatusCode.INTERNAL, "ERROR"),
        (StatusCode.UNAVAILABLE, "WARNING"),
        (StatusCode.DEADLINE_EXCEEDED, "WARNING"),
        (StatusCode.INVALID_ARGUMENT, "INFO"),
    ],
)
async def test_the_level_says_whose_fault_it_is(code: StatusCode, level: str) -> None:
    async def failing(call: Call) -> None:
        raise ServiceError(code)

    lines: list[bytes] = []
    with pytest.raises(ServiceError):
        await access_log(lines)(call_of(), failing)
    assert only(lines)["level"] == level


async def test_calls_below_the_level_are_not_written() -> None:
    lines: list[bytes] = []
    await access_log(lines, logging.WARNING)(call_of(), well)
    assert lines == []


async def test_a_cancelled_call_is_written_as_cancelled() -> None:
    lines: list[bytes] = []
    await cancelled(access_log(lines), call_of())
    assert only(lines)["code"] == "CANCELLED"


async def test_redacted_fields_do_not_appear() -> None:
    lines: list[bytes] = []
    await access_log(lines, redact=["peer"])(call_of(peer="ipv4:10.0.0.1:9"), well)
    assert only(lines)["peer"] == "[redacted]"


async def test_a_reason_that_json_cannot_carry_does_not_end_the_call_otherwise() -> None:
    async def odd(call: Call) -> None:
        raise ServiceError(StatusCode.ABORTED, reason="\ud800")

    lines: list[bytes] = []
    with pytest.raises(ServiceError):
        await access_log(lines)(call_of(), odd)
    assert only(lines)["code"] == "ABORTED"


async def test_the_gate_lets_calls_through_until_the_server_drains() -> None:
    gate, refusals = Gate(), 0

    def count() -> None:
        nonlocal refusals
        refusals += 1

    stage = DrainGate(gate, count)
    await stage(call_of(), well)
    gate.closed = True
    with pytest.raises(ServiceError) as caught:
        await stage(call_of(), well)
    error = caught.value
    assert (error.code, error.reason, error.retry_after, refusals) == (StatusCode.UNAVAILABLE, "DRAINING", 1.0, 1)

"""Spans of calls to a dependency, over the real OpenTelemetry SDK: one for a call, one for each attempt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from grpc import StatusCode
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace import StatusCode as SpanStatus
from runtime.snapshot import HedgingPolicy, OutgoingPolicy, RateLimitPolicy

from tests.runtime.client.calls import TWICE, Calls, failing
from tests.runtime.sample_service import ECHO
from tests.runtime.test_stage_span import Recorded

ATTEMPT = f"Attempt.{ECHO.path[1:]}"


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    made = Recorded()
    yield made
    made.tracing.shutdown()


def by_name(recorded: Recorded) -> dict[str, list[ReadableSpan]]:
    found: dict[str, list[ReadableSpan]] = {}
    for span in recorded.all():
        found.setdefault(span.name, []).append(span)
    return found


def context_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


async def test_each_attempt_has_its_span_below_that_of_the_call_and_its_context_goes_out(recorded: Recorded) -> None:
    calls = Calls(OutgoingPolicy(retry=TWICE), failing(), tracing=recorded.tracing)
    with recorded.tracing.tracer.start_as_current_span("serving"):
        await calls.turning(calls.call(metadata=[("traceparent", "the call's own"), ("x-tenant", "a")]))
    spans = by_name(recorded)
    (call,), (first, second), (serving,) = spans[ECHO.path[1:]], spans[ATTEMPT], spans["serving"]
    assert call.parent == serving.context
    assert first.parent == second.parent == call.context
    assert (call.kind, first.kind) == (SpanKind.INTERNAL, SpanKind.CLIENT)
    assert [span.attributes["previous-rpc-attempts"] for span in (first, second) if span.attributes] == [0, 1]
    assert first.attributes is not None
    assert first.attributes["rpc.response.status_code"] == first.attributes["error.type"] == "UNAVAILABLE"
    assert (first.status.status_code, second.status.status_code) == (SpanStatus.ERROR, SpanStatus.UNSET)
    assert call.status.status_code is SpanStatus.UNSET
    assert calls.attempts.metadata == [
        (("x-tenant", "a"), ("traceparent", context_of(first))),
        (("x-tenant", "a"), ("traceparent", context_of(second))),
    ]


async def test_attempts_beside_each_other_have_spans_of_their_own(recorded: Recorded) -> None:
    calls = Calls(OutgoingPolicy(hedging=HedgingPolicy(2, 1.0)), 10.0, 0.5, tracing=recorded.tracing)
    with recorded.tracing.tracer.start_as_current_span("serving"):
        await calls.turning(calls.call())
    spans = by_name(recorded)
    (call,), attempts = spans[ECHO.path[1:]], spans[ATTEMPT]
    assert [span.parent for span in attempts] == [call.context] * 2
    codes = [span.attributes["rpc.response.status_code"] for span in attempts if span.attributes]
    assert codes == ["OK", "CANCELLED"]
    assert len(set(calls.attempts.metadata)) == 2


async def test_a_call_that_a_stage_refuses_says_which_and_has_no_status_code(recorded: Recorded) -> None:
    limit = RateLimitPolicy("", rate=0.001, burst=1)
    calls = Calls(OutgoingPolicy(rate_limit=limit), tracing=recorded.tracing)
    await calls.call()
    await calls.refused()
    refused = by_name(recorded)[ECHO.path[1:]][-1]
    assert refused.attributes is not None
    assert refused.attributes["error.type"] == "rate_limit"
    assert "rpc.response.status_code" not in refused.attributes


async def test_a_call_within_one_that_is_not_sampled_has_no_spans_and_hands_on_what_it_has(recorded: Recorded) -> None:
    calls = Calls(OutgoingPolicy(), failing(StatusCode.NOT_FOUND), tracing=recorded.tracing)
    unsampled = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0)))
    token = otel.attach(trace.set_span_in_context(unsampled))
    try:
        with pytest.raises(Exception, match="NOT_FOUND"):
            await calls.call(metadata=[("traceparent", "the call's own")])
    finally:
        otel.detach(token)
    assert recorded.all() == ()
    assert calls.attempts.metadata == [(("traceparent", "the call's own"),)]


async def test_the_span_that_was_current_is_current_again(recorded: Recorded) -> None:
    calls = Calls(OutgoingPolicy(), failing(), tracing=recorded.tracing)
    with recorded.tracing.tracer.start_as_current_span("serving") as serving:
        await calls.refused()
        assert trace.get_current_span() is serving

"""The span stage over the real OpenTelemetry SDK, its spans exported to memory."""

from __future__ import annotations

import asyncio
import random

import pytest
from grpc import StatusCode
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from runtime.call import Call
from runtime.errors import ServiceError
from runtime.pipeline import Endpoint
from runtime.stages.span import Span
from runtime.tracing import TraceIds, Tracing, sampler

from tests.runtime.fake_call import call_of
from tests.runtime.sample_service import ECHO

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Recorded:
    """A tracing whose sampler is of that name, and the spans it has exported."""

    def __init__(self, name: str = "parentbased_always_on", ratio: float = 1.0, *, foreign: bool = False) -> None:
        self._exporter = InMemorySpanExporter()
        ids = TraceIds()
        provider = TracerProvider(id_generator=ids, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        tracer = provider.get_tracer("test")
        self.tracing = (
            Tracing(tracer, None, None, provider.shutdown)
            if foreign
            else Tracing(tracer, sampler(name, ratio), ids, provider.shutdown)
        )

    async def run(self, call: Call, proceed: Endpoint, scheme: str = "http") -> None:
        await Span(self.tracing, ECHO, {"/v1/echo": "POST"}, random.getrandbits, scheme=scheme)(call, proceed)

    def only(self) -> ReadableSpan:
        (span,) = self.all()
        return span

    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()


def root_call(**arguments: object) -> Call:
    call = call_of(**arguments)  # type: ignore[arg-type]  # the call's own arguments
    call.trace_id = TRACE
    return call


def joined_call(flags: int) -> Call:
    call = root_call()
    call.span_id, call.trace_flags, call.trace_state = PARENT, flags, "a=1"
    return call


async def well(call: Call) -> None:
    return


async def test_a_new_trace_keeps_the_calls_trace_id() -> None:
    recorded, call = Recorded(), root_call()
    await recorded.run(call, well)
    span = recorded.only()
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE == call.trace_id
    assert f"{span.context.span_id:016x}" == call.span_id
    assert (span.parent, call.trace_flags & 1, span.kind) == (None, 1, SpanKind.SERVER)


async def test_a_joined_trace_has_the_caller_as_parent() -> None:
    recorded, call = Recorded(), joined_call(1)
    await recorded.run(call, well)
    span = recorded.only()
    assert span.parent is not None
    assert (f"{span.parent.span_id:016x}", span.parent.is_remote) == (PARENT, True)
    assert call.trace_id == TRACE
    assert call.span_id != PARENT


async def test_a_grpc_span_has_the_rpc_attributes() -> None:
    recorded = Recorded()
    await recorded.run(root_call(), well)
    span = recorded.only()
    assert span.name == "sample.v1.Sample/Echo"
    assert dict(span.attributes or {}) == {
        "rpc.system.name": "grpc",
        "rpc.method": "sample.v1.Sample/Echo",
        "rpc.response.status_code": "OK",
    }


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_rest_span_tells_whether_it_was_under_tls(scheme: str) -> None:
    recorded = Recorded()
    await recorded.run(root_call(protocol="rest", route="/v1/echo"), well, scheme)
    assert (recorded.only().attributes or {})["url.scheme"] == scheme


async def test_a_rest_span_has_the_http_attributes() -> None:
    recorded = Recorded()
    await recorded.run(root_call(protocol="rest", route="/v1/echo"), well)
    span = recorded.only()
    assert span.name == "POST /v1/echo"
    attributes = dict(span.attributes or {})
    assert attributes["http.route"] == "/v1/echo"
    assert attributes["http.response.status_code"] == 200


@pytest.mark.parametrize(("code", "fault"), [(StatusCode.UNAVAILABLE, True), (StatusCode.NOT_FOUND, False)])
async def test_only_the_servers_faults_make_the_span_an_error(code: StatusCode, fault: bool) -> None:
    async def failing(call: Call) -> None:
        raise ServiceError(code, reason="WHY")

    recorded = Recorded()
    with pytest.raises(ServiceError):
        await recorded.run(root_call(), failing)
    span = recorded.only()
    assert (span.attributes or {})["error.type"] == "WHY"
    assert (span.status.status_code is trace.StatusCode.ERROR) is fault


async def test_a_cancelled_call_ends_its_span() -> None:
    recorded = Recorded()

    async def serve() -> None:
        async def forever(call: Call) -> None:
            await asyncio.Event().wait()

        await recorded.run(root_call(), forever)

    task = asyncio.ensure_future(serve())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (recorded.only().attributes or {})["rpc.response.status_code"] == "CANCELLED"


async def test_a_call_that_is_not_sampled_has_no_span_and_neither_have_its_children() -> None:
    recorded = Recorded("parentbased_always_off")
    call = root_call()

    async def with_child(call: Call) -> None:
        with recorded.tracing.tracer.start_as_current_span("child"):
            return

    await recorded.run(call, with_child)
    assert recorded.all() == ()
    assert (len(call.span_id), call.trace_flags & 1) == (16, 0)


async def test_a_call_that_is_not_sampled_here_passes_no_sampled_flag_on() -> None:
    call = joined_call(1)
    await Recorded("always_off").run(call, well)
    assert (call.span_id, call.trace_flags) == (PARENT, 0)


async def test_the_users_spans_are_the_calls_children() -> None:
    recorded = Recorded()

    async def with_child(call: Call) -> None:
        with recorded.tracing.tracer.start_as_current_span("child"):
            return

    await recorded.run(root_call(), with_child)
    child, server = recorded.all()
    assert child.parent is not None
    assert server.context is not None
    assert child.parent.span_id == server.context.span_id


async def test_the_current_span_is_put_back_after_the_call() -> None:
    before = trace.get_current_span()
    await Recorded().run(root_call(), well)
    assert trace.get_current_span() is before


async def test_somebody_elses_provider_decides_for_itself() -> None:
    recorded, call = Recorded(foreign=True), joined_call(1)
    await recorded.run(call, well)
    assert recorded.only().parent is not None


@pytest.mark.parametrize(
    ("name", "parent", "expected"),
    [
        ("always_on", False, True),
        ("always_off", True, False),
        ("parentbased_always_on", False, False),
        ("parentbased_always_on", None, True),
        ("parentbased_always_off", True, True),
        ("parentbased_always_off", None, False),
    ],
)
def test_samplers_decide_as_opentelemetrys_do(name: str, parent: bool | None, expected: bool) -> None:
    assert sampler(name, 0.5)(int(TRACE, 16), parent) is expected


def test_the_ratio_is_of_the_trace_ids_lower_half() -> None:
    sampled = sampler("parentbased_traceidratio", 0.25)
    assert sampled((1 << 62) - 1, None)
    assert not sampled(1 << 62, None)
    assert sampled(1 << 64, None)

"""The span stage: one server span for each sampled call, by OpenTelemetry's conventions for RPC and HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grpc import StatusCode
from opentelemetry import context as otel
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import StatusCode as SpanStatus

from ..call import Call
from ..definition import Method
from ..ending import Ending, ending
from ..pipeline import Endpoint
from ..tracing import Tracing

_SAMPLED = 0x01
_WELL = Ending(StatusCode.OK, 200, "")
_FAULTS = frozenset(
    {
        StatusCode.UNKNOWN,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.UNIMPLEMENTED,
        StatusCode.INTERNAL,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
    }
)
"""The codes that make a server's span an error (semantic conventions for gRPC)."""


class Span:
    """Makes the span the current one, so that spans of the user's and of clients become its children.

    A call that is not sampled gets no span, only a span context that keeps its children unsampled too.
    """

    __slots__ = ("_method", "_random_bits", "_scheme", "_tracing", "_verbs")

    def __init__(
        self,
        tracing: Tracing,
        method: Method,
        verbs: Mapping[str, str],
        random_bits: Callable[[int], int],
        *,
        scheme: str = "http",
    ) -> None:
        self._tracing = tracing
        self._method = method
        self._verbs = verbs
        self._random_bits = random_bits
        self._scheme = scheme  # of REST calls

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        trace_id = int(call.trace_id, 16)
        parent = bool(call.trace_flags & _SAMPLED) if call.span_id else None
        sampled = self._tracing.sampled
        if sampled is None or sampled(trace_id, parent):
            await self._recorded(call, proceed, trace_id)
            return
        if parent is None:
            call.span_id = f"{self._random_bits(64) or 1:016x}"
        call.trace_flags &= ~_SAMPLED
        token = otel.attach(_remote(call, trace_id))
        try:
            await proceed(call)
        finally:
            otel.detach(token)

    async def _recorded(self, call: Call, proceed: Endpoint, trace_id: int) -> None:
        span = self._started(call, trace_id)
        identity = span.get_span_context()
        call.trace_id = f"{identity.trace_id:032x}"
        call.span_id = f"{identity.span_id:016x}"
        call.trace_flags = int(identity.trace_flags)
        token = otel.attach(set_span_in_context(span))
        try:
            await proceed(call)
        except BaseException as error:
            _ended(span, call, ending(error))
            raise
        else:
            _ended(span, call, _WELL)
        finally:
            otel.detach(token)
            span.end()

    def _started(self, call: Call, trace_id: int) -> OtelSpan:
        method = self._method.path.removeprefix("/")
        attributes: dict[str, str] = {"rpc.method": method}
        if call.protocol == "grpc":
            name = method
            attributes["rpc.system.name"] = "grpc"
        else:
            verb, route = self._verbs.get(call.route or "", "_OTHER"), call.route or ""
            name = f"{verb} {route}"
            attributes |= {"http.request.method": verb, "http.route": route, "url.scheme": self._scheme}
        if call.span_id:
            context = _remote(call, trace_id)
        else:
            context = otel.Context()
            if self._tracing.ids is not None:
                self._tracing.ids.use(trace_id)
        return self._tracing.tracer.start_span(name, context, SpanKind.SERVER, attributes)


def _remote(call: Call, trace_id: int) -> otel.Context:
    identity = SpanContext(
        trace_id,
        int(call.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(call.trace_flags),
        trace_state=TraceState.from_header([call.trace_state]) if call.trace_state else None,
    )
    return set_span_in_context(NonRecordingSpan(identity), otel.Context())


def _ended(span: OtelSpan, call: Call, end: Ending) -> None:
    code, http, reason = end
    if call.protocol == "grpc":
        span.set_attribute("rpc.response.status_code", code.name)
    else:
        span.set_attribute("http.response.status_code", http)
    if code is not StatusCode.OK:
        span.set_attribute("error.type", reason or code.name)
        if code in _FAULTS:
            span.set_status(Status(SpanStatus.ERROR))

"""The span stages: a span for a call to a dependency, and one for each attempt, which the peer's spans are children of."""

from __future__ import annotations

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from ..call import Header
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing
from .telemetry import received

ATTEMPT = "Attempt."
"""What stands before the method in the name of an attempt's span, as in gRPC proposal A72."""

_CONTEXT = frozenset({"traceparent", "tracestate"})


class CallSpan:
    """The span of the whole call, all attempts and waits; it is the caller's own doing, so that its kind is INTERNAL.

    A call that is made within one that is not sampled gets no spans: what is handed on says that it is not.
    """

    __slots__ = ("_attributes", "_method", "_tracer")

    def __init__(self, tracer: Tracer, attributes: dict[str, str]) -> None:
        self._tracer = tracer
        self._attributes = attributes
        self._method = attributes["rpc.method"]

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        parent = trace.get_current_span()
        if parent.get_span_context().is_valid and not parent.is_recording():
            await proceed(outgoing)
            return
        span = self._tracer.start_span(self._method, kind=SpanKind.INTERNAL, attributes=self._attributes)
        await _within(span, outgoing, proceed)


class AttemptSpan:
    """The span of one attempt, whose context goes out with it; none where the call has none."""

    __slots__ = ("_attributes", "_name", "_tracer")

    def __init__(self, tracer: Tracer, attributes: dict[str, str]) -> None:
        self._tracer = tracer
        self._attributes = attributes
        self._name = f"{ATTEMPT}{attributes['rpc.method']}"

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        if not trace.get_current_span().is_recording():
            await proceed(outgoing)
            return
        attributes: dict[str, str | int] = {**self._attributes, "previous-rpc-attempts": outgoing.attempt - 1}
        span = self._tracer.start_span(self._name, kind=SpanKind.CLIENT, attributes=attributes)
        kept = [pair for pair in outgoing.metadata if pair[0] not in _CONTEXT]
        outgoing.metadata = (*kept, *_context_of(span))
        await _within(span, outgoing, proceed)


async def _within(span: Span, outgoing: Outgoing, proceed: Endpoint) -> None:
    token = otel.attach(trace.set_span_in_context(span))
    try:
        await proceed(outgoing)
    except BaseException as error:
        end = received(error)
        if end.code:
            span.set_attribute("rpc.response.status_code", end.code)
        span.set_attribute("error.type", end.error)
        span.set_status(Status(StatusCode.ERROR))  # for a client's span every code but OK is one
        raise
    else:
        span.set_attribute("rpc.response.status_code", "OK")
    finally:
        otel.detach(token)
        span.end()


def _context_of(span: Span) -> tuple[Header, ...]:
    """The trace context that goes out, as W3C has it."""
    identity = span.get_span_context()
    parent = f"00-{identity.trace_id:032x}-{identity.span_id:016x}-{int(identity.trace_flags):02x}"
    state = identity.trace_state.to_header()
    return (("traceparent", parent), ("tracestate", state)) if state else (("traceparent", parent),)


def attributes(target: Target, dependency: Dependency) -> dict[str, str]:
    """What is said of every call to the RPC, by OpenTelemetry's conventions."""
    return {
        "rpc.system.name": target.system,
        "rpc.method": target.path.removeprefix("/"),
        "peer.service": dependency.name,
    }

"""The stages that tell: of calls as those see them who make them, and of attempts as they go out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..ending import ending
from ..errors import DependencyError
from .environment import Dependency, Target
from .measures import ClientMeasures
from .outgoing import Endpoint, Outgoing

if TYPE_CHECKING:
    from .spans import AttemptSpan, CallSpan


class Received(NamedTuple):
    """How a call to a dependency has ended, by the labels that OpenTelemetry has for it."""

    code: str  # that was received, "" where nothing was sent
    error: str  # error.type: the code again, or the stage that did not let the call out; "" for none


_WELL = Received("OK", "")


def received(error: BaseException) -> Received:
    """The end that is an exception. What a stage of ours refuses is no answer of the dependency's."""
    if isinstance(error, DependencyError):
        code = error.code_received.name
        return Received("", error.rejected_by) if error.rejected_by else Received(code, code)
    code = ending(error).code.name
    return Received(code, code)


class CallMetrics:
    """Measures one RPC's calls; the children of the histogram are looked up once per outcome, then kept."""

    __slots__ = ("_children", "_dependency", "_measures", "_method", "_system", "_well")

    def __init__(self, measures: ClientMeasures, dependency: str, system: str, path: str) -> None:
        self._measures = measures
        self._dependency = dependency
        self._system = system
        self._method = path.removeprefix("/")  # the semantic conventions' fully-qualified name
        self._children: dict[Received, Callable[[float], None]] = {}
        self._well = self._child(_WELL)

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        began = time.perf_counter()
        try:
            await proceed(outgoing)
        except BaseException as error:
            end = received(error)
            (self._children.get(end) or self._child(end))(time.perf_counter() - began)
            raise
        self._well(time.perf_counter() - began)

    def _child(self, end: Received) -> Callable[[float], None]:
        child = self._measures.duration(self._dependency, self._system, self._method, end.code, end.error)
        self._children[end] = child
        return child


class AttemptMetrics:
    """Counts the attempts that reach the transport, by how they end."""

    __slots__ = ("_children", "_dependency", "_measures", "_method", "_well")

    def __init__(self, measures: ClientMeasures, dependency: str, path: str) -> None:
        self._measures = measures
        self._dependency = dependency
        self._method = path.removeprefix("/")
        self._children: dict[str, Callable[[float], None]] = {}
        self._well = self._child("OK")

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        try:
            await proceed(outgoing)
        except BaseException as error:
            code = received(error).code
            (self._children.get(code) or self._child(code))(1.0)
            raise
        self._well(1.0)

    def _child(self, code: str) -> Callable[[float], None]:
        child = self._measures.attempt(self._dependency, self._method, code)
        self._children[code] = child
        return child


def for_call(target: Target, dependency: Dependency) -> CallMetrics | None:
    """The stage around the RPC's calls; None where metrics are off."""
    measures = dependency.outbound.measures
    return None if measures is None else CallMetrics(measures, dependency.name, target.system, target.path)


def for_attempt(target: Target, dependency: Dependency) -> AttemptMetrics | None:
    """The stage around the RPC's attempts; None where metrics are off."""
    measures = dependency.outbound.measures
    return None if measures is None else AttemptMetrics(measures, dependency.name, target.path)


def span_for_call(target: Target, dependency: Dependency) -> CallSpan | None:
    """The span around the RPC's calls; None without a tracer."""
    tracing = dependency.outbound.tracing
    if tracing is None:
        return None
    from .spans import CallSpan, attributes  # only here: services without a tracer have no OpenTelemetry to load

    return CallSpan(tracing.tracer, attributes(target, dependency))


def span_for_attempt(target: Target, dependency: Dependency) -> AttemptSpan | None:
    """The span around the RPC's attempts; None without a tracer."""
    tracing = dependency.outbound.tracing
    if tracing is None:
        return None
    from .spans import AttemptSpan, attributes

    return AttemptSpan(tracing.tracer, attributes(target, dependency))

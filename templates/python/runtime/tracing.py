"""Tracing: the OpenTelemetry tracer of the service, made only where the environment asks for one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from .settings import OTLP_EXPORTERS, TraceSettings

Sampled = Callable[[int, bool | None], bool]
"""Whether a call of that trace id is recorded; the flag is the remote parent's, None where the trace begins here."""

_LOW_64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Tracing:
    """A tracer, the decision taken before a span is made, and the end of it all.

    `sampled` is None where somebody else's provider decides: then each call asks it.
    """

    tracer: trace.Tracer
    sampled: Sampled | None
    ids: TraceIds | None
    shutdown: Callable[[], None]  # blocks until what is left has been exported


class TraceIds(IdGenerator):
    """Gives a root span the trace id that its call has already."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self._next = 0

    def use(self, trace_id: int) -> None:
        """The next root span's trace id; it must be started before anything else runs."""
        self._next = trace_id

    def generate_span_id(self) -> int:
        return self._random.generate_span_id()

    def generate_trace_id(self) -> int:
        given, self._next = self._next, 0
        return given or self._random.generate_trace_id()


def configure(settings: TraceSettings | None, service: str, labels: Mapping[str, str]) -> Tracing | None:
    """The service's tracing; None where nothing asks for it.

    `labels` are on the resource of its spans, unless OTEL_RESOURCE_ATTRIBUTES says otherwise.

    A provider that is installed already, as by `opentelemetry-instrument`, is used as it is.
    """
    installed = trace.get_tracer_provider()
    if isinstance(installed, TracerProvider):
        return Tracing(installed.get_tracer(service), None, None, lambda: None)
    if settings is None:
        return None
    ids = TraceIds()
    provider = TracerProvider(
        sampler=_sdk_sampler(settings.sampler, settings.ratio),
        resource=Resource(dict(labels)).merge(Resource.create({"service.name": settings.service_name or service})),
        id_generator=ids,
        shutdown_on_exit=False,
    )
    for name in settings.exporters:
        provider.add_span_processor(BatchSpanProcessor(_exporter(name)))
    trace.set_tracer_provider(provider)
    sampled = sampler(settings.sampler, settings.ratio)
    return Tracing(provider.get_tracer(service), sampled, ids, provider.shutdown)


def sampler(name: str, ratio: float) -> Sampled:
    """The decision of the OpenTelemetry sampler of that name, without the price of asking the SDK."""
    bound = {"always_on": 1 << 64, "always_off": 0}.get(name.removeprefix("parentbased_"), round(ratio * (1 << 64)))
    follows = name.startswith("parentbased_")

    def sampled(trace_id: int, parent: bool | None) -> bool:
        if follows and parent is not None:
            return parent
        return trace_id & _LOW_64 < bound

    return sampled


def _sdk_sampler(name: str, ratio: float) -> sampling.Sampler:
    roots: dict[str, sampling.Sampler] = {"always_on": sampling.ALWAYS_ON, "always_off": sampling.ALWAYS_OFF}
    root = roots.get(name.removeprefix("parentbased_")) or sampling.TraceIdRatioBased(ratio)
    return sampling.ParentBased(root) if name.startswith("parentbased_") else root


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n")
    module: Any = importlib.import_module(OTLP_EXPORTERS[name])
    exporter: SpanExporter = module.OTLPSpanExporter()
    return exporter

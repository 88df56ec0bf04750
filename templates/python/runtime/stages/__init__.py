"""The built-in stages, one module each: a policy wrapped around an incoming call."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..definition import Method, Route
from ..logs import Clock, Deferred, Render
from ..measures import DEADLINE_EXPIRED, DEADLINE_SPENT, DRAINING, Measures, uncounted
from ..pipeline import NamedStage
from ..snapshot import MethodPolicy, UnmappedPolicy
from .access_log import AccessLog
from .boundary import Boundary, InFlight
from .context import Context
from .deadline import Deadline
from .drain_gate import DrainGate, Gate
from .error_mapper import ErrorMapper
from .metrics import Metrics

if TYPE_CHECKING:
    from ..tracing import Tracing


@dataclass(frozen=True, slots=True)
class Environment:
    """What the stages of all methods share; None turns off what it stands for."""

    in_flight: InFlight
    gate: Gate
    random_bits: Callable[[int], int]
    unmapped: UnmappedPolicy
    measures: Measures | None
    tracing: Tracing | None
    write_line: Callable[[Deferred], None] | None  # of the access log
    log_level: int
    redact: Collection[str]
    clock: Clock
    render: Render
    routes: Sequence[Route]


def built_in(method: Method, policy: MethodPolicy, environment: Environment) -> list[NamedStage]:
    """The built-in stages that are on for the method; `pipeline.arrange` puts them in their order."""
    verbs = _verbs(method, environment.routes)
    path = method.path.removeprefix("/")
    measures = environment.measures
    stages = [
        NamedStage("boundary", Boundary(environment.in_flight)),
        NamedStage("context", Context(policy, environment.random_bits, traced=environment.tracing is not None)),
    ]
    if environment.tracing is not None:
        from .span import Span  # only here: OpenTelemetry takes long to import

        stages.append(NamedStage("span", Span(environment.tracing, method, verbs, environment.random_bits)))
    if measures is not None:
        stages.append(NamedStage("metrics", Metrics(measures, method, verbs)))
    if environment.write_line is not None and environment.log_level <= logging.ERROR:
        log = AccessLog(
            environment.write_line, environment.log_level, environment.redact, environment.clock, environment.render
        )
        stages.append(NamedStage("access_log", log))

    def counter(stage: str, reason: str) -> Callable[[], None]:
        return uncounted if measures is None else measures.rejection(stage, reason, path)

    stages += [
        NamedStage("drain_gate", DrainGate(environment.gate, counter("drain_gate", DRAINING))),
        NamedStage(
            "deadline",
            Deadline(
                0.0 if policy.deadline is None else policy.deadline.min_remaining,
                counter("deadline", DEADLINE_SPENT),
                counter("deadline", DEADLINE_EXPIRED),
            ),
        ),
        NamedStage(
            "error_mapper",
            ErrorMapper(
                environment.unmapped,
                environment.random_bits,
                uncounted if measures is None else measures.unmapped(path),
            ),
        ),
    ]
    return stages


def _verbs(method: Method, routes: Sequence[Route]) -> Mapping[str, str]:
    """The HTTP method of each of the RPC's templates; "_OTHER" where one template takes several."""
    own = [route for route in routes if route.method.path == method.path]
    counts = Counter(route.template for route in own)
    return {
        route.template: route.verb if counts[route.template] == 1 and route.verb != "*" else "_OTHER" for route in own
    }

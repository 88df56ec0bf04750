"""What the stages of all methods share."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..clock import Clock
from ..definition import ErrorTable, Method, Route, ServiceBase
from ..log_format import Render
from ..logs import Clock as WallClock
from ..logs import Deferred
from ..measures import Measures, uncounted
from ..resilience import Resilience
from ..shared import Shared
from ..snapshot import AuthPolicy, DependencyPolicy, UnmappedPolicy

if TYPE_CHECKING:
    from ..tracing import Tracing
    from .boundary import InFlight
    from .drain_gate import Gate


@dataclass(frozen=True, slots=True)
class Environment:
    """What the stages of all methods share; None turns off what it stands for."""

    in_flight: InFlight
    gate: Gate
    clock: Clock
    random: random.Random
    unmapped: UnmappedPolicy
    measures: Measures | None
    tracing: Tracing | None
    write_line: Callable[[Deferred], None] | None  # of the access log
    log_level: int
    redact: Collection[str]
    wall_clock: WallClock
    render: Render
    routes: Sequence[Route]
    errors: ErrorTable
    handlers: Mapping[str, ServiceBase] = field(default_factory=dict)  # by service
    propagate: Sequence[str] = ()  # metadata names handed on to dependencies
    service: str = ""  # its name, which what it keeps elsewhere is kept under
    auth: AuthPolicy | None = None
    inject_faults: bool = False
    secure: bool = False  # whether the ports speak TLS
    dependencies: Mapping[str, DependencyPolicy] = field(default_factory=dict)  # with the targets that this process has
    resilience: Resilience | None = None  # None where nobody judges how the service is
    shared: Shared = field(default_factory=Shared)

    @property
    def degraded(self) -> Callable[[], bool] | None:
        """Tells whether the service is degraded; None where nobody judges it."""
        return None if self.resilience is None else self.resilience.degraded

    def counter(self, stage: str, reason: str, method: Method) -> Callable[[], None]:
        """Counts the calls of the method that a stage refuses or ends, for that reason."""
        if self.measures is None:
            return uncounted
        return self.measures.rejection(stage, reason, method.path.removeprefix("/"))

    def fallback_counter(self, method: Method) -> Callable[[], None]:
        """Counts the calls of the method that a fallback answers."""
        return uncounted if self.measures is None else self.measures.fallback(method.path.removeprefix("/"))

    def store_counter(self, stage: str, then: str) -> Callable[[], None]:
        """Counts the calls that the stage's store fails; `then` is what is done in its place."""
        return uncounted if self.measures is None else self.measures.store_failure(stage, then)

    def verbs(self, method: Method) -> Mapping[str, str]:
        """The HTTP method of each of the method's route templates; "_OTHER" where one template takes several."""
        own = [route for route in self.routes if route.method.path == method.path]
        counts = Counter(route.template for route in own)
        return {
            route.template: route.verb if counts[route.template] == 1 and route.verb != "*" else "_OTHER"
            for route in own
        }

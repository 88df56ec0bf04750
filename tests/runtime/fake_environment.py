"""What all stages share, for tests that make a stage of one method: no metrics, no log, no tracer."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping

from runtime.clock import Clock
from runtime.log_format import renderer
from runtime.logs import Clock as WallClock
from runtime.snapshot import DependencyPolicy, UnmappedPolicy
from runtime.stages.boundary import InFlight
from runtime.stages.drain_gate import Gate
from runtime.stages.environment import Environment
from runtime.testing import VirtualClock

from tests.runtime.sample_service import ERRORS, ROUTES

NOBODY = DependencyPolicy("redis://127.0.0.1:1/0")
"""A dependency that nobody answers for."""


def environment(clock: Clock | None = None, dependencies: Mapping[str, DependencyPolicy] | None = None) -> Environment:
    """An environment of the sample service."""
    return Environment(
        in_flight=InFlight(),
        gate=Gate(),
        clock=clock or VirtualClock(),
        random=random.Random(1),
        unmapped=UnmappedPolicy("INTERNAL", redact=True),
        measures=None,
        tracing=None,
        write_line=None,
        log_level=logging.INFO,
        redact=frozenset(),
        wall_clock=WallClock(),
        render=renderer("json"),
        routes=ROUTES,
        errors=ERRORS,
        service="sample",
        dependencies=dependencies or {},
    )

"""The CPU time of each stage, measured in the process of an emitted service: no sockets, a wire that does nothing.

Run as `python -m benchmarks.chain_cost --rounds N` with the emitted project's `src` on the path; prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Any

import uvloop
from shop.gen.definition import DEFINITION
from shop.runtime.call import Call
from shop.runtime.clock import LoopClock
from shop.runtime.log_format import renderer
from shop.runtime.logs import Clock as WallClock
from shop.runtime.logs import LineWriter
from shop.runtime.measures import Measures
from shop.runtime.metadata import Metadata
from shop.runtime.pipeline import NamedStage, arrange, compose
from shop.runtime.snapshot import IdempotencyPolicy, RateLimitPolicy
from shop.runtime.stages import built_in
from shop.runtime.stages.boundary import InFlight
from shop.runtime.stages.drain_gate import Gate
from shop.runtime.stages.environment import Environment

Endpoint = Callable[[Any], Awaitable[None]]

_BURST = 32  # calls between two turns of the event loop, which writes the log
_CALLS = 2048  # of one sample


class _Wire:
    """A wire that gives an empty request to who asks."""

    def __init__(self, request: Any) -> None:
        self._request = request

    async def receive(self) -> Any:
        return self._request


async def _nothing(call: Any) -> None:
    """The innermost endpoint: what is left is what the stages cost."""


async def _sample(endpoint: Endpoint) -> float:
    """CPU seconds of one call."""
    method = DEFINITION.methods[0]
    wire: Any = _Wire(method.request())
    keys = count()
    began = time.process_time()
    for _ in range(_CALLS // _BURST):
        for _ in range(_BURST):
            metadata = Metadata.lower((("user-agent", "holdfast-benchmark"), ("idempotency-key", f"{next(keys)}")))
            call = Call(method, "grpc", wire, metadata, peer="ipv4:127.0.0.1:50000")
            call.deadline = call.started + 10.0
            await endpoint(call)
        await asyncio.sleep(0)
    return (time.process_time() - began) / _CALLS


_OPTIONAL = {
    "rate_limit": RateLimitPolicy("", rate=1e6, burst=1_000_000),
    "idempotency": IdempotencyPolicy("idempotency-key", ttl=0.001, lock_ttl=0.001),
}
"""Mechanisms that are off unless a spec names them, by their fields of MethodPolicy; as one that refuses nothing."""


def _stages(null: int, **mechanisms: Any) -> list[NamedStage]:
    """The stages of the default chain and of those mechanisms, outermost first."""
    policies = DEFINITION.policies
    environment = Environment(
        in_flight=InFlight(),
        gate=Gate(),
        clock=LoopClock(),
        random=random.Random(),
        unmapped=policies.unmapped,
        measures=Measures(policies.observability.buckets),
        tracing=None,
        write_line=LineWriter(null).write_later,
        log_level=logging.INFO,
        redact=policies.observability.redact,
        wall_clock=WallClock(),
        render=renderer(policies.observability.log_format),
        routes=DEFINITION.routes,
        errors=DEFINITION.errors,
    )
    method = DEFINITION.methods[0]
    policy = replace(policies.methods[method.path], **mechanisms)
    return list(arrange(built_in(method, policy, environment), (), method))


async def _costs(null: int, rounds: int) -> dict[str, float]:
    """CPU seconds that each stage adds to a call, and all of them together under "": the least of the rounds."""
    stages = _stages(null)
    endpoints: dict[str, Endpoint] = {stage.name: compose([stage], _nothing) for stage in stages}
    endpoints[""] = compose(stages, _nothing)
    for name, policy in _OPTIONAL.items():
        (stage,) = (stage for stage in _stages(null, **{name: policy}) if stage.name == name)
        endpoints[f"{name}, where it is on"] = compose([stage], _nothing)
    samples: dict[str, list[float]] = {name: [] for name in endpoints}
    bare: list[float] = []
    for _ in range(rounds):
        bare.append(await _sample(_nothing))
        for name, endpoint in endpoints.items():
            samples[name].append(await _sample(endpoint))
    return {name: min(taken) - min(bare) for name, taken in samples.items()}


def main() -> None:
    """Print the costs in seconds, by stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    null = os.open(os.devnull, os.O_WRONLY)
    json.dump(uvloop.run(_costs(null, given.rounds)), sys.stdout)


if __name__ == "__main__":
    main()

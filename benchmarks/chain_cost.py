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
from shop.runtime.batch import Batch
from shop.runtime.call import Call
from shop.runtime.clock import LoopClock
from shop.runtime.log_format import renderer
from shop.runtime.logs import Clock as WallClock
from shop.runtime.logs import LineWriter
from shop.runtime.measures import Measures
from shop.runtime.metadata import Metadata
from shop.runtime.pipeline import NamedStage, arrange, compose
from shop.runtime.snapshot import (
    AccessPolicy,
    BreakerPolicy,
    ConcurrencyPolicy,
    FallbackPolicy,
    FaultPolicy,
    IdempotencyPolicy,
    JwtIssuer,
    RateLimitPolicy,
    SheddingPolicy,
    ValidationPolicy,
)
from shop.runtime.stages import built_in
from shop.runtime.stages.authentication import Authentication, Authenticator
from shop.runtime.stages.authorization import Authorization
from shop.runtime.stages.boundary import InFlight
from shop.runtime.stages.drain_gate import Gate
from shop.runtime.stages.environment import Environment
from shop.runtime.testing import sample
from shop.runtime.testing.issuer import Issuer
from shop.runtime.tokens.verifier import TokenVerifier

Endpoint = Callable[[Any], Awaitable[None]]

_BURST = 32  # calls between two turns of the event loop, which writes the log
_CALLS = 2048  # of one sample


class _Wire:
    """A wire that gives a sample request to who asks."""

    def __init__(self, request: Any) -> None:
        self._request = request

    async def receive(self) -> Any:
        return self._request


async def _nothing(call: Any) -> None:
    """The innermost endpoint: what is left is what the stages cost."""


async def _sample(endpoint: Endpoint, batch: Batch, *more: tuple[str, str]) -> float:
    """CPU seconds of one call, with that metadata beside the usual, and of entering what it has observed."""
    method = DEFINITION.methods[0]
    wire: Any = _Wire(sample(method.request))
    keys = count()
    began = time.process_time()
    for _ in range(_CALLS // _BURST):
        for _ in range(_BURST):
            metadata = Metadata.lower(
                (("user-agent", "holdfast-benchmark"), ("idempotency-key", f"{next(keys)}"), *more)
            )
            call = Call(method, "grpc", wire, metadata, peer="ipv4:127.0.0.1:50000")
            call.deadline = call.started + 10.0
            await endpoint(call)
        await asyncio.sleep(0)
    batch.flush()
    return (time.process_time() - began) / _CALLS


_OPTIONAL: dict[str, dict[str, Any]] = {
    "fault_injection": {"faults": (FaultPolicy(percent=0.0, abort="ABORTED"),)},
    "rate_limit": {"rate_limit": RateLimitPolicy("", rate=1e6, burst=1_000_000)},
    "validation": {"validation": ValidationPolicy(field_behavior=True)},
    "idempotency": {"idempotency": IdempotencyPolicy("idempotency-key", ttl=0.001, lock_ttl=0.001)},
    "load_shedding": {"load_shedding": SheddingPolicy(1e6, 1e6, 1.0)},
    "concurrency_limit": {"concurrency": ConcurrencyPolicy("", "gradient2", 1000, 1000, 1000)},
    "fallback": {"fallback": FallbackPolicy("cache")},
    "circuit_breaker": {"breaker": BreakerPolicy(failure_threshold=15, failure_rate=50)},
}
"""Stages that are off unless a spec names them, and the fields of MethodPolicy that turn them on; none refuses a call."""

_ISSUER = JwtIssuer("https://id.example.com", "shop", "https://id.example.com/jwks", ("ES256",), 30.0, "scope", "roles")
_READER = AccessPolicy(any_scope=("shop.read", "shop.write"))


def _stages(null: int, measures: Measures, **mechanisms: Any) -> list[NamedStage]:
    """The stages of the default chain and of those mechanisms, outermost first."""
    policies = DEFINITION.policies
    environment = Environment(
        in_flight=InFlight(),
        gate=Gate(),
        clock=LoopClock(),
        random=random.Random(),
        unmapped=policies.unmapped,
        measures=measures,
        tracing=None,
        write_line=LineWriter(null).write_later,
        log_level=logging.INFO,
        redact=policies.observability.redact,
        wall_clock=WallClock(),
        render=renderer(policies.observability.log_format),
        routes=DEFINITION.routes,
        errors=DEFINITION.errors,
        inject_faults=True,
    )
    method = DEFINITION.methods[0]
    policy = replace(policies.methods[method.path], **mechanisms)
    return list(arrange(built_in(method, policy, environment), (), method))


async def _costs(null: int, rounds: int) -> dict[str, float]:
    """CPU seconds that each stage adds to a call, and all of them together under "": the least of the rounds."""
    measures = Measures(DEFINITION.policies.observability.buckets)
    stages = _stages(null, measures)
    endpoints: dict[str, Endpoint] = {stage.name: compose([stage], _nothing) for stage in stages}
    endpoints[""] = compose(stages, _nothing)
    for name, mechanisms in _OPTIONAL.items():
        (stage,) = (stage for stage in _stages(null, measures, **mechanisms) if stage.name == name)
        endpoints[f"{name}, where it is on"] = compose([stage], _nothing)
    return await _least(endpoints, measures.batch, rounds)


async def _least(endpoints: dict[str, Endpoint], batch: Batch, rounds: int, *more: tuple[str, str]) -> dict[str, float]:
    """CPU seconds that each endpoint adds to a call with that metadata: the least of the rounds."""
    samples: dict[str, list[float]] = {name: [] for name in endpoints}
    bare: list[float] = []
    for _ in range(rounds):
        bare.append(await _sample(_nothing, batch, *more))
        for name, endpoint in endpoints.items():
            samples[name].append(await _sample(endpoint, batch, *more))
    return {name: min(taken) - min(bare) for name, taken in samples.items()}


async def _access_costs(rounds: int) -> dict[str, float]:
    """The same for a call with a token that was verified before."""
    issuer = Issuer(_ISSUER)
    token = issuer.token(_READER)

    async def key_set(address: str) -> bytes:
        return issuer.key_set()

    verifier = TokenVerifier([_ISSUER], fetch=key_set)
    await verifier.verify(token)
    who = Authentication(Authenticator(verifier, "shop", certificates=False), lambda reason: None)
    stages = [
        NamedStage("authentication", who),
        NamedStage("authorization", Authorization(_READER, "shop", lambda reason: None)),
    ]
    endpoints = {
        "authentication, of a token seen before": compose(stages[:1], _nothing),
        "authentication and authorization": compose(stages, _nothing),
    }
    return await _least(endpoints, Batch(), rounds, ("authorization", f"Bearer {token}"))


def main() -> None:
    """Print the costs in seconds, by stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    null = os.open(os.devnull, os.O_WRONLY)
    costs = uvloop.run(_costs(null, given.rounds)) | uvloop.run(_access_costs(given.rounds))
    json.dump(costs, sys.stdout)


if __name__ == "__main__":
    main()

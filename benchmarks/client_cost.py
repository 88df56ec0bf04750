"""The CPU time of a call to a dependency: by a bare stub, by an emitted client, and by a stub in tenacity and a breaker.

Run as `python -m benchmarks.client_cost PORT --rounds N` with the emitted project's `src` on the path, against the bare
grpc.aio server at that port; prints JSON, in seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from operator import sub
from statistics import median
from typing import Any, ClassVar

import uvloop
from grpc import StatusCode, aio
from purgatory import AsyncCircuitBreakerFactory
from shop.gen.definition import DEFINITION
from shop.gen.pb.shop.v1 import shop_pb2_grpc
from shop.runtime.batch import Batch
from shop.runtime.client.chain import composed, stages_of
from shop.runtime.client.environment import Dependency, Outbound, target_of_rpc
from shop.runtime.client.grpc_client import GrpcClient, connection
from shop.runtime.client.measures import ClientMeasures
from shop.runtime.client.outgoing import Outgoing
from shop.runtime.clock import LoopClock
from shop.runtime.definition import Method
from shop.runtime.snapshot import (
    BreakerPolicy,
    BulkheadPolicy,
    DependencyPolicy,
    FallbackPolicy,
    IdempotencyKeyPolicy,
    OutgoingPolicy,
    RateLimitPolicy,
    RetryBudgetPolicy,
    RetryPolicy,
)
from shop.runtime.testing import sample
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

METHOD = DEFINITION.methods[0]
CALLS = 96  # of one sample over a socket
AT_ONCE = (1, 32)  # of them
CHAINED = 5000  # of one sample in process

EVERYTHING = OutgoingPolicy(
    fallback=FallbackPolicy("static", value="{}"),
    attempt_timeout=5.0,
    total_timeout=10.0,
    idempotency=IdempotencyKeyPolicy("Idempotency-Key"),
    retry=RetryPolicy(max_attempts=3, budget=RetryBudgetPolicy(20.0, 3.0, 10.0)),
    rate_limit=RateLimitPolicy("", rate=1e6, burst=1_000_000),
    circuit_breaker=BreakerPolicy(failure_rate=50.0, window_calls=None, window_seconds=30.0),
    bulkhead=BulkheadPolicy(50),
)
"""Every mechanism that a unary call can have at once; none refuses a call."""

CACHED = replace(EVERYTHING, fallback=FallbackPolicy("cache"))
"""The same, with each response kept."""

Call = Callable[[], Awaitable[Any]]


class ShopClient(GrpcClient):
    """As the generator writes it."""

    DEPENDENCY: ClassVar[str] = "peer"
    METHODS: ClassVar[tuple[Method, ...]] = (METHOD,)

    async def place_order(self, request: Any) -> Any:
        """Calls shop.v1.OrderService.PlaceOrder."""
        return await self._response(METHOD, request, None, ())


def outbound(policy: OutgoingPolicy, measures: ClientMeasures) -> Outbound:
    """What the client is opened with: metrics on, no tracer."""
    policies = replace(DEFINITION.policies, dependencies={"peer": DependencyPolicy("", policy)})
    return Outbound(policies, {}, LoopClock(), random.Random(1), measures)


async def over_the_wire(port: int, at_once: int, rounds: int) -> Mapping[str, float]:
    """CPU seconds of a call by the bare stub, and what a call by each client takes beyond: the median of the rounds."""
    address, request, batch = f"127.0.0.1:{port}", sample(METHOD.request), Batch()
    measures = ClientMeasures(batch, DEFINITION.policies.observability.buckets)
    async with AsyncExitStack() as stack:
        stub = shop_pb2_grpc.OrderServiceStub(await stack.enter_async_context(aio.insecure_channel(address)))
        clients = {}
        for name, policy in (
            ("the client", EVERYTHING),
            ("the client, keeping answers", CACHED),
        ):
            shared = outbound(policy, measures)
            declared = replace(shared.policies.dependencies["peer"], target=address)
            shared = replace(shared, policies=replace(shared.policies, dependencies={"peer": declared}))
            clients[name] = ShopClient(await stack.enter_async_context(connection("peer", shared)))
        calls: dict[str, Call] = {"stub": lambda: stub.PlaceOrder(request, timeout=5.0, metadata=key())}
        for name, client in clients.items():
            calls[name] = lambda client=client: client.place_order(request)  # type: ignore[misc]  # bound each
        calls["tenacity, purgatory and a semaphore"] = by_hand(stub, request)
        samples: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds):
            for name, call in calls.items():
                samples[name].append(await spent(several(call, at_once), CALLS // at_once, batch) / at_once)
    stub = samples.pop("stub")
    beyond = {name: median(map(sub, taken, stub)) for name, taken in samples.items()}
    return {"stub": median(stub), **beyond}


def several(call: Call, count: int) -> Call:
    """That many calls at once."""
    if count == 1:
        return call
    return lambda: asyncio.gather(*(call() for _ in range(count)))


def key() -> tuple[tuple[str, str], ...]:
    """A key of its own for each call, as the client sends one: gRPC takes tens of microseconds for it."""
    return (("idempotency-key", f"{random.getrandbits(128):032x}"),)


def by_hand(stub: Any, request: Any) -> Call:
    """The stub in the libraries that people take: retries with full jitter, a breaker, a limit of calls, two timeouts, a key."""
    breakers = AsyncCircuitBreakerFactory(default_threshold=50, default_ttl=5.0)
    permits = asyncio.Semaphore(50)

    def unavailable(error: BaseException) -> bool:
        return isinstance(error, aio.AioRpcError) and error.code() is StatusCode.UNAVAILABLE

    async def call() -> Any:
        async with asyncio.timeout(10.0):
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(3),
                wait=wait_random_exponential(multiplier=0.1, max=1.0),
                retry=retry_if_exception(unavailable),
                reraise=True,
            ):
                with attempt:
                    async with await breakers.get_breaker("peer"), permits:
                        return await stub.PlaceOrder(request, timeout=5.0, metadata=key())
        raise AssertionError

    return call


async def in_process(rounds: int) -> Mapping[str, float]:
    """CPU seconds that the chain adds to a call: each stage, and all of them with either fallback."""
    method, request = METHOD, sample(METHOD.request)
    response, batch = sample(METHOD.response), Batch()
    measures = ClientMeasures(batch, DEFINITION.policies.observability.buckets)

    async def answering(outgoing: Outgoing) -> None:
        outgoing.response = response

    shared = outbound(CACHED, measures)
    policy = shared.policies.dependencies["peer"]
    target, dependency = target_of_rpc(policy, method), Dependency("peer", policy, shared)
    endpoints: dict[str, Any] = {"": answering}
    for name, stage in stages_of(target, dependency):
        endpoints[name] = lambda outgoing, run=stage.__call__: run(outgoing, answering)
    endpoints["all, with the response kept"] = composed(target, dependency, answering)
    static = outbound(EVERYTHING, measures)
    policy = static.policies.dependencies["peer"]
    endpoints["all"] = composed(target_of_rpc(policy, method), Dependency("peer", policy, static), answering)
    samples: dict[str, list[float]] = {name: [] for name in endpoints}
    for _ in range(rounds):
        for name, endpoint in endpoints.items():
            samples[name].append(
                await spent(lambda endpoint=endpoint: endpoint(Outgoing(method.path, request, (), None)), CHAINED, batch)  # type: ignore[misc]  # bound each
            )
    bare = min(samples.pop(""))
    return {name: min(taken) - bare for name, taken in samples.items()}


async def spent(call: Call, count: int, batch: Batch) -> float:
    """CPU seconds of one call, and of entering what it has observed."""
    began = time.process_time()
    for _ in range(count):
        await call()
    batch.flush()
    return (time.process_time() - began) / count


def main() -> None:
    """Print the costs in seconds: over the wire, and of the chain alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    found = {
        "wire": {count: uvloop.run(over_the_wire(given.port, count, given.rounds * 3)) for count in AT_ONCE},
        "chain": uvloop.run(in_process(given.rounds)),
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

"""Limits in a real Redis: four processes share them exactly, and they behave as declared when it stalls or goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode, aio
from runtime.policies.outage import PAUSE
from runtime.snapshot import DependencyPolicy, IdempotencyPolicy, RateLimitPolicy
from runtime.testing import Entry, Scripted, Served, VirtualClock, entries, serving, waiting
from runtime.testing.client import Client, start

from tests.runtime.limited_process import ADMITTED
from tests.runtime.redis_server import RedisServer, running, until
from tests.runtime.sample_service import COUNT, ECHO, POLICIES, Note, Sample, application, definition
from tests.runtime.server_process import started

CONNECTIONS = 48  # so that every process has some: the kernel deals them out by chance


async def test_four_processes_share_one_limit_and_run_a_call_once(tmp_path: Path) -> None:
    with (
        running(tmp_path) as redis,
        started(tmp_path, module="tests.runtime.limited_process", WORKERS="4", REDIS_TARGET=redis.url) as server,
    ):
        address = f"127.0.0.1:{server.serve().serving['grpc_port']}"
        async with AsyncExitStack() as stack:
            channels = [
                await stack.enter_async_context(aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]))
                for _ in range(CONNECTIONS)
            ]
            pids = {(await _echo(channel, Note(text="pid"))).number for channel in channels}
            assert len(pids) == 4
            codes = await asyncio.gather(*(_count(channels[number % CONNECTIONS]) for number in range(3 * ADMITTED)))
            keyed = [_echo(channel, Note(text="pid"), key="k") for channel in channels]
            answers = [
                answer for answer in await asyncio.gather(*keyed, return_exceptions=True) if isinstance(answer, Note)
            ]
    assert codes.count(StatusCode.OK) == ADMITTED
    assert codes.count(StatusCode.RESOURCE_EXHAUSTED) == 2 * ADMITTED
    assert len({answer.number for answer in answers}) == 1, "two processes ran it"


async def _echo(channel: aio.Channel, note: Any, key: str = "") -> Any:
    return await start(channel, ECHO, (note,), metadata=[("idempotency-key", key)] if key else ())


async def _count(channel: aio.Channel) -> StatusCode:
    call = start(channel, COUNT, (Note(),))
    try:
        async for _ in call:
            pass
    except aio.AioRpcError:
        pass  # the code tells
    code: StatusCode = await call.code()
    return code


@asynccontextmanager
async def served_with(
    redis: RedisServer, clock: VirtualClock, on_error: str, handlers: Any = None
) -> AsyncIterator[Served]:
    """A server whose calls have a rate limit and may have a key, both in that Redis."""
    limit = RateLimitPolicy("", rate=1e6, burst=1_000_000, store="redis", store_timeout=0.2, on_store_error=on_error)
    once = IdempotencyPolicy("idempotency-key", store="redis", store_timeout=0.2, on_store_error=on_error)
    methods = {path: replace(policy, rate_limit=limit, idempotency=once) for path, policy in POLICIES.methods.items()}
    served = definition(methods=methods, dependencies={"redis": DependencyPolicy(redis.url)})
    async with serving(served, handlers or application(Sample()), clock=clock) as running_server:
        yield running_server


STALLS: dict[str, tuple[Callable[[RedisServer], None], Callable[[RedisServer], None]]] = {
    "paused": (RedisServer.pause, RedisServer.resume),
    "killed": (RedisServer.kill, RedisServer.start),
}


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize(
    ("on_error", "expected"),
    [("localFallback", {"OK"}), ("allow", {"OK"}), ("reject", {"STORE_UNAVAILABLE"})],
)
async def test_under_load_a_store_that_stalls_does_what_is_declared_until_it_is_back(
    tmp_path: Path, stall: str, on_error: str, expected: set[str]
) -> None:
    stop, go_on = STALLS[stall]
    clock = VirtualClock()
    with running(tmp_path) as redis:
        async with served_with(redis, clock, on_error) as served:
            assert await _load(served.client, "before") == {"OK"}
            stop(redis)
            assert await _load(served.client, "without it") == expected
            metrics = await served.client.admin_page("/metrics")
            assert f'holdfast_server_store_failures_total{{stage="rate_limit",then="{on_error}"}} 50.0' in metrics
            go_on(redis)
            before = redis.ask("DBSIZE")
            await clock.advance(PAUSE)
            await _load(served.client, "first", 1)
            assert await _load(served.client, "after") == {"OK"}
            assert redis.ask("DBSIZE") != before


async def test_an_answer_is_kept_once_the_store_is_back(tmp_path: Path) -> None:
    go_on, clock = asyncio.Event(), VirtualClock()
    scripted = Scripted(definition(), waiting(go_on))
    way = next(entry for entry in entries(definition()) if entry.method is ECHO)
    key = [("idempotency-key", "k")]
    with running(tmp_path) as redis:
        async with served_with(redis, clock, "reject", scripted.application) as served:
            first = asyncio.create_task(served.client.call(way, metadata=key))
            await scripted.arrived()
            before = clock.waiting
            redis.pause()
            go_on.set()
            assert (await first).succeeded, "its caller waits for nothing but the first attempt to keep it"
            await clock.until_waiting(before + 1)
            redis.resume()
            await clock.advance(0.1)

            async def replayed() -> bool:
                return (await served.client.call(way, metadata=key)).headers.get("idempotent-replayed") == "true"

            await until(replayed)
    assert len(scripted.received) == 1


async def _load(client: Client, when: str, calls: int = 50) -> set[str]:
    """How so many calls ended, half of them over each protocol, a few at once: OK, or the reason."""
    ways = [entry for entry in entries(definition()) if entry.method is ECHO][:2]
    few = asyncio.Semaphore(10)

    async def call(number: int) -> str:
        way: Entry = ways[number % 2]
        async with few:
            outcome = await client.call(way, [Note(text="a")], metadata=[("idempotency-key", f"{when} {number}")])
        return "OK" if outcome.succeeded else outcome.info.reason

    return set(await asyncio.gather(*(call(number) for number in range(calls))))

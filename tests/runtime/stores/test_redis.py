"""State in a real Redis: what it decides is what memory decides, whatever becomes of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from runtime.client.redis_client import connect
from runtime.policies.gcra import Gcra
from runtime.policies.idempotency import InFlight, KeyLife, Mismatch, Replay, Started
from runtime.policies.outage import FAILURES, PAUSE
from runtime.policies.rate_limit import RateLimit
from runtime.policies.sliding_window import SlidingWindow
from runtime.snapshot import DependencyPolicy
from runtime.stores import StoreError
from runtime.stores.memory import MemoryRateLimits
from runtime.stores.redis import RedisKeys, RedisRateLimits, RedisStore
from runtime.testing import VirtualClock

from tests.runtime.redis_server import RedisServer, free_port, running, until

WITHIN = 2.0  # seconds: enough for a machine that is busy
POLICY = DependencyPolicy("")
SLOW = RateLimit(Gcra(0.001, 3), SlidingWindow(2, 3600.0))  # nothing comes back while a test lasts
LIFE = KeyLife(ttl=3600.0, lock_ttl=60.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest_asyncio.fixture
async def store(server: RedisServer) -> AsyncIterator[RedisStore]:
    server.ask("FLUSHALL")
    async with RedisStore("redis", connect(server.url, POLICY), VirtualClock().now) as opened:
        yield opened


@pytest.mark.parametrize(
    "limit",
    [RateLimit(Gcra(0.001, 3), None), RateLimit(None, SlidingWindow(2, 3600.0)), SLOW],
    ids=["rate", "window", "both"],
)
async def test_redis_decides_as_memory_does(store: RedisStore, limit: RateLimit) -> None:
    shared = RedisRateLimits(store, "test", limit, WITHIN)
    local = MemoryRateLimits(limit, 100, VirtualClock().now)
    for key in "aabababbbccab":
        found, expected = await shared.admit(key), await local.admit(key)
        assert found.admitted is expected.admitted
        for one, other in ((found.rate, expected.rate), (found.window, expected.window)):
            assert (one is None) is (other is None)
            if one is not None and other is not None:
                assert one.remaining == other.remaining
                assert one.wait == pytest.approx(other.wait, abs=30.0)


async def test_a_permit_comes_back_when_redis_has_said(store: RedisStore) -> None:
    limits = RedisRateLimits(store, "test", RateLimit(Gcra(20.0, 1), SlidingWindow(1, 0.06)), WITHIN)
    admitted = 0
    for _ in range(5):
        verdict = await limits.admit("a")
        if verdict.admitted:
            admitted += 1
            verdict = await limits.admit("a")
        assert not verdict.admitted
        assert 0.0 < verdict.wait <= 0.06
        await asyncio.sleep(verdict.wait)
    assert admitted == 5


async def test_keys_do_not_outlive_what_they_were_charged(server: RedisServer, store: RedisStore) -> None:
    await RedisRateLimits(store, "test", RateLimit(Gcra(100.0, 5), SlidingWindow(5, 0.02)), WITHIN).admit("a")

    async def forgotten() -> bool:
        return server.ask("DBSIZE") == ":0"

    await until(forgotten)


async def test_the_life_of_a_key(store: RedisStore) -> None:
    keys = RedisKeys(store, "test", LIFE, WITHIN)
    assert await keys.begin("a", b"request", "1") == Started("1")
    assert await keys.begin("a", b"request", "1") == Started("1")  # sent again by a client whose connection broke
    waiting = await keys.begin("a", b"request", "2")
    assert isinstance(waiting, InFlight)
    assert 50.0 < waiting.wait <= 60.0
    assert await keys.begin("a", b"another request", "2") == Mismatch()
    await keys.complete("a", "2", b"not its own")
    await keys.release("a", "2")
    assert isinstance(await keys.begin("a", b"request", "2"), InFlight)
    await keys.complete("a", "1", b"\x00answer\n")
    await keys.release("a", "1")
    assert await keys.begin("a", b"request", "2") == Replay(b"\x00answer\n")
    assert await keys.begin("b", b"request", "3") == Started("3")
    await keys.release("b", "3")
    assert await keys.begin("b", b"another request", "4") == Started("4")


async def test_a_lock_that_has_run_out_is_taken_over_and_its_holder_shut_out(store: RedisStore) -> None:
    keys = RedisKeys(store, "test", KeyLife(ttl=60.0, lock_ttl=0.02), WITHIN)
    await keys.begin("a", b"request", "1")

    async def taken_over() -> bool:
        return await keys.begin("a", b"request", "2") == Started("2")

    await until(taken_over)
    await keys.complete("a", "1", b"late")
    await keys.complete("a", "2", b"answer")
    assert await keys.begin("a", b"request", "3") == Replay(b"answer")


async def test_a_key_is_known_for_its_time_to_live(store: RedisStore) -> None:
    keys = RedisKeys(store, "test", KeyLife(ttl=0.05, lock_ttl=0.02), WITHIN)
    await keys.begin("a", b"request", "1")
    await keys.complete("a", "1", b"answer")

    async def forgotten() -> bool:
        return await keys.begin("a", b"another request", "2") == Started("2")

    await until(forgotten)


async def test_what_callers_send_is_in_no_key_of_redis(server: RedisServer, store: RedisStore) -> None:
    await RedisRateLimits(store, "test", SLOW, WITHIN).admit("secret-tenant " * 1000)
    await RedisKeys(store, "test", LIFE, WITHIN).begin("secret-key", b"request", "1")
    assert server.ask("DBSIZE") == ":3"
    async with connect(server.url, POLICY) as client:
        for name in await client.keys("*"):
            assert b"secret" not in name
            assert len(name) < 100


async def test_a_restarted_redis_is_taught_its_scripts_again(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        async with RedisStore("redis", connect(server.url, POLICY), VirtualClock().now) as store:
            limits = RedisRateLimits(store, "test", SLOW, WITHIN)
            await asyncio.gather(*(limits.admit("a") for _ in range(5)))  # several connections, all to be broken
            server.ask("SCRIPT FLUSH")
            assert not (await limits.admit("a")).admitted
            server.kill()
            server.start()
            assert (await limits.admit("a")).admitted


async def test_a_paused_redis_is_given_up_in_time_and_left_alone_until_it_may_be_back(tmp_path: Path) -> None:
    clock = VirtualClock()
    with running(tmp_path) as server:
        async with RedisStore("redis", connect(server.url, POLICY), clock.now) as store:
            limits = RedisRateLimits(store, "test", RateLimit(Gcra(1000.0, 1000), None), 0.05)
            await limits.admit("a")
            server.pause()
            results = await asyncio.gather(*(limits.admit("a") for _ in range(FAILURES)), return_exceptions=True)
            assert all(isinstance(result, StoreError) for result in results)
            server.resume()
            with pytest.raises(StoreError, match="is down"):  # it is back, but nobody has looked yet
                await limits.admit("a")
            await clock.advance(PAUSE)
            assert (await RedisRateLimits(store, "test", SLOW, WITHIN).admit("b")).admitted
            assert (await RedisRateLimits(store, "test", SLOW, WITHIN).admit("b")).admitted


async def test_a_redis_that_is_gone_is_an_error_of_the_store(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        async with RedisStore("redis", connect(server.url, POLICY), VirtualClock().now) as store:
            keys = RedisKeys(store, "test", LIFE, WITHIN)
            await keys.begin("a", b"request", "1")
            server.kill()
            with pytest.raises(StoreError):
                await keys.complete("a", "1", b"answer")


async def test_a_primary_that_becomes_a_replica_is_left_for_a_new_connection(tmp_path: Path) -> None:
    with running(tmp_path) as primary:
        async with RedisStore("redis", connect(primary.url, POLICY), VirtualClock().now) as store:
            limits = RedisRateLimits(store, "test", SLOW, WITHIN)
            await limits.admit("a")
            primary.ask("REPLICAOF 127.0.0.1 1")
            before = primary.ask("CLIENT LIST")
            with pytest.raises(StoreError, match="read only"):
                await limits.admit("a")
            primary.ask("REPLICAOF NO ONE")
            assert (await limits.admit("a")).admitted
            assert before.split(" ")[0] not in primary.ask("CLIENT LIST")


async def test_a_cluster_that_has_no_place_for_a_key_is_an_error_of_the_store(tmp_path: Path) -> None:
    with running(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server:
        async with RedisStore("redis", connect(server.url, POLICY), VirtualClock().now) as store:
            with pytest.raises(StoreError, match="slot"):
                await RedisRateLimits(store, "test", SLOW, WITHIN).admit("a")

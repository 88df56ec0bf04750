"""A rate limit of calls to a dependency that several processes share, in a real Redis."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from runtime.client.chain import composed
from runtime.client.environment import Dependency, Outbound, target_of_rpc
from runtime.client.outgoing import Outgoing
from runtime.clock import LoopClock
from runtime.errors import DependencyError
from runtime.snapshot import DependencyPolicy, OutgoingPolicy, RateLimitKeyPolicy, RateLimitPolicy
from runtime.testing import direct_call

from tests.runtime.redis_server import RedisServer, running
from tests.runtime.sample_service import ECHO, POLICIES, Note

THREE = RateLimitPolicy("", rate=0.001, burst=3, store="redis", store_timeout=2.0, on_store_error="reject")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(tmp_path_factory.mktemp("redis")) as started:
        yield started


async def went_out(url: str, policy: RateLimitPolicy, calls: int) -> list[str]:
    """What becomes of so many calls of one process: "" for what went out, or the stage that did not let it."""

    async def answering(outgoing: Outgoing) -> None:
        outgoing.response = Note()

    declared = DependencyPolicy("peer:1", OutgoingPolicy(rate_limit=policy))
    policies = replace(POLICIES, dependencies={"peer": declared, "redis": DependencyPolicy(url)})
    dependency = Dependency("peer", declared, Outbound(policies, {}, LoopClock(), random.Random(1), service="shop"))
    endpoint = composed(target_of_rpc(declared, ECHO), dependency, answering)
    found = []
    for _ in range(calls):
        try:
            await endpoint(Outgoing(ECHO.path, Note(), (), None))
            found.append("")
        except DependencyError as error:
            found.append(error.rejected_by)
    await dependency.close()
    return found


async def test_processes_with_one_store_share_each_callers_limit(server: RedisServer) -> None:
    server.ask("FLUSHALL")
    policy = replace(THREE, key=RateLimitKeyPolicy("metadata:x-tenant", "reject"))

    async def of(tenant: str) -> list[str]:
        direct_call(ECHO, metadata=[("x-tenant", tenant)])
        return await went_out(server.url, policy, 2)

    assert [await of("a"), await of("b")] == [["", ""], ["", ""]]
    assert [await of("a"), await of("b")] == [["", "rate_limit"], ["", "rate_limit"]]


async def test_processes_with_one_store_share_the_limit(server: RedisServer) -> None:
    server.ask("FLUSHALL")
    assert await went_out(server.url, THREE, 2) == ["", ""]
    assert await went_out(server.url, THREE, 3) == ["", "rate_limit", "rate_limit"]


@pytest.mark.parametrize(
    ("on_store_error", "expected"),
    [("allow", [""] * 5), ("localFallback", [""] * 3 + ["rate_limit"] * 2), ("reject", ["rate_limit"] * 5)],
)
async def test_a_store_that_is_gone_does_what_the_policy_says(
    tmp_path: Path, on_store_error: str, expected: list[str]
) -> None:
    policy = replace(THREE, on_store_error=on_store_error)
    assert await went_out(f"unix://{tmp_path / 'nobody'}", policy, 5) == expected

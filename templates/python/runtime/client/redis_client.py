"""Connections to dependencies that speak Redis: redis-py's asyncio client, as the policy bounds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.maint_notifications import MaintNotificationsConfig

from ..snapshot import DependencyPolicy
from ..targets import target_of
from .environment import Outbound
from .reachability import Probe

MAX_CONNECTIONS: Final = 64
"""Of one client; who needs one more waits for it, within its own time limit."""

CONNECT_TIMEOUT: Final = 1.0
ATTEMPT_TIMEOUT: Final = 1.0
"""Seconds, where the policy has none."""


@asynccontextmanager
async def connection(dependency: str, outbound: Outbound) -> AsyncIterator[Redis]:
    """A client of the dependency: connects when it is first used, and again when that breaks; closed at the end."""
    policy = outbound.policies.dependencies[dependency]
    client = connect(target_of(dependency, policy, outbound.environ), policy)
    outbound.probes.append(Probe(dependency, policy.optional, _pinging(client)))
    try:
        yield client
    finally:
        await client.aclose()


def _pinging(client: Redis) -> Callable[[float], Awaitable[bool]]:
    async def ping(within: float) -> bool:
        async with asyncio.timeout(within):
            await client.ping()
        return True

    return ping


def connect(target: str, policy: DependencyPolicy) -> Redis:
    """A client of the Redis at that URL, as yet without a connection. Raises ValueError for what is no such URL.

    A command goes out a second time only where its connection turns out to be broken, as all pooled ones are once
    Redis has been restarted.
    """
    connect_timeout = policy.calls.connect_timeout or CONNECT_TIMEOUT
    pool = BlockingConnectionPool.from_url(
        target,
        max_connections=MAX_CONNECTIONS,
        timeout=connect_timeout,
        socket_connect_timeout=connect_timeout,
        socket_timeout=policy.calls.attempt_timeout or ATTEMPT_TIMEOUT,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return Redis.from_pool(pool)

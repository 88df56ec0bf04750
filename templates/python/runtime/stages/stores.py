"""The stores that stages keep their state in: one connection to each, opened and closed with the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grpc import StatusCode

from ..errors import ServiceError
from ..stores import StoreError
from .environment import Environment

if TYPE_CHECKING:
    from ..stores.redis import RedisStore

_RETRY_AFTER: Final = 1.0
"""Seconds after which a call that was refused for want of its store may come again."""


def redis_store(environment: Environment, dependency: str) -> RedisStore:
    """The connection to that dependency; all stages have the same one."""

    def made() -> RedisStore:
        from ..client.redis_client import connect  # only here: services without a shared store have no redis-py
        from ..stores.redis import RedisStore

        policy = environment.dependencies[dependency]
        store = RedisStore(dependency, connect(policy.target, policy), environment.clock.now)
        environment.shared.opened.append(store)
        return store

    return environment.shared.one(("redis", dependency), made)


def without_store(error: StoreError) -> ServiceError:
    """What a call is told that must not be served without its store."""
    refused = ServiceError(
        StatusCode.UNAVAILABLE, "a dependency is unavailable", reason="STORE_UNAVAILABLE", retry_after=_RETRY_AFTER
    )
    refused.__cause__ = error
    return refused

"""One rate limit with its store and the line before it: of a service's methods, or of the calls to a dependency."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .clock import Clock
from .line import Lines
from .measures import uncounted
from .policies.gcra import Gcra
from .policies.rate_limit import RateLimit, Verdict
from .policies.sliding_window import SlidingWindow
from .snapshot import RateLimitPolicy
from .stores import MEMORY, RateLimitStore, StoreError
from .stores.memory import MemoryRateLimits

if TYPE_CHECKING:
    from .stores.redis import RedisStore


class Limiter:
    """`local` is what counts where `store` fails, None where `lenient` says whether calls are admitted uncounted."""

    def __init__(
        self,
        limit: RateLimit,
        store: RateLimitStore,
        local: RateLimitStore | None,
        clock: Clock,
        *,
        lenient: bool,
        count_failed: Callable[[], None] = uncounted,
    ) -> None:
        self._store = store
        self._count_failed = count_failed
        self._memory = store if isinstance(store, MemoryRateLimits) else None
        self._local = local
        self._lenient = lenient
        self._lines = Lines(limit, self._ask, clock)

    def take(self, key: str) -> bool:
        """Whether a call has got its permit there and then; where not, `admit` knows more, and may have one."""
        return self._memory is not None and key not in self._lines and self._memory.take(key)

    async def admit(self, key: str, patience: float) -> Verdict:
        """The verdict on a call that waits up to `patience` seconds for its permit.

        Raises StoreError where the store fails, and nothing is to be done without it.
        """
        return await self._lines.admit(key, patience)

    async def _ask(self, key: str) -> Verdict:
        try:
            return await self._store.admit(key)
        except StoreError:
            self._count_failed()
            if self._local is not None:
                return await self._local.admit(key)
            if self._lenient:
                return Verdict(True, None, None)
            raise


def limiter(
    policy: RateLimitPolicy,
    clock: Clock,
    redis: Callable[[str], RedisStore],
    prefix: str,
    count_failed: Callable[[], None] = uncounted,
) -> Limiter:
    """The limit of a policy; `redis` gives the store of that name, in which it is kept under `prefix`.

    `count_failed` counts each time that this store fails.
    """
    limit = RateLimit(
        None if policy.rate is None else Gcra(policy.rate, policy.burst),
        None if policy.window_limit is None else SlidingWindow(policy.window_limit, policy.window),
    )
    local = MemoryRateLimits(limit, policy.max_keys, clock.now)
    if policy.store == MEMORY:
        return Limiter(limit, local, None, clock, lenient=False)
    from .stores.redis import RedisRateLimits  # only here: services without a shared store have no redis-py

    shared = RedisRateLimits(redis(policy.store), prefix, limit, policy.store_timeout)
    counts = policy.on_store_error == "localFallback"
    lenient = policy.on_store_error == "allow"
    return Limiter(limit, shared, local if counts else None, clock, lenient=lenient, count_failed=count_failed)

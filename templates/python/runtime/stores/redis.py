"""State in Redis, shared by all processes: one script a decision, by Redis's own clock."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Self

from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, RedisError

from ..policies.idempotency import Begun, InFlight, KeyLife, Mismatch, Replay, Started
from ..policies.outage import Outage
from ..policies.quota import Quota
from ..policies.rate_limit import RateLimit, Verdict
from . import StoreError

_log = logging.getLogger(__name__)

# Times are microseconds since 2025: doubles hold the fractions of a microsecond that rates come to. A clock that has
# gone back, as a replica's may have that takes over, must not lock anybody out: what lies in the future is cut off.
_ADMIT: Final = """
local time = redis.call('TIME')
local now = (time[1] - 1735689600) * 1000000 + time[2]
local rate, burst, limit, per = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local paid_off, count = now, 0
if burst > 0 then
  paid_off = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or now), now), now + burst / rate)
end
if limit > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - per)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '(' .. string.format('%.0f', now), '+inf')
  count = redis.call('ZCARD', KEYS[2])
end
local function left_of_rate()
  if burst == 0 then return 0, 0 end
  local owed = (paid_off - now) * rate
  local left = math.max(0, burst - math.ceil(owed - 1e-6))
  return left, math.max(0, owed - (burst - left - 1)) / rate
end
local left = left_of_rate()
local admitted = (burst == 0 or left > 0) and (limit == 0 or count < limit)
if admitted then
  if burst > 0 then
    paid_off = paid_off + 1 / rate
    redis.call('SET', KEYS[1], string.format('%.17g', paid_off), 'PX', math.ceil((paid_off - now) / 1000) + 1)
  end
  if limit > 0 then
    local stamp = string.format('%.0f', now)
    redis.call('ZADD', KEYS[2], stamp, stamp .. ':' .. count)
    redis.call('PEXPIRE', KEYS[2], math.ceil(per / 1000))
    count = count + 1
  end
end
local remaining, wait = left_of_rate()
local window_wait = 0
if count > 0 then window_wait = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] + per - now end
return {admitted and 1 or 0, remaining, math.ceil(wait), limit - count, math.ceil(window_wait)}
"""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
_BEGIN: Final = f"""{_NOW}
local fingerprint, token, locked_until, answer = unpack(redis.call('HMGET', KEYS[1], 'fingerprint', 'token', 'lock', 'answer'))
if fingerprint and token ~= ARGV[2] then
  if fingerprint ~= ARGV[1] then return {{'mismatch'}} end
  if answer then return {{'replay', answer}} end
  local wait = math.min(locked_until - now, tonumber(ARGV[3]))
  if wait > 0 then return {{'in flight', wait}} end
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'token', ARGV[2], 'lock', now + ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {{'started'}}
"""
_COMPLETE: Final = """
local token, answer = unpack(redis.call('HMGET', KEYS[1], 'token', 'answer'))
if token == ARGV[1] and not answer then
  redis.call('HSET', KEYS[1], 'answer', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
"""
_RELEASE: Final = """
local token, answer = unpack(redis.call('HMGET', KEYS[1], 'token', 'answer'))
if token == ARGV[1] and not answer then redis.call('DEL', KEYS[1]) end
"""


class RedisStore:
    """One Redis, for the stages that keep their state there. `now` is this process's monotonic time, in seconds.

    Once it has failed several times in a row it is left alone but for one try a second, so that calls do not wait for
    what is not there.
    """

    def __init__(self, dependency: str, client: Redis, now: Callable[[], float]) -> None:
        self._dependency = dependency
        self._client = client
        self._now = now
        self._outage = Outage()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def script(self, text: str, within: float) -> Script:
        """A script that is given `within` seconds to run, a connection included."""
        return Script(self, self._client.register_script(text), within)

    async def run(self, script: Any, within: float, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """The script's answer. Raises StoreError."""
        if not self._outage.may_ask(self._now()):
            raise StoreError(f"{self._dependency} is down")
        try:
            async with asyncio.timeout(within):
                answer = await script(keys, arguments)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            if self._outage.failed(self._now()):
                _log.error("the store %s is down: %s", self._dependency, _reason(error))
            if isinstance(error, ReadOnlyError):
                await self._reconnect()
            raise StoreError(f"{self._dependency}: {_reason(error)}") from error
        if self._outage.answered():
            _log.warning("the store %s is back", self._dependency)
        return answer

    async def _reconnect(self) -> None:
        """The primary has become a replica: a new connection finds the new primary, where its name leads there."""
        with suppress(RedisError, OSError):
            await self._client.connection_pool.disconnect(inuse_connections=False)


class Script:
    """A script of a store's. Redis knows it by its hash, and is sent it again when it does not."""

    __slots__ = ("_script", "_store", "_within")

    def __init__(self, store: RedisStore, script: Any, within: float) -> None:
        self._store = store
        self._script = script
        self._within = within

    async def __call__(self, *keys: str, arguments: Sequence[Any] = ()) -> Any:
        return await self._store.run(self._script, self._within, keys, arguments)


class RedisRateLimits:
    """One rate limit. Keys live no longer than what they were charged."""

    def __init__(self, store: RedisStore, prefix: str, limit: RateLimit, within: float) -> None:
        self._admit = store.script(_ADMIT, within)
        self._prefix = prefix
        self._rate = limit.rate is not None
        self._window = limit.window is not None
        rate = (limit.rate.rate / 1e6, limit.rate.burst) if limit.rate else (0, 0)
        window = (limit.window.limit, round(limit.window.per * 1e6)) if limit.window else (0, 0)
        self._arguments = (*rate, *window)

    async def admit(self, key: str) -> Verdict:
        """Charge the key with one call, if the limit admits it. Raises StoreError."""
        name = _name(self._prefix, key)
        admitted, left, wait, window_left, window_wait = await self._admit(
            f"{name}:rate", f"{name}:window", arguments=self._arguments
        )
        return Verdict(
            bool(admitted),
            Quota(left, wait / 1e6) if self._rate else None,
            Quota(window_left, window_wait / 1e6) if self._window else None,
        )


class RedisKeys:
    """The idempotency keys of one method."""

    def __init__(self, store: RedisStore, prefix: str, life: KeyLife, within: float) -> None:
        self._begin = store.script(_BEGIN, within)
        self._complete = store.script(_COMPLETE, within)
        self._release = store.script(_RELEASE, within)
        self._prefix = prefix
        self._ttl = round(life.ttl * 1000)
        self._lock_ttl = round(life.lock_ttl * 1000)

    async def begin(self, key: str, fingerprint: bytes, token: str) -> Begun:
        """Ask for a key. Raises StoreError."""
        arguments = (fingerprint, token, self._lock_ttl, self._ttl)
        found, *more = await self._begin(_name(self._prefix, key), arguments=arguments)
        match found:
            case b"started":
                return Started(token)
            case b"replay":
                return Replay(more[0])
            case b"mismatch":
                return Mismatch()
            case _:
                return InFlight(more[0] / 1000)

    async def complete(self, key: str, token: str, answer: bytes) -> None:
        """Keep the answer of the call that holds the key. Raises StoreError."""
        await self._complete(_name(self._prefix, key), arguments=(token, answer, self._ttl))

    async def release(self, key: str, token: str) -> None:
        """Give the key back. Raises StoreError."""
        await self._release(_name(self._prefix, key), arguments=(token,))


def _name(prefix: str, key: str) -> str:
    """The Redis key: of bounded length, without what the caller sent; in a cluster, all of one caller on one node."""
    return f"{{{prefix}:{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}}}"


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__

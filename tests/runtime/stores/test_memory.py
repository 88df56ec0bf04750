"""State in memory: bounded, whatever callers send."""

from __future__ import annotations

import tracemalloc

from hypothesis import settings
from runtime.policies.gcra import Gcra
from runtime.policies.idempotency import InFlight, KeyLife, Replay, Started
from runtime.policies.rate_limit import RateLimit
from runtime.policies.sliding_window import SlidingWindow
from runtime.stores.memory import MemoryKeys, MemoryRateLimits
from runtime.testing import VirtualClock

LIFE = KeyLife(ttl=60.0, lock_ttl=5.0)


async def test_the_key_used_least_recently_is_forgotten_first() -> None:
    limits = MemoryRateLimits(RateLimit(Gcra(1.0, 1), None), 2, VirtualClock().now)
    assert [(await limits.admit(key)).admitted for key in ("a", "b", "a", "c", "a", "b")] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
    assert len(limits) == 2


async def test_memory_is_flat_over_any_number_of_keys() -> None:
    """A million of them in the fuzz profile."""
    many = 1_000_000 if settings.get_current_profile_name() == "fuzz" else 30_000
    limits = MemoryRateLimits(RateLimit(Gcra(1.0, 5), SlidingWindow(5, 60.0)), 2_000, VirtualClock().now)
    keys = MemoryKeys(LIFE, 2_000 * 700, VirtualClock().now)

    async def use(first: int, last: int) -> None:
        for number in range(first, last):
            await limits.admit(f"caller {number}")
            await keys.begin(f"key {number}", b"request", "token")
            await keys.complete(f"key {number}", "token", b"answer" * 10)

    tracemalloc.start()
    try:
        await use(0, 10_000)
        before = tracemalloc.get_traced_memory()[0]
        await use(10_000, many)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(limits) == 2_000
    assert 1_800 < len(keys) <= 2_200
    assert after < before * 1.02


async def test_answers_take_no_more_memory_than_they_are_given() -> None:
    keys = MemoryKeys(LIFE, 100_000, VirtualClock().now)
    for number in range(50):
        await keys.begin(str(number), b"request", "token")
        await keys.complete(str(number), "token", bytes(10_000))
    assert len(keys) == 9
    assert await keys.begin("49", b"request", "other") == Replay(bytes(10_000))
    assert await keys.begin("40", b"request", "other") == Started("other")


async def test_what_is_in_flight_is_not_forgotten_for_want_of_room() -> None:
    keys = MemoryKeys(LIFE, 2_000, VirtualClock().now)
    for number in range(10):
        await keys.begin(str(number), b"request", "token")
    await keys.complete("5", "token", b"answer")
    assert await keys.begin("0", b"request", "other") == InFlight(5.0)
    assert await keys.begin("5", b"request", "other") == Started("other")


async def test_what_has_expired_is_forgotten() -> None:
    clock = VirtualClock()
    keys = MemoryKeys(LIFE, 1_000_000, clock.now)
    for number in range(100):
        await keys.begin(str(number), b"request", "token")
        await keys.complete(str(number), "token", b"answer")
        await clock.advance(1.0)
    await keys.begin("last", b"request", "token")
    assert len(keys) == 60

"""The rate limit stage on a clock that tests turn: who is admitted, who waits, who is refused, and what they are told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.errors import ServiceError
from runtime.principal import Principal
from runtime.snapshot import MethodPolicy, RateLimitKeyPolicy, RateLimitPolicy
from runtime.stages import rate_limit
from runtime.stages.environment import Environment
from runtime.stages.rate_limit import RateLimiting
from runtime.testing import VirtualClock

from tests.runtime.fake_call import call_of
from tests.runtime.fake_environment import NOBODY, environment
from tests.runtime.sample_service import CHAT, ECHO

ONE_A_SECOND = RateLimitPolicy(scope="", rate=1.0, burst=1)


def stage(
    policy: RateLimitPolicy, shared: Environment | None = None, clock: VirtualClock | None = None
) -> RateLimiting:
    made = rate_limit.for_method(
        ECHO, MethodPolicy(None, "CRITICAL", rate_limit=policy), shared or environment(clock=clock or VirtualClock())
    )
    assert made is not None
    return made


async def answered(call: Call) -> None:
    """The rest of the chain."""


async def outcome(stage: RateLimiting, call: Call | None = None) -> ServiceError | None:
    """How a call ends, None for well."""
    try:
        await stage(call or call_of(), answered)
    except ServiceError as error:
        return error
    return None


async def admitted(stage: RateLimiting, calls: int, **arguments: Any) -> list[bool]:
    return [await outcome(stage, call_of(**arguments)) is None for _ in range(calls)]


async def test_a_burst_is_admitted_and_then_the_rate() -> None:
    clock = VirtualClock()
    limited = stage(RateLimitPolicy(scope="", rate=2.0, burst=3), clock=clock)
    assert await admitted(limited, 5) == [True, True, True, False, False]
    await clock.advance(1.0)
    assert await admitted(limited, 3) == [True, True, False]


async def test_a_refused_call_is_told_when_to_come_again() -> None:
    limited = stage(RateLimitPolicy(scope="", rate=0.25, burst=1))
    await outcome(limited)
    error = await outcome(limited)
    assert error is not None
    assert (error.code, error.http, error.reason) == (StatusCode.RESOURCE_EXHAUSTED, 429, "RATE_LIMITED")
    assert error.retry_after == pytest.approx(4.0)


async def test_methods_of_one_scope_count_together_and_those_of_another_do_not() -> None:
    shared = environment()
    one, same, other = (stage(replace(ONE_A_SECOND, scope=scope), shared) for scope in ("", "", "sample.v1.Sample"))
    assert [await outcome(one) is None, await outcome(same) is None, await outcome(other) is None] == [
        True,
        False,
        True,
    ]


async def test_a_method_without_the_policy_has_no_stage() -> None:
    assert rate_limit.for_method(CHAT, MethodPolicy(None, "CRITICAL"), environment()) is None


# -- what is told ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "told", "left"),
    [
        (RateLimitPolicy("", rate=1200.0, burst=300), '"rate";q=1200;w=1', '"rate";r=299;t=1'),
        (RateLimitPolicy("", rate=0.1, burst=1), '"rate";q=1;w=10', '"rate";r=0;t=10'),
        (RateLimitPolicy("", rate=2.5, burst=5), '"rate";q=5;w=2', '"rate";r=4;t=1'),
        (RateLimitPolicy("", rate=1e-6, burst=2), '"rate";q=1;w=1000000', '"rate";r=1;t=1000000'),
        (RateLimitPolicy("", window_limit=600, window=60.0), '"window";q=600;w=60', '"window";r=599;t=60'),
        (
            RateLimitPolicy("", rate=10.0, burst=5, window_limit=100, window=0.5),
            '"rate";q=10;w=1, "window";q=100;w=1',
            '"rate";r=4;t=1, "window";r=99;t=1',
        ),
    ],
)
async def test_every_answer_over_rest_has_the_ratelimit_fields(policy: RateLimitPolicy, told: str, left: str) -> None:
    call = call_of(protocol="rest")
    await stage(policy)(call, answered)
    assert call.headers == [("ratelimit-policy", told), ("ratelimit", left)]


async def test_over_grpc_only_a_refused_call_has_them() -> None:
    limited = stage(ONE_A_SECOND)
    first, second = call_of(), call_of()
    assert await outcome(limited, first) is None
    assert await outcome(limited, second) is not None
    assert first.headers == []
    assert second.headers == [("ratelimit-policy", '"rate";q=1;w=1'), ("ratelimit", '"rate";r=0;t=1')]


# -- the line ----------------------------------------------------------------------------------------------------


class Line:
    """Calls that wait, by the order in which they came; `ended` says who was admitted when."""

    def __init__(self, **policy: Any) -> None:
        self.clock = VirtualClock(start=0.0)
        self.stage = stage(RateLimitPolicy("", **policy), clock=self.clock)
        self.ended: list[tuple[str, float]] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def comes(self, *names: str, left: float | None = None) -> None:
        for name in names:
            self.tasks[name] = asyncio.ensure_future(self._call(name, left))
            for _ in range(5):
                await asyncio.sleep(0)

    async def _call(self, name: str, left: float | None) -> None:
        call = call_of()
        call.deadline = None if left is None else call.started + left
        error = await outcome(self.stage, call)
        self.ended.append((name if error is None else f"no {name}", round(self.clock.now(), 6)))

    async def leaves(self, name: str) -> None:
        self.tasks[name].cancel()
        await asyncio.gather(self.tasks[name], return_exceptions=True)


async def test_calls_wait_in_the_order_in_which_they_came() -> None:
    line = Line(rate=1.0, burst=1, timeout=5.0)
    await line.comes("a", "b", "c", "d")
    assert line.ended == [("a", 0.0)]
    await line.clock.advance(1.5)
    await line.comes("e")  # behind those who wait, although a permit will be there before its turn
    await line.clock.advance(10.0)
    assert line.ended == [("a", 0.0), ("b", 1.0), ("c", 2.0), ("d", 3.0), ("e", 4.0)]
    assert line.clock.waiting == 0


async def test_a_call_that_would_wait_too_long_is_refused_at_once_and_told_how_long() -> None:
    line = Line(rate=1.0, burst=1, timeout=2.0)
    await line.comes("a", "b", "c", "d")
    assert line.ended == [("a", 0.0), ("no d", 0.0)]
    error = await outcome(line.stage)
    assert error is not None
    assert error.retry_after == pytest.approx(3.0)
    await line.clock.advance(5.0)
    assert line.ended == [("a", 0.0), ("no d", 0.0), ("b", 1.0), ("c", 2.0)]


async def test_nobody_waits_past_its_deadline() -> None:
    line = Line(rate=1.0, burst=1, timeout=60.0)
    await line.comes("a")
    await line.comes("b", left=0.5)
    assert line.ended == [("a", 0.0), ("no b", 0.0)]


async def test_whoever_leaves_the_line_gives_its_place_to_the_next() -> None:
    line = Line(rate=1.0, burst=1, timeout=60.0)
    await line.comes("a", "b", "c", "d", "e")
    await line.leaves("b")  # the first of those who wait
    await line.leaves("d")  # one in the middle
    await line.clock.advance(10.0)
    assert line.ended == [("a", 0.0), ("c", 1.0), ("e", 2.0)]
    assert line.clock.waiting == 0


async def test_a_line_that_everybody_has_left_is_forgotten() -> None:
    line = Line(rate=1.0, burst=1, timeout=60.0)
    await line.comes("a", "b", "c")
    await line.leaves("c")
    await line.leaves("b")
    assert line.clock.waiting == 0
    await line.clock.advance(1.0)
    await line.comes("d")
    assert line.ended == [("a", 0.0), ("d", 1.0)]


async def test_a_window_keeps_its_line_waiting_until_it_has_room() -> None:
    line = Line(window_limit=2, window=10.0, timeout=60.0)
    await line.comes("a")
    await line.clock.advance(1.0)
    await line.comes("b", "c", "d", "e")
    await line.clock.advance(60.0)
    assert line.ended == [("a", 0.0), ("b", 1.0), ("c", 10.0), ("d", 11.0), ("e", 20.0)]


async def test_keys_have_lines_of_their_own() -> None:
    clock = VirtualClock(start=0.0)
    limited = stage(
        replace(ONE_A_SECOND, timeout=60.0, key=RateLimitKeyPolicy("metadata:x-tenant", "reject")), clock=clock
    )
    assert await admitted(limited, 1, metadata=[("x-tenant", "a")]) == [True]
    waiting = asyncio.ensure_future(outcome(limited, call_of(metadata=[("x-tenant", "a")])))
    await asyncio.sleep(0)
    assert await admitted(limited, 1, metadata=[("x-tenant", "b")]) == [True]
    await clock.advance(1.0)
    assert await waiting is None


async def test_a_line_of_thousands_moves_at_the_rate() -> None:
    clock = VirtualClock(start=0.0)
    limited = stage(RateLimitPolicy("", rate=1200.0, burst=300, timeout=1.0), clock=clock)
    waiting = [asyncio.ensure_future(outcome(limited)) for _ in range(2_000)]
    await asyncio.sleep(0)
    refused = [await task for task in waiting if task.done()]
    assert sum(error is None for error in refused) == 300
    assert sum(error is not None for error in refused) == 2_000 - 300 - 1_200
    await clock.advance(1.01)
    last = 1  # whose permit comes at the moment at which its patience ends
    assert [await task for task in waiting].count(None) >= 300 + 1_200 - last
    assert clock.waiting == 0


# -- whose call it is --------------------------------------------------------------------------------------------


def keyed(source: str, on_missing: str = "reject") -> RateLimiting:
    return stage(replace(ONE_A_SECOND, key=RateLimitKeyPolicy(source, on_missing)))


def called_by(subject: str, issuer: str = "id", **claims: object) -> Call:
    call = call_of()
    call.principal = Principal(subject, issuer, claims)
    return call


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("ipv4:192.0.2.1:50000", "ipv4:192.0.2.1:50001", "ipv4:192.0.2.2:50000"),
        ("ipv6:[2001:db8::1]:50000", "ipv6:%5B2001:db8::ffff:1%5D:1", "ipv6:[2001:db8:0:1::1]:50000"),
        ("ipv6:[::ffff:192.0.2.1]:50000", "ipv4:192.0.2.1:50001", "ipv6:[::ffff:192.0.2.2]:50000"),
        ("ipv6:[fe80::1%eth0]:50000", "ipv6:%5Bfe80::1%25eth0%5D:50001", "ipv6:[::1]:50000"),
        ("unix:", "unix:", "ipv4:192.0.2.2:50000"),
    ],
)
async def test_peers_are_told_apart_by_host_and_ipv6_network(one: str, same: str, other: str) -> None:
    limited = keyed("peer")
    assert [await outcome(limited, call_of(peer=peer)) is None for peer in (one, same, other)] == [True, False, True]


async def test_principals_are_told_apart_by_issuer_and_subject() -> None:
    limited = keyed("principal")
    calls = (called_by("ada"), called_by("ada"), called_by("bob"), called_by("ada", issuer="other"))
    assert [await outcome(limited, call) is None for call in calls] == [True, False, True, True]


async def test_callers_are_told_apart_by_a_claim() -> None:
    limited = keyed("auth.claim:tenant")
    calls = (called_by("ada", tenant="x"), called_by("bob", tenant="x"), called_by("ada", tenant=7))
    assert [await outcome(limited, call) is None for call in calls] == [True, False, True]


@pytest.mark.parametrize(
    ("source", "call", "code"),
    [
        ("principal", call_of, StatusCode.UNAUTHENTICATED),
        ("auth.claim:tenant", call_of, StatusCode.UNAUTHENTICATED),
        ("auth.claim:tenant", lambda: called_by("ada"), StatusCode.PERMISSION_DENIED),
        ("auth.claim:tenant", lambda: called_by("ada", tenant=["x"]), StatusCode.PERMISSION_DENIED),
        ("metadata:x-tenant", call_of, StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_call_without_the_key_is_refused(source: str, call: Any, code: StatusCode) -> None:
    error = await outcome(keyed(source), call())
    assert error is not None
    assert (error.code, error.reason) == (code, "RATE_LIMIT_KEY_MISSING")
    named = [violation.field for detail in error.details for violation in detail.field_violations]
    assert named == (["x-tenant"] if code is StatusCode.INVALID_ARGUMENT else [])


async def test_calls_without_the_key_count_together_where_the_spec_says_so() -> None:
    limited = keyed("metadata:x-tenant", "shared")
    assert await admitted(limited, 2) == [True, False]
    assert await admitted(limited, 1, metadata=[("x-tenant", "a")]) == [True]


async def test_keys_of_any_length_are_told_apart() -> None:
    limited = keyed("metadata:x-tenant")
    assert await admitted(limited, 2, metadata=[("x-tenant", "a" * 5000)]) == [True, False]
    assert await admitted(limited, 1, metadata=[("x-tenant", "a" * 5000 + "b")]) == [True]


# -- without the store -------------------------------------------------------------------------------------------


async def without_store(on_error: str) -> list[ServiceError | None]:
    policy = replace(ONE_A_SECOND, store="redis", store_timeout=5.0, on_store_error=on_error)
    limited = stage(policy, environment(dependencies={"redis": NOBODY}))
    return [await outcome(limited) for _ in range(2)]


async def test_without_its_store_a_limit_is_counted_here() -> None:
    first, second = await without_store("localFallback")
    assert first is None
    assert second is not None
    assert second.reason == "RATE_LIMITED"


async def test_without_its_store_a_limit_may_let_everybody_in() -> None:
    assert await without_store("allow") == [None, None]


async def test_without_its_store_a_limit_may_let_nobody_in() -> None:
    first, second = await without_store("reject")
    assert first is not None
    assert second is not None
    assert (first.code, first.reason, first.retry_after) == (StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", 1.0)

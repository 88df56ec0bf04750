"""Limits lowered and doors closed: what a method's callers could do, and cannot any more."""

from collections.abc import Mapping

import pytest

from generator.breaking.access import Access
from generator.breaking.behaviour import POLICY_KEYS, Behaviour, Method
from generator.breaking.limits import RULES
from generator.breaking.snapshot import dump, load
from generator.spec.findings import shape_at
from generator.spec.model import ResilienceSpec

NAME = "shop.v1.Shop.Get"


def serving(policy: Mapping[str, str], allowed: Access | None = None) -> Behaviour:
    return Behaviour((), {NAME: Method("A", "A", (), policy, allowed or Access())}, spec_known=True)


def broken(before: Behaviour, after: Behaviour) -> list[str]:
    return [f"{rule.id}: {change.what}" for rule in RULES for change in rule.find(before, after)]


def per_second(rate: str, burst: str | None = None) -> dict[str, str]:
    policy = {"rateLimiter.requestsPerSecond": rate}
    return policy | ({"rateLimiter.burstCapacity": burst} if burst else {})


def window(limit: str, per: str) -> dict[str, str]:
    return {"rateLimiter.slidingWindow.limit": limit, "rateLimiter.slidingWindow.per": per}


POLICIES = {
    "a lower rate": (per_second("1200"), per_second("0.5"), "RATE_LIMIT_NO_LOWER"),
    "a higher rate": (per_second("9"), per_second("10"), ""),
    "a rate where there was none": ({}, per_second("1200"), "RATE_LIMIT_NO_LOWER"),
    "no rate": (per_second("1200"), {}, ""),
    "a smaller burst": (per_second("10", "9"), per_second("10", "8"), "RATE_LIMIT_NO_LOWER"),
    "a lower count in the window": (window("10", "1m"), window("9", "1m"), "RATE_LIMIT_NO_LOWER"),
    "a longer window": (window("10", "1m"), window("10", "2m"), "RATE_LIMIT_NO_LOWER"),
    "the same rate in a shorter window": (window("10", "2m"), window("5", "1m"), "RATE_LIMIT_NO_LOWER"),
    "the same rate in a longer window": (window("5", "1m"), window("10", "2m"), ""),
    "the same window in other words": (window("5", "1m"), window("5", "60s"), ""),
    "a window where there was none": ({}, window("5", "1m"), "RATE_LIMIT_NO_LOWER"),
    "fewer at once": (
        {"concurrencyLimiter.limit": "10"},
        {"concurrencyLimiter.limit": "9"},
        "CONCURRENCY_LIMIT_NO_LOWER",
    ),
    "fewer at once at most": (
        {"concurrencyLimiter.maxLimit": "200"},
        {"concurrencyLimiter.maxLimit": "100"},
        "CONCURRENCY_LIMIT_NO_LOWER",
    ),
    "as many at once, by latency": ({"concurrencyLimiter.limit": "10"}, {"concurrencyLimiter.maxLimit": "10"}, ""),
    "fewer at once, by latency": (
        {"concurrencyLimiter.limit": "10"},
        {"concurrencyLimiter.maxLimit": "9"},
        "CONCURRENCY_LIMIT_NO_LOWER",
    ),
    "fewer streams": (
        {"concurrencyLimiter.maxStreams": "10"},
        {"concurrencyLimiter.maxStreams": "9"},
        "CONCURRENCY_LIMIT_NO_LOWER",
    ),
    "shorter streams": ({"streaming.maxDuration": "1h"}, {"streaming.maxDuration": "59m"}, "STREAM_NO_SHORTEN"),
    "less silence": ({}, {"streaming.idleTimeout": "5s"}, "STREAM_NO_SHORTEN"),
    "less large messages": (
        {"streaming.maxMessageBytes": "1MiB"},
        {"streaming.maxMessageBytes": "1000KiB"},
        "MESSAGE_SIZE_NO_LOWER",
    ),
    "a key required": (
        {"idempotency.required": "False"},
        {"idempotency.required": "True"},
        "IDEMPOTENCY_KEY_NO_REQUIRE",
    ),
    "a key required still": ({"idempotency.required": "True"}, {"idempotency.required": "True"}, ""),
    "a key no longer required": ({"idempotency.required": "True"}, {}, ""),
    "a baseline that somebody changed": (
        {"deadline.max": "soon"},
        {"deadline.max": "1s"},
        "DEADLINE_NO_SHORTEN",
    ),
    "a window that somebody changed": (window("x", "0s"), window("5", "1m"), "RATE_LIMIT_NO_LOWER"),
}


@pytest.mark.parametrize(("before", "after", "rule"), POLICIES.values(), ids=POLICIES.keys())
def test_limits(before: Mapping[str, str], after: Mapping[str, str], rule: str) -> None:
    found = broken(serving(before), serving(after))
    assert [one.partition(":")[0] for one in found] == ([rule] if rule else [])


def test_a_finding_names_both_limits() -> None:
    assert broken(serving(window("10", "1m")), serving(window("9", "1m"))) == [
        "RATE_LIMIT_NO_LOWER: shop.v1.Shop.Get: rateLimiter.slidingWindow is 9 calls in 1m, not 10 calls in 1m"
    ]
    assert broken(serving({}), serving(per_second("5"))) == [
        "RATE_LIMIT_NO_LOWER: shop.v1.Shop.Get: rateLimiter.requestsPerSecond is 5, and there was no such limit"
    ]


def token(all_scopes: str = "", any_scope: str = "", any_role: str = "") -> Access:
    return Access("token", frozenset(any_scope.split()), frozenset(all_scopes.split()), frozenset(any_role.split()))


ANYBODY, NOBODY = Access(), Access("refused")
DOORS = [
    (ANYBODY, ANYBODY, False),
    (ANYBODY, token(), True),
    (token(), ANYBODY, False),
    (token(), NOBODY, True),
    (NOBODY, token("a"), False),
    (NOBODY, NOBODY, False),
    (token(), token("a"), True),
    (token("a"), token(), False),
    (token("a b"), token("a"), False),
    (token("a"), token("a b"), True),
    (token(any_scope="a b"), token(any_scope="a b c"), False),
    (token(any_scope="a b"), token(any_scope="a"), True),
    (token("a"), token(any_scope="a b"), False),
    (token(any_scope="a b"), token("a"), True),
    (token(any_scope="a"), token(any_scope="b"), True),
    (token(any_role="x"), token(any_role="x y"), False),
    (token(any_role="x y"), token(any_role="x"), True),
    (token(), token(any_role="x"), True),
]


@pytest.mark.parametrize(("before", "after", "closed"), DOORS)
def test_who_may_call(before: Access, after: Access, closed: bool) -> None:
    assert after.refuses_some_of(before) is closed
    found = broken(serving({}, before), serving({}, after))
    assert [one.partition(":")[0] for one in found] == (["ACCESS_NO_TIGHTEN"] if closed else [])


@pytest.mark.parametrize("door", [ANYBODY, NOBODY, token(), token("a b", "c d", "e")])
def test_who_may_call_is_kept(door: Access) -> None:
    made = serving({"deadline.max": "1s"}, door)
    assert load(dump(made), "behaviour.json") == made


def test_what_is_kept_of_policies_are_keys_that_specs_have() -> None:
    assert [key for key in POLICY_KEYS if shape_at(ResilienceSpec, ("spec", *key.split("."))) is None] == []

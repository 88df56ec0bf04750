"""Five levels become one policy: what wins, what it came from, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import InputError
from generator.spec.dependencies import ClientPolicy
from generator.spec.layers import client_layers, method_calls, method_layers
from generator.spec.load import Spec, load, load_text
from generator.spec.policy import ServerPolicy
from generator.spec.resolve import Resolved, resolve, resolve_client

DATA = Path(__file__).parent / "data"


def spec_of(text: str) -> Spec:
    return load_text("spec:\n" + "".join(f"  {line}\n" for line in text.splitlines()), "s.yaml")


def server(text: str, service: str = "shop.v1.Orders", method: str = "Get") -> Resolved[ServerPolicy]:
    return resolve(method_layers(spec_of(text), service, method))


def client(text: str, method: str = "Get") -> Resolved[ClientPolicy]:
    header = "dependencies:\n  stock:\n    {contract: stock.proto, target: 'stock:1'}\n"
    body = header.replace("}\n", f", {text}}}\n")
    return resolve_client(client_layers(spec_of(body), "stock", method))


def told(resolved: Resolved[ServerPolicy] | Resolved[ClientPolicy]) -> dict[str, str]:
    """path → value, level, line of what somebody wrote."""
    return {
        setting.path: f"{setting.value} {setting.level}:{setting.place.line}"
        for setting in resolved.settings
        if setting.place is not None
    }


def problems(text: str, method: str = "Get") -> list[str]:
    with pytest.raises(InputError) as caught:
        server(text, method=method)
    return [str(finding) for finding in caught.value.findings]


def test_an_empty_spec_has_a_deadline_and_no_other_mechanism() -> None:
    resolved = server("{}")
    assert [(setting.path, setting.value, setting.level, setting.place) for setting in resolved.settings] == [
        ("deadline.default", "10s", "built-in", None),
        ("deadline.max", "30s", "built-in", None),
        ("deadline.minRemaining", "0s", "built-in", None),
        ("deadline.reserve", "0s", "built-in", None),
        ("criticality", "CRITICAL", "built-in", None),
    ]
    assert resolved.policy.rate_limiter is None


def test_later_levels_override_key_by_key_and_each_value_tells_its_line() -> None:
    text = """\
deadline: {default: 1s, max: 9s, reserve: 5ms}
profiles:
  read: {deadline: {default: 2s}, criticality: SHEDDABLE}
methods:
  Orders/*: {deadline: {reserve: 6ms}}
  shop.v1.Orders/*: {deadline: {minRemaining: 1ms}}
  Get: {profile: read, deadline: {max: 8s}}
  Orders/Get: {criticality: CRITICAL_PLUS}"""
    assert told(server(text)) == {
        "deadline.default": "2s profile read:4",
        "deadline.max": "8s method:8",
        "deadline.minRemaining": "1ms service:7",
        "deadline.reserve": "6ms service:6",
        "criticality": "CRITICAL_PLUS method:9",
    }
    assert told(server(text, method="List"))["deadline.default"] == "1s spec:2"
    assert told(server(text, service="shop.v1.Carts"))["deadline.reserve"] == "5ms spec:2"


def test_the_profile_of_the_most_specific_selector_counts() -> None:
    text = """\
profiles:
  slow: {deadline: {max: 9s}}
  fast: {deadline: {default: 1s}}
methods:
  Orders/*: {profile: slow}
  Get: {profile: fast}"""
    assert told(server(text)) == {"deadline.default": "1s profile fast:4"}
    assert told(server(text, method="List"))["deadline.max"] == "9s profile slow:3"


def test_lists_replace() -> None:
    resolved = client(
        "retry: {retryableStatusCodes: [ABORTED, UNAVAILABLE]}, methods: {Get: {retry: {retryableStatusCodes: [INTERNAL]}}}"
    )
    assert resolved.policy.retry is not None
    assert resolved.policy.retry.retryable_status_codes == ("INTERNAL",)


def test_a_changed_discriminator_replaces_the_section() -> None:
    text = """\
concurrencyLimiter: {initialLimit: 10, rttTolerance: 2}
methods:
  Get: {concurrencyLimiter: {algorithm: fixed, limit: 3}}
  List: {concurrencyLimiter: {algorithm: gradient2, maxLimit: 50}}"""
    assert told(server(text)) == {
        "concurrencyLimiter.algorithm": "fixed method:4",
        "concurrencyLimiter.limit": "3 method:4",
    }
    assert told(server(text, method="List")) == {
        "concurrencyLimiter.algorithm": "gradient2 method:5",
        "concurrencyLimiter.initialLimit": "10 spec:2",
        "concurrencyLimiter.maxLimit": "50 method:5",
        "concurrencyLimiter.rttTolerance": "2 spec:2",
    }


def test_false_turns_a_mechanism_off_and_a_later_level_starts_it_afresh() -> None:
    text = """\
rateLimiter: {requestsPerSecond: 10, burstCapacity: 5}
methods:
  Orders/*: {rateLimiter: false, deadline: false}
  List: {rateLimiter: {requestsPerSecond: 3}}"""
    off = server(text)
    assert off.policy.rate_limiter is None
    assert off.policy.deadline is None
    assert told(off) == {"deadline": "False service:4", "rateLimiter": "False service:4"}
    on = server(text, method="List")
    assert told(on)["rateLimiter.requestsPerSecond"] == "3 method:5"
    assert on.policy.rate_limiter is not None
    assert on.policy.rate_limiter.burst_capacity is None


def test_braces_turn_a_mechanism_on_with_its_defaults() -> None:
    resolved = server("loadShedding: {}")
    assert resolved.policy.load_shedding is not None
    assert resolved.policy.load_shedding.cpu_threshold == 90


def test_short_and_older_spellings_become_the_full_ones() -> None:
    breaker = resolve(method_layers(load(DATA / "smallest.yaml"), "a.B", "C"))
    assert breaker.policy.circuit_breaker is not None
    assert breaker.policy.circuit_breaker.open_for.initial == 3.0
    assert breaker.policy.circuit_breaker.timeout_ms is None
    assert told(breaker) == {
        "rateLimiter.requestsPerSecond": "1200 spec:11",
        "rateLimiter.burstCapacity": "300 spec:12",
        "rateLimiter.timeout": "8s spec:13",
        "circuitBreaker.failureThreshold": "15 spec:7",
        "circuitBreaker.openFor.initial": "3s spec:8",
        "circuitBreaker.fallback.kind": "local-cache spec:9",
    }


def test_the_newer_spelling_of_a_later_level_wins_over_the_older_one() -> None:
    text = "circuitBreaker: {timeoutMs: 3000}\nmethods: {Get: {circuitBreaker: {openFor: {initial: 7s}}}}"
    assert told(server(text))["circuitBreaker.openFor.initial"] == "7s method:3"
    other = "circuitBreaker: {openFor: {initial: 7s}}\nmethods: {Get: {circuitBreaker: {timeoutMs: 3000}}}"
    assert told(server(other))["circuitBreaker.openFor.initial"] == "3s method:3"


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("deadline: {max: 5s}", "deadline.default", "5s"),
        ("deadline: {default: 60s}", "deadline.max", "1m"),
        ("concurrencyLimiter: {maxLimit: 2}", "concurrencyLimiter.minLimit", 2),
        ("concurrencyLimiter: {minLimit: 300}", "concurrencyLimiter.initialLimit", 300),
        ("circuitBreaker: {timeoutMs: 90000}", "circuitBreaker.openFor.max", "1m30s"),
        ("circuitBreaker: {}", "circuitBreaker.failureRateThreshold", 50),
        ("circuitBreaker: {slidingWindow: {type: time}}", "circuitBreaker.slidingWindow.size", "30s"),
        ("circuitBreaker: {slidingWindow: {size: 10}}", "circuitBreaker.minimumCalls", 10),
        ("circuitBreaker: {minimumCalls: 200}", "circuitBreaker.slidingWindow.size", 200),
    ],
)
def test_a_default_nobody_wrote_gives_way_to_what_somebody_wrote(text: str, path: str, value: object) -> None:
    found = {setting.path: (setting.value, setting.level, setting.place) for setting in server(text).settings}
    assert found[path] == (value, "built-in", None)


def test_a_breaker_with_its_own_trigger_gets_no_rate_on_top() -> None:
    for trigger in ("failureThreshold: 3", "slowCall: {duration: 1s}"):
        breaker = server(f"circuitBreaker: {{{trigger}}}").policy.circuit_breaker
        assert breaker is not None
        assert breaker.failure_rate_threshold is None


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "deadline: {default: 5s, max: 9s}\nmethods: {Get: {deadline: {max: 2s}}}",
            (
                "s.yaml:3:30: values-out-of-order: deadline.default (5s) is more than deadline.max (2s); "
                "the other value is set in line 2"
            ),
        ),
        (
            "deadline: {max: 2s}\nmethods: {Get: {deadline: {default: 3s}}}",
            (
                "s.yaml:3:30: values-out-of-order: deadline.default (3s) is more than deadline.max (2s); "
                "the other value is set in line 2"
            ),
        ),
        ("concurrencyLimiter: {minLimit: 9, maxLimit: 3}", "s.yaml:2:24: values-out-of-order"),
        (
            "concurrencyLimiter: {algorithm: fixed}",
            "s.yaml:2:3: missing-key: concurrencyLimiter needs limit with algorithm: fixed",
        ),
        (
            "concurrencyLimiter: {algorithm: fixed, limit: 3, minLimit: 2}",
            (
                "s.yaml:2:52: useless-key: concurrencyLimiter.minLimit has no effect with algorithm: fixed; "
                "it belongs to algorithm: gradient2 or aimd"
            ),
        ),
        (
            "rateLimiter: {burstCapacity: 3}",
            "s.yaml:2:3: missing-key: rateLimiter needs requestsPerSecond, slidingWindow or both",
        ),
        (
            "rateLimiter: {timeout: 1s}\nmethods: {Get: {rateLimiter: {timeout: 2s}}}",
            "s.yaml:3:19: missing-key: rateLimiter needs",
        ),
        ("rateLimiter: {slidingWindow: {per: 1m}}", "s.yaml:2:17: missing-key: rateLimiter.slidingWindow needs limit"),
        ("circuitBreaker: {slowCall: {}}", "s.yaml:2:20: missing-key: circuitBreaker.slowCall needs duration"),
        (
            "circuitBreaker: {slidingWindow: {size: 30s}}",
            "s.yaml:2:36: wrong-unit: circuitBreaker.slidingWindow.size is a time",
        ),
        ("circuitBreaker: {slidingWindow: {type: time, size: 30}}", "s.yaml:2:48: wrong-unit"),
        (
            "circuitBreaker: {minimumCalls: 20, slidingWindow: {size: 10}}",
            "s.yaml:2:20: values-out-of-order: circuitBreaker.minimumCalls (20) is more than the calls of",
        ),
        (
            "deadline: {default: 1s, max: 1s}\ncircuitBreaker: {slowCall: {duration: 1s}}",
            "s.yaml:3:31: values-out-of-order: circuitBreaker.slowCall.duration (1s) is not less than deadline.max (1s)",
        ),
        ("fallback: static", "s.yaml:2:3: missing-key: fallback needs value with kind: static"),
        (
            "fallback: {kind: cache, handler: x}",
            "s.yaml:2:27: useless-key: fallback.handler has no effect with kind: cache",
        ),
        ("idempotency: {ttl: 35s, lockTtl: 40s}", "s.yaml:2:27: values-out-of-order"),
    ],
)
def test_a_contradiction_is_told_at_the_line_that_caused_it(text: str, finding: str) -> None:
    found = problems(text)
    assert len(found) == 1, found
    assert found[0].startswith(finding)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "retry: {retryableStatusCodes: [UNAVAILABLE, DEADLINE_EXCEEDED]}",
            "never-retried: retry.retryableStatusCodes: DEADLINE",
        ),
        (
            "timeout: {attempt: 3s, total: 2s}",
            "values-out-of-order: timeout.attempt (3s) is more than timeout.total (2s)",
        ),
        ("adaptiveTimeout: {floor: 100ms}", "missing-key: adaptiveTimeout needs ceiling"),
        ("adaptiveTimeout: {floor: 2s, ceiling: 1s}", "values-out-of-order"),
        ("bulkhead: {}", "missing-key: bulkhead needs maxConcurrentCalls"),
        ("hedging: {}", "missing-key: hedging needs delay"),
    ],
)
def test_a_contradiction_in_a_client_policy_is_told_too(text: str, finding: str) -> None:
    with pytest.raises(InputError) as caught:
        client(text)
    assert finding in str(caught.value)


def test_the_calls_of_the_most_specific_selector_count() -> None:
    text = "dependencies: {a: {protocol: redis, target: 'redis://a'}}\nmethods: {Orders/*: {calls: [[a], [a]]}, Get: {calls: [[a]]}}"
    assert method_calls(spec_of(text), "shop.v1.Orders", "Get") == (("a",),)
    assert method_calls(spec_of(text), "shop.v1.Orders", "List") == (("a",), ("a",))


def test_the_full_example_resolves_for_every_method_and_dependency() -> None:
    spec = load(DATA / "full.yaml")
    for method in spec.body.methods:
        resolve(method_layers(spec, "shop.v1.Orders", method))
    stock = resolve_client(client_layers(spec, "inventory", "GetStock"))
    assert stock.policy.hedging is not None
    assert stock.policy.retry is not None
    assert stock.policy.retry.max_attempts == 3
    assert told(stock)["hedging.delay"] == "100ms dependency method:42"
    assert method_calls(spec, "shop.v1.Orders", "CreateOrder") == (("inventory",), ("payments",))
    assert method_calls(spec, "shop.v1.Orders", "ExportOrders") == ()
    assert resolve_client(client_layers(spec, "payments", "Pay")).policy.fallback is not None

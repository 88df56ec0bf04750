"""Policies of calls to dependencies held against their contract: fallbacks, limits, faults, and the chain they come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import InputError
from generator.plan.model import OutgoingPlan
from tests.unit.plan.test_dependencies import plan

HEAD = """\
    stock:
      contract: stock.proto
      target: dns:///stock:50051
"""


def calls(folder: Path, policy: str, after: str = "") -> dict[str, OutgoingPlan]:
    """Calls to each RPC of a dependency with that line in its block."""
    (stock,) = plan(folder, f"{HEAD}      {policy}\n{after}").dependencies
    return {call.rpc.name: call for call in stock.calls}


def refused(folder: Path, policy: str, after: str = "") -> list[str]:
    with pytest.raises(InputError) as caught:
        plan(folder, f"{HEAD}      {policy}\n{after}")
    return [str(finding).removeprefix("resilience.yaml:") for finding in caught.value.findings]


def test_every_mechanism_has_its_place_in_the_chain(tmp_path: Path) -> None:
    policy = (
        "{timeout: {attempt: 1s, total: 5s}, fallback: {kind: cache}, idempotency: {}, retry: {}, "
        "rateLimiter: {requestsPerSecond: 5}, circuitBreaker: {}, bulkhead: {maxConcurrentCalls: 5}}"
    )
    found = calls(
        tmp_path,
        f"methods: {{Reserve: {policy}}}",
        "  chaos: {enabled: true, faults: [{dependencies: [stock], percent: 5, latency: 1s}]}\n",
    )
    assert found["Reserve"].chain == (
        "span",
        "metrics",
        "fallback",
        "total_timeout",
        "idempotency_key",
        "retry",
        "rate_limit",
        "circuit_breaker",
        "bulkhead",
        "attempt_timeout",
        "attempt_span",
        "attempt_metrics",
        "fault_injection",
    )
    assert "fallback" not in found["Count"].chain
    assert found["Count"].chain[-1] == "fault_injection", "a fault is about every call to its dependency"


@pytest.mark.parametrize("policy", ["fallback: {kind: cache}", "circuitBreaker: {fallback: local-cache}"])
def test_a_fallback_of_the_whole_dependency_passes_over_its_streams(tmp_path: Path, policy: str) -> None:
    found = calls(tmp_path, policy)
    assert {name for name, call in found.items() if "fallback" in call.chain} == {"Reserve", "Count", "List"}


def test_a_fallback_may_be_turned_off_for_one_method(tmp_path: Path) -> None:
    found = calls(
        tmp_path,
        "{fallback: local-cache, methods: {Count: {fallback: none}}}"[1:-1].replace(", methods", "\n      methods"),
    )
    assert "fallback" not in found["Count"].chain
    assert "fallback" in found["Reserve"].chain


@pytest.mark.parametrize(
    ("policy", "finding"),
    [
        (
            "methods: {Count: {fallback: {kind: static, value: {cuont: 1}}}}",
            "6:50: fallback-value: fallback.value is no stock.Item, which stock.Stock.Count answers",
        ),
        (
            "methods: {Count: {circuitBreaker: {fallback: {kind: static, value: 7}}}}",
            "6:67: fallback-value: circuitBreaker.fallback.value is no stock.Item",
        ),
        (
            "methods: {Watch: {fallback: local-cache}}",
            "6:35: fallback-of-a-stream: fallback: stock.Stock.Watch streams",
        ),
        ("methods: {Count: {fallback: {kind: handler, handler: import}}}", "6:51: fallback-handler: fallback.handler"),
        ("methods: {Count: {fallback: {kind: static}}}", "value"),
        ("rateLimiter: {requestsPerSecond: 5, key: {from: 'metadata:tenant-bin'}}", "'-bin' metadata is no text"),
        ("rateLimiter: {requestsPerSecond: 5, key: {from: 'auth.claim:tenant'}}", "what nobody has without spec.auth"),
        ("rateLimiter: {requestsPerSecond: 5, store: redis}", "unknown-store"),
        ("rateLimiter: {burstCapacity: 5}", "rateLimiter needs requestsPerSecond, slidingWindow or both"),
    ],
)
def test_what_calls_cannot_have_is_told_at_its_place(tmp_path: Path, policy: str, finding: str) -> None:
    (found,) = set(refused(tmp_path, policy))
    assert finding in found


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        (
            "{dependencies: [stock], percent: 60, abort: ABORTED}",
            "too-many-faults: faults would hit 60 % of the calls of stock",
        ),
        ("{dependencies: [stok], percent: 1, abort: ABORTED}", "there is no dependency 'stok'"),
        (
            "{dependencies: [stock], methods: [Buy], percent: 1, abort: ABORTED}",
            "useless-key: spec.chaos.faults[0].methods",
        ),
        ("{dependencies: [stock], percent: 1, latency: 11s}", "latency: 11s is more than maxLatency (10s)"),
    ],
)
def test_faults_of_dependencies_that_go_too_far_or_nowhere_are_told(tmp_path: Path, fault: str, finding: str) -> None:
    (found,) = refused(tmp_path, "optional: false", f"  chaos: {{enabled: true, faults: [{fault}]}}\n")
    assert finding in found


def test_faults_of_a_dependency_hit_no_method_of_the_service(tmp_path: Path) -> None:
    after = "  chaos: {enabled: true, faults: [{dependencies: [stock], percent: 5, abort: ABORTED}]}\n"
    made = plan(tmp_path, f"{HEAD}{after}")
    assert all("fault_injection" not in method.chain for method in made.methods)
    assert [fault.abort for fault in made.dependencies[0].faults] == ["ABORTED"]

"""Rate limits and idempotency, held against the contract and against each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.contract.load import load as load_contract
from generator.errors import InputError
from generator.plan.build import build
from generator.plan.model import Plan
from generator.spec.load import load_text

CONTRACT = """\
syntax = "proto3";
package shop;
service Shop {
  rpc Get(Request) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Create(Request) returns (Item);
  rpc Delete(Other) returns (Item) { option idempotency_level = IDEMPOTENT; }
  rpc Watch(Request) returns (stream Item);
}
message Request { string request_id = 1; repeated string tags = 2; int64 number = 3; }
message Other {}
message Item {}
"""


def plan(folder: Path, spec: str) -> Plan:
    (folder / "shop.proto").write_text(CONTRACT)
    contract = load_contract(["shop.proto"], [folder], ())
    return build(contract, load_text(f"spec:\n{spec}", "resilience.yaml"), name="shop", package="shop")


def findings(folder: Path, spec: str) -> list[tuple[str, int]]:
    with pytest.raises(InputError) as caught:
        plan(folder, spec)
    return [(finding.id, finding.place.line) for finding in caught.value.findings]


def with_stage(made: Plan, stage: str) -> list[str]:
    return [method.rpc.name for method in made.methods if stage in method.chain]


def test_a_rate_limit_of_the_service_holds_for_every_method(tmp_path: Path) -> None:
    made = plan(tmp_path, "  rateLimiter: {requestsPerSecond: 5}\n  methods: {Get: {rateLimiter: false}}\n")
    assert with_stage(made, "rate_limit") == ["Create", "Delete", "Watch"]


def test_answers_are_kept_of_unary_calls_that_change_something(tmp_path: Path) -> None:
    made = plan(tmp_path, "  idempotency: {}\n")
    assert with_stage(made, "idempotency") == ["Create", "Delete"]
    assert not [setting for method in made.methods[3:] for setting in method.settings if "idempotency" in setting.path]


@pytest.mark.parametrize(
    "spec",
    ["  methods: {Get: {idempotency: {}}}\n", "  profiles: {w: {idempotency: {}}}\n  methods: {Get: {profile: w}}\n"],
)
def test_a_method_without_side_effects_may_be_held_to_more(tmp_path: Path, spec: str) -> None:
    assert with_stage(plan(tmp_path, spec), "idempotency") == ["Get"]


def test_idempotency_of_a_streams_own_is_refused(tmp_path: Path) -> None:
    assert findings(tmp_path, "  methods:\n    Watch:\n      idempotency: {}\n") == [("idempotency-of-a-stream", 4)]


@pytest.mark.parametrize("field", ["request", "tags", "number"])
def test_a_field_that_carries_no_key_is_refused(tmp_path: Path, field: str) -> None:
    spec = f"  methods:\n    Create:\n      idempotency:\n        field: {field}\n"
    assert findings(tmp_path, spec) == [("idempotency-field", 5)]


def test_a_field_that_one_of_the_requests_does_not_have_is_refused(tmp_path: Path) -> None:
    assert findings(tmp_path, "  idempotency:\n    field: request_id\n") == [("idempotency-field", 3)]


def test_a_key_is_locked_for_as_long_as_its_call_may_take(tmp_path: Path) -> None:
    made = plan(tmp_path, "  deadline: {max: 2m}\n  idempotency: {}\n")
    assert {method.policy.idempotency.lock_ttl for method in made.methods if method.policy.idempotency} == {120.0}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("  idempotency:\n    lockTtl: 5s\n", ("lock-too-short", 3)),
        ("  rateLimiter:\n    timeout: 1s\n", ("missing-key", 2)),
        ("  rateLimiter:\n    slidingWindow: {limit: 5}\n    burstCapacity: 5\n", ("useless-key", 4)),
        ("  rateLimiter:\n    requestsPerSecond: 5\n    store: redis\n", ("unknown-store", 4)),
        ("  rateLimiter:\n    requestsPerSecond: 5\n    key: {from: 'metadata:x-bin'}\n", ("wrong-value", 4)),
        ("  rateLimiter:\n    requestsPerSecond: 5\n    key: {from: principal}\n", ("wrong-value", 4)),
        ("  rateLimiter:\n    requestsPerSecond: 5\n    key: {from: 'auth.claim:tenant'}\n", ("wrong-value", 4)),
        ("  rateLimiter:\n    requestsPerSecond: 1e-300\n", ("wrong-value", 3)),
        ("  deadline:\n    default: 1s\n    minRemaining: 1s\n", ("values-out-of-order", 4)),
        ("  deadline:\n    default: 1s\n    reserve: 2s\n", ("values-out-of-order", 4)),
        ("  deadline:\n    minRemaining: 1h\n", ("values-out-of-order", 3)),
        (
            "  deadline: {minRemaining: 1s}\n  methods:\n    Get: {deadline: {default: 500ms}}\n",
            ("values-out-of-order", 4),
        ),
        ("  methods:\n    Get:\n      streaming: {idleTimeout: 5s}\n", ("useless-key", 4)),
        ("  idempotency:\n    header: grpc-key\n", ("wrong-value", 3)),
        ("  idempotency:\n    header: 'a b'\n", ("wrong-value", 3)),
        ("  idempotency:\n    header: Authorization\n", ("wrong-value", 3)),
        (
            "  dependencies:\n    r: {protocol: redis, target: 'redis://r', bulkhead: {maxConcurrentCalls: 5}}\n",
            ("useless-key", 3),
        ),
        ("  dependencies:\n    r: {protocol: redis, target: 'redis://r', timeout: {total: 1s}}\n", ("useless-key", 3)),
        ("  dependencies:\n    r: {protocol: redis, target: 'r:6379'}\n", ("wrong-value", 3)),
    ],
)
def test_what_would_not_work_is_told_at_its_line(tmp_path: Path, spec: str, expected: tuple[str, int]) -> None:
    assert expected in findings(tmp_path, spec)

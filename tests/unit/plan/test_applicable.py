"""Mechanisms stand where they can do something: fallbacks that fit the contract, limits that can be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.contract.load import load as load_contract
from generator.errors import InputError
from generator.plan.build import build
from generator.plan.model import MethodPlan, Plan
from generator.spec.load import load_text
from tests.unit.plan.test_build import HEAD

CONTRACT = """\
syntax = "proto3";
package shop.v1;
service Orders {
  rpc Get(Name) returns (Order);
  rpc Quote(Name) returns (Price);
  rpc Watch(Name) returns (stream Order);
}
message Name { string name = 1; }
message Order { string name = 1; repeated string lines = 2; }
message Price { int64 amount = 1; }
"""


def planned(folder: Path, spec: str) -> Plan:
    (folder / "shop.proto").write_text(CONTRACT)
    text = f"{HEAD}spec:\n  {spec}\n"
    return build(
        load_contract(["shop.proto"], [folder]), load_text(text, "resilience.yaml"), name="shop", package="shop"
    )


def method(made: Plan, name: str) -> MethodPlan:
    return next(method for method in made.methods if method.rpc.name == name)


@pytest.mark.parametrize(
    ("spec", "finding"),
    [
        (
            "methods: {Get: {fallback: {kind: static, value: {nmae: a}}}}",
            '5:44: fallback-value: fallback.value is no shop.v1.Order, which shop.v1.Orders.Get answers: Message type "shop',
        ),
        (
            "methods: {Get: {circuitBreaker: {fallback: {kind: static, value: 7}}}}",
            "5:61: fallback-value: circuitBreaker.fallback.value is no shop.v1.Order",
        ),
        (
            "fallback: {kind: static, value: {amount: '5'}}",
            "5:28: fallback-value: fallback.value is no shop.v1.Order, which shop.v1.Orders.Get answers",
        ),
        (
            "methods: {Get: {fallback: {kind: handler, handler: get}}}",
            "5:45: fallback-handler: fallback.handler: 'get'",
        ),
        ("methods: {Get: {fallback: {kind: handler, handler: clients}}}", "5:45: fallback-handler: fallback.handler"),
        ("methods: {Get: {fallback: {kind: handler, handler: from-list}}}", "5:45: fallback-handler: fallback.handler"),
        ("methods: {Get: {fallback: {kind: handler, handler: class}}}", "5:45: fallback-handler: fallback.handler"),
        (
            "fallback: {kind: handler, handler: guess}",
            "5:29: fallback-handler: fallback.handler: 'guess' cannot answer both shop.v1.Orders.Get and shop.v1.Orders.Q",
        ),
        ("methods: {Watch: {fallback: cache}}", "5:31: fallback-of-a-stream: fallback: shop.v1.Orders.Watch streams"),
    ],
)
def test_what_a_method_cannot_fall_back_on_is_refused(tmp_path: Path, spec: str, finding: str) -> None:
    with pytest.raises(InputError) as caught:
        planned(tmp_path, spec)
    assert [str(each) for each in caught.value.findings if finding in str(each)], str(caught.value)


def test_a_value_in_the_json_form_of_the_response_is_accepted(tmp_path: Path) -> None:
    made = planned(tmp_path, "methods: {Quote: {fallback: {kind: static, value: {amount: '5'}}}}")
    assert "fallback" in method(made, "Quote").chain


def test_an_inherited_fallback_is_none_of_a_streams(tmp_path: Path) -> None:
    made = planned(
        tmp_path, "fallback: cache\n  circuitBreaker: {failureThreshold: 3, fallback: {kind: cache, ttl: 5s}}"
    )
    unary, stream = method(made, "Get"), method(made, "Watch")
    assert {"fallback", "circuit_breaker"} <= set(unary.chain)
    assert "circuit_breaker" in stream.chain
    assert "fallback" not in stream.chain
    assert not [setting.path for setting in stream.settings if "fallback" in setting.path]
    assert stream.policy.fallback is None


def test_no_fallback_is_no_stage(tmp_path: Path) -> None:
    made = planned(tmp_path, "fallback: none\n  circuitBreaker: {failureThreshold: 3, fallback: none}")
    assert "fallback" not in method(made, "Get").chain


@pytest.mark.parametrize(
    ("streaming", "finding"),
    [
        ("idleTimeout: 31s", "5:15: values-out-of-order: streaming.idleTimeout (31s) is more than deadline.max (30s)"),
        ("maxDuration: 1h", "5:15: values-out-of-order: streaming.maxDuration (1h) is more than deadline.max (30s), "),
    ],
)
def test_a_limit_that_no_stream_would_reach_is_refused(tmp_path: Path, streaming: str, finding: str) -> None:
    with pytest.raises(InputError) as caught:
        planned(tmp_path, f"streaming: {{{streaming}}}")
    assert [str(each) for each in caught.value.findings if finding in str(each)], str(caught.value)


def test_limits_of_streams_are_none_of_a_unary_calls(tmp_path: Path) -> None:
    made = planned(tmp_path, "streaming: {idleTimeout: 5s}\n  concurrencyLimiter: {algorithm: fixed, limit: 3}")
    unary, stream = method(made, "Get"), method(made, "Watch")
    assert ("streaming" in unary.chain, "concurrency_limit" in unary.chain) == (False, True)
    assert ("streaming" in stream.chain, "concurrency_limit" in stream.chain) == (True, False)
    assert not [setting.path for setting in unary.settings if setting.path.startswith("streaming")]

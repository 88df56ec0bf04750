"""`explain` shows each method's chain, and where every value comes from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from generator.contract.load import load as load_contract
from generator.errors import InputError
from generator.plan.build import build
from generator.plan.dependencies import dependency_contracts
from generator.plan.explain import to_json, to_text
from generator.plan.model import Plan
from generator.spec.load import load, load_text
from generator.spec.peers import load_peers

EXAMPLE = Path(__file__).parents[3] / "examples" / "orders"


@pytest.fixture(scope="module")
def plan() -> Plan:
    spec = load(EXAMPLE / "resilience.yaml")
    contract = load_contract(["orders/v1/orders.proto"], [EXAMPLE / "protos"], dependency_contracts(spec))
    peers = load_peers(spec, [EXAMPLE / "protos"])
    return build(contract, spec, name="orders", package="orders", peers=peers)


def _chain(plan: Plan, name: str) -> tuple[str, ...]:
    return next(method.chain for method in plan.methods if method.rpc.name == name)


def test_a_method_shows_its_routes_its_chain_and_the_line_behind_each_value(plan: Plan) -> None:
    text = to_text(plan, "CreateOrder")
    assert re.search(r"route  POST /v1/{parent=customers/\*}/orders  body: order  \(.*orders.proto:\d+:\d+\)", text)
    assert tuple(re.findall(r"^ +\d+ (\w+)", text, re.MULTILINE)) == _chain(plan, "CreateOrder")
    deadline = next(line for line in text.splitlines() if "deadline.default" in line)
    assert "5s" in deadline
    assert "profile write" in deadline
    assert "resilience.yaml:13:" in deadline


def test_a_method_that_no_route_leads_to_says_so(tmp_path: Path) -> None:
    (tmp_path / "bare.proto").write_text('syntax = "proto3"; service Bare { rpc Do(M) returns (M); } message M {}')
    contract = load_contract(["bare.proto"], [tmp_path])
    text = to_text(build(contract, load_text("spec: {}", "resilience.yaml"), name="bare", package="bare"))
    assert "no route: gRPC only" in text


def test_without_a_selector_every_method_and_every_error_row_is_there(plan: Plan) -> None:
    text = to_text(plan)
    assert all(method.rpc.path in text for method in plan.methods)
    assert all(row.reason in text for row in plan.errors)


def test_json_holds_the_same_facts_for_programs(plan: Plan) -> None:
    document = json.loads(to_json(plan, "OrderService/GetOrder"))
    (method,) = document["methods"]
    assert method["chain"] == list(plan.methods[0].chain)
    assert [route["template"] for route in method["routes"]] == ["/v1/{name=customers/*/orders/*}", "/v1/orders/{name}"]
    assert {"path": "criticality", "value": "CRITICAL", "level": "spec"}.items() <= method["settings"][-1].items()
    assert document["errors"]["rows"][0]["reason"] == "OUT_OF_STOCK"


def test_a_selector_that_matches_nothing_names_what_there_is(plan: Plan) -> None:
    with pytest.raises(InputError, match="no method of the contract matches 'Nope'; there are OrderService"):
        to_text(plan, "Nope")

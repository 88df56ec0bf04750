"""Contract and spec become one plan, and everything wrong between the two is found at once."""

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
package shop.v1;
import "google/api/annotations.proto";
service Orders {
  rpc Get(Empty) returns (Empty) { option (google.api.http) = {get: "/v1/orders"}; }
  rpc Watch(Empty) returns (stream Empty);
}
service Stock {
  rpc Get(Empty) returns (Empty) { option (google.api.http) = {get: "/v1/%s"}; }
}
message Empty {}
"""
TWICE = 'rpc Again(Empty) returns (Empty) { option (google.api.http) = {get: "/v1/orders"}; }'
HEAD = "apiVersion: resilience.sre.io/v1\nkind: ServiceResiliencePolicy\nmetadata: {name: shop}\n"


def plan(folder: Path, spec: str, stock: str = "stock") -> Plan:
    (folder / "shop.proto").write_text(CONTRACT % stock)
    return build(
        load_contract(["shop.proto"], [folder]), load_text(HEAD + spec, "resilience.yaml"), name="shop", package="shop"
    )


def settings(made: Plan, path: str) -> dict[str, tuple[object, str, int]]:
    method = next(method for method in made.methods if method.rpc.path == path)
    return {each.path: (each.value, each.level, each.place.line if each.place else 0) for each in method.settings}


def test_every_value_tells_the_level_and_the_line_that_set_it(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """\
spec:
  deadline: {default: 2s, max: 20s}
  profiles:
    read: {deadline: {max: 15s}}
  methods:
    Orders/*: {deadline: {reserve: 50ms}}
    Orders/Get: {profile: read, deadline: {default: 1s}}
""",
    )
    found = settings(made, "/shop.v1.Orders/Get")
    assert found["deadline.default"] == ("1s", "method", 10)
    assert found["deadline.reserve"] == ("50ms", "service", 9)
    assert found["deadline.max"] == ("15s", "profile read", 7)
    assert found["criticality"] == ("CRITICAL", "built-in", 0)
    assert settings(made, "/shop.v1.Stock/Get")["deadline.default"] == ("2s", "spec", 5)


def test_a_stage_that_is_off_is_not_in_the_chain(tmp_path: Path) -> None:
    made = plan(tmp_path, "spec: {observability: {metrics: {exporter: none}}}\n")
    assert all("metrics" not in method.chain for method in made.methods)
    assert all("metrics" in method.chain for method in plan(tmp_path, "spec: {}\n").methods)


def test_all_findings_of_contract_and_spec_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        plan(tmp_path, "spec:\n  slos: [{name: a, objective: 99}]\n  methods:\n    Gett: {}\n    Watc: {}\n")
    assert [(finding.id, finding.place.line) for finding in caught.value.findings] == [
        ("not-supported-yet", 5),
        ("unknown-method", 7),
        ("unknown-method", 8),
    ]


def test_of_two_routes_alike_in_two_services_the_first_is_served_and_a_warning_says_so(tmp_path: Path) -> None:
    made = plan(tmp_path, "spec: {}\n", stock="orders")
    assert [route.rpc.full_name for route in made.routes] == ["shop.v1.Orders.Get"]
    assert [finding.id for finding in made.warnings] == ["duplicate-route"]


def test_two_routes_alike_are_refused_where_the_spec_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        plan(tmp_path, "spec: {server: {rest: {duplicateRoutes: error}}}\n", stock="orders")
    assert [finding.place.line for finding in caught.value.findings] == [9]


def test_a_row_is_filled_in_from_its_code(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        """\
spec:
  errors:
    table:
      GONE_AWAY: {grpc: UNAVAILABLE, message: {en: "{who} went to {where}, said {who}"}}
      TOO_LATE: {grpc: FAILED_PRECONDITION, retryAfter: 2s}
    byCode:
      NOT_FOUND: {code: E404}
""",
    )
    gone, late, missing = made.errors
    assert (gone.http, gone.retryable, gone.retry_after, gone.placeholders) == (503, True, None, ("who", "where"))
    assert (late.http, late.retryable, late.retry_after) == (400, True, 2.0)
    assert (missing.by_code, missing.code, missing.http, missing.business_code) == (True, "NOT_FOUND", 404, "E404")
    assert made.domain == "shop"


def test_the_service_is_called_what_its_spec_says_and_else_like_the_project(tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text('syntax = "proto3"; service S {}')
    contract = load_contract(["shop.proto"], [tmp_path])
    for metadata, name in (("{name: store}", "store"), ("{}", "project")):
        spec = load_text(f"metadata: {metadata}\n", "resilience.yaml")
        made = build(contract, spec, name="project", package="project")
        assert (made.name, made.domain) == (name, name)


def test_every_rpc_has_a_route_where_the_spec_says_so(tmp_path: Path) -> None:
    made = plan(tmp_path, "spec: {server: {rest: {expose: all}}}\n")
    routes = [(route.rule.verb, route.rule.template.text, route.rule.body) for route in made.routes]
    assert routes == [
        ("GET", "/v1/orders", ""),
        ("POST", "/shop.v1.Orders/Watch", "*"),
        ("GET", "/v1/stock", ""),
    ]
    assert str(made.routes[1].rule.place) == "resilience.yaml:4:32"
    assert len(plan(tmp_path, "spec: {}\n").routes) == 2


def test_two_routes_alike_are_allowed_inside_a_service_where_the_spec_says_so(tmp_path: Path) -> None:
    text = (CONTRACT % "stock").replace("rpc Watch(Empty) returns (stream Empty);", TWICE)
    (tmp_path / "shop.proto").write_text(text)
    contract = load_contract(["shop.proto"], [tmp_path])

    def build_with(mode: str) -> Plan:
        spec = load_text(f"{HEAD}spec: {{server: {{rest: {{duplicateRoutes: {mode}}}}}}}\n", "resilience.yaml")
        return build(contract, spec, name="shop", package="shop")

    made = build_with("firstWins")
    assert [route.rpc.full_name for route in made.routes] == ["shop.v1.Orders.Get", "shop.v1.Stock.Get"]
    assert made.warnings == ()
    for mode in ("warn", "error"):
        with pytest.raises(
            InputError, match=r"shop\.proto:6:\d+: duplicate-route: shop\.v1\.Orders\.Again: GET /v1/orders"
        ):
            build_with(mode)

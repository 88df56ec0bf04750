"""What a service calls is in its plan, with the line of each value; what cannot be called is told at its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.contract.load import load as load_contract
from generator.errors import InputError
from generator.plan.build import build
from generator.plan.dependencies import dependency_contracts
from generator.plan.explain import to_json, to_text
from generator.plan.model import Plan
from generator.spec.load import load_text

FILES = {
    "shop.proto": """\
syntax = "proto3"; package shop;
message M {}
service Shop { rpc Buy(M) returns (M); }
""",
    "stock.proto": """\
syntax = "proto3"; package stock;
message Item { string key = 1; int32 count = 2; }
service Stock {
  rpc Reserve(Item) returns (Item);
  rpc Watch(Item) returns (stream Item);
  rpc Count(Item) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Load(stream Item) returns (Item) { option idempotency_level = IDEMPOTENT; }
}
service Audit { rpc List(Item) returns (Item); }
""",
    "types.proto": 'syntax = "proto3"; package types; message T {} service Empty {}',
}


def plan(folder: Path, dependencies: str) -> Plan:
    for name, text in FILES.items():
        (folder / name).write_text(text)
    spec = load_text(f"spec:\n  dependencies:\n{dependencies}", "resilience.yaml")
    contract = load_contract(["shop.proto"], [folder], dependency_contracts(spec))
    return build(contract, spec, name="shop", package="shop")


def findings(folder: Path, dependencies: str) -> list[tuple[str, int]]:
    with pytest.raises(InputError) as caught:
        plan(folder, dependencies)
    return [(finding.id, finding.place.line) for finding in caught.value.findings]


STOCK = """\
    stock:
      contract: stock.proto
      target: dns:///stock:50051
      timeout: {attempt: 300ms, total: 900ms}
"""


def test_a_dependency_has_its_services_its_policy_and_the_line_of_each_value(tmp_path: Path) -> None:
    (stock,) = plan(tmp_path, STOCK).dependencies
    assert (stock.name, stock.protocol, stock.target) == ("stock", "grpc", "dns:///stock:50051")
    assert [rpc.full_name for rpc in stock.rpcs] == [
        "stock.Stock.Reserve",
        "stock.Stock.Watch",
        "stock.Stock.Count",
        "stock.Stock.Load",
        "stock.Audit.List",
    ]
    assert [(each.path, each.value, each.place.line if each.place else 0) for each in stock.settings] == [
        ("timeout.attempt", "300ms", 6),
        ("timeout.total", "900ms", 6),
    ]


def test_what_holds_for_its_connections_is_told_with_its_line_too(tmp_path: Path) -> None:
    text = f"{STOCK}      tls: {{mode: tls, ca: ca.crt}}\n      maxConnectionAge: 5m\n"
    (stock,) = plan(tmp_path, text).dependencies
    told = [(each.path, each.value, each.level, each.place.line if each.place else 0) for each in stock.settings]
    assert told[:3] == [
        ("tls.mode", "tls", "dependency", 7),
        ("tls.ca", "ca.crt", "dependency", 7),
        ("maxConnectionAge", "5m", "dependency", 8),
    ]


def test_what_is_called_is_not_served(tmp_path: Path) -> None:
    made = plan(tmp_path, STOCK)
    assert [method.rpc.path for method in made.methods] == ["/shop.Shop/Buy"]


def test_without_dependencies_nothing_is_called(tmp_path: Path) -> None:
    assert plan(tmp_path, "    {}\n").dependencies == ()


def test_a_contract_that_is_not_there_is_told_at_the_line_that_names_it(tmp_path: Path) -> None:
    assert findings(tmp_path, STOCK.replace("stock.proto", "nope.proto")) == [("contract-not-found", 4)]


def test_a_contract_without_an_rpc_is_told_at_the_line_that_names_it(tmp_path: Path) -> None:
    assert findings(tmp_path, STOCK.replace("stock.proto", "types.proto")) == [("contract-without-service", 4)]


FX = """\
    fx:
      protocol: http
      target: https://fx.internal/v2
      retry: {maxAttempts: 2}
      methods:
        GET /rates/{base}: {hedging: {delay: 100ms}}
        POST /orders: {idempotency: {header: Idempotency-Key}}
"""


def test_requests_over_http_have_a_policy_by_method_and_path_and_all_others_one_together(tmp_path: Path) -> None:
    made = plan(tmp_path, FX)
    (fx,) = made.dependencies
    assert (fx.protocol, fx.target, fx.contract, fx.rpcs) == ("http", "https://fx.internal/v2", "", ())
    found = {call.rpc.name: [stage for stage in call.chain if stage in ("retry", "hedging")] for call in fx.calls}
    assert found == {
        "GET /rates/{base}": ["hedging"],
        "POST /orders": ["retry"],
        "DELETE, GET, HEAD, OPTIONS, PUT": ["retry"],
        "PATCH, POST": [],
    }
    text = to_text(made)
    assert "request  GET /rates/{base}  idempotent" in text
    assert "any other  PATCH, POST\n" in text
    (shown,) = json.loads(to_json(made))["dependencies"]
    assert [method["path"] for method in shown["methods"]] == list(found)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (("POST /orders", "RATES"), ("unknown-method", 9)),
        (("POST /orders", "GET /rates/{b}"), ("duplicate-key", 9)),
        (("POST /orders", "GET /a/../b"), ("wrong-value", 9)),
        (("{header: Idempotency-Key}", "{field: key}"), ("useless-key", 9)),
        (("{hedging: {delay: 100ms}}", "{fallback: {kind: handler, handler: class}}"), ("fallback-handler", 8)),
        (
            ("{hedging: {delay: 100ms}}", "{fallback: {kind: handler, handler: abstractmethod}}"),
            ("fallback-handler", 8),
        ),
        (
            ("POST /orders: {idem", "PATCH /o: {retry: {maxAttempts: 2}}\n        POST /orders: {idem"),
            ("not-repeatable", 9),
        ),
        (("retry: {maxAttempts: 2}", "maxConnectionAgeGrace: 1m"), ("useless-key", 6)),
        (("https://fx.internal/v2", "https://u:p@fx.internal"), ("wrong-value", 5)),
        (("https://fx.internal/v2", "https://fx.internal?key=1"), ("wrong-value", 5)),
        (("https://fx.internal/v2", "https://fx.internal:x"), ("wrong-value", 5)),
        (("https://fx.internal/v2", "https:///v2"), ("wrong-value", 5)),
        (("https://fx.internal/v2", "grpc://fx"), ("wrong-value", 5)),
    ],
)
def test_what_no_request_can_be_is_told_at_its_line(
    tmp_path: Path, changed: tuple[str, str], expected: tuple[str, int]
) -> None:
    assert findings(tmp_path, FX.replace(*changed)) == [expected]


@pytest.mark.parametrize("name", ["GET rates", "get /rates", "TRACE /x", "GET /a b", "GET /{a", "GET /a?b=c", "GET"])
def test_what_is_neither_a_name_nor_a_request_is_refused(tmp_path: Path, name: str) -> None:
    assert findings(tmp_path, FX.replace("POST /orders", f'"{name}"')) in (
        [("wrong-value", 9)],
        [("unknown-method", 9)],
    )


def test_only_answers_over_http_have_a_bound_here(tmp_path: Path) -> None:
    assert findings(tmp_path, STOCK + "      maxResponseBytes: 1MiB\n") == [("useless-key", 7)]


def test_a_redis_has_no_contract_and_its_own_bounds(tmp_path: Path) -> None:
    text = "    cache: {protocol: redis, target: redis://cache, timeout: {connect: 100ms, attempt: 20ms}}\n"
    (cache,) = plan(tmp_path, text).dependencies
    assert (cache.protocol, cache.contract, cache.rpcs) == ("redis", "", ())
    assert cache.policy.timeout is not None
    assert (cache.policy.timeout.connect, cache.policy.timeout.attempt) == (0.1, 0.02)


def test_timeouts_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    assert findings(tmp_path, STOCK.replace("300ms", "3s")) == [("values-out-of-order", 6)]


def test_two_names_that_no_environment_variable_tells_apart_are_refused(tmp_path: Path) -> None:
    one = "    {name}: {{contract: stock.proto, target: a}}\n"
    text = one.format(name="stock-rates") + one.format(name="stock_rates")
    assert findings(tmp_path, text) == [("duplicate-key", 4)]


def test_explain_shows_whom_the_service_calls(tmp_path: Path) -> None:
    made = plan(tmp_path, STOCK)
    text = to_text(made)
    assert "  stock  grpc  dns:///stock:50051  stock.proto  (resilience.yaml:3:5)" in text
    assert "dependency (resilience.yaml:6:" in text
    assert "rpc  Watch  server_stream  /stock.Stock/Watch" in text
    assert "stock" not in to_text(made, "Buy")
    (stock,) = json.loads(to_json(made))["dependencies"]
    assert [setting["value"] for setting in stock["settings"]] == ["300ms", "900ms"]
    assert [method["path"] for method in stock["methods"]] == [
        "/stock.Stock/Reserve",
        "/stock.Stock/Watch",
        "/stock.Stock/Count",
        "/stock.Stock/Load",
        "/stock.Audit/List",
    ]


def chains(made: Plan) -> dict[str, tuple[str, ...]]:
    (stock,) = made.dependencies
    return {call.rpc.name: call.chain for call in stock.calls}


def test_only_rpcs_that_may_happen_twice_are_tried_again(tmp_path: Path) -> None:
    found = chains(plan(tmp_path, STOCK + "      retry: {maxAttempts: 3}\n      hedging: {delay: 100ms}\n"))
    assert {name: [stage for stage in chain if stage in ("retry", "hedging")] for name, chain in found.items()} == {
        "Reserve": [],
        "Watch": [],
        "Count": ["hedging"],
        "Load": [],
        "List": [],
    }


def test_a_key_makes_every_call_but_those_that_send_streams_repeatable(tmp_path: Path) -> None:
    found = chains(plan(tmp_path, STOCK + "      retry: {maxAttempts: 3}\n      idempotency: {field: key}\n"))
    assert [name for name, chain in found.items() if "retry" in chain] == ["Reserve", "Watch", "Count", "List"]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("Reserve: {retry: {maxAttempts: 2}}", "not-repeatable"),
        ("Reserve: {hedging: {delay: 1s}}", "not-repeatable"),
        ("Load: {retry: {maxAttempts: 2}, idempotency: {header: Idempotency-Key}}", "not-repeatable"),
        ("Watch: {hedging: {delay: 1s}, idempotency: {header: Idempotency-Key}}", "not-repeatable"),
        ("Count: {idempotency: {field: count}}", "idempotency-field"),
        ("Count: {idempotency: {field: nothing}}", "idempotency-field"),
        ("Cuont: {retry: {maxAttempts: 2}}", "unknown-method"),
    ],
)
def test_what_a_method_asks_for_and_cannot_have_is_told_at_its_line(tmp_path: Path, method: str, expected: str) -> None:
    assert findings(tmp_path, f"{STOCK}      methods:\n        {method}\n") == [(expected, 8)]


def test_a_method_that_is_called_in_another_way_has_a_policy_of_its_own(tmp_path: Path) -> None:
    (stock,) = plan(tmp_path, STOCK + "      methods: {Count: {timeout: {attempt: 50ms}}}\n").dependencies
    attempts = {call.rpc.name: call.policy.timeout.attempt for call in stock.calls if call.policy.timeout}
    assert attempts == {"Reserve": 0.3, "Watch": 0.3, "Count": 0.05, "Load": 0.3, "List": 0.3}


@pytest.mark.parametrize(
    ("calls", "deadline", "told"),
    [
        ("[[stock]]", "900ms", False),
        ("[[stock]]", "800ms", True),
        ("[[stock], [slow]]", "3s", False),
        ("[[stock], [slow]]", "2800ms", True),
        ("[[stock, slow]]", "2s", False),
        ("[[stock], [unbounded]]", "1s", False),
        ("[]", "1s", False),
    ],
)
def test_a_deadline_that_is_too_short_for_the_work_is_warned_of(
    tmp_path: Path, calls: str, deadline: str, told: bool
) -> None:
    others = STOCK.replace("    stock:", "    slow:").replace("900ms", "2s").replace("300ms", "2s")
    unbounded = "    unbounded: {contract: stock.proto, target: dns:///x:1}\n"
    methods = f"  methods:\n    Buy: {{deadline: {{default: {deadline}}}, calls: {calls}}}\n"
    made = plan(tmp_path, STOCK + others + unbounded + methods)
    assert [warning.id for warning in made.warnings] == (["deadline-too-short"] if told else [])
    assert ("calls  stock" in to_text(made, "Buy")) is (calls != "[]")

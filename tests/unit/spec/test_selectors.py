"""Selectors: which methods they mean, which one is more specific, and what is said when none is meant."""

from __future__ import annotations

import pytest

from generator.contract.model import Kind, Rpc, Service
from generator.errors import InputError, Place
from generator.spec.load import load_text
from generator.spec.selectors import candidates, check_selectors, match, parse_selector

AT = Place("s.yaml", 1, 1)


def service(full_name: str, *methods: str) -> Service:
    rpcs = tuple(
        Rpc(name, f"{full_name}.{name}", f"/{full_name}/{name}", Kind.UNARY, "a.In", "a.Out", (), "", False, "", AT)
        for name in methods
    )
    return Service(full_name.rpartition(".")[2], full_name, "a.proto", rpcs, False, "", AT)


SERVICES = (service("shop.v1.Orders", "Get", "List"), service("shop.v2.Orders", "Get"), service("Carts", "Get", "Add"))


@pytest.mark.parametrize(
    ("selector", "paths"),
    [
        ("Get", ["/shop.v1.Orders/Get", "/shop.v2.Orders/Get", "/Carts/Get"]),
        ("Add", ["/Carts/Add"]),
        ("Orders/Get", ["/shop.v1.Orders/Get", "/shop.v2.Orders/Get"]),
        ("shop.v2.Orders/Get", ["/shop.v2.Orders/Get"]),
        ("Orders/*", ["/shop.v1.Orders/Get", "/shop.v1.Orders/List", "/shop.v2.Orders/Get"]),
        ("shop.v1.Orders/*", ["/shop.v1.Orders/Get", "/shop.v1.Orders/List"]),
        ("Carts/*", ["/Carts/Get", "/Carts/Add"]),
        ("v1.Orders/Get", []),
        ("get", []),
        ("Orders/Add", []),
    ],
)
def test_a_selector_means_these_methods(selector: str, paths: list[str]) -> None:
    assert [rpc.path for rpc in match(parse_selector(selector, AT), SERVICES)] == paths


@pytest.mark.parametrize(
    "text", ["", "*", "/Get", "Orders/", "a.b", "Orders/G*", "shop.Orders.Get", "a/b/c", "Get\n", "Gét"]
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="wrong-selector"):
        parse_selector(text, AT)


def test_candidates_are_exactly_the_selectors_that_match_weakest_first() -> None:
    assert candidates("shop.v1.Orders", "Get") == (
        "Orders/*",
        "shop.v1.Orders/*",
        "Get",
        "Orders/Get",
        "shop.v1.Orders/Get",
    )
    assert candidates("Carts", "Get") == ("Carts/*", "Get", "Carts/Get")
    for text in candidates("shop.v2.Orders", "Get"):
        assert "/shop.v2.Orders/Get" in [rpc.path for rpc in match(parse_selector(text, AT), SERVICES)]


@pytest.mark.parametrize(("text", "level"), [("Orders/*", "service"), ("Get", "method"), ("Orders/Get", "method")])
def test_a_selector_knows_its_level(text: str, level: str) -> None:
    assert parse_selector(text, AT).level == level


def test_a_selector_that_matches_nothing_is_told_with_the_nearest_name() -> None:
    text = """\
spec:
  methods:
    Gett: {}
    Get: {}
    Order/List: {}
  slos: [{name: a, objective: 99, sli: {methods: [Lisst]}}]
  tls: {mode: mtls, certificate: a, privateKey: b, clientCa: c}
  auth:
    clientCertificates: true
    rules: {Adds: {}, grpc.reflection.v1.ServerReflection/*: {}}
    public: [grpc.health.v1.Health/*, grpc.health.v1.Health/Chek, Cart/Get]
  chaos: {faults: [{percent: 1, abort: ABORTED, methods: [Ad]}]}
"""
    assert [str(finding) for finding in sorted(check_selectors(load_text(text, "s.yaml"), SERVICES))] == [
        "s.yaml:3:5: unknown-method: no method of the contract matches 'Gett'; did you mean 'Get'?",
        "s.yaml:5:5: unknown-method: no method of the contract matches 'Order/List'; did you mean 'Orders/List'?",
        "s.yaml:6:51: unknown-method: no method of the contract matches 'Lisst'; did you mean 'List'?",
        "s.yaml:10:13: unknown-method: no method of the contract matches 'Adds'; did you mean 'Add'?",
        "s.yaml:11:39: unknown-method: no method of the contract matches 'grpc.health.v1.Health/Chek'; did you mean 'grpc.health.v1.Health/Check'?",
        "s.yaml:11:67: unknown-method: no method of the contract matches 'Cart/Get'; did you mean 'Carts/Get'?",
        "s.yaml:12:59: unknown-method: no method of the contract matches 'Ad'; did you mean 'Add'?",
    ]


def test_only_auth_knows_of_health_and_reflection() -> None:
    text = "spec: {methods: {grpc.health.v1.Health/Check: {}}}"
    (finding,) = check_selectors(load_text(text, "s.yaml"), SERVICES)
    assert finding.message == "no method of the contract matches 'grpc.health.v1.Health/Check'"

"""Clients have names that clash with nothing, whatever their dependencies' contracts call things."""

from __future__ import annotations

import ast
from pathlib import Path

from grpc import StatusCode
from runtime.errors import PeerError, PeerRow

from generator.contract.load import load as load_contract
from generator.plan.build import build
from generator.plan.dependencies import dependency_contracts
from generator.render.clients import ClientView, views
from generator.render.peer_errors import ATTRIBUTES
from generator.render.render import render
from generator.spec.load import load_text
from generator.spec.peers import load_peers

SHOP = 'syntax = "proto3"; package shop; message M {} service Shop { rpc Buy(M) returns (M); }'
STOCK = """\
syntax = "proto3"; package stock.v1;
message Item { message Inner {} }
message Method {}
message response {}
service Stock {
  // Holds an item.
  rpc Reserve(Item) returns (Item.Inner);
  rpc Import(stream Method) returns (response);
  rpc Watch(Item) returns (stream Item);
  rpc Talk(stream Item) returns (stream Item);
  rpc Methods(Item) returns (Item);
  rpc List(Item) returns (Item);
  rpc list(Item) returns (Item);
}
service Audit { rpc List(Item) returns (Item); }
"""


def emitted(folder: Path, dependencies: str) -> tuple[tuple[ClientView, ...], dict[str, str]]:
    (folder / "shop.proto").write_text(SHOP)
    (folder / "stock.proto").write_text(STOCK)
    spec = load_text(f"spec: {{dependencies: {{{dependencies}}}}}\n", "resilience.yaml")
    contract = load_contract(["shop.proto"], [folder], dependency_contracts(spec))
    plan = build(contract, spec, name="shop", package="shop", peers=load_peers(spec, [folder]))
    files = {emit.path: emit.content.decode() for emit in render(plan) if emit.path.endswith(".py")}
    return views(plan), files


ONE = "{}: {{contract: stock.proto, target: 'stock:1', timeout: {{total: 900ms}}}}"


def test_each_rpc_has_a_method_and_one_that_two_services_have_is_named_after_its_service(tmp_path: Path) -> None:
    (stock,), _ = emitted(tmp_path, ONE.format("stock"))
    assert {method.path: method.method for method in stock.methods} == {
        "/stock.v1.Stock/Reserve": "reserve",
        "/stock.v1.Stock/Import": "import_",
        "/stock.v1.Stock/Watch": "watch",
        "/stock.v1.Stock/Talk": "talk",
        "/stock.v1.Stock/Methods": "methods",
        "/stock.v1.Stock/List": "stock_list",
        "/stock.v1.Stock/list": "stock_list_2",
        "/stock.v1.Audit/List": "audit_list",
    }


def test_a_signature_says_the_kind_and_the_messages(tmp_path: Path) -> None:
    (stock,), _ = emitted(tmp_path, ONE.format("stock"))
    options = "*, timeout: float | None = None, metadata: Iterable[Header] = ()"
    written = [method.signature.replace("(\n    ", "(").replace("\n)", ")") for method in stock.methods]
    assert written[:4] == [
        f"async def reserve(self, request: Item, {options}) -> Item.Inner:",
        f"async def import_(self, requests: AsyncIterable[StockMethod], {options}) -> Stockresponse:",
        f"def watch(self, request: Item, {options}) -> AsyncGenerator[Item, None]:",
        f"def talk(self, requests: AsyncIterable[Item], {options}) -> AsyncGenerator[Item, None]:",
    ]
    assert stock.methods[0].docstring == '"""Holds an item."""'


def test_a_dependency_may_have_a_name_that_python_or_the_runtime_has_taken(tmp_path: Path) -> None:
    found, files = emitted(tmp_path, ", ".join(ONE.format(name) for name in ("class", "grpc", "fx-rates")))
    assert [(view.attribute, view.class_name, view.root) for view in found] == [
        ("class_", "ClassClient", "GrpcClient"),
        ("grpc", "GrpcClient", "RuntimeGrpcClient"),
        ("fx_rates", "FxRatesClient", "GrpcClient"),
    ]
    assert {f"src/shop/gen/clients/{name}.py" for name in ("__init__", "class_", "grpc", "fx_rates")} <= files.keys()
    for name, text in files.items():
        ast.parse(text, name)


def test_where_a_dependency_is_and_how_long_it_may_take_is_in_the_policies(tmp_path: Path) -> None:
    _, files = emitted(tmp_path, ONE.format("stock"))
    policy = 'DependencyPolicy(target="stock:1", calls=OutgoingPolicy(total_timeout=0.9))'
    assert policy in files["src/shop/gen/policies.py"]


def test_the_target_counts_among_the_policies_that_the_hash_is_over(tmp_path: Path) -> None:
    _, here = emitted(tmp_path, ONE.format("stock"))
    _, there = emitted(tmp_path, ONE.format("stock").replace("stock:1", "stock:2"))
    hashes = [
        next(line for line in files["src/shop/gen/policies.py"].splitlines() if "hash=" in line)
        for files in (here, there)
    ]
    assert hashes[0] != hashes[1]


def test_only_a_service_with_dependencies_has_contract_tests_of_them(tmp_path: Path) -> None:
    path = "tests/contract/test_dependencies.py"
    assert path in emitted(tmp_path, ONE.format("stock"))[1]
    clients, files = emitted(tmp_path, "")
    assert clients == ()
    assert path not in files
    assert "connection" not in files["src/shop/gen/clients/__init__.py"]


FX = "fx: {{protocol: http, target: 'https://fx', maxResponseBytes: 1MiB, retry: {{maxAttempts: 2}}{}}}"


def test_a_client_over_http_knows_the_operations_that_the_spec_names(tmp_path: Path) -> None:
    methods = ", methods: {'GET /rates/{base}': {retry: false}, POST /orders: {timeout: {total: 1s}}}"
    (fx,), files = emitted(tmp_path, FX.format(methods))
    assert (fx.attribute, fx.class_name, fx.root) == ("fx", "FxClient", "HttpClient")
    module = files["src/shop/gen/clients/fx.py"]
    assert 'OPERATIONS = (Operation("GET", "/rates/{base}"), Operation("POST", "/orders"))' in module
    policies = "".join(files["src/shop/gen/policies.py"].split())
    assert "max_response_bytes=1048576" in policies
    assert '"GET/rates/{base}":OutgoingPolicy()' in policies
    assert "http_transport" in files["src/shop/gen/clients/__init__.py"]
    assert "src/shop/runtime/client/http_transport.py" in files


def test_connections_over_http_have_an_age_too(tmp_path: Path) -> None:
    _, files = emitted(tmp_path, FX.format(", maxConnectionAge: 5m, maxConnectionAgeGrace: 1m"))
    policies = "".join(files["src/shop/gen/policies.py"].split())
    assert "channel=ChannelPolicy(max_connection_age=300.0,max_connection_age_grace=60.0)" in policies


def test_a_client_over_http_without_operations_has_none(tmp_path: Path) -> None:
    _, files = emitted(tmp_path, FX.format("") + ", http: {protocol: http, target: 'https://http'}")
    assert "OPERATIONS" not in files["src/shop/gen/clients/fx.py"]
    assert "class HttpClient(RuntimeHttpClient):" in files["src/shop/gen/clients/http.py"]
    for name, text in files.items():
        ast.parse(text, name)


def test_methods_that_answer_for_a_dependency_over_http_take_requests(tmp_path: Path) -> None:
    own = "fallback: {kind: handler, handler: other}, methods: {'GET /rates/{base}': {fallback: {kind: handler, handler: rates}}}"
    _, files = emitted(tmp_path, FX.format(f", {own}"))
    module, stub = files["src/shop/gen/clients/fx.py"], files["src/shop/fallbacks.py"]
    assert "class FxFallbacksBase(DependencyFallbacks, ABC):" in module
    for name, answers in (("rates", "GET /rates/{base}"), ("other", "any other request")):
        signature = (
            f'    async def {name}(self, request: HttpRequest) -> HttpResponse:\n        """Answers {answers} where'
        )
        assert f"    @abstractmethod\n{signature}" in module
        assert signature in stub
    assert "from .runtime.client.http_request import HttpRequest\n" in stub
    assert 'raise unimplemented("GET /rates/{base}")' in stub
    assert "fallbacks=[FxFallbacks()]," in files["src/shop/app.py"]
    assert "FALLBACKS = (FxFallbacksBase,)" in files["src/shop/gen/clients/__init__.py"]
    for name, text in files.items():
        ast.parse(text, name)


def test_what_imports_an_http_client_is_emitted_only_where_it_is_used(tmp_path: Path) -> None:
    _, files = emitted(tmp_path, ONE.format("stock"))
    assert "src/shop/runtime/client/http_transport.py" not in files
    assert not [name for name, text in files.items() if "import aiohttp" in text]


def test_a_dependency_whose_errors_are_known_has_them_in_a_module_beside_its_client(tmp_path: Path) -> None:
    table = "errors: {domain: d, table: {OUT_OF_STOCK: {grpc: ABORTED}, PEER_ERROR: {grpc: ABORTED}, NONE: {grpc: ABORTED}}}\n"
    (tmp_path / "errors.yaml").write_text(table)
    stock = ONE.format("stock").replace("timeout", "errors: errors.yaml, timeout")
    taken = ONE.format("stock_errors")
    fx = FX.format(", errors: errors.yaml")
    clients, files = emitted(tmp_path, f"{stock}, {taken}, {fx}")
    modules = [client.errors.module if client.errors else None for client in clients]
    assert modules == ["stock_errors_2", None, "fx_errors"]
    for name in ("stock_errors_2", "fx_errors"):
        text = files[f"src/shop/gen/clients/{name}.py"]
        assert "ERRORS = (OutOfStock, PeerError_2, None_)" in text
        ast.parse(text)
    for client, module in (("stock", "stock_errors_2"), ("fx", "fx_errors")):
        text = files[f"src/shop/gen/clients/{client}.py"]
        assert f"from . import {module}\n" in text
        assert f"    ERRORS = {module}.ERRORS\n" in text
    assert "ERRORS" not in files["src/shop/gen/clients/stock_errors.py"]


def test_what_an_error_of_a_dependency_has_already_is_no_name_for_a_placeholder() -> None:
    class AnyError(PeerError):
        peer_row = PeerRow("ANY", "any.example.com")

    known = {name for name in dir(AnyError("any", StatusCode.ABORTED)) if not name.startswith("_")}
    assert known <= ATTRIBUTES

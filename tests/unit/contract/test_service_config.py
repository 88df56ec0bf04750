"""Service configurations override annotations and bring mixins, or are told what is wrong with them, line by line."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from google.api import http_pb2, service_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.contract.load import load
from generator.contract.model import Contract
from generator.contract.service_config import load as load_configs
from generator.errors import InputError

SHOP = """syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "stock.proto";
message Item { string name = 1; int32 size = 2; }
service Shop {
  rpc Get(Item) returns (Item) { option (google.api.http) = {get: "/v1/{name=items/*}"}; }
  rpc Put(Item) returns (Item) { option (google.api.http) = {put: "/v1/{name=items/*}" body: "*"}; }
  rpc Hide(Item) returns (Item);
}
"""
STOCK = """syntax = "proto3";
package stock.v1;
message Shelf { string name = 1; }
service Stock { rpc Count(Shelf) returns (Shelf); }
service Audit { rpc Look(Shelf) returns (Shelf); }
"""
IAM_HINT = "it is declared in google/iam/v1/iam_policy.proto: name the folder that this is relative to with -I"
HEAD = "type: google.api.Service\nconfig_version: 3\nname: shop.example.com\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.proto").write_text(SHOP)
    (tmp_path / "stock.proto").write_text(STOCK)
    return tmp_path


def configured(here: Path, *texts: str) -> Contract:
    """The contract with these configurations, a.yaml, b.yaml and so on."""
    paths = []
    for name, text in zip("abc", texts, strict=False):
        paths.append(here / f"{name}.yaml")
        paths[-1].write_text(text)
    return load(["shop.proto"], [here], (), load_configs(paths))


def routes(contract: Contract) -> list[str]:
    return [
        f"{rpc.full_name} {rule.verb} {rule.template.text} {rule.body}".rstrip()
        for service in contract.services
        for rpc in service.rpcs
        for rule in rpc.rules
    ]


def told(here: Path, *texts: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        configured(here, *texts)
    return [str(finding) for finding in caught.value.findings]


def rules(*entries: str) -> str:
    return HEAD + "http:\n  rules:\n" + "".join(f"  - {entry}\n" for entry in entries)


def test_a_rule_stands_in_the_place_of_the_annotation_with_all_its_bindings(here: Path) -> None:
    contract = configured(
        here,
        rules(
            "selector: shop.v1.Shop.Get\n    get: /v2/{name=things/*}\n    additional_bindings:\n"
            "    - post: /v2/{name=things/*}:get\n      body: '*'"
        ),
    )

    assert routes(contract) == [
        "shop.v1.Shop.Get GET /v2/{name=things/*}",
        "shop.v1.Shop.Get POST /v2/{name=things/*}:get *",
        "shop.v1.Shop.Put PUT /v1/{name=items/*} *",
    ]
    get = contract.services[0].rpcs[0]
    assert [(str(rule.place), rule.additional) for rule in get.rules] == [("a.yaml:7:5", False), ("a.yaml:9:7", True)]


def test_of_several_rules_for_one_rpc_the_last_counts_across_files_too(here: Path) -> None:
    first = rules("{selector: shop.v1.Shop.Hide, get: /a}", "{selector: shop.v1.Shop.Hide, get: /b}")
    second = rules("{selector: shop.v1.Shop.Get, get: /c}")
    third = rules("{selector: shop.v1.Shop.Get, get: /d}")

    assert routes(configured(here, first, second, third)) == [
        "shop.v1.Shop.Get GET /d",
        "shop.v1.Shop.Put PUT /v1/{name=items/*} *",
        "shop.v1.Shop.Hide GET /b",
    ]


@pytest.mark.parametrize(
    ("rule", "route"),
    [
        ("put: /x", "PUT /x"),
        ("delete: /x", "DELETE /x"),
        ("patch: /x, body: '*'", "PATCH /x *"),
        ("custom: {kind: REPORT, path: /x}", "REPORT /x"),
        ("custom: {kind: '*', path: /x}", "* /x"),
        ("post: /x, body: size, responseBody: name", "POST /x size"),
        ("get: /x, additionalBindings: [{get: /y}]", "GET /x"),
    ],
)
def test_every_kind_of_pattern_is_read_under_proto_and_json_names(here: Path, rule: str, route: str) -> None:
    contract = configured(here, rules(f"{{selector: shop.v1.Shop.Hide, {rule}}}"))

    assert f"shop.v1.Shop.Hide {route}" in routes(contract)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "apis:\n- name: google.longrunning.Operations\n",
        HEAD + "apis:\n- name: shop.v1.Shop\n  mixins:\n  - name: google.longrunning.Operations\n",
        rules("{selector: google.longrunning.Operations.GetOperation, get: '/v1/{name=jobs/*}'}"),
    ],
)
def test_a_mixin_that_is_named_is_served_behind_the_contracts_own_services(here: Path, text: str) -> None:
    contract = configured(here, text)

    assert [service.full_name for service in contract.services] == ["shop.v1.Shop", "google.longrunning.Operations"]
    assert "google.longrunning.Operations.DeleteOperation DELETE /v1/{name=operations/**}" in routes(contract)
    overridden = "http:" in text
    get = "jobs/*" if overridden else "operations/**"
    assert f"google.longrunning.Operations.GetOperation GET /v1/{{name={get}}}" in routes(contract)


def test_one_service_of_an_imported_file_is_served_where_it_is_named(here: Path) -> None:
    contract = configured(here, HEAD + "apis:\n- name: stock.v1.Audit\n")

    assert [service.full_name for service in contract.services] == ["shop.v1.Shop", "stock.v1.Audit"]


def test_a_service_without_a_package_is_found(here: Path) -> None:
    (here / "stock.proto").write_text(STOCK.replace("package stock.v1;\n", ""))
    contract = configured(here, rules("{selector: Audit.Look, get: /look}"))

    assert routes(contract)[-1] == "Audit.Look GET /look"


def test_an_overridden_annotation_may_be_wrong(here: Path) -> None:
    (here / "shop.proto").write_text(SHOP.replace("/v1/{name=items/*}", "/v1//", 1))

    assert routes(configured(here, rules("{selector: shop.v1.Shop.Get, get: /ok}")))[0] == "shop.v1.Shop.Get GET /ok"


def test_sections_that_say_nothing_of_the_surface_are_left_alone(here: Path) -> None:
    text = HEAD + (
        "title: Shop\ntypes: [{name: shop.v1.Item}]\ndocumentation: {summary: s, rules: [{selector: x.*}]}\n"
        "backend: {rules: [{selector: 'shop.v1.Shop.*', deadline: 60.0}]}\nauthentication: {}\nquota: {}\n"
        "publishing: {new_issue_uri: 'https://example.com'}\nsystemParameters: {}\nvisibility: {}\n"
        "apis:\nhttp:\n  rules:\n  fully_decode_reserved_expansion: true\n"
    )

    assert routes(configured(here, text)) == routes(configured(here))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.yaml:1:1: wrong-type: the file is empty"),
        ("- a\n", "a.yaml:1:1: wrong-type: this is no mapping"),
        ("type: com.google.api.codegen.ConfigProto\n", "a.yaml:1:7: wrong-value: type: 'com.google.api.codegen.C"),
        ("a: [\n", "a.yaml:2:1: yaml-syntax: "),
        (HEAD + "htpp: {}\n", "a.yaml:4:1: unknown-key: unknown key htpp; did you mean 'http'?"),
        (HEAD + "http: []\n", "a.yaml:4:7: wrong-type: http: expected a mapping"),
        (HEAD + "http: {rules: {}}\n", "a.yaml:4:15: wrong-type: http.rules: expected a list"),
        (HEAD + "http: {rulez: []}\n", "a.yaml:4:8: unknown-key: unknown key http.rulez; did you mean 'rules'?"),
        (HEAD + "apis: [x]\n", "a.yaml:4:8: wrong-type: apis[0]: expected a mapping with a name"),
        (HEAD + "apis: [{version: v1}]\n", "a.yaml:4:8: missing-key: apis[0] has no name"),
        (HEAD + "apis: [{name: 1}]\n", "a.yaml:4:15: wrong-type: apis[0].name: expected text"),
        (
            HEAD + "apis: [{name: shop.v1.Shob}]\n",
            "a.yaml:4:15: unknown-service: no .proto file declares the service 'shop.v1.Shob'; did you mean 'shop.v1.Shop'?",
        ),
        (
            HEAD + "apis: [{name: google.iam.v1.IAMPolicy}]\n",
            f"a.yaml:4:15: unknown-service: no .proto file declares the service 'google.iam.v1.IAMPolicy'; {IAM_HINT}",
        ),
        (
            rules("{selector: other.v1.Thing.Do, get: /x}"),
            "a.yaml:6:16: unknown-service: no .proto file declares the service 'other.v1.Thing'; name the file",
        ),
        (
            rules("{selector: shop.v1.Shop.Got, get: /x}"),
            "a.yaml:6:16: unknown-method: no method of the contract is called 'shop.v1.Shop.Got'; did you mean 'shop.v1.Sh",
        ),
        (rules("{selector: 'shop.v1.Shop.*', get: /x}"), "a.yaml:6:16: wrong-selector: 'shop.v1.Shop.*' does not sel"),
        (rules("{selector: '', get: /x}"), "a.yaml:6:5: missing-key: http.rules[0] has no selector"),
        (rules("{get: /x}"), "a.yaml:6:5: missing-key: http.rules[0] has no selector"),
        (rules("get"), "a.yaml:6:5: wrong-type: http.rules[0]: expected a mapping"),
        (rules("{selector: shop.v1.Shop.Get, gett: /x}"), "a.yaml:6:34: unknown-key: unknown key http.rules[0].gett"),
        (rules("{selector: shop.v1.Shop.Get}"), "a.yaml:6:5: http-no-path: "),
        (rules("{selector: shop.v1.Shop.Get, get: 1}"), "a.yaml:6:39: wrong-type: http.rules[0].get: expected text"),
        (rules("{selector: shop.v1.Shop.Get, get: /x, post: /y}"), "a.yaml:6:43: http-many-paths: http.rules[0] has g"),
        (rules("{selector: shop.v1.Shop.Get, get: /x/}"), "a.yaml:6:34: http-path-template: "),
        (rules("{selector: shop.v1.Shop.Get, get: '/{nam}'}"), "a.yaml:6:34: http-path-variable: "),
        (rules("{selector: shop.v1.Shop.Get, get: /x, body: '*'}"), "a.yaml:6:34: http-body: GET /x: GET has no body"),
        (rules("{selector: shop.v1.Shop.Get, post: /x, body: y}"), "a.yaml:6:34: http-body: "),
        (rules("{selector: shop.v1.Shop.Get, get: /x, response_body: y}"), "a.yaml:6:34: http-response-body: "),
        (rules("{selector: shop.v1.Shop.Get, custom: {kind: A B, path: /x}}"), "a.yaml:6:34: http-method: "),
        (rules("{selector: shop.v1.Shop.Get, custom: {kin: GET, path: /x}}"), "a.yaml:6:43: unknown-key: "),
        (
            rules("{selector: shop.v1.Shop.Get, get: /x, additional_bindings: [{get: /y, additional_bindings: [{get: /z}]}]}"),
            "a.yaml:6:66: http-nested-bindings: ",
        ),
        (
            rules("{selector: shop.v1.Shop.Get, get: /x, additional_bindings: [{selector: a.B.C, get: /y}]}"),
            "a.yaml:6:66: useless-key: an additional binding is of its rule's RPC",
        ),
        (
            rules("{selector: shop.v1.Shop.Get, get: /x, responseBody: name, response_body: size}"),
            "a.yaml:6:63: duplicate-key: http.rules[0].response_body is there already under its other name",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(here: Path, text: str, expected: str) -> None:
    assert [line[: len(expected)] for line in told(here, text)] == [expected]


def test_all_that_is_wrong_in_all_files_is_told_at_once(here: Path) -> None:
    lines = told(here, HEAD + "nonsense: 1\nhttp: 2\n", HEAD + "apis: 3\n")

    assert [line.partition(": ")[0] for line in lines] == ["a.yaml:4:1", "a.yaml:5:7", "b.yaml:4:7"]


def test_a_file_that_is_not_there_is_told(here: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml: yaml-unreadable: cannot read the file: No such file"):
        load_configs([here / "nothing.yaml"])


@pytest.mark.parametrize("form", ["name", "json_name"])
def test_no_field_of_the_format_is_unknown(here: Path, form: str) -> None:
    """As google/api/service.proto and google/api/http.proto have them."""
    top = {getattr(field, form) for field in service_pb2.Service.DESCRIPTOR.fields} - {"apis", "http"}
    assert len(configured(here, "".join(f"{name}: {{}}\n" for name in sorted(top))).services) == 1
    rule = {getattr(field, form) for field in http_pb2.HttpRule.DESCRIPTOR.fields}
    assert not [line for line in told(here, rules(str(dict.fromkeys(sorted(rule), 1)))) if "unknown-key" in line]


KEYS = ["type", "apis", "http", "rules", "name", "mixins", "selector", "get", "custom", "kind", "path", "body"]
KEYS += ["response_body", "responseBody", "additional_bindings", "additionalBindings", "title"]
VALUES = st.recursive(
    st.sampled_from(
        ["shop.v1.Shop", "shop.v1.Shop.Get", "google.api.Service", "/v1/{name=items/*}", "*", "", None, 1, 1.5]
    )
    | st.booleans()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
RULES = st.lists(st.dictionaries(st.sampled_from(KEYS[6:]), VALUES, max_size=6), max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(VALUES, st.builds(lambda rules, apis: {"http": {"rules": rules}, "apis": apis}, RULES, VALUES)))
def test_whatever_stands_there_is_a_configuration_or_findings(here: Path, content: object) -> None:
    with contextlib.suppress(InputError):
        configured(here, json.dumps(content))


@pytest.mark.parametrize("text", [r"\uD800", r"\u0000", r"\u202e", r"\U0001F600"])
def test_odd_characters_are_findings_too(here: Path, text: str) -> None:
    for rule in ("get: '%s'", "selector: '%s'", "custom: {kind: '%s', path: /x}", "get: /x, body: '%s'"):
        assert told(here, rules("{selector: shop.v1.Shop.Get, " + (rule % text).replace("'", '"') + "}"))

"""What callers rely on beside the contract: a change of the spec, or of an annotation, and what it breaks."""

from pathlib import Path

import pytest

from generator.breaking import snapshot
from generator.breaking.behaviour import Behaviour, of_contract, of_plan
from generator.breaking.rule import Category
from generator.breaking.schema import Schema
from generator.breaking.versions import Version, compare, scope
from generator.contract.load import from_descriptors
from generator.contract.load import load as load_contract
from generator.errors import InputError
from generator.plan.build import build
from generator.plan.model import Plan
from generator.spec.load import load_text

CONTRACT = """\
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service Shop {
  rpc Get(Item) returns (Item) { option (google.api.http) = {GET}; }
  rpc Put(Item) returns (Item);
  MORE
}
message Item { string name = 1; int32 size = 2; string note = 3; Item inner = 4; google.api.HttpBody raw = 5; }
message Other { string name = 1; }
"""
GET = 'get: "/v1/{name=items/*}"'
SPEC = "spec: {}\n"


def plan(folder: Path, get: str = GET, more: str = "", spec: str = SPEC) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.proto").write_text(CONTRACT.replace("GET", get).replace("MORE", more))
    contract = load_contract(["shop.proto"], [folder])
    return build(contract, load_text(spec, "resilience.yaml"), name="shop", package="shop")


def version(made: Plan) -> Version:
    contract = made.contract
    files = scope(contract.descriptor_set, ["shop.proto"])
    return Version(Schema(contract.descriptor_set, files, contract.source_info), of_plan(made))


def broken(before: Version, after: Version, category: Category = Category.FILE) -> list[str]:
    return [one.key for one in compare(before, after, category).breaks]


GETS = {
    "the same": (GET, GET, []),
    "another name of the variable": (GET, 'get: "/v1/items/{name}"', []),
    "a wider template": (GET, 'get: "/v1/{name=items/**}"', []),
    "a path that covers everything": (GET, 'get: "/v1/{name=**}"', []),
    "a narrower template": ('get: "/v1/{name=**}"', GET, ["ROUTE_NO_DELETE:shop.v1.Shop.Get"]),
    "one segment where there were any": (
        'get: "/v1/{name=**}"',
        'get: "/v1/{name=*}"',
        ["ROUTE_NO_DELETE:shop.v1.Shop.Get"],
    ),
    "a longer path": (GET, 'get: "/v1/{name=items/*/more}"', ["ROUTE_NO_DELETE:shop.v1.Shop.Get"]),
    "another path": (GET, 'get: "/v2/{name=items/*}"', ["ROUTE_NO_DELETE:shop.v1.Shop.Get"]),
    "another custom verb": ('get: "/v1/items:one"', 'get: "/v1/items:two"', ["ROUTE_NO_DELETE:shop.v1.Shop.Get"]),
    "another method": (GET, 'delete: "/v1/{name=items/*}"', ["ROUTE_SAME_VERB:shop.v1.Shop.Get"]),
    "a method that stands for all": (GET, 'custom: {kind: "*" path: "/v1/{name=items/*}"}', []),
    "an additional binding": (GET, GET + ' additional_bindings {get: "/v2/{name=items/*}"}', []),
    "an additional binding gone": (
        GET + ' additional_bindings {get: "/v2/{name=items/*}"}',
        GET,
        ["ROUTE_NO_DELETE:shop.v1.Shop.Get"],
    ),
    "moved into an additional binding": (GET, 'get: "/v2/{name=items/*}" additional_bindings {' + GET + "}", []),
    "another body": (
        'post: "/v1/items" body: "*"',
        'post: "/v1/items" body: "inner"',
        ["ROUTE_SAME_BODY:shop.v1.Shop.Get"],
    ),
    "no body": ('post: "/v1/items" body: "*"', 'post: "/v1/items"', ["ROUTE_SAME_BODY:shop.v1.Shop.Get"]),
    "another response body": (
        GET,
        GET + ' response_body: "inner"',
        ["ROUTE_SAME_RESPONSE_BODY:shop.v1.Shop.Get"],
    ),
    "bytes in the place of JSON": (
        GET + ' response_body: "inner"',
        GET + ' response_body: "raw"',
        ["ROUTE_SAME_FRAMING:shop.v1.Shop.Get", "ROUTE_SAME_RESPONSE_BODY:shop.v1.Shop.Get"],
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), GETS.values(), ids=GETS.keys())
def test_routes(tmp_path: Path, before: str, after: str, expected: list[str]) -> None:
    found = broken(version(plan(tmp_path / "before", before)), version(plan(tmp_path / "after", after)))
    assert found == expected


ERRORS = "spec: {errors: {table: {GONE: {grpc: NOT_FOUND, http: 410, code: E1, message: {en: 'no {what} {where}'}}}}}\n"
AUTH = """\
spec:
  auth:
    jwt: {issuer: "https://id.example.com", audience: shop, jwks: "https://id.example.com/jwks"}
    default: deny
    rules: {%s}
"""
SPECS = {
    "nothing": (SPEC, SPEC, []),
    "an error more": (SPEC, ERRORS, []),
    "an error less": (ERRORS, SPEC, ["ERROR_NO_DELETE:GONE"]),
    "another gRPC code": (ERRORS, ERRORS.replace("NOT_FOUND", "INTERNAL"), ["ERROR_SAME_CODE:GONE"]),
    "another HTTP status": (ERRORS, ERRORS.replace("410", "404"), ["ERROR_SAME_HTTP_STATUS:GONE"]),
    "the status of the code": (ERRORS, ERRORS.replace("http: 410, ", ""), ["ERROR_SAME_HTTP_STATUS:GONE"]),
    "another code of the team's": (ERRORS, ERRORS.replace("E1", "E2"), ["ERROR_SAME_BUSINESS_CODE:GONE"]),
    "no code of the team's": (ERRORS, ERRORS.replace("code: E1, ", ""), ["ERROR_SAME_BUSINESS_CODE:GONE"]),
    "a code of the team's": (ERRORS.replace("code: E1, ", ""), ERRORS, []),
    "another text": (ERRORS, ERRORS.replace("no {what}", "not one {what}"), []),
    "a placeholder less": (ERRORS, ERRORS.replace(" {where}", ""), ["ERROR_METADATA_NO_DELETE:GONE"]),
    "a row by code less": (
        "spec: {errors: {byCode: {NOT_FOUND: {http: 410, code: E1}}}}\n",
        SPEC,
        ["ERROR_SAME_BUSINESS_CODE:NOT_FOUND", "ERROR_SAME_HTTP_STATUS:NOT_FOUND"],
    ),
    "a status for a code": (
        SPEC,
        "spec: {errors: {byCode: {NOT_FOUND: {http: 410}}}}\n",
        ["ERROR_SAME_HTTP_STATUS:NOT_FOUND"],
    ),
    "a text by code less": ("spec: {errors: {byCode: {NOT_FOUND: {message: {en: No}}}}}\n", SPEC, []),
    "another domain": (SPEC, "spec: {errors: {domain: a.b}}\n", ["ERROR_SAME_DOMAIN:errors.domain"]),
    "another body of errors": (SPEC, "spec: {errors: {rest: problem}}\n", ["ERROR_SAME_BODY:errors.rest"]),
    "another code for what no row maps": (
        SPEC,
        "spec: {errors: {unmapped: {grpc: UNKNOWN}}}\n",
        ["ERROR_SAME_CODE:errors.unmapped.grpc"],
    ),
    "a shorter deadline": (
        "spec: {deadline: {default: 5s, max: 10s}}\n",
        "spec: {deadline: {default: 5s, max: 9999ms}}\n",
        ["DEADLINE_NO_SHORTEN:deadline.max"],
    ),
    "a shorter default of one method": (
        SPEC,
        "spec: {methods: {Get: {deadline: {default: 1s}}}}\n",
        ["DEADLINE_NO_SHORTEN:shop.v1.Shop.Get"],
    ),
    "a longer deadline": (SPEC, "spec: {deadline: {default: 20s, max: 1h}}\n", []),
    "the same deadline in other words": (SPEC, "spec: {deadline: {default: 10000ms, max: 0.5m}}\n", []),
    "no deadline": (SPEC, "spec: {deadline: false}\n", []),
    "a deadline where there was none": (
        "spec: {deadline: false}\n",
        "spec: {methods: {Get: {deadline: {max: 1h, default: 1h}}}, deadline: false}\n",
        ["DEADLINE_NO_SHORTEN:shop.v1.Shop.Get"] * 2,
    ),
    "a scope for one method": (
        AUTH % "Get: {}",
        AUTH % "Get: {anyScope: [read]}",
        ["ACCESS_NO_TIGHTEN:shop.v1.Shop.Get"],
    ),
    "another scope will do too": (AUTH % "Get: {anyScope: [read]}", AUTH % "Get: {anyScope: [read, write]}", []),
    "a method that nobody may call": (
        AUTH % "Get: {}" + "    public: [Put]\n",
        AUTH % "Get: {}",
        ["ACCESS_NO_TIGHTEN:shop.v1.Shop.Put"],
    ),
    "a token where none was needed": (
        SPEC,
        AUTH.replace("deny", "allow") % "Get: {allScopes: [read]}",
        ["ACCESS_NO_TIGHTEN:shop.v1.Shop.Get", "ACCESS_NO_TIGHTEN:shop.v1.Shop.Put"],
    ),
    "no token any more": (AUTH % "Get: {}", SPEC, []),
    "shorter streams": (
        SPEC,
        "spec: {streaming: {idleTimeout: 5s, maxDuration: 20s, maxMessageBytes: 64KiB}}\n",
        [
            "MESSAGE_SIZE_NO_LOWER:shop.v1.Shop.Watch",
            "STREAM_NO_SHORTEN:shop.v1.Shop.Watch",
            "STREAM_NO_SHORTEN:shop.v1.Shop.Watch",
        ],
    ),
    "fewer calls at once": (
        "spec: {concurrencyLimiter: {algorithm: fixed, limit: 10}}\n",
        "spec: {concurrencyLimiter: {algorithm: fixed, limit: 9}}\n",
        ["CONCURRENCY_LIMIT_NO_LOWER:concurrencyLimiter.limit"],
    ),
    "less large messages": (
        SPEC,
        "spec: {server: {grpc: {maxMessageBytes: 1MiB, maxMetadataBytes: 8KiB}, rest: {maxBodyBytes: 1000KiB}}}\n",
        [
            "MESSAGE_SIZE_NO_LOWER:server.grpc.maxMessageBytes",
            "MESSAGE_SIZE_NO_LOWER:server.grpc.maxMetadataBytes",
            "MESSAGE_SIZE_NO_LOWER:server.rest.maxBodyBytes",
        ],
    ),
    "larger messages": (SPEC, "spec: {server: {grpc: {maxMessageBytes: 5MiB}}}\n", []),
    "defaults left out": (
        "spec: {server: {rest: {emitDefaults: true}}}\n",
        SPEC,
        ["REST_DEFAULTS_NO_OMIT:server.rest.emitDefaults"],
    ),
    "defaults written": (SPEC, "spec: {server: {rest: {emitDefaults: true}}}\n", []),
    "unknown fields refused": (
        "spec: {server: {rest: {unknownFields: ignore}}}\n",
        SPEC,
        ["REST_UNKNOWN_FIELDS_NO_REJECT:server.rest.unknownFields"],
    ),
    "not all RPCs over REST": (
        "spec: {server: {rest: {expose: all}}}\n",
        SPEC,
        ["ROUTE_NO_DELETE:shop.v1.Shop.Put"],
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), SPECS.values(), ids=SPECS.keys())
def test_specs(tmp_path: Path, before: str, after: str, expected: list[str]) -> None:
    more = "rpc Watch(Item) returns (stream Item);" if "stream" in after else ""
    old, new = (version(plan(tmp_path, more=more, spec=spec)) for spec in (before, after))
    assert sorted(broken(old, new)) == sorted(expected)


def test_findings_stand_at_the_line_of_the_spec_that_does_it(tmp_path: Path) -> None:
    old = version(plan(tmp_path))
    spec = "spec:\n  methods:\n    Get:\n      deadline: {default: 1s}\n  errors:\n    rest: problem\n"
    new = version(plan(tmp_path, spec=spec))
    places = {one.rule.id: str(one.change.place) for one in compare(old, new, Category.FILE).breaks}
    assert places == {"DEADLINE_NO_SHORTEN": "resilience.yaml:4:18", "ERROR_SAME_BODY": "resilience.yaml:6:11"}


def test_one_line_that_does_the_same_to_several_methods_is_one_finding(tmp_path: Path) -> None:
    spec = "spec:\n  deadline: {max: 20s}\n  methods: {Put: {deadline: {max: 10s}}}\n"
    third = "rpc More(Item) returns (Item);"
    old, new = (version(plan(tmp_path, more=third, spec=one)) for one in (SPEC, spec))
    first, second = compare(old, new, Category.FILE).breaks
    assert (first.key, first.change.what) == (
        "DEADLINE_NO_SHORTEN:deadline.max",
        "2 methods: deadline.max is 20s, not 30s",
    )
    assert first.change.rpcs == ("shop.v1.Shop.Get", "shop.v1.Shop.More")
    assert (second.key, second.change.what) == (
        "DEADLINE_NO_SHORTEN:shop.v1.Shop.Put",
        "shop.v1.Shop.Put: deadline.max is 10s, not 30s",
    )


def test_findings_about_routes_stand_at_the_annotation(tmp_path: Path) -> None:
    old = version(plan(tmp_path))
    new = version(plan(tmp_path, 'put: "/v1/{name=items/*}"'))
    (found,) = compare(old, new, Category.FILE).breaks
    assert str(found.change.place).endswith("shop.proto:6:34")
    assert found.change.what == "/v1/{name=items/*} is a PUT, no longer a GET"


def test_a_route_that_another_rpc_serves_alike_is_the_same_route(tmp_path: Path) -> None:
    more = 'rpc Fetch(Item) returns (Item) { option (google.api.http) = {get: "/v1/more"}; }'
    old = version(plan(tmp_path, more=more))
    new = version(plan(tmp_path, more=more.replace("Fetch", "Load")))
    assert broken(old, new) == ["RPC_NO_DELETE:shop.v1.Shop.Fetch"]
    other = version(plan(tmp_path, more=more.replace("Fetch(Item)", "Load(Other)")))
    assert broken(old, other) == ["RPC_NO_DELETE:shop.v1.Shop.Fetch", "ROUTE_SAME_RPC:shop.v1.Shop.Fetch"]


def test_the_routes_of_an_rpc_that_is_gone_go_without_saying_where_a_rule_is_about_the_rpc(tmp_path: Path) -> None:
    more = 'rpc Fetch(Item) returns (Item) { option (google.api.http) = {get: "/v1/more"}; }'
    old, new = version(plan(tmp_path, more=more)), version(plan(tmp_path))
    assert broken(old, new) == ["RPC_NO_DELETE:shop.v1.Shop.Fetch"]
    assert broken(old, new, Category.WIRE_JSON) == ["ROUTE_NO_DELETE:shop.v1.Shop.Fetch"]
    assert broken(old, new, Category.WIRE) == []


def test_a_stream_where_one_answer_was_comes_in_another_form(tmp_path: Path) -> None:
    more = 'rpc List(Item) returns (Item) { option (google.api.http) = {get: "/v1/all"}; }'
    old = version(plan(tmp_path, more=more))
    new = version(plan(tmp_path, more=more.replace("returns (Item)", "returns (stream Item)")))
    found = broken(old, new)
    assert found == ["RPC_SAME_SERVER_STREAMING:shop.v1.Shop.List", "ROUTE_SAME_FRAMING:shop.v1.Shop.List"]


@pytest.mark.parametrize(
    "spec",
    [SPEC, ERRORS, "spec: {server: {rest: {expose: all}}, methods: {Get: {deadline: {max: 3s, default: 1s}}}}\n"],
)
def test_a_behaviour_survives_being_kept(tmp_path: Path, spec: str) -> None:
    made = of_plan(plan(tmp_path, spec=spec))
    kept = snapshot.dump(made)
    assert snapshot.load(kept, "behaviour.json") == made
    assert snapshot.dump(snapshot.load(kept, "behaviour.json")) == kept


def test_policies_are_kept_once_and_each_thing_on_a_line_of_its_own(tmp_path: Path) -> None:
    kept = snapshot.dump(of_plan(plan(tmp_path))).decode()
    assert kept.count("deadline.max") == 1
    assert sum(line.startswith('  "shop.v1.Shop.') for line in kept.splitlines()) == 2


WRONG = {
    "no JSON": b"{",
    "no object": b"[]",
    "another version": b'{"version": 2}',
    "nothing in it": b'{"version": 1}',
    "not UTF-8": b"\xff\xfe\xff",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_behaviour_is_refused(content: bytes) -> None:
    with pytest.raises(InputError) as caught:
        snapshot.load(content, "behaviour.json")
    assert [finding.id for finding in caught.value.findings] == ["baseline-unreadable"]


def test_no_part_of_a_kept_behaviour_is_trusted(tmp_path: Path) -> None:
    kept = snapshot.dump(of_plan(plan(tmp_path, spec=ERRORS))).decode()
    for part, instead in {
        '"policy": 0': '"policy": 7',
        '"http": 410': '"http": 1e999',
        '"code": "NOT_FOUND"': '"cod": "NOT_FOUND"',
        '"metadata": ["what", "where"]': '"metadata": 1',
        '[["GET"': '[["GET", "x"',
    }.items():
        assert part in kept
        with pytest.raises(InputError):
            snapshot.load(kept.replace(part, instead).encode(), "behaviour.json")


def test_the_contract_alone_tells_of_routes_and_of_nothing_else(tmp_path: Path) -> None:
    made = plan(tmp_path)
    known = of_contract(from_descriptors(made.contract.descriptor_set, ["shop.proto"]))
    assert {name: method.routes for name, method in known.methods.items()} == {
        name: method.routes for name, method in of_plan(made).methods.items()
    }
    old = Version(version(made).schema, known)
    spec = "spec: {errors: {rest: problem}, deadline: {default: 1s}}\n"
    assert broken(old, version(plan(tmp_path, spec=spec))) == []
    assert broken(old, version(plan(tmp_path, 'get: "/v2/{name=items/*}"', spec=spec))) == [
        "ROUTE_NO_DELETE:shop.v1.Shop.Get"
    ]


def test_an_rpc_that_is_declared_but_no_longer_served_is_withdrawn(tmp_path: Path) -> None:
    made = version(plan(tmp_path))
    less = Behaviour(
        roots=(), methods={}, spec_known=True, settings=made.behaviour.settings, declared=made.behaviour.declared
    )
    found = broken(made, Version(made.schema, less), Category.WIRE)
    assert found == ["RPC_NO_WITHDRAW:shop.v1.Shop.Get", "RPC_NO_WITHDRAW:shop.v1.Shop.Put"]


VERDICTS = {
    "nothing": (SPEC, "", SPEC, "", "patch", []),
    "a comment": (SPEC, "", "# a comment\n" + SPEC, "// another", "patch", []),
    "a dependency's policy, a port": (SPEC, "", "spec: {server: {rest: {port: 8081}}}\n", "", "patch", []),
    "an RPC": (SPEC, "", SPEC, "rpc More(Item) returns (Item);", "minor", ["shop.v1.Shop.More"]),
    "a longer deadline": (SPEC, "", "spec: {deadline: {max: 1h}}\n", "", "minor", []),
    "an error": (SPEC, "", ERRORS, "", "minor", ["GONE"]),
    "an error gone": (ERRORS, "", SPEC, "", "major", []),
}


@pytest.mark.parametrize(("old_spec", "old", "new_spec", "new", "verdict", "added"), VERDICTS.values(), ids=VERDICTS)
def test_verdicts(
    tmp_path: Path, old_spec: str, old: str, new_spec: str, new: str, verdict: str, added: list[str]
) -> None:
    found = compare(
        version(plan(tmp_path, more=old, spec=old_spec)),
        version(plan(tmp_path, more=new, spec=new_spec)),
        Category.FILE,
    )
    assert (found.verdict, list(found.added)) == (verdict, added)

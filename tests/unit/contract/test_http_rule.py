"""HTTP annotations become path templates and bindings, or findings at their place."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.contract.http_rule import TemplateError, collisions, parse_template
from generator.contract.load import load
from generator.contract.model import Contract, HttpRule, Variable
from generator.errors import Finding, InputError, Place

Read = Callable[..., Contract]
Findings = Callable[..., list[Finding]]
Write = Callable[[dict[str, str]], Path]

MESSAGES = """
enum Color { RED = 0; }
message Deep { string id = 1; Color color = 2; repeated string names = 3; Deep deep = 4; }
message Req {
  string id = 1;
  optional int64 size = 2;
  Color color = 3;
  Deep deep = 4;
  repeated string tags = 5;
  map<string, string> labels = 6;
  oneof which { string card = 7; Deep cash = 8; }
  repeated Deep deeps = 9;
  bytes raw = 10;
}
message Res { repeated Deep items = 1; string next = 2; }
"""


def service(*rules: str, name: str = "S") -> str:
    """A service with one RPC for each http rule."""
    rpcs = "".join(
        f"rpc Do{index}(Req) returns (Res) {{\n option (google.api.http) = {{ {rule} }}; }}\n"
        for index, rule in enumerate(rules)
    )
    return f"service {name} {{\n{rpcs}}}\n"


def contract_of(*services: str) -> dict[str, str]:
    head = 'syntax = "proto3"; package p; import "google/api/annotations.proto";'
    return {"a.proto": f"{head}\n{MESSAGES}{''.join(services)}"}


def rules_of(contract: Contract) -> list[HttpRule]:
    return [rule for each in contract.services for rpc in each.rpcs for rule in rpc.rules]


@pytest.mark.parametrize(
    ("text", "segments", "verb"),
    [
        ("/", (), ""),
        ("/v1/shelves", ("v1", "shelves"), ""),
        ("/v1/*/x/**", ("v1", "*", "x", "**"), ""),
        ("/v1/{id}", ("v1", "*"), ""),
        ("/v1/{id=*}", ("v1", "*"), ""),
        ("/v1/{name=a/*/b/*}/c", ("v1", "a", "*", "b", "*", "c"), ""),
        ("/v1/{name=**}:cancel", ("v1", "**"), "cancel"),
        ("/v1/{name=a/**}/tail/end", ("v1", "a", "**", "tail", "end"), ""),
        ("/v1/{parent=a/**}/{id}", ("v1", "a", "**", "*"), ""),
        ("/v1/{id}:custom:custom", ("v1", "*"), "custom:custom"),
        ("/v1/a:b/c", ("v1", "a:b", "c"), ""),
        ("/v1/a:b", ("v1", "a"), "b"),
        ("/{x=a:b}:c", ("a:b",), "c"),
        ("/caf%C3%A9/a%20b/a%2Fb", ("café", "a b", "a/b"), ""),
        ("/café/a+b/~x.y_z-1/a=b;c,d", ("café", "a+b", "~x.y_z-1", "a=b;c,d"), ""),
        ("/**", ("**",), ""),
        ("/**:all", ("**",), "all"),
    ],
)
def test_a_template_is_its_segments_and_its_verb(text: str, segments: tuple[str, ...], verb: str) -> None:
    template = parse_template(text)
    assert (template.text, template.segments, template.verb) == (text, segments, verb)


def test_variables_know_the_segments_they_capture() -> None:
    template = parse_template("/v1/{deep.id}/x/{name=a/*/b/**}/y/{which=c}")
    assert template.variables == (
        Variable(("deep", "id"), ("*",)),
        Variable(("name",), ("a", "*", "b", "**")),
        Variable(("which",), ("c",)),
    )
    assert template.captures == ((1, 2), (3, 7), (8, 9))


@pytest.mark.parametrize(
    "text",
    [
        "", "v1", "//", "/{}", "/a/", "/a//b", "//a", "/:v", "/a/:v", "/*:", "/a:", "/a::b", "/a:b:", "/{x}:", "/a{x}", "/{x}a", "/{x}{y}",
        "/{x={y}}", "/{x=a/{y}}", "/{x}/{x}", "/{x.y}/a/{x.y}", "/{x", "/x}", "/{x}}", "/{x=}", "/{x=/a}", "/{x=a/}",
        "/{x=a//b}", "/{=a}", "/{ x }", "/{x y}", "/{1x}", "/{x.}", "/{.x}", "/{x..y}", "/{x-y}", "/a*", "/*a", "/***",
        "/{x=a*}", "/{x=*:v}", "/a:*", "/a:b{c}", "/a?b=c", "/a#b", "/a b", "/a\\b", "/a\"b", "/a\nb", "/\x85", "/100%", "/%zz",
        "/%ff", "/%2A", "/%2a%2A", "/**/**", "/{x=**}/{y=**}",
    ],
)  # fmt: skip
def test_a_template_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        parse_template(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("/a//b", "a segment is empty"),
        ("/a{x}", '"a{x}": a variable is a whole segment, nothing may stand beside it'),
        ("/a*", '"a*": "*" stands for a whole segment, it cannot be a part of one'),
        ("/{x}/{x}", 'the variable "x" occurs twice'),
    ],
)
def test_the_reason_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(reason)):
        parse_template(text)


literals = st.from_regex(r"[a-z0-9._~-]{1,6}", fullmatch=True)
single = st.one_of(literals, st.just("*"))


@st.composite
def templates(draw: st.DrawFn) -> tuple[str, list[str], list[tuple[int, int]], str]:
    """A template, and what it was made of: segments, captures, verb."""
    parts: list[str] = []
    segments: list[str] = []
    captures: list[tuple[int, int]] = []
    for index in range(draw(st.integers(1, 5))):
        pieces = draw(st.lists(single, min_size=1, max_size=3))
        if "**" not in segments and draw(st.integers(0, 5)) == 0:
            pieces[draw(st.integers(0, len(pieces) - 1))] = "**"
        if draw(st.booleans()):
            captures.append((len(segments), len(segments) + len(pieces)))
            parts.append(
                f"{{f{index}}}" if pieces == ["*"] and draw(st.booleans()) else f"{{f{index}={'/'.join(pieces)}}}"
            )
        else:
            parts.extend(pieces)
        segments.extend(pieces)
    verb = draw(st.one_of(st.just(""), literals, st.just("a:b")))
    return "/" + "/".join(parts) + (f":{verb}" if verb else ""), segments, captures, verb


@given(templates())
def test_parsing_gives_back_what_a_template_was_made_of(
    made: tuple[str, list[str], list[tuple[int, int]], str],
) -> None:
    text, segments, captures, verb = made
    template = parse_template(text)
    assert list(template.segments) == segments
    assert list(template.captures) == captures
    assert template.verb == verb
    assert [variable.segments for variable in template.variables] == [tuple(segments[a:b]) for a, b in captures]


@given(st.text(alphabet="/{}*:=.%a1é ", max_size=12))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(TemplateError):
        template = parse_template(text)
        assert template.text == text
        assert all(template.segments)
        assert not re.search("//|/$|:$", text[1:])


def test_every_pattern_is_a_binding_of_its_method(read: Read) -> None:
    contract = read(
        contract_of(
            service(
                'get: "/a"',
                'put: "/a" body: "*"',
                'post: "/a" body: "deep"',
                'delete: "/a" body: "id"',
                'patch: "/a" response_body: "items"',
                'custom: { kind: "HEAD" path: "/a" }',
                'custom: { kind: "*" path: "/b" }',
            )
        )
    )
    assert [(rule.verb, rule.template.text, rule.body, rule.response_body) for rule in rules_of(contract)] == [
        ("GET", "/a", "", ""),
        ("PUT", "/a", "*", ""),
        ("POST", "/a", "deep", ""),
        ("DELETE", "/a", "id", ""),
        ("PATCH", "/a", "", "items"),
        ("HEAD", "/a", "", ""),
        ("*", "/b", "", ""),
    ]


def test_additional_bindings_inherit_nothing(read: Read) -> None:
    contract = read(
        contract_of(
            service(
                'post: "/a" body: "*" response_body: "items" '
                'additional_bindings { get: "/b" } additional_bindings { put: "/c" body: "deep" }'
            )
        )
    )
    assert [(rule.verb, rule.body, rule.response_body, rule.additional) for rule in rules_of(contract)] == [
        ("POST", "*", "items", False),
        ("GET", "", "", True),
        ("PUT", "deep", "", True),
    ]


@pytest.mark.parametrize(
    "path", ["id", "size", "color", "raw", "deep.id", "deep.color", "deep.deep.deep.id", "card", "cash.id"]
)
def test_a_variable_fills_a_singular_scalar_or_enum_however_deep(read: Read, path: str) -> None:
    contract = read(contract_of(service(f'get: "/a/{{{path}}}"')))
    assert rules_of(contract)[0].template.variables[0].field_path == tuple(path.split("."))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("gone", 'p.Req has no field "gone"'),
        ("deep.gone", 'p.Deep has no field "gone"'),
        ("deepId", 'p.Req has no field "deepId"'),
        ("deep", "p.Req.deep is the message p.Deep"),
        ("tags", "p.Req.tags is repeated"),
        ("labels", "p.Req.labels is a map"),
        ("labels.key", "p.Req.labels is a map"),
        ("deeps.id", "p.Req.deeps is repeated"),
        ("id.x", "p.Req.id is of type string"),
        ("deep.names", "p.Deep.names is repeated"),
    ],
)
def test_a_variable_that_a_path_cannot_fill_is_refused(findings: Findings, path: str, reason: str) -> None:
    (finding,) = findings(contract_of(service(f'get: "/a/{{{path}}}"')))
    assert finding.id == "http-path-variable"
    assert finding.message.startswith(f"GET /a/{{{path}}}: {{{path}}}: {reason}")


@pytest.mark.parametrize(
    ("rule", "id"),
    [
        ('get: "/a/"', "http-path-template"),
        ('get: ""', "http-path-template"),
        ("", "http-no-path"),
        ('body: "*"', "http-no-path"),
        ('custom: { kind: "HEAD" }', "http-path-template"),
        ('custom: { path: "/a" }', "http-method"),
        ('custom: { kind: "NOT A METHOD" path: "/a" }', "http-method"),
        ('custom: { kind: "CONNECT" path: "/a" }', "http-method"),
        ('get: "/a" body: "*"', "http-body"),
        ('get: "/a" body: "deep"', "http-body"),
        ('custom: { kind: "HEAD" path: "/a" } body: "*"', "http-body"),
        ('post: "/a" body: "gone"', "http-body"),
        ('post: "/a" body: "deep.id"', "http-body"),
        ('post: "/a" response_body: "gone"', "http-response-body"),
        ('post: "/a" response_body: "*"', "http-response-body"),
        ('post: "/a" additional_bindings { get: "/b" additional_bindings { get: "/c" } }', "http-nested-bindings"),
        ('post: "/a" additional_bindings { get: "/b" body: "*" }', "http-body"),
        ('post: "/a" additional_bindings { get: "//" }', "http-path-template"),
    ],
)
def test_a_rule_that_cannot_be_served_is_refused_where_it_stands(findings: Findings, rule: str, id: str) -> None:
    (finding,) = findings(contract_of(service('get: "/fine"', rule)))
    line = (2 + MESSAGES.count("\n")) + 4
    assert (finding.id, finding.place) == (id, Place("a.proto", line, 2))


def test_all_that_is_wrong_in_all_services_is_found_at_once(findings: Findings) -> None:
    found = findings(
        contract_of(
            service('get: "/a/{gone}" body: "*" response_body: "gone"', 'get: "/{id}/{tags}/{deep}"'),
            service('get: "//" additional_bindings { get: "/b/" }', name="T"),
        )
    )
    assert [finding.id for finding in found] == [
        "http-path-variable",
        "http-body",
        "http-response-body",
        "http-path-variable",
        "http-path-variable",
        "http-path-template",
        "http-path-template",
    ]


EVERYTHING_WRONG = (
    'get: "/v1/fine/{id}"',
    'get: "/v1//x"',
    'get: "/v1/{deep.gone}"',
    'get: "/v1/{tags}"',
    'get: "/v1/body" body: "*"',
    'get: "/v1/fine/{card}"',
    'get: "/v1/{id={deep.id}}"',
)


def test_routes_alike_are_told_with_whatever_else_is_wrong(findings: Findings) -> None:
    found = findings(contract_of(service(*EVERYTHING_WRONG)))
    first = (2 + MESSAGES.count("\n")) + 2
    assert [(finding.place.line - first, finding.place.column, finding.id) for finding in found] == [
        (2, 2, "http-path-template"),
        (4, 2, "http-path-variable"),
        (6, 2, "http-path-variable"),
        (8, 2, "http-body"),
        (10, 2, "duplicate-route"),
        (12, 2, "http-path-template"),
    ]


@pytest.mark.parametrize(("mode", "told"), [("warn", ["S"]), ("error", ["S", "T"]), ("firstWins", [])])
def test_routes_alike_are_told_as_far_as_the_spec_refuses_them(write: Write, mode: str, told: list[str]) -> None:
    services = [service('get: "/a"', 'get: "/a"', 'get: "//"'), service('get: "/a"', name="T")]
    folder = write(contract_of(*services))
    with pytest.raises(InputError) as caught:
        load(["a.proto"], [folder], duplicates=mode)
    messages = [finding.message for finding in caught.value.findings if finding.id == "duplicate-route"]
    assert [message.split(".")[1] for message in messages] == told


def test_two_bindings_alike_in_one_service_collide(read: Read) -> None:
    contract = read(
        contract_of(service('get: "/a/{id}"', 'get: "/%61/{card=*}"', 'post: "/a/{id}"', 'get: "/a/{id}:v"'))
    )
    (collision,) = collisions(contract.services)
    assert collision.same_service
    assert (collision.first.name, collision.second.name) == ("Do0", "Do1")
    finding = collision.finding()
    assert (finding.id, finding.place) == ("duplicate-route", collision.second_rule.place)
    assert finding.message == "p.S.Do1: GET /%61/{card=*} is a route of p.S.Do0 already"
    assert str(collision.first_rule.place) in finding.hint


def test_bindings_of_one_rpc_can_collide_too(read: Read) -> None:
    contract = read(contract_of(service('get: "/a" additional_bindings { get: "/a" }')))
    (collision,) = collisions(contract.services)
    assert collision.first is collision.second


def test_bindings_alike_across_services_collide_with_the_first_declared(read: Read) -> None:
    contract = read(
        contract_of(*(service('get: "/{id=a/*}"', f'get: "/{name}"', name=name) for name in ("S", "T", "U")))
    )
    assert [
        (each.first.full_name, each.second.full_name, each.same_service) for each in collisions(contract.services)
    ] == [
        ("p.S.Do0", "p.T.Do0", False),
        ("p.S.Do0", "p.U.Do0", False),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [("/a/*", "/a/**"), ("/a/*", "/a/b"), ("/a:b", "/a%3Ab"), ("/a", "/a:b"), ("/a/{id}", "/a/{id=b/*}")],
)
def test_templates_of_different_shape_do_not_collide(read: Read, one: str, other: str) -> None:
    assert collisions(read(contract_of(service(f'get: "{one}"', f'get: "{other}"'))).services) == []

"""Who may call what, resolved: the most specific selector, the default, public methods, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import InputError
from generator.plan.explain import to_text
from generator.render.method_policies import access_policy
from generator.render.python import literal
from tests.unit.plan.test_build import plan

SPEC = """\
spec:
  auth:
    jwt: {issuer: "https://id", audience: shop, jwks: "https://id/jwks"}
    %s
"""


def resolved(tmp_path: Path, rest: str, path: str = "/shop.v1.Orders/Get") -> str:
    """The access policy of one RPC as it is emitted, "None" for a public one."""
    made = plan(tmp_path, SPEC % rest)
    return literal(access_policy(next(method.access for method in made.methods if method.rpc.path == path)))


@pytest.mark.parametrize(
    ("rest", "emitted"),
    [
        ("default: deny", "AccessPolicy(deny=True)"),
        ("default: allow", "AccessPolicy()"),
        ("rules: {Get: {}}", "AccessPolicy()"),
        ("public: [Get]", "None"),
        ("public: [Orders/*]", "None"),
        ("rules: {Get: {anyScope: [a]}, Orders/*: {anyScope: [b]}}", "AccessPolicy(any_scope=('a',))"),
        ("rules: {Get: {anyScope: [a]}, Orders/Get: {anyRole: [b]}}", "AccessPolicy(any_role=('b',))"),
        ("rules: {Orders/*: {allScopes: [b, c]}}", "AccessPolicy(all_scopes=('b', 'c'))"),
    ],
)
def test_the_most_specific_rule_counts_alone_and_without_one_the_default(
    tmp_path: Path, rest: str, emitted: str
) -> None:
    assert resolved(tmp_path, rest).replace('"', "'") == emitted


def test_stages_are_on_for_methods_that_are_not_public(tmp_path: Path) -> None:
    made = plan(tmp_path, SPEC % "public: [Orders/Get]")
    chains = {method.rpc.path: method.chain for method in made.methods}
    assert "authentication" not in chains.pop("/shop.v1.Orders/Get")
    assert all(("authentication" in chain, "authorization" in chain) == (True, True) for chain in chains.values())


@pytest.mark.parametrize(
    ("rest", "finding"),
    [
        (
            "public: [Orders/Get]\n    rules: {Get: {anyScope: [a]}}",
            "shop.v1.Orders/Get is public: the rule 'Get' asks nobody",
        ),
        (
            "public: [Orders/*]\n    rules: {Orders/Get: {anyScope: [a]}}",
            "shop.v1.Orders/Get is public: the rule 'Orders/Get' asks nobody",
        ),
        (
            "public: [grpc.health.v1.Health/Check]\n    rules: {grpc.health.v1.Health/*: {}}",
            "grpc.health.v1.Health/Check is public: the rule 'grpc.health.v1.Health/*' asks nobody",
        ),
    ],
)
def test_a_rule_about_a_public_method_is_an_error(tmp_path: Path, rest: str, finding: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(tmp_path, SPEC % rest)
    assert [found.message for found in caught.value.findings] == [finding]
    assert caught.value.findings[0].place.line == 8


def test_health_and_reflection_are_closed_unless_the_spec_opens_them(tmp_path: Path) -> None:
    made = plan(tmp_path, SPEC % "public: [grpc.health.v1.Health/*]")
    beside = {path: literal(access_policy(access)) for path, access in made.beside.items()}
    assert {path for path, emitted in beside.items() if emitted == "None"} == {
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/List",
        "/grpc.health.v1.Health/Watch",
    }
    assert "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" in beside


def test_explain_shows_which_line_decides(tmp_path: Path) -> None:
    made = plan(tmp_path, SPEC % "rules: {Get: {anyScope: [a]}}")
    assert '         auth.anyScope          ["a"]        rule Get (' in to_text(made, "Orders/Get")
    public = plan(tmp_path, SPEC % "public: [Get]")
    assert "  access  public Get (" in to_text(public, "Orders/Get")

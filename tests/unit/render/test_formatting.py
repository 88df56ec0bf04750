"""What the templates lay out themselves is what black would make of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from generator.contract.load import load
from generator.plan.build import build
from generator.project.build import plan_of
from generator.render import formatting
from generator.render.render import render
from generator.spec.load import load as load_spec
from tests.golden.cases import CASES, Case

EXAMPLE = Path(__file__).parents[3] / "examples/orders/project"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_black_leaves_what_a_template_lays_out(case: Case) -> None:
    emitted = [emit for emit in render(case.plan()) if emit.template.endswith(".py.j2")]
    assert emitted
    for emit in emitted:
        assert formatting.python(emit.content.decode()) == emit.content.decode(), emit.path


@pytest.mark.parametrize("length", [20, 30, 32, 40, 55, 100, 120])
def test_long_names_are_split_as_black_splits_them(length: int, tmp_path: Path) -> None:
    name = "Long" + "g" * (length - 4)
    rpcs = "".join(
        f"rpc {kind}{name}({before}{name}) returns ({after}{name}) {{\n"
        f'  option (google.api.http) = {{post: "/v1/{kind}{name}/{{{kind}=a/*/b}}" body: "*"}};\n}}\n'
        for kind, before, after in (("A", "", ""), ("B", "stream ", "stream "), ("C", "", "stream "))
    )
    fields = "string A = 1; string B = 2; string C = 3;"
    (tmp_path / "long.proto").write_text(
        f'syntax = "proto3"; package long.v1; import "google/api/annotations.proto"; message {name} {{ {fields} }}\n'
        f"service {name}Service {{\n{rpcs} }} service Other{name} {{\n{rpcs.replace('/v1', '/v2')} }}"
    )
    (tmp_path / "spec.yaml").write_text("spec: {}\n")
    plan = build(load(["long.proto"], [tmp_path]), load_spec(tmp_path / "spec.yaml"), name="long", package="long")
    for emit in render(plan):
        if emit.template.endswith(".py.j2"):
            assert formatting.python(emit.content.decode()) == emit.content.decode(), emit.path


@pytest.mark.parametrize("length", [1, 17, 33, 63])
def test_black_leaves_the_tests_of_a_package_whatever_its_name(length: int) -> None:
    plan = replace(plan_of(EXAMPLE)[1], package="p" * length)
    for emit in render(plan):
        if emit.template.endswith(".py.j2"):
            assert formatting.python(emit.content.decode()) == emit.content.decode(), emit.path

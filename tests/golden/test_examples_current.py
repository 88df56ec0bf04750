"""The project beside examples/orders is what the generator makes of it today; `make examples` brings it up to date."""

from __future__ import annotations

from tests.golden import orders_project


def test_the_committed_project_is_what_its_contract_and_spec_say() -> None:
    expected, committed = orders_project.expected(), orders_project.committed()
    if orders_project.tools(expected) != orders_project.tools(committed):
        expected, committed = map(orders_project.without_protoc_output, (expected, committed))
    assert sorted(committed) == sorted(expected), "run `make examples`"
    stale = [path for path, content in expected.items() if committed[path] != content]
    assert stale == [], "run `make examples`"


def test_the_committed_project_names_no_machine() -> None:
    root = str(orders_project.EXAMPLE.parents[1]).encode()
    assert [path for path, content in orders_project.committed().items() if root in content] == []

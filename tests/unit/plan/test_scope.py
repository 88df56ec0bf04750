"""Whose calls count together for a mechanism that has a state."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.plan.test_build import plan

SPEC = """\
spec:
  deadline: {default: 2s, max: 20s}
  profiles:
    read: {deadline: {max: 15s}}
  methods:
    %s
"""


@pytest.mark.parametrize(
    ("override", "scope"),
    [
        ("Stock/Get: {criticality: SHEDDABLE}", ""),
        ("Orders/*: {deadline: {reserve: 50ms}}", "shop.v1.Orders"),
        ("Orders/*: {criticality: SHEDDABLE}", ""),
        ("Orders/Get: {deadline: {reserve: 50ms}}", "/shop.v1.Orders/Get"),
        ("Orders/Get: {profile: read}", "/shop.v1.Orders/Get"),
        ("Orders/*: {profile: read}", "/shop.v1.Orders/Get"),
    ],
)
def test_methods_share_what_the_spec_or_the_service_sets_and_have_what_is_set_for_them(
    tmp_path: Path, override: str, scope: str
) -> None:
    made = plan(tmp_path, SPEC % override)
    method = next(method for method in made.methods if method.rpc.path == "/shop.v1.Orders/Get")
    assert method.scope("deadline") == scope

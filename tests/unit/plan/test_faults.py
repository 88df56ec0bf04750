"""Deliberate faults: which methods they may hit, and when they are too many."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import InputError
from generator.plan.explain import to_text
from tests.unit.plan.test_build import plan

SPEC = "spec: {chaos: {enabled: true, %s}}"


def hit(tmp_path: Path, faults: str) -> set[str]:
    """The RPCs that have the stage."""
    made = plan(tmp_path, SPEC % faults)
    return {method.rpc.path for method in made.methods if "fault_injection" in method.chain}


@pytest.mark.parametrize(
    ("methods", "paths"),
    [
        ("", {"/shop.v1.Orders/Get", "/shop.v1.Orders/Watch", "/shop.v1.Stock/Get"}),
        ("methods: [Get], ", {"/shop.v1.Orders/Get", "/shop.v1.Stock/Get"}),
        ("methods: [Orders/*], ", {"/shop.v1.Orders/Get", "/shop.v1.Orders/Watch"}),
    ],
)
def test_a_fault_hits_the_methods_that_it_names_and_all_without_names(
    tmp_path: Path, methods: str, paths: set[str]
) -> None:
    assert hit(tmp_path, f"faults: [{{{methods}percent: 5, latency: 200ms}}]") == paths


def test_what_is_not_enabled_is_in_no_chain(tmp_path: Path) -> None:
    made = plan(tmp_path, "spec: {chaos: {enabled: false, faults: [{percent: 5, latency: 200ms}]}}")
    assert all("fault_injection" not in method.chain for method in made.methods)


@pytest.mark.parametrize(
    ("faults", "finding"),
    [
        (
            "faults: [{percent: 30, abort: ABORTED}, {methods: [Watch], percent: 30, abort: ABORTED}]",
            "too-many-faults: faults would hit 60 % of the calls of Watch, more than maxPercent (50)",
        ),
        ("maxPercent: 5, faults: [{percent: 6, abort: ABORTED}]", "too-many-faults: faults would hit 6 % of the calls"),
        ("faults: [{percent: 5, latency: 11s}]", "latency: 11s is more than maxLatency (10s)"),
        ("faults: [{percent: 5}]", "does nothing without latency or abort"),
        ("faults: [{abort: ABORTED}]", "needs percent"),
        (
            "faults: [{dependencies: [], percent: 1, abort: ABORTED, methods: [Gett]}]",
            "no method of the contract matches 'Gett'",
        ),
    ],
)
def test_faults_that_go_too_far_or_nowhere_are_told(tmp_path: Path, faults: str, finding: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(tmp_path, SPEC % faults)
    assert any(finding in str(found) for found in caught.value.findings)


def test_a_fault_with_a_header_is_not_counted_in(tmp_path: Path) -> None:
    assert hit(tmp_path, "faults: [{percent: 100, abort: ABORTED, header: x-fault}, {percent: 50, latency: 1s}]")


def test_explain_shows_the_faults(tmp_path: Path) -> None:
    made = plan(tmp_path, SPEC % "faults: [{percent: 5, latency: 200ms}]")
    assert "chaos.faults" in to_text(made, "Watch")
    assert '"latency": "200ms"' in to_text(made, "Watch")

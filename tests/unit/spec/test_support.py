"""What has no code behind it yet is refused, wherever it stands; saying that it is off is fine."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.document import find, parse
from generator.spec.fields import Shape, fields
from generator.spec.load import load, load_text
from generator.spec.model import ResilienceSpec
from generator.spec.support import NOT_YET, check_support

DATA = Path(__file__).parent / "data"


def refused(text: str) -> list[str]:
    return [str(finding) for finding in check_support(load_text(text, "s.yaml"))]


def test_each_unsupported_key_of_the_full_example_is_told_at_its_place() -> None:
    findings = check_support(load(DATA / "full.yaml"))
    text = (DATA / "full.yaml").read_text(encoding="utf-8").split("\n")
    for finding in findings:
        assert finding.id == "not-supported-yet"
        key = finding.message.split(" ")[0].rpartition(".")[2].removesuffix(":")
        assert text[finding.place.line - 1][finding.place.column - 1 :].startswith(f"{key}:")
    assert {finding.message.split(" ")[0].rpartition(".")[2].removesuffix(":") for finding in findings} == {
        "alwaysOn",
        "slos",
    }


@pytest.mark.parametrize(
    "line",
    [
        "tls: {mode: off}",
        "tls: {}",
        "registry: {kind: none}",
        "chaos: {enabled: false, allowedEnvironments: [dev, staging], faults: []}",
        "slos: []",
        "health: {}",
        "auth: false",
        "dependencies: {}",
        "dependencies: {a: {contract: a.proto, target: a, retry: {maxAttempts: 1}, fallback: {kind: none}}}",
        "dependencies: {a: {contract: a.proto, target: a, optional: false, methods: {}}}",
        "server: {rest: {cors: {allowOrigins: []}, expose: annotated}}",
        "observability: {traces: {alwaysOn: []}}",
        "fallback: none",
        "fallback: {kind: none}",
        "methods: {Get: {calls: []}}",
    ],
)
def test_saying_that_something_is_off_is_fine(line: str) -> None:
    assert refused(f"spec:\n  {line}\n") == []


def test_every_row_names_a_key_of_the_format() -> None:
    for row in NOT_YET:
        shape: Shape | None = Shape("model", model=ResilienceSpec)
        for step in row.path.split("."):
            assert shape is not None
            shape = shape.item if step == "*" else fields(shape.model)[step].shape if shape.model else None
        assert shape is not None


def test_a_section_that_is_supported_throughout_is_accepted() -> None:
    text = """\
metadata: {name: a, labels: {x: y}}
spec:
  deadline: {default: 1s, max: 2s, minRemaining: 1ms, reserve: 1ms}
  criticality: SHEDDABLE
  profiles: {p: {deadline: {max: 1s}}}
  methods: {Get: {profile: p, criticality: CRITICAL}}
  dependencies: {stock: {protocol: grpc, contract: stock.proto, target: 'stock:1', timeout: {attempt: 1s, total: 2s}}}
  errors: {domain: a, rest: problem, table: {OUT_OF: {grpc: ABORTED}}, byCode: {ABORTED: {}}, unmapped: {redact: false}}
  server:
    grpc: {port: 1, keepalive: {time: 1h}}
    rest: {port: 2, maxBodyBytes: 1MiB, emitDefaults: true, unknownFields: ignore, duplicateRoutes: error}
    admin: {port: 3, bind: "::"}
    workers: 2
  lifecycle: {drainTimeout: 1s}
  observability:
    metrics: {exporter: none}
    traces: {sampler: always_on, ratio: 0.1}
    logs: {format: text, redact: [a]}
    propagate: {metadata: [x-a]}
"""
    assert refused(text) == []
    root, _ = parse(text, "s.yaml")
    assert root is not None
    assert find(root, ("spec", "server", "workers")) is not None

"""Names of a contract that Python has taken: what can be mended is, what cannot is refused at its place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from generator.contract.load import load
from generator.contract.model import Contract
from generator.errors import InputError
from generator.render.keywords import check
from generator.render.protobuf import render


def contract(folder: Path, body: str) -> Contract:
    (folder / "odd.proto").write_text(f'syntax = "proto3";\npackage odd;\n{body}')
    return load(["odd.proto"], [folder])


def test_protocs_output_parses_whatever_its_enum_values_rpcs_and_services_are_called(tmp_path: Path) -> None:
    body = """
    enum Color { NOTHING = 0; None = 1; from = 2; }
    message M { enum E { pass = 0; } string from = 1; }
    service lambda { rpc import(M) returns (M); rpc None(M) returns (M); }
    """
    emitted = {emit.path.rpartition("/")[2]: emit.content.decode() for emit in render(contract(tmp_path, body), "p")}
    for name in ("odd_pb2.py", "odd_pb2.pyi", "odd_pb2_grpc.py"):
        ast.parse(emitted[name])
    assert "self.import_ = channel.unary_unary(" in emitted["odd_pb2_grpc.py"]
    assert "NOTHING: Color" in emitted["odd_pb2.pyi"]


def test_a_message_or_enum_that_no_module_can_hold_is_refused_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        check(contract(tmp_path, "message None {}\nmessage Outer { enum class { ZERO = 0; } }"))
    findings = refused.value.findings
    assert [(finding.id, finding.place.line) for finding in findings] == [
        ("keyword-as-type", 3),
        ("keyword-as-type", 4),
    ]


@pytest.mark.parametrize("name", ["DESCRIPTOR", "CopyFrom", "SerializeToString"])
def test_a_field_that_hides_what_every_message_has_is_refused_where_it_stands(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as refused:
        check(contract(tmp_path, f"message M {{\n  string a = 1;\n  string {name} = 2;\n}}"))
    (finding,) = refused.value.findings
    assert (finding.id, finding.place.line, finding.place.column) == ("hiding-field", 5, 3)


def test_other_names_are_left_alone(tmp_path: Path) -> None:
    check(contract(tmp_path, "message Nothing { string none = 1; string descriptor = 2; }"))

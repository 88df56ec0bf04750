"""Validation is on where a method's requests have rules, and for those alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.contract.load import load as load_contract
from generator.plan.build import build
from generator.plan.model import Plan
from generator.spec.load import load_text

# As much of buf/validate/validate.proto as there is rules for here, under its own numbers.
RULES = """\
syntax = "proto2";
package buf.validate;
import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions { optional FieldRules field = 1159; }
message FieldRules { oneof type { StringRules string = 14; } }
message StringRules { optional uint64 min_len = 2; }
"""
CONTRACT = """\
syntax = "proto3";
package shop.v1;
import "buf/validate/validate.proto";
import "google/api/field_behavior.proto";
service Shop {
  rpc Free(FreeRequest) returns (FreeRequest);
  rpc Required(OuterRequest) returns (FreeRequest);
  rpc Ruled(RuledRequest) returns (FreeRequest);
  rpc Ours(OursRequest) returns (FreeRequest);
  rpc Flag(FlagRequest) returns (FreeRequest);
  rpc Loop(LoopRequest) returns (FreeRequest);
}
message FreeRequest { string name = 1; }
message OuterRequest { map<string, Inner> inner = 1; }
message Inner { string name = 1 [(google.api.field_behavior) = REQUIRED]; }
message RuledRequest { repeated Named named = 1; }
message Named { string name = 1 [(buf.validate.field).string.min_len = 3]; }
message OursRequest { Inner inner = 1 [(google.api.field_behavior) = OUTPUT_ONLY]; }
message FlagRequest { bool flag = 1 [(google.api.field_behavior) = REQUIRED]; }
message LoopRequest { LoopRequest loop = 1; Inner inner = 2; }
"""


def plan(folder: Path, spec: str) -> Plan:
    (folder / "buf" / "validate").mkdir(parents=True)
    (folder / "buf" / "validate" / "validate.proto").write_text(RULES)
    (folder / "shop.proto").write_text(CONTRACT)
    return build(load_contract(["shop.proto"], [folder]), load_text(spec, "r.yaml"), name="shop", package="shop")


@pytest.mark.parametrize(
    ("validation", "on"),
    [
        ("{}", {"Required": (True, False), "Ruled": (False, True), "Loop": (True, False)}),
        ("{protovalidate: false}", {"Required": (True, False), "Loop": (True, False)}),
        ("{fieldBehavior: false}", {"Ruled": (False, True)}),
        ("false", {}),
    ],
)
def test_methods_have_the_stage_whose_requests_have_rules(
    tmp_path: Path, validation: str, on: dict[str, tuple[bool, bool]]
) -> None:
    made = plan(tmp_path, f"spec: {{validation: {validation}}}")
    found = {
        method.rpc.name: (method.validation.field_behavior, method.validation.protovalidate)
        for method in made.methods
        if method.validation is not None
    }
    assert found == on
    assert {method.rpc.name for method in made.methods if "validation" in method.chain} == set(on)

"""Requests that were let through and are refused now, by what the contract says of them and the policies have checked."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from generator.breaking.behaviour import of_plan
from generator.breaking.checks import tightened
from generator.breaking.rule import Category
from generator.breaking.schema import Schema
from generator.breaking.snapshot import dump, load
from generator.breaking.versions import Version, compare
from generator.contract.load import load as load_contract
from generator.plan.build import build
from generator.spec.load import load_text

# As much of buf/validate/validate.proto as there is rules for here, under its own numbers.
BUF = """\
syntax = "proto2";
package buf.validate;
import "google/protobuf/descriptor.proto";
extend google.protobuf.MessageOptions { optional MessageRules message = 1159; }
extend google.protobuf.OneofOptions { optional OneofRules oneof = 1159; }
extend google.protobuf.FieldOptions { optional FieldRules field = 1159; }
message MessageRules { repeated Rule cel = 3; }
message Rule { optional string id = 1; optional string expression = 3; }
message OneofRules { optional bool required = 1; }
message FieldRules { oneof type { StringRules string = 14; RepeatedRules repeated = 18; } }
message StringRules { optional uint64 min_len = 2; optional uint64 max_len = 3; }
message RepeatedRules { optional uint64 max_items = 2; optional FieldRules items = 4; }
"""
CONTRACT = """\
syntax = "proto3";
package shop.v1;
import "buf/validate/validate.proto";
import "google/api/field_behavior.proto";
service Shop { rpc Put(PutRequest) returns (Receipt); MORE }
message PutRequest { MESSAGE string name = 1 NAME; repeated string tags = 2 TAGS; Inner inner = 3; oneof choice { ONEOF string a = 4; string b = 5; } NEW }
message Inner { string note = 1 NOTE; }
message Receipt { string id = 1 ID; }
"""
BLANK = dict.fromkeys(("MORE", "MESSAGE", "NAME", "TAGS", "ONEOF", "NEW", "NOTE", "ID"), "")
ON, OFF = "spec: {validation: {}}\n", "spec: {}\n"
REQUIRED = "[(google.api.field_behavior) = REQUIRED]"


def ruled(rule: str) -> str:
    return f"[(buf.validate.field).{rule}]"


def version(folder: Path, spec: str = ON, **parts: str) -> Version:
    folder.joinpath("buf/validate").mkdir(parents=True)
    folder.joinpath("buf/validate/validate.proto").write_text(BUF)
    text = CONTRACT
    for name, part in (BLANK | parts).items():
        text = text.replace(name, part)
    folder.joinpath("shop.proto").write_text(text)
    contract = load_contract(["shop.proto"], [folder])
    plan = build(contract, load_text(spec, "resilience.yaml"), name="shop", package="shop")
    return Version(Schema(contract.descriptor_set, frozenset(["shop.proto"]), contract.source_info), of_plan(plan))


def broken(before: Version, after: Version) -> list[str]:
    return [one.key for one in compare(before, after, Category.WIRE).breaks]


CHANGES = {
    "a field that is required": ({}, {"NAME": REQUIRED}, "shop.v1.PutRequest.name"),
    "a field that is not any more": ({"NAME": REQUIRED}, {}, ""),
    "a new field that is required": ({}, {"NEW": f"string more = 9 {REQUIRED};"}, "shop.v1.PutRequest.more"),
    "a field of a message in the request": ({}, {"NOTE": REQUIRED}, "shop.v1.Inner.note"),
    "a field of a response": ({}, {"ID": REQUIRED}, ""),
    "a flag that cannot be told to be missing": ({}, {"NEW": f"bool flag = 9 {REQUIRED};"}, ""),
    "a rule": ({}, {"NAME": ruled("string.min_len = 3")}, "shop.v1.PutRequest.name"),
    "a stricter rule": (
        {"NAME": ruled("string.min_len = 3")},
        {"NAME": ruled("string.min_len = 4")},
        "shop.v1.PutRequest.name",
    ),
    "a laxer rule": ({"NAME": ruled("string.max_len = 9")}, {"NAME": ruled("string.max_len = 10")}, ""),
    "a rule for the elements of a list": (
        {"TAGS": ruled("repeated.items.string.max_len = 9")},
        {"TAGS": ruled("repeated.items.string.max_len = 8")},
        "shop.v1.PutRequest.tags",
    ),
    "a oneof that is required": (
        {},
        {"ONEOF": "option (buf.validate.oneof).required = true;"},
        "shop.v1.PutRequest.choice",
    ),
    "a rule of the message": (
        {},
        {"MESSAGE": 'option (buf.validate.message).cel = {id: "a", expression: "false"};'},
        "shop.v1.PutRequest",
    ),
    "a new method with requests of its own": (
        {},
        {"MORE": f"rpc More(MoreRequest) returns (Receipt); }} message MoreRequest {{ string name = 1 {REQUIRED};"},
        "",
    ),
}


@pytest.mark.parametrize(("old", "new", "subject"), CHANGES.values(), ids=CHANGES)
def test_what_is_refused_that_was_not(
    tmp_path: Path, old: Mapping[str, str], new: Mapping[str, str], subject: str
) -> None:
    before, after = version(tmp_path / "old", **old), version(tmp_path / "new", **new)
    assert broken(before, after) == ([f"REQUEST_NO_TIGHTEN:{subject}"] if subject else [])


def test_without_validation_nothing_is_refused(tmp_path: Path) -> None:
    before = version(tmp_path / "old", OFF)
    assert broken(before, version(tmp_path / "new", OFF, NAME=REQUIRED, NOTE=ruled("string.min_len = 3"))) == []


def test_validation_that_is_turned_on_refuses_and_is_accepted_as_one(tmp_path: Path) -> None:
    parts = {"NAME": REQUIRED, "NOTE": ruled("string.min_len = 3")}
    before, after = version(tmp_path / "old", OFF, **parts), version(tmp_path / "new", ON, **parts)
    breaks = compare(before, after, Category.WIRE).breaks
    assert [one.change.subject for one in breaks] == ["shop.v1.PutRequest.name", "shop.v1.Inner.note"]
    assert {one.change.also for one in breaks} == {"validation"}
    assert broken(after, before) == []


def test_the_finding_says_what_and_where(tmp_path: Path) -> None:
    before = version(tmp_path / "old", NOTE=ruled("string.max_len = 9"))
    after = version(tmp_path / "new", NOTE=ruled("string.max_len = 8"), NAME=REQUIRED)
    name, note = compare(before, after, Category.WIRE).breaks
    assert name.change.what == "shop.v1.PutRequest.name must be there, and did not have to"
    assert note.change.what == 'shop.v1.Inner.note is checked for string.max_len = "8", not "9"'
    assert (name.change.place.line, note.change.place.line) == (6, 7)


def test_checks_are_kept_and_what_an_older_version_has_kept_says_nothing(tmp_path: Path) -> None:
    made = version(tmp_path / "old", NAME=REQUIRED, NOTE=ruled("string.max_len = 9"))
    assert load(dump(made.behaviour), "x") == made.behaviour
    older = replace(made, behaviour=load(dump(replace(made.behaviour, checks=None)), "x"))
    assert older.behaviour.checks is None
    assert broken(older, version(tmp_path / "new", NAME=REQUIRED, NOTE=REQUIRED)) == []


BOUNDS = [
    ({"a int32.gt": "5"}, {"a int32.gte": "5"}, False),
    ({"a int32.gte": "5"}, {"a int32.gt": "5"}, True),
    ({"a int32.gt": "5"}, {"a int32.gte": "6"}, True),
    ({"a int32.lte": "5"}, {"a int32.lt": "5"}, True),
    ({"a int32.lt": "5"}, {"a int32.lte": "5"}, False),
    ({"a int32.lt": "5"}, {"a int32.lt": "6"}, False),
    ({"a duration.lte": '"5s"'}, {"a duration.lte": '"4.5s"'}, True),
    ({"a duration.lte": '"5s"'}, {"a duration.lte": '"50s"'}, False),
    ({"a string.in": '["a", "b"]'}, {"a string.in": '["a", "b", "c"]'}, False),
    ({"a string.in": '["a", "b"]'}, {"a string.in": '["a"]'}, True),
    ({"a string.not_in": '["a"]'}, {"a string.not_in": '["a", "b"]'}, True),
    ({"a string.not_in": '["a", "b"]'}, {"a string.not_in": '["a"]'}, False),
    ({"a string.pattern": '"a"'}, {"a string.pattern": '"a|b"'}, True),
    ({"a string.pattern": '"a"'}, {"a string.pattern": '"a"'}, False),
    ({"a string.len": '"3"'}, {"a string.len": '"4"'}, True),
    ({"a ignore": '"IGNORE_ALWAYS"'}, {}, True),
    ({}, {"a ignore": '"IGNORE_ALWAYS"'}, False),
    ({"a timestamp.lt": '"2020-01-01T00:00:00Z"'}, {"a timestamp.lt": '"2021-01-01T00:00:00Z"'}, True),
]


@pytest.mark.parametrize(("before", "after", "stricter"), BOUNDS)
def test_which_of_two_rules_is_the_stricter(
    before: Mapping[str, str], after: Mapping[str, str], stricter: bool
) -> None:
    assert bool(list(tightened(before, after))) is stricter

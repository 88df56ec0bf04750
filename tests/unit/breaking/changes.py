"""Changes of contracts, before and after: what the rules are tried on, ours and buf's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROTO2 = 'syntax = "proto2";'
_EDITION = 'edition = "2023";'


@dataclass(frozen=True, slots=True)
class Change:
    """One change, in a package and folder of its own name; files are bodies, or whole where they name their syntax."""

    name: str
    before: Mapping[str, str]
    after: Mapping[str, str]

    def write(self, before: Path, after: Path) -> None:
        """Lays both sides down, each below its folder."""
        for root, files in ((before, self.before), (after, self.after)):
            for file, body in files.items():
                target = root / self.name / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(self._whole(body))

    def _whole(self, body: str) -> str:
        first, separator, rest = body.partition(";")
        if not first.lstrip().startswith(("syntax", "edition")):
            first, separator, rest = 'syntax = "proto3"', ";", body
        package = "" if "package" in rest else f"package {self.name};"
        return f"{first}{separator}\n{package}\n{rest}\n".replace("OWN", self.name)


def change(name: str, before: str | Mapping[str, str], after: str | Mapping[str, str]) -> Change:
    """A change; one body is that of x.proto."""
    return Change(
        name,
        {"x.proto": before} if isinstance(before, str) else before,
        {"x.proto": after} if isinstance(after, str) else after,
    )


def field(name: str, before: str, after: str) -> Change:
    """A change of one field of a message that has others."""
    return change(f"field_{name}", f"message M {{ string a = 1; {before} }}", f"message M {{ string a = 1; {after} }}")


def old_field(name: str, before: str, after: str) -> Change:
    """The same in proto2."""
    head = f"{_PROTO2} enum E {{ E_ZERO = 0; E_ONE = 1; }} message M {{ optional string a = 1;"
    return change(f"old_field_{name}", f"{head} {before} }}", f"{head} {after} }}")


def value(name: str, before: str, after: str, rest: str = "") -> Change:
    """A change of an enum's values."""
    return change(f"enum_{name}", f"enum E {{ {before} }} {rest}", f"enum E {{ {after} }} {rest}")


def rpc(name: str, before: str, after: str) -> Change:
    """A change of a service's RPCs."""
    rest = "message A {} message B {}"
    return change(f"rpc_{name}", f"service S {{ {before} }} {rest}", f"service S {{ {after} }} {rest}")


_SCALARS = (
    *("int32", "int64", "uint32", "uint64", "sint32", "sint64", "bool"),
    *("fixed32", "fixed64", "sfixed32", "sfixed64", "float", "double", "string", "bytes"),
)
_TYPES = tuple(
    change(
        f"types_{before}_{after}",
        f"message M {{ {before} a = 1; }}",
        f"message M {{ {after} a = 1; }}",
    )
    for before in _SCALARS
    for after in _SCALARS
)

FIELDS = (
    field("deleted", "string b = 2;", ""),
    field("deleted_number_reserved", "string b = 2;", "reserved 2;"),
    field("deleted_name_reserved", "string b = 2;", 'reserved "b";'),
    field("deleted_both_reserved", "string b = 2;", 'reserved 2; reserved "b";'),
    field("added", "", "string b = 2;"),
    field("renamed", "string b = 2;", "string c = 2;"),
    field("renumbered", "string b = 2;", "string b = 3;"),
    field("renumbered_reserved", "string b = 2;", "string b = 3; reserved 2;"),
    field("json_name", "string b = 2;", 'string b = 2 [json_name = "bee"];'),
    field("renamed_json_kept", "string b_b = 2;", 'string c = 2 [json_name = "bB"];'),
    field("repeated", "string b = 2;", "repeated string b = 2;"),
    field("singular", "repeated string b = 2;", "string b = 2;"),
    field("presence", "string b = 2;", "optional string b = 2;"),
    field("presence_lost", "optional string b = 2;", "string b = 2;"),
    field("map", "string b = 2;", "map<string, string> b = 2;"),
    field("map_gone", "map<string, string> b = 2;", ""),
    field(
        "map_to_repeated",
        "map<string, string> b = 2;",
        "message P { string key = 1; string value = 2; } repeated P b = 2;",
    ),
    field("map_value", "map<string, string> b = 2;", "map<string, int32> b = 2;"),
    field("map_key", "map<int32, string> b = 2;", "map<int64, string> b = 2;"),
    field("map_renamed", "map<string, string> b = 2;", "map<string, string> c = 2;"),
    field("message_type", "message N {} message O {} N b = 2;", "message N {} message O {} O b = 2;"),
    field("message_to_scalar", "message N {} N b = 2;", "message N {} string b = 2;"),
    field("message_to_bytes", "message N {} N b = 2;", "message N {} bytes b = 2;"),
    field("enum_to_int", "enum E { Z = 0; } E b = 2;", "enum E { Z = 0; } int32 b = 2;"),
    field("enum_other", "enum E { Z = 0; } enum F { Y = 0; } E b = 2;", "enum E { Z = 0; } enum F { Y = 0; } F b = 2;"),
    field("into_oneof", "string b = 2;", "oneof o { string b = 2; }"),
    field("out_of_oneof", "oneof o { string b = 2; string c = 3; }", "oneof o { string c = 3; } string b = 2;"),
    field("oneof_deleted", "oneof o { string b = 2; }", "string b = 2;"),
    field("oneof_renamed", "oneof o { string b = 2; }", "oneof p { string b = 2; }"),
    field("oneof_gone", "oneof o { string b = 2; }", ""),
    field("oneof_from_optional", "optional string b = 2;", "oneof o { string b = 2; }"),
    field("optional_gone", "optional string b = 2;", ""),
    field("deprecated", "string b = 2;", "string b = 2 [deprecated = true];"),
)
OLD_FIELDS = (
    old_field("required", "optional string b = 2;", "required string b = 2;"),
    old_field("required_lost", "required string b = 2;", "optional string b = 2;"),
    old_field("required_added", "", "required string b = 2;"),
    old_field("required_deleted", "required string b = 2;", ""),
    old_field("default", "optional string b = 2;", 'optional string b = 2 [default = "x"];'),
    old_field("default_changed", "optional int32 b = 2 [default = 1];", "optional int32 b = 2 [default = 2];"),
    old_field("default_lost", "optional bool b = 2 [default = true];", "optional bool b = 2;"),
    old_field("default_zero", "optional int32 b = 2;", "optional int32 b = 2 [default = 0];"),
    old_field("default_number_type", "optional int32 b = 2 [default = 1];", "optional int64 b = 2 [default = 1];"),
    old_field("default_float", "optional float b = 2 [default = 0.1];", "optional double b = 2 [default = 0.1];"),
    old_field("default_nan", "optional float b = 2 [default = nan];", "optional double b = 2 [default = nan];"),
    old_field(
        "default_bytes", 'optional bytes b = 2 [default = "\\001"];', 'optional bytes b = 2 [default = "\\002"];'
    ),
    old_field(
        "default_text_to_bytes", 'optional string b = 2 [default = "x"];', 'optional bytes b = 2 [default = "x"];'
    ),
    old_field("default_enum", "optional E b = 2;", "optional E b = 2 [default = E_ONE];"),
    old_field("default_bool_to_int", "optional bool b = 2 [default = true];", "optional int32 b = 2 [default = 1];"),
    old_field("group", "optional group B = 2 { optional string c = 1; }", ""),
    old_field(
        "group_to_message",
        "optional group B = 2 { optional string c = 1; }",
        "message B { optional string c = 1; } optional B b = 2;",
    ),
    old_field("extension_range", "extensions 100 to 200;", "extensions 100 to 150;"),
    old_field("extension_range_split", "extensions 100 to 200;", "extensions 100 to 150; extensions 151 to 200;"),
    old_field("extension_range_gone", "extensions 100 to max;", ""),
)
EXTENSIONS = (
    change(
        "extension_deleted",
        f"{_PROTO2} message M {{ extensions 100 to 200; }} extend M {{ optional string e = 100; }}",
        f"{_PROTO2} message M {{ extensions 100 to 200; }}",
    ),
    change(
        "extension_renamed",
        f"{_PROTO2} message M {{ extensions 100 to 200; }} extend M {{ optional string e = 100; }}",
        f"{_PROTO2} message M {{ extensions 100 to 200; }} extend M {{ optional string f = 100; }}",
    ),
    change(
        "extension_type",
        f"{_PROTO2} message M {{ extensions 100 to 200; }} extend M {{ optional string e = 100; }}",
        f"{_PROTO2} message M {{ extensions 100 to 200; }} extend M {{ repeated int32 e = 100; }}",
    ),
    change(
        "extension_nested",
        f"{_PROTO2} message M {{ extensions 100 to 200; }} message N {{ extend M {{ optional string e = 100; }} }}",
        f"{_PROTO2} message M {{ extensions 100 to 200; }} message N {{}}",
    ),
    change(
        "extension_moved",
        {
            "m.proto": f"{_PROTO2} message M {{ extensions 100 to 200; }}",
            "x.proto": f'{_PROTO2} import "OWN/m.proto"; extend M {{ optional string e = 100; }}',
            "y.proto": f'{_PROTO2} import "OWN/m.proto"; message Y {{}}',
        },
        {
            "m.proto": f"{_PROTO2} message M {{ extensions 100 to 200; }}",
            "x.proto": f'{_PROTO2} import "OWN/m.proto"; message X {{}}',
            "y.proto": f'{_PROTO2} import "OWN/m.proto"; message Y {{}} extend M {{ optional string e = 100; }}',
        },
    ),
)
ENUMS = (
    value("value_deleted", "Z = 0; A = 1;", "Z = 0;"),
    value("value_deleted_number_reserved", "Z = 0; A = 1;", "Z = 0; reserved 1;"),
    value("value_deleted_name_reserved", "Z = 0; A = 1;", 'Z = 0; reserved "A";'),
    value("value_deleted_both_reserved", "Z = 0; A = 1;", 'Z = 0; reserved 1; reserved "A";'),
    value("value_renamed", "Z = 0; A = 1;", "Z = 0; B = 1;"),
    value("value_added", "Z = 0;", "Z = 0; A = 1;"),
    value("value_renumbered", "Z = 0; A = 1;", "Z = 0; A = 2;"),
    value("alias_added", "Z = 0; A = 1;", "option allow_alias = true; Z = 0; A = 1; B = 1;"),
    value("alias_removed", "option allow_alias = true; Z = 0; A = 1; B = 1;", "Z = 0; A = 1;"),
    value("aliases_deleted", "option allow_alias = true; Z = 0; A = 1; B = 1;", 'Z = 0; reserved "A";'),
    value("reserved_gone", 'Z = 0; reserved 2 to 5; reserved "B", "C";', 'Z = 0; reserved 2 to 4; reserved "B";'),
    value("reserved_negative", "Z = 0; reserved -5 to -1;", "Z = 0; reserved -5 to -2;"),
    value("reserved_max", "Z = 0; reserved 10 to max;", "Z = 0; reserved 11 to max;"),
    change("enum_deleted", "enum E { Z = 0; } message M {}", "message M {}"),
    change("enum_nested_deleted", "message M { enum E { Z = 0; } }", "message M {}"),
    change("enum_renamed", "enum E { Z = 0; }", "enum F { Z = 0; }"),
    change("enum_opened", f"{_PROTO2} enum E {{ Z = 0; }}", "enum E { Z = 0; }"),
    change(
        "enum_closed_edition",
        f"{_EDITION} enum E {{ Z = 0; }}",
        f"{_EDITION} enum E {{ option features.enum_type = CLOSED; Z = 0; }}",
    ),
    change(
        "enum_moved",
        {"x.proto": "enum E { Z = 0; } message X {}", "y.proto": "message Y {}"},
        {"x.proto": "message X {}", "y.proto": "enum E { Z = 0; } message Y {}"},
    ),
    change(
        "enum_same_short_name",
        "message N { enum E { Z = 0; } } enum E { Y = 0; X = 1; } message M { E e = 1; }",
        "message N { enum E { Z = 0; } } enum E { Y = 0; X = 1; } message M { N.E e = 1; }",
    ),
    change(
        "enum_superset",
        "message N { enum E { Z = 0; A = 1; } } message O { enum E { Z = 0; } } message M { O.E e = 1; }",
        "message N { enum E { Z = 0; A = 1; } } message O { enum E { Z = 0; } } message M { N.E e = 1; }",
    ),
)
MESSAGES = (
    change("message_deleted", "message M {} message N {}", "message N {}"),
    change("message_nested_deleted", "message M { message N { message O {} } }", "message M {}"),
    change("message_renamed", "message M { string a = 1; }", "message N { string a = 1; }"),
    change(
        "message_moved",
        {"x.proto": "message M {} message X {}", "y.proto": "message Y {}"},
        {"x.proto": "message X {}", "y.proto": "message M {} message Y {}"},
    ),
    change(
        "message_reserved_gone", 'message M { reserved 2, 5 to 7; reserved "b"; }', "message M { reserved 5 to 6; }"
    ),
    change("message_reserved_wider", "message M { reserved 2, 3; }", "message M { reserved 1 to 5; }"),
    change("message_reserved_max", "message M { reserved 10 to max; }", "message M { reserved 10 to 20, 22 to max; }"),
    change("message_with_map_deleted", "message M { map<string, string> b = 1; } message N {}", "message N {}"),
    change(
        "message_with_all_deleted",
        "message M { enum E { Z = 0; } message N { map<int32, E> e = 1; } } message X {}",
        "message X {}",
    ),
)
FILES = (
    change("file_deleted", {"x.proto": "message X {}", "y.proto": "message Y {}"}, {"x.proto": "message X {}"}),
    change(
        "file_emptied",
        {"x.proto": "message X {}", "y.proto": "enum E { Z = 0; } service S {} message Y {}"},
        {"x.proto": "message X {}", "y.proto": ""},
    ),
    change("file_renamed", {"x.proto": "message X {}"}, {"y.proto": "message X {}"}),
    change("file_package", "package file_package.one; message M {}", "package file_package.two; message M {}"),
    change(
        "file_package_kept",
        {
            "x.proto": "package file_package_kept.a; message M {}",
            "y.proto": "package file_package_kept.b; message N {}",
        },
        {
            "x.proto": "package file_package_kept.b; message M {}",
            "y.proto": "package file_package_kept.a; message N {}",
        },
    ),
    change("file_syntax", f"{_PROTO2} message M {{ optional string a = 1; }}", "message M { optional string a = 1; }"),
    change("file_syntax_implicit", f"{_PROTO2} message M {{ optional string a = 1; }}", "message M { string a = 1; }"),
    change(
        "file_edition",
        "message M { string a = 1; repeated int32 b = 2; }",
        f"{_EDITION} message M {{ string a = 1; repeated int32 b = 2; }}",
    ),
    change("file_py_services", "message M {}", "option py_generic_services = true; message M {}"),
    change(
        "file_import",
        {"x.proto": "message X {}", "y.proto": "message Y {}"},
        {"x.proto": "message X {}", "y.proto": 'import "OWN/x.proto"; message Y { X x = 1; }'},
    ),
)
FEATURES = (
    change(
        "feature_presence",
        f"{_EDITION} message M {{ string a = 1; }}",
        f"{_EDITION} message M {{ string a = 1 [features.field_presence = IMPLICIT]; }}",
    ),
    change(
        "feature_required",
        f"{_EDITION} message M {{ string a = 1; }}",
        f"{_EDITION} message M {{ string a = 1 [features.field_presence = LEGACY_REQUIRED]; }}",
    ),
    change(
        "feature_utf8",
        f"{_EDITION} message M {{ string a = 1; }}",
        f"{_EDITION} message M {{ string a = 1 [features.utf8_validation = NONE]; }}",
    ),
    change(
        "feature_utf8_file",
        f"{_EDITION} message M {{ string a = 1; bytes b = 2; }}",
        f"{_EDITION} option features.utf8_validation = NONE; message M {{ string a = 1; bytes b = 2; }}",
    ),
    change(
        "feature_json_message",
        f"{_EDITION} message M {{ string a = 1; }}",
        f"{_EDITION} message M {{ option features.json_format = LEGACY_BEST_EFFORT; string a = 1; }}",
    ),
    change(
        "feature_json_file",
        f"{_EDITION} message M {{ message N {{}} }} enum E {{ Z = 0; }}",
        f"{_EDITION} option features.json_format = LEGACY_BEST_EFFORT; message M {{ message N {{}} }} enum E {{ Z = 0; }}",
    ),
    change(
        "feature_delimited",
        f"{_EDITION} message N {{}} message M {{ N a = 1; }}",
        f"{_EDITION} message N {{}} message M {{ N a = 1 [features.message_encoding = DELIMITED]; }}",
    ),
)
SERVICES = (
    change("service_deleted", "message A {} service S { rpc R(A) returns (A); }", "message A {}"),
    change(
        "service_renamed",
        "message A {} service S { rpc R(A) returns (A); }",
        "message A {} service T { rpc R(A) returns (A); }",
    ),
    change(
        "service_moved",
        {
            "x.proto": "service S { rpc R(A) returns (A); } message A {}",
            "y.proto": 'import "OWN/x.proto"; message Y { A a = 1; }',
        },
        {
            "x.proto": "message A {}",
            "y.proto": 'import "OWN/x.proto"; message Y { A a = 1; } service S { rpc R(A) returns (A); }',
        },
    ),
    rpc("deleted", "rpc R(A) returns (A); rpc Q(A) returns (A);", "rpc R(A) returns (A);"),
    rpc("renamed", "rpc R(A) returns (A);", "rpc Q(A) returns (A);"),
    rpc("added", "", "rpc R(A) returns (A);"),
    rpc("request", "rpc R(A) returns (A);", "rpc R(B) returns (A);"),
    rpc("response", "rpc R(A) returns (A);", "rpc R(A) returns (B);"),
    rpc("client_streaming", "rpc R(A) returns (A);", "rpc R(stream A) returns (A);"),
    rpc("server_streaming", "rpc R(A) returns (stream A);", "rpc R(A) returns (A);"),
    rpc("idempotency", "rpc R(A) returns (A);", "rpc R(A) returns (A) { option idempotency_level = IDEMPOTENT; }"),
    rpc("deprecated", "rpc R(A) returns (A);", "rpc R(A) returns (A) { option deprecated = true; }"),
)

CHANGES: tuple[Change, ...] = (
    *FIELDS,
    *OLD_FIELDS,
    *EXTENSIONS,
    *ENUMS,
    *MESSAGES,
    *FILES,
    *FEATURES,
    *SERVICES,
    *_TYPES,
)

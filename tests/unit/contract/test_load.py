"""What a contract says is what its .proto files say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from generator.contract.load import load
from generator.contract.model import Contract, Field, Kind
from generator.errors import Finding, InputError, Place

Read = Callable[..., Contract]
Findings = Callable[..., list[Finding]]


def field(contract: Contract, message: str, name: str) -> Field:
    found = contract.messages[message].field(name)
    assert found is not None
    return found


def test_the_four_kinds_of_rpc_are_told_apart(read: Read) -> None:
    contract = read({"a.proto": """
            syntax = "proto3"; package shop;
            message M {}
            service Talk {
              rpc Unary(M) returns (M);
              rpc Up(stream M) returns (M);
              rpc Down(M) returns (stream M);
              rpc Both(stream M) returns (stream M);
            }
            """})
    (service,) = contract.services
    assert (service.full_name, service.file) == ("shop.Talk", "a.proto")
    assert [rpc.kind for rpc in service.rpcs] == [Kind.UNARY, Kind.CLIENT_STREAM, Kind.SERVER_STREAM, Kind.BIDI]
    assert contract.rpc("/shop.Talk/Up") is service.rpcs[1]
    assert service.rpcs[1].full_name == "shop.Talk.Up"
    assert (service.rpcs[1].request, service.rpcs[1].response) == ("shop.M", "shop.M")
    assert contract.rpc("/shop.Talk/Sideways") is None


def test_a_contract_may_have_no_package(read: Read) -> None:
    contract = read({"a.proto": 'syntax = "proto3"; message M {} service S { rpc Do(M) returns (M); }'})
    assert contract.services[0].rpcs[0].path == "/S/Do"
    assert contract.files["a.proto"].package == ""


def test_services_come_from_the_roots_in_the_order_given_and_types_from_everywhere(read: Read) -> None:
    files = {
        name: f'syntax = "proto3"; package {package}; {imports} message M {{}} service S {{ rpc Do(M) returns (M); }}'
        for name, package, imports in (
            ("z.proto", "z", 'import "deep/b.proto";'),
            ("a.proto", "a", ""),
            ("deep/b.proto", "deep.b", ""),
        )
    }
    contract = read(files, "z.proto", "a.proto")
    assert [service.full_name for service in contract.services] == ["z.S", "a.S"]
    assert set(contract.messages) == {"z.M", "a.M", "deep.b.M"}
    order = list(contract.files)
    assert order.index("deep/b.proto") < order.index("z.proto")
    assert [file.path for file in contract.files.values() if file.root] == ["z.proto", "a.proto"]
    assert contract.files["z.proto"].dependencies == ("deep/b.proto",)


def test_public_imports_are_known_and_their_types_usable(read: Read) -> None:
    contract = read(
        {
            "a.proto": 'syntax = "proto3"; package a; import "b.proto"; service S { rpc Do(c.M) returns (c.M); }',
            "b.proto": 'syntax = "proto3"; package b; import public "c.proto";',
            "c.proto": 'syntax = "proto3"; package c; message M {}',
        }
    )
    assert contract.files["b.proto"].public_dependencies == ("c.proto",)
    assert contract.services[0].rpcs[0].request == "c.M"


def test_fields_keep_what_the_descriptor_says(read: Read) -> None:
    contract = read({"a.proto": """
            syntax = "proto3"; package a;
            message Outer {
              message Inner { enum Color { RED = 0; } }
              string a_name = 1;
              int64 renamed = 2 [json_name = "@type"];
              repeated Inner.Color colors = 3;
              Inner inner = 4;
              optional bool maybe = 5 [deprecated = true];
              bytes secret = 6 [debug_redact = true];
            }
            """})
    fields = contract.messages["a.Outer"].fields
    assert [(each.name, each.json_name, each.number, each.type) for each in fields] == [
        ("a_name", "aName", 1, "string"),
        ("renamed", "@type", 2, "int64"),
        ("colors", "colors", 3, "enum"),
        ("inner", "inner", 4, "message"),
        ("maybe", "maybe", 5, "bool"),
        ("secret", "secret", 6, "bytes"),
    ]
    assert [each.name for each in fields if each.has_presence] == ["inner", "maybe"]
    assert [each.name for each in fields if each.repeated] == ["colors"]
    assert [each.name for each in fields if each.deprecated] == ["maybe"]
    assert [each.name for each in fields if each.debug_redact] == ["secret"]
    assert field(contract, "a.Outer", "colors").type_name == "a.Outer.Inner.Color"
    assert field(contract, "a.Outer", "inner").type_name == "a.Outer.Inner"
    assert contract.enums["a.Outer.Inner.Color"].name == "Color"


def test_a_map_is_one_field_with_a_key_and_a_value_type(read: Read) -> None:
    contract = read({"a.proto": """
            syntax = "proto3"; package a;
            enum E { ZERO = 0; }
            message M { map<string, M> children = 1; map<int32, E> kinds = 2; map<bool, bytes> flags = 3; repeated M ms = 4; }
            """})
    maps = {each.name: each for each in contract.messages["a.M"].fields if each.is_map}
    assert {name: (m.map_key_type, m.map_value_type, m.map_value_type_name) for name, m in maps.items()} == {
        "children": ("string", "message", "a.M"),
        "kinds": ("int32", "enum", "a.E"),
        "flags": ("bool", "bytes", ""),
    }
    assert all(each.repeated and not each.has_presence for each in maps.values())
    assert contract.messages["a.M.ChildrenEntry"].map_entry
    assert not contract.messages["a.M"].map_entry


def test_a_proto3_optional_is_not_a_oneof(read: Read) -> None:
    contract = read({"a.proto": """
            syntax = "proto3"; package a;
            message M {
              optional string alone = 1;
              // How to pay.
              oneof method { string card = 2; M cash = 3; }
            }
            """})
    (oneof,) = contract.messages["a.M"].oneofs
    assert (oneof.name, oneof.fields, oneof.comment) == ("method", ("card", "cash"), "How to pay.")
    assert field(contract, "a.M", "alone").oneof == ""
    assert field(contract, "a.M", "alone").has_presence
    assert field(contract, "a.M", "card").oneof == "method"
    assert field(contract, "a.M", "card").has_presence


def test_proto2_has_presence_required_groups_extensions_and_closed_enums(read: Read) -> None:
    contract = read({"a.proto": """
            syntax = "proto2"; package a;
            enum E { ONE = 1; }
            message M {
              required string id = 1;
              optional int32 size = 2 [default = 5];
              repeated group Line = 3 { optional string sku = 1; }
              extensions 100 to 200;
            }
            extend M { optional string extra = 100; }
            """})
    assert contract.files["a.proto"].syntax == "proto2"
    assert [each.name for each in contract.messages["a.M"].fields if each.required] == ["id"]
    assert [each.name for each in contract.messages["a.M"].fields if each.has_presence] == ["id", "size"]
    line = field(contract, "a.M", "line")
    assert (line.type, line.type_name, line.repeated) == ("group", "a.M.Line", True)
    assert contract.messages["a.M.Line"].field("sku") is not None
    assert contract.enums["a.E"].closed


@pytest.mark.parametrize("edition", ["2023", "2024"])
def test_editions_are_read_through_their_features(read: Read, edition: str) -> None:
    contract = read({"a.proto": f"""
            edition = "{edition}"; package a;
            enum Open {{ ZERO = 0; }}
            enum Closed {{ option features.enum_type = CLOSED; NIL = 0; }}
            message M {{
              string explicit = 1;
              string implicit = 2 [features.field_presence = IMPLICIT];
              string needed = 3 [features.field_presence = LEGACY_REQUIRED];
              M delimited = 4 [features.message_encoding = DELIMITED];
              repeated int32 many = 5;
              map<string, string> labels = 6;
            }}
            """})
    assert contract.files["a.proto"].syntax == edition
    assert [each.name for each in contract.messages["a.M"].fields if each.has_presence] == [
        "explicit",
        "needed",
        "delimited",
    ]
    assert [each.name for each in contract.messages["a.M"].fields if each.required] == ["needed"]
    assert field(contract, "a.M", "delimited").type == "group"
    assert field(contract, "a.M", "labels").is_map
    assert not contract.enums["a.Open"].closed
    assert contract.enums["a.Closed"].closed


def test_options_of_methods_services_messages_and_enums_are_read(read: Read) -> None:
    contract = read({"a.proto": """
            syntax = "proto3"; package a;
            import "google/api/field_behavior.proto";
            message M {
              option deprecated = true;
              string id = 1 [(google.api.field_behavior) = REQUIRED, (google.api.field_behavior) = IMMUTABLE];
              string plain = 2;
            }
            enum E { option deprecated = true; A = 0; B = 1 [deprecated = true]; }
            service S {
              option deprecated = true;
              rpc Read(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; }
              rpc Put(M) returns (M) { option idempotency_level = IDEMPOTENT; option deprecated = true; }
              rpc Do(M) returns (M);
            }
            """})
    (service,) = contract.services
    assert service.deprecated
    assert [rpc.idempotency for rpc in service.rpcs] == ["NO_SIDE_EFFECTS", "IDEMPOTENT", "IDEMPOTENCY_UNKNOWN"]
    assert [rpc.deprecated for rpc in service.rpcs] == [False, True, False]
    assert field(contract, "a.M", "id").behaviors == {"REQUIRED", "IMMUTABLE"}
    assert field(contract, "a.M", "plain").behaviors == frozenset()
    assert contract.messages["a.M"].deprecated
    assert contract.enums["a.E"].deprecated
    assert [value.deprecated for value in contract.enums["a.E"].values] == [False, True]


def test_comments_are_kept_as_they_stand(read: Read) -> None:
    contract = read({"a.proto": '''
            // Licence.

            syntax = "proto3";
            // The shop.
            package a;
            // Two
            //   indented """ {{ x }} \\ lines.
            message M {
              string before_and_after = 1; // After.
              /* Block
               * comment. */
              string block = 2;
              string none = 3;
            }
            enum E { ZERO = 0; // Nothing.
            }
            // Serves.
            service S {
              // Does.
              rpc Do(M) returns (M);
            }
            '''})
    assert contract.files["a.proto"].comment == "The shop."
    assert contract.messages["a.M"].comment == 'Two\n  indented """ {{ x }} \\ lines.'
    assert [each.comment for each in contract.messages["a.M"].fields] == ["After.", "Block\ncomment.", ""]
    assert contract.enums["a.E"].values[0].comment == "Nothing."
    assert contract.services[0].comment == "Serves."
    assert contract.services[0].rpcs[0].comment == "Does."


def test_comments_survive_windows_line_ends_and_bytes_that_are_not_utf8(read: Read) -> None:
    contract = read({"a.proto": '\ufeffsyntax = "proto3";\r\n// One\r\n// caf\udce9\r\nmessage M {}\r\n'})
    assert contract.messages["M"].comment == "One\ncaf\N{REPLACEMENT CHARACTER}"


def test_places_point_into_the_file_as_the_user_knows_it(read: Read) -> None:
    contract = read({"protos/a.proto": """syntax = "proto3";
import "google/api/annotations.proto";
message M {
  repeated string id = 1;
}
enum E { ZERO = 0; }
service S {
  rpc Whole(M) returns (M) {
    option deprecated = false;
    option (google.api.http) = {
      get: "/a"
      additional_bindings { get: "/b" }
    };
  }
  rpc Dotted(M) returns (M) {
    option (google.api.http).get = "/c";
  }
}
"""})
    place = Place("protos/a.proto", 3, 1)
    assert contract.messages["M"].place == place
    assert field(contract, "M", "id").place == Place("protos/a.proto", 4, 3)
    assert contract.enums["E"].place.line == 6
    (service,) = contract.services
    assert service.place.line == 7
    assert [rpc.place.line for rpc in service.rpcs] == [8, 15]
    assert [rule.place.line for rpc in service.rpcs for rule in rpc.rules] == [10, 10, 16]
    assert service.rpcs[0].rules[0].place.column == 5


def test_the_descriptor_set_has_no_source_info_and_the_whole_closure(read: Read) -> None:
    contract = read(
        {
            "a.proto": 'syntax = "proto3"; import "google/protobuf/any.proto"; // x\nmessage M {}',
        }
    )
    assert [file.name for file in contract.descriptor_set.file] == list(contract.files)
    assert not any(file.HasField("source_code_info") for file in contract.descriptor_set.file)


def test_the_same_contract_loads_twice_and_two_versions_of_it_do_not_meet(read: Read) -> None:
    first = read({"a.proto": 'syntax = "proto3"; package a; message M { string x = 1; }'})
    again = read({"a.proto": 'syntax = "proto3"; package a; message M { string x = 1; }'})
    other = read({"a.proto": 'syntax = "proto3"; package a; message M { int32 y = 7; }'})
    assert first == again
    assert first.descriptor_set.SerializeToString(deterministic=True) == again.descriptor_set.SerializeToString(
        deterministic=True
    )
    assert [each.name for each in other.messages["a.M"].fields] == ["y"]


def test_a_json_name_that_is_not_utf8_is_refused(findings: Findings) -> None:
    (finding,) = findings({"a.proto": 'syntax = "proto3";\nmessage M {\n  string x = 1 [json_name = "\\xff"];\n}'})
    assert (finding.id, finding.place) == ("field-json-name", Place("a.proto", 3, 3))


def test_a_message_the_runtime_cannot_hold_is_refused(findings: Findings) -> None:
    fields = " ".join(f"string f{number} = {number};" for number in range(1, 18000))
    (finding,) = findings({"a.proto": f'syntax = "proto3"; message M {{ {fields} }}'})
    assert finding.id == "proto-error"
    assert finding.place.file == "a.proto"


@pytest.mark.parametrize("name", ["b c.proto", "b'c.proto", "ünï.proto", "b.txt"])
def test_an_imported_file_whose_name_cannot_become_a_module_is_refused(findings: Findings, name: str) -> None:
    found = findings({"a.proto": f'syntax = "proto3"; import "{name}";', name: 'syntax = "proto3";'})
    assert [finding.id for finding in found] == ["contract-file-name"]
    assert name in found[0].message


@pytest.mark.parametrize("other", ["a_b.proto", "A-b.proto"])
def test_two_files_that_become_one_module_are_refused(findings: Findings, other: str) -> None:
    (finding,) = findings(
        {"a-b.proto": 'syntax = "proto3"; package x;', other: 'syntax = "proto3"; package y;'}, "a-b.proto", other
    )
    assert finding.id == "contract-file-name"
    assert "a-b.proto" in finding.message


@pytest.mark.parametrize("root", ["b.proto", "../a.proto", "/etc/passwd", "-x.proto", "@x.proto", ""])
def test_a_root_that_is_not_there_or_not_an_import_path_is_refused(findings: Findings, root: str) -> None:
    (finding,) = findings({"a.proto": 'syntax = "proto3";'}, root)
    assert (finding.id, finding.place.file) == ("contract-not-found", root)


def test_no_root_at_all_is_refused() -> None:
    with pytest.raises(InputError, match=r"no \.proto file is named"):
        load([], [])

"""What a contract says is what its .proto files say."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from generator.contract.load import load
from generator.contract.model import Contract, Field, Kind
from generator.errors import Finding, InputError, Place

Read = Callable[..., Contract]
Write = Callable[[dict[str, str]], Path]
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


def test_files_of_installed_packages_are_provided(read: Read) -> None:
    contract = read({"a.proto": """
            syntax = "proto3"; package a;
            import "google/longrunning/operations.proto";
            import "google/type/money.proto";
            import "google/cloud/location/locations.proto";
            message M { google.type.Money price = 1; google.longrunning.Operation work = 2; }
            """})
    modules = {file.path: file.python_module for file in contract.files.values()}
    assert modules["a.proto"] == ""
    assert not contract.files["a.proto"].provided
    assert modules["google/longrunning/operations.proto"] == "google.longrunning.operations_pb2"
    assert modules["google/protobuf/any.proto"] == "google.protobuf.any_pb2"
    assert {path for path, file in contract.files.items() if not file.provided} == {"a.proto"}


def test_descriptors_of_provided_files_are_those_of_the_installed_modules(read: Read) -> None:
    contract = read({"a.proto": 'syntax = "proto3"; import "google/longrunning/operations.proto";'})
    for file in contract.descriptor_set.file:
        if module := contract.files[file.name].python_module:
            installed = FileDescriptorProto()
            importlib.import_module(module).DESCRIPTOR.CopyToProto(installed)
            assert {each.name for each in file.message_type} == {each.name for each in installed.message_type}


def test_a_users_copy_of_a_provided_file_is_not_read(read: Read) -> None:
    contract = read(
        {
            "a.proto": 'syntax = "proto3"; import "google/type/date.proto"; message M { google.type.Date on = 1; }',
            "google/type/date.proto": "not even a proto",
        }
    )
    assert contract.files["google/type/date.proto"].provided
    assert contract.messages["google.type.Date"].field("year") is not None


def test_a_file_beside_the_provided_ones_is_the_users(read: Read) -> None:
    contract = read(
        {
            "a.proto": 'syntax = "proto3"; import "google/api/expr/v9/own.proto";',
            "google/api/expr/v9/own.proto": 'syntax = "proto3"; package google.api.expr.v9; message Own {}',
        }
    )
    assert not contract.files["google/api/expr/v9/own.proto"].provided


def test_a_provided_file_may_be_the_contract_itself() -> None:
    contract = load(["google/longrunning/operations.proto"], [])
    (service,) = contract.services
    assert service.full_name == "google.longrunning.Operations"
    assert service.rpcs[0].rules[0].template.text == "/v1/{name=operations}"
    assert service.comment.startswith("Manages long-running operations")
    assert contract.files["google/longrunning/operations.proto"].provided


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


def test_a_copy_of_an_installed_file_under_another_path_is_refused(findings: Findings) -> None:
    (finding,) = findings(
        {
            "a.proto": 'syntax = "proto3"; import "third_party/google/type/date.proto";',
            "third_party/google/type/date.proto": 'syntax = "proto3"; package google.type; message Date {}',
        }
    )
    assert (finding.id, finding.place.file) == ("contract-duplicate", "third_party/google/type/date.proto")
    assert finding.hint == 'import it as "google/type/date.proto"'


@pytest.mark.parametrize("root", ["b.proto", "../a.proto", "/etc/passwd", "-x.proto", "@x.proto", ""])
def test_a_root_that_is_not_there_or_not_an_import_path_is_refused(findings: Findings, root: str) -> None:
    (finding,) = findings({"a.proto": 'syntax = "proto3";'}, root)
    assert (finding.id, finding.place.file) == ("contract-not-found", root)


def test_no_root_at_all_is_refused() -> None:
    with pytest.raises(InputError, match=r"no \.proto file is named"):
        load([], [])


SHOP = """
    syntax = "proto3"; package shop;
    message M {}
    service Shop { rpc Buy(M) returns (M); }
    """
STOCK = """
    syntax = "proto3"; package stock;
    import "stock/types.proto";
    import "google/api/annotations.proto";
    service Stock { rpc Reserve(Item) returns (Item) { option (google.api.http) = {get: "/{nothing}"}; } }
    """
TYPES = """
    syntax = "proto3"; package stock;
    message Item {}
    service Hidden { rpc Do(Item) returns (Item); }
    """


def test_the_services_of_a_dependency_are_called_and_not_served(write: Write) -> None:
    folder = write({"shop.proto": SHOP, "stock/stock.proto": STOCK, "stock/types.proto": TYPES})
    contract = load(["shop.proto"], [folder], ["stock/stock.proto"])
    assert [service.full_name for service in contract.services] == ["shop.Shop"]
    (stock,) = contract.dependencies["stock/stock.proto"]
    assert [rpc.path for rpc in stock.rpcs] == ["/stock.Stock/Reserve"]
    assert contract.rpc("/stock.Stock/Reserve") is None


def test_a_dependency_brings_its_types_and_no_routes(write: Write) -> None:
    folder = write({"shop.proto": SHOP, "stock/stock.proto": STOCK, "stock/types.proto": TYPES})
    contract = load(["shop.proto"], [folder], ["stock/stock.proto"])
    assert {"shop.M", "stock.Item"} <= contract.messages.keys()
    assert {"stock/stock.proto", "stock/types.proto"} <= {file.name for file in contract.descriptor_set.file}
    assert [path for path, file in contract.files.items() if file.root] == ["shop.proto"]
    assert contract.dependencies["stock/stock.proto"][0].rpcs[0].rules == ()


def test_a_dependency_that_is_not_there_is_left_to_whoever_named_it(write: Write) -> None:
    folder = write({"shop.proto": SHOP})
    assert load(["shop.proto"], [folder], ["stock.proto", "../x"]).dependencies == {}


def test_a_dependency_that_does_not_compile_is_told_with_its_line(write: Write) -> None:
    folder = write({"shop.proto": SHOP, "stock.proto": 'syntax = "proto3";\nmessage M { Nope a = 1; }\n'})
    with pytest.raises(InputError) as caught:
        load(["shop.proto"], [folder], ["stock.proto"])
    assert [(finding.place.file, finding.place.line) for finding in caught.value.findings] == [("stock.proto", 2)]


def test_what_is_served_may_be_called_too(write: Write) -> None:
    contract = load(["shop.proto"], [write({"shop.proto": SHOP})], ["shop.proto"])
    assert contract.dependencies["shop.proto"] == contract.services

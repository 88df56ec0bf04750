"""Files that installed packages bring, a contract imports and does not copy."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from generator.contract.load import load
from generator.contract.model import Contract
from generator.errors import Finding

Read = Callable[..., Contract]
Findings = Callable[..., list[Finding]]


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


def test_a_copy_of_an_installed_file_under_another_path_is_refused(findings: Findings) -> None:
    (finding,) = findings(
        {
            "a.proto": 'syntax = "proto3"; import "third_party/google/type/date.proto";',
            "third_party/google/type/date.proto": 'syntax = "proto3"; package google.type; message Date {}',
        }
    )
    assert (finding.id, finding.place.file) == ("contract-duplicate", "third_party/google/type/date.proto")
    assert finding.hint == 'import it as "google/type/date.proto"'


def test_a_package_that_every_service_serves_is_not_declared_again(findings: Findings) -> None:
    (finding,) = findings({"health.proto": 'syntax = "proto3"; package grpc.health.v1; message Mine {}'})
    assert (finding.id, finding.place.file) == ("contract-duplicate", "health.proto")
    assert 'import "grpc/health/v1/health.proto"' in finding.hint

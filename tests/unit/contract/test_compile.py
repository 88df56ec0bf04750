"""protoc's complaints reach the user as findings, in their files, at their lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.contract.load import load
from generator.contract.model import Contract
from generator.errors import Finding, InputError, Place

Read = Callable[..., Contract]
Findings = Callable[..., list[Finding]]
Write = Callable[[dict[str, str]], Path]


def test_every_error_has_its_file_line_and_column(findings: Findings) -> None:
    found = findings(
        {"shop/a.proto": 'syntax = "proto3";\nmessage M {\n  strin x = 1;\n  string y = 1;\n  int z = 3;\n}'}
    )
    assert [str(finding) for finding in found] == [
        'shop/a.proto:3:3: proto-error: "strin" is not defined',
        (
            'shop/a.proto:4:14: proto-error: Field number 1 has already been used in "M" by field "x". '
            "Next available field number is 2"
        ),
        'shop/a.proto:5:3: proto-error: "int" is not defined',
    ]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf16_is_told_to_be_that_and_nothing_else(
    write: Write, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    folder = write({"a.proto": 'syntax = "proto3"; import "b.proto"; message A {}', "b.proto": ""})
    (folder / "b.proto").write_bytes('\ufeffsyntax = "proto3"; // wide'.encode(encoding))
    monkeypatch.chdir(folder)
    with pytest.raises(InputError) as caught:
        load(["a.proto"], [folder])
    assert [str(finding) for finding in caught.value.findings] == [
        "b.proto:1:1: proto-error: the file is UTF-16; save it as UTF-8"
    ]


def test_a_file_outside_the_working_directory_is_named_in_full(
    write: Write, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"a.proto": 'syntax = "proto3"; oops'})
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(InputError) as caught:
        load(["a.proto"], [folder])
    assert caught.value.findings[0].place.file == str(folder / "a.proto")


def test_what_a_missing_import_may_have_is_not_told_to_be_missing_too(findings: Findings) -> None:
    found = findings(
        {
            "a.proto": 'syntax = "proto3";\nimport "b.proto";\nmessage A { B b = 1; shop.Gone gone = 2; }',
            "b.proto": 'syntax = "proto3";\nimport "gone.proto";\nmessage B { shop.Gone gone = 1; int32 c = 1; }',
        }
    )
    assert [(finding.id, finding.place.file, finding.place.line) for finding in found] == [
        ("import-not-found", "b.proto", 2),
        ("proto-error", "b.proto", 3),
    ]


def test_a_missing_import_is_one_finding_where_it_is_imported(findings: Findings) -> None:
    (finding,) = findings({"protos/a.proto": 'syntax = "proto3";\n\nimport "shop/gone.proto";'})
    assert finding.place == Place("protos/a.proto", 3, 1)
    assert (finding.id, finding.message) == ("import-not-found", 'import "shop/gone.proto" is not found')
    assert "-I" in finding.hint


def test_an_error_in_an_imported_file_is_not_repeated_where_it_is_imported(findings: Findings) -> None:
    (finding,) = findings(
        {"a.proto": 'syntax = "proto3"; import "b.proto";', "b.proto": 'syntax = "proto3"; message {}'}
    )
    assert finding.place == Place("b.proto", 1, 28)


def test_files_that_import_each_other_are_refused(findings: Findings) -> None:
    (finding,) = findings(
        {"a.proto": 'syntax = "proto3"; import "b.proto";', "b.proto": 'syntax = "proto3"; import "a.proto";'}
    )
    assert "recursively imports itself: a.proto -> b.proto -> a.proto" in finding.message


def test_protocs_notes_are_hints_of_the_error_they_explain(findings: Findings) -> None:
    (finding,) = findings({"a.proto": 'syntax = "proto3"; enum A { X = 0; } enum B { X = 0; }'})
    assert finding.message == '"X" is already defined'
    assert finding.hint.startswith("Note that enum values use C++ scoping rules")


def test_an_unknown_option_is_refused_at_its_place(findings: Findings) -> None:
    (finding,) = findings({"a.proto": 'syntax = "proto3";\nmessage M {\n  string x = 1 [colour = "red"];\n}'})
    assert finding.place == Place("a.proto", 3, 17)
    assert 'Option "colour" unknown' in finding.message


def test_a_misspelt_http_annotation_is_refused_at_its_place(findings: Findings) -> None:
    (finding,) = findings(
        {
            "a.proto": 'syntax = "proto3";\nimport "google/api/annotations.proto";\nmessage M {}\n'
            'service S { rpc Do(M) returns (M) {\n  option (google.api.http) = { gett: "/x" };\n} }'
        }
    )
    assert finding.place.line == 5
    assert 'no field named "gett"' in finding.message


def test_warnings_are_no_errors(read: Read, capfd: pytest.CaptureFixture[str]) -> None:
    contract = read({"a.proto": 'import "google/protobuf/any.proto"; message M {}'})  # unused, and no syntax statement
    assert "M" in contract.messages
    assert capfd.readouterr() == ("", "")


def test_what_protoc_says_is_caught_and_standard_error_given_back(
    findings: Findings, capfd: pytest.CaptureFixture[str]
) -> None:
    findings({"a.proto": "oops"})
    os.write(2, b"still there")
    print("and here", file=sys.stderr)
    assert capfd.readouterr().err == "still thereand here\n"


@pytest.mark.parametrize("name", ["a=b", "a:b", "with space", "ünï", "quo'te"])
def test_folders_may_have_any_name(write: Write, name: str) -> None:
    folder = write({f"{name}/a.proto": 'syntax = "proto3"; message M {}', f"{name}/bad.proto": "oops", "b/x.proto": ""})
    assert "M" in load(["a.proto"], [folder / name]).messages
    with pytest.raises(InputError) as caught:
        load(["bad.proto"], [folder / name])
    assert caught.value.findings[0].place == Place(f"{name}/bad.proto", 1, 1)


def test_the_first_folder_that_has_a_file_wins(write: Write) -> None:
    folder = write(
        {"one/a.proto": 'syntax = "proto3"; message One {}', "two/a.proto": 'syntax = "proto3"; message Two {}'}
    )
    assert list(load(["a.proto"], [folder / "none", folder / "two", folder / "one"]).messages) == ["Two"]


def test_an_import_cannot_leave_its_folder(findings: Findings) -> None:
    (finding,) = findings(
        {"in/a.proto": 'syntax = "proto3"; import "../secret.proto";', "secret.proto": 'syntax = "proto3";'},
        "in/a.proto",
    )
    assert finding.id == "import-not-found"


@pytest.mark.parametrize("root", ["a.proto", "b.proto"])
@pytest.mark.parametrize("text", ['"/\\xff"', '"/\\377"', '"/\udcff"'])
def test_an_option_that_is_not_utf8_is_refused_and_not_a_crash(findings: Findings, root: str, text: str) -> None:
    files = {
        "a.proto": 'syntax = "proto3"; import "b.proto";',
        "b.proto": 'syntax = "proto3"; import "google/api/annotations.proto"; message M {}'
        f"service S {{ rpc Do(M) returns (M) {{ option (google.api.http) = {{ get: {text} }}; }} }}",
    }
    (finding,) = findings(files, root)
    assert finding.message == 'the option "google.api.HttpRule.get" is not UTF-8 somewhere in the contract'


@pytest.mark.parametrize("root", ["a.proto", "b.proto"])
def test_nesting_that_would_overflow_protocs_stack_is_refused_and_not_a_crash(findings: Findings, root: str) -> None:
    deep = "additional_bindings {" * 100_000 + "}" * 100_000
    files = {
        "a.proto": 'syntax = "proto3"; import "b.proto";',
        "b.proto": 'syntax = "proto3"; import "google/api/annotations.proto"; message M {}'
        f"service S {{ rpc Do(M) returns (M) {{ option (google.api.http) = {{ {deep} }}; }} }}",
    }
    assert findings(files, root)[0].id == "proto-error"

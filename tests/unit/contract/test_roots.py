"""The contract files a user names become import paths, folders, and files to copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import google.api.annotations_pb2
import pytest

from generator.contract.load import load
from generator.contract.roots import resolve_inputs
from generator.errors import Finding, InputError

Write = Callable[[dict[str, str]], Path]


def proto(package: str = "", *imports: str) -> str:
    statements = [f"package {package};"] if package else []
    return "\n".join(['syntax = "proto3";', *statements, *(f'import "{path}";' for path in imports)])


def refused(files: list[str], include: list[Path]) -> list[Finding]:
    with pytest.raises(InputError) as caught:
        resolve_inputs(files, include)
    return list(caught.value.findings)


def test_a_file_in_a_folder_named_with_i_is_imported_relative_to_it(write: Write) -> None:
    folder = write({"api/shop/v1/shop.proto": proto("unrelated")})
    inputs = resolve_inputs(["api/shop/v1/shop.proto"], [Path("api")])
    assert inputs.roots == ("shop/v1/shop.proto",)
    assert inputs.include == (folder / "api",)


def test_the_first_folder_that_holds_a_file_decides(write: Write) -> None:
    folder = write({"api/shop/shop.proto": proto()})
    assert resolve_inputs(["api/shop/shop.proto"], [folder / "api/shop", folder / "api"]).roots == ("shop.proto",)
    assert resolve_inputs(["api/shop/shop.proto"], [folder / "api", folder / "api/shop"]).roots == ("shop/shop.proto",)


def test_folders_and_files_may_be_named_in_different_ways(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write({"api/shop/shop.proto": proto("unrelated"), "sub/x.proto": proto()})
    monkeypatch.chdir("sub")
    assert resolve_inputs([str(folder / "api/shop/shop.proto")], [Path("../api")]).roots == ("shop/shop.proto",)
    assert resolve_inputs(["../api/shop/shop.proto"], [folder / "api"]).roots == ("shop/shop.proto",)


def test_an_import_path_under_i_may_be_named_instead_of_a_file(write: Write) -> None:
    write({"api/shop/shop.proto": proto()})
    assert resolve_inputs(["shop/shop.proto"], [Path("api")]).roots == ("shop/shop.proto",)


def test_a_file_whose_folders_spell_its_package_is_imported_from_above_them(write: Write) -> None:
    folder = write({"api/shop/v1/shop.proto": proto("shop.v1", "shop/v1/types.proto")})
    inputs = resolve_inputs(["api/shop/v1/shop.proto"], [])
    assert inputs.roots == ("shop/v1/shop.proto",)
    assert inputs.include == (folder / "api",)


@pytest.mark.parametrize("package", ["", "shop.v2", "v1.shop", "x.shop.v1"])
def test_any_other_file_is_imported_from_its_own_folder(write: Write, package: str) -> None:
    folder = write({"api/shop/v1/shop.proto": proto(package)})
    inputs = resolve_inputs([str(folder / "api/shop/v1/shop.proto")], [])
    assert inputs.roots == ("shop.proto",)
    assert inputs.include == (folder / "api/shop/v1",)


@pytest.mark.parametrize(
    "text",
    [
        '\ufeffpackage shop . v1 ; syntax = "proto3";',
        '// package no;\nsyntax = "proto3"; /* package\n no; */ package shop.v1;',
        'syntax = "proto3"; option java_package = "x; package no;"; package shop.v1;',
        'syntax = "proto3"; message M { string package = 1; } package shop.v1;',
        "package shop.v1; message \udcff {}",
    ],
)
def test_the_package_statement_is_found_wherever_it_stands(write: Write, text: str) -> None:
    write({"shop/v1/shop.proto": text})
    assert resolve_inputs(["shop/v1/shop.proto"], []).roots == ("shop/v1/shop.proto",)


def test_a_file_is_imported_from_where_its_own_imports_are_found(write: Write) -> None:
    text = 'syntax = "proto3"; // money\n import "shop/money.proto"; /* ; import "gone.proto"; */'
    folder = write({"api/shop/shop.proto": text, "api/shop/money.proto": proto("acme")})
    inputs = resolve_inputs(["api/shop/shop.proto"], [])
    assert inputs.roots == ("shop/shop.proto",)
    assert inputs.include == (folder / "api",)


def test_imports_found_elsewhere_do_not_move_the_root(write: Write) -> None:
    write(
        {
            "api/shop.proto": proto("", "google/api/annotations.proto", "money.proto", "gone.proto"),
            "lib/money.proto": proto(),
        }
    )
    assert resolve_inputs(["api/shop.proto"], [Path("lib")]).roots == ("shop.proto",)


def test_a_file_below_the_root_of_another_is_imported_from_there(write: Write) -> None:
    folder = write({"api/shop/shop.proto": proto("shop", "shop/money.proto"), "api/shop/money.proto": proto()})
    for files in (["api/shop/shop.proto", "api/shop/money.proto"], ["api/shop/money.proto", "api/shop/shop.proto"]):
        inputs = resolve_inputs(files, [])
        assert set(inputs.roots) == {"shop/shop.proto", "shop/money.proto"}
        assert inputs.include == (folder / "api",)


def test_provided_files_are_known_by_their_import_path_or_where_they_lie(write: Write) -> None:
    write({})
    installed = Path(google.api.annotations_pb2.__file__).parents[2]
    for name in ("google/longrunning/operations.proto", str(installed / "google/longrunning/operations_proto.proto")):
        inputs = resolve_inputs([name], [])
        assert inputs.roots == ("google/longrunning/operations.proto",)
        assert inputs.copies(load(inputs.roots, inputs.include)) == []


def test_a_users_copy_of_a_provided_file_is_the_provided_one(write: Write) -> None:
    write({"api/google/longrunning/operations.proto": "whatever"})
    inputs = resolve_inputs(["api/google/longrunning/operations.proto"], [Path("api")])
    assert load(inputs.roots, inputs.include).services[0].full_name == "google.longrunning.Operations"


def test_a_file_named_twice_is_one_root_and_the_order_is_kept(write: Write) -> None:
    write({"b.proto": proto(), "a.proto": proto()})
    assert resolve_inputs(["b.proto", "./a.proto", "./b.proto", "b.proto"], []).roots == ("b.proto", "a.proto")


def test_everything_the_contract_needs_that_is_not_installed_is_copied(write: Write) -> None:
    folder = write(
        {
            "api/shop/v1/shop.proto": proto("shop.v1", "money/money.proto", "google/type/date.proto"),
            "lib/money/money.proto": proto("money", "google/protobuf/any.proto"),
            "lib/money/unused.proto": proto("money"),
            "lib/google/type/date.proto": proto("google.type"),
        }
    )
    inputs = resolve_inputs(["api/shop/v1/shop.proto"], [Path("lib")])
    assert inputs.copies(load(inputs.roots, inputs.include)) == [
        ("money/money.proto", folder / "lib/money/money.proto"),
        ("shop/v1/shop.proto", folder / "api/shop/v1/shop.proto"),
    ]


def test_all_files_and_folders_that_are_not_there_are_found_at_once(write: Write) -> None:
    write({"folder/a.proto": proto()})
    found = refused(["gone.proto", "folder", "../x/../gone.proto"], [Path("nowhere"), Path("folder/a.proto")])
    assert [(finding.place.file, finding.id) for finding in found] == [
        ("nowhere", "include-not-a-folder"),
        ("folder/a.proto", "include-not-a-folder"),
        ("gone.proto", "contract-not-found"),
        ("folder", "contract-not-a-file"),
        ("../x/../gone.proto", "contract-not-found"),
    ]


@pytest.mark.parametrize("name", ["a b.proto", "a'b.proto", "-a.proto", ".a.proto", "a.txt", "proto"])
def test_a_file_whose_name_cannot_become_a_module_is_refused(write: Write, name: str) -> None:
    folder = write({name: proto()})
    (finding,) = refused([str(folder / name)], [])
    assert (finding.place.file, finding.id) == (name, "contract-file-name")


def test_a_name_that_no_file_system_takes_is_refused(write: Write) -> None:
    write({})
    assert [finding.id for finding in refused(["a" * 5000 + ".proto", "nul\0.proto"], [])] == [
        "contract-not-readable",
        "contract-not-found",
    ]


def test_two_files_with_one_import_path_are_refused(write: Write) -> None:
    write({"one/a.proto": proto(), "two/a.proto": proto()})
    (finding,) = refused(["one/a.proto", "two/a.proto"], [])
    assert (finding.place.file, finding.id) == ("two/a.proto", "contract-hidden")
    assert "one/a.proto" in finding.message


def test_a_file_hidden_by_an_earlier_folder_is_refused(write: Write) -> None:
    write({"one/a.proto": proto(), "two/a.proto": proto()})
    (finding,) = refused(["two/a.proto"], [Path("one"), Path("two")])
    assert finding.id == "contract-hidden"

"""Breaking changes of a project are refused, and told with whom they hit."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.cli import main
from tests.unit.project.breaking.shop import HANDLER, contract, document, edit, keys, run, tree


def test_a_breaking_change_is_refused_and_nothing_is_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract("  string note = 2;\n", "")
    before = tree()

    (line,) = run(capsys, "generate", code=1)
    assert line == (
        "contract/shop/v1/shop.proto:12:1: breaking: FIELD_NO_DELETE: shop.v1.Item.note (number 2) is gone (hits "
        f"{HANDLER}:14 Shop.get, {HANDLER}:18 Shop.put, gRPC clients, REST clients); keep it and mark it deprecated; "
        "or accept it with --allow-breaking FIELD_NO_DELETE:shop.v1.Item.note"
    )
    assert tree() == before
    assert keys(run(capsys, "generate", "--diff", code=1)) == ["FIELD_NO_DELETE:shop.v1.Item.note"]
    assert keys(run(capsys, "check", code=13)) == ["FIELD_NO_DELETE:shop.v1.Item.note"]
    assert tree() == before


def test_changes_of_the_spec_are_told_at_its_lines(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit("resilience.yaml", "http: 410", "http: 404")
    (line,) = run(capsys, "generate", code=1)
    assert line == (
        "resilience.yaml:8:7: breaking: ERROR_SAME_HTTP_STATUS: the error GONE has the HTTP status 404, not 410 (hits "
        "REST clients); set `http` to the old status; or accept it with --allow-breaking ERROR_SAME_HTTP_STATUS:GONE"
    )


def test_what_breaks_nobody_is_generated(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract("  string note = 2;\n", "  string note = 2;\n  string more = 9;\n")
    contract("  rpc Put(", "  rpc More(Item) returns (Item);\n  rpc Put(")
    edit("resilience.yaml", "max: 10s", "max: 11s")
    assert document(capsys)["verdict"] == "minor"
    assert main(["generate"]) == 0
    assert not Path(".holdfast/waivers.yaml").exists()


def test_a_type_that_moves_names_each_import_that_it_breaks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("src/shop/sizes.py").write_text(
        "from shop.gen.pb.shop.v1 import shop_pb2\n"
        "from shop.gen.pb.shop.v1.shop_pb2 import Item, Size as Big\n"
        "import shop.gen.pb.shop.v1.shop_pb2 as other\n"
        "\n"
        "def size() -> Big:\n"
        "    item = shop_pb2.Item()\n"
        "    return other.Size() or shop_pb2.Size()\n"
    )
    Path("src/shop/handlers/wide.py").write_text("def wide():\n    from ..gen.pb.shop.v1.shop_pb2 import Size\n")
    Path("src/shop/handlers/broken.py").write_text("from ..gen.pb.shop.v1.shop_pb2 import (Size\n")
    Path("tests/test_sizes.py").write_text("import shop.gen.pb.shop.v1.shop_pb2\nshop.gen.pb.shop.v1.shop_pb2.Size()\n")
    contract("message Size { int32 width = 1; }\n", "")
    with Path("contract/shop/v1/kinds.proto").open("a") as kinds:
        kinds.write("message Size { int32 width = 1; }\n")

    (change,) = document(capsys, code=13)["breaking"]
    assert change["what"] == "message shop.v1.Size has moved to shop/v1/kinds.proto"
    assert [(hit.get("file"), hit.get("line"), hit["who"]) for hit in change["hits"]] == [
        ("src/shop/handlers/wide.py", 2, "imports Size"),
        ("src/shop/sizes.py", 2, "imports Size"),
        ("src/shop/sizes.py", 7, "imports shop_pb2.Size"),
        ("tests/test_sizes.py", 2, "imports shop_pb2.Size"),
        (None, None, "code that imports the generated modules"),
    ]
    (line,) = run(capsys, "generate", code=1)
    assert "src/shop/handlers/wide.py:2 imports Size, src/shop/sizes.py:2 imports Size, " in line


def test_a_file_that_is_gone_names_the_imports_of_its_module(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("src/shop/kinds.py").write_text(
        "from .gen.pb.shop.v1 import kinds_pb2\nfrom .gen.pb.shop.v1.kinds_pb2 import BOOK\n"
    )
    contract('import "shop/v1/kinds.proto";\n', "enum Kind { KIND_UNSPECIFIED = 0; BOOK = 1; }\n")

    (change,) = document(capsys, code=13)["breaking"]
    assert (change["rule"], change["subject"]) == ("FILE_NO_DELETE", "shop/v1/kinds.proto")
    assert change["file"] == "contract/shop/v1/kinds.proto"
    lines = [(hit.get("line"), hit["who"]) for hit in change["hits"]]
    assert lines == [(1, "imports kinds_pb2"), (2, "imports BOOK"), (None, "code that imports the generated modules")]


def test_a_message_that_no_call_has_hits_nobody_but_code(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit("contract/shop/v1/kinds.proto", "message Unused { string name = 1; }", "message Unused { int32 name = 1; }")
    (change,) = document(capsys, code=13)["breaking"]
    assert [hit["who"] for hit in change["hits"]] == ["code that imports the generated modules"]


def test_the_category_of_the_project_counts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract("  string note = 2;\n", '  reserved 2; reserved "note";\n')
    assert keys(run(capsys, "check", code=13)) == ["FIELD_NO_DELETE:shop.v1.Item.note"]
    edit("pyproject.toml", "[tool.holdfast]\n", '[tool.holdfast]\nbreaking = "WIRE_JSON"\n')
    assert document(capsys)["category"] == "WIRE_JSON"
    assert keys(run(capsys, "check", code=10)) == []
    edit("pyproject.toml", '"WIRE_JSON"', '"wire"')
    (line,) = run(capsys, "check", code=1)
    assert "project-config: `breaking` must be one of FILE, PACKAGE, WIRE_JSON, WIRE, NONE" in line


def test_nothing_is_refused_while_nobody_calls(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit("pyproject.toml", "[tool.holdfast]\n", '[tool.holdfast]\nbreaking = "NONE"\n')
    contract("  string note = 2;\n", "")
    found = document(capsys)
    assert (found["category"], found["verdict"], found["breaking"]) == ("NONE", "minor", [])
    assert main(["check"]) == 10
    assert main(["generate"]) == 0
    assert main(["check"]) == 0


def test_edited_and_missing_files_come_before_breaking_changes(project: Path) -> None:
    contract("  string note = 2;\n", "")
    assert main(["check"]) == 13
    Path("src/shop/gen/errors.py").unlink()
    assert main(["check"]) == 12
    edit("src/shop/gen/routes.py", "ROUTES", "ROADS")
    assert main(["check"]) == 11

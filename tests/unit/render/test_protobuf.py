"""protoc's modules work below the project's package, whatever the contract calls its files and packages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.contract.load import load
from generator.render import protobuf


def emitted(folder: Path, protos: Mapping[str, str], *roots: str) -> Path:
    """The folder to import from, with package `shop` below it holding the contract's modules."""
    for name, text in protos.items():
        path = folder / "protos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('syntax = "proto3";\n' + text)
    for emit in protobuf.render(load(roots or tuple(protos), [folder / "protos"]), "shop"):
        target = folder / emit.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(emit.content)
    for package in ("shop", "shop/gen"):
        (folder / "src" / package / "__init__.py").touch()
    return folder / "src"


def run(source: Path, program: str) -> str:
    """What the program prints in a fresh interpreter that sees only `source` and what is installed."""
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


MESSAGE = "message M {}\n"


@pytest.mark.parametrize(
    ("protos", "module"),
    [
        ({"orders.proto": MESSAGE}, "shop.gen.pb.orders_pb2"),
        ({"orders.proto": f"package orders.v1;{MESSAGE}"}, "shop.gen.pb.orders.v1.orders_pb2"),
        ({"deep/down/orders.proto": f"package orders.v1;{MESSAGE}"}, "shop.gen.pb.orders.v1.orders_pb2"),
        ({"dash-ed.proto": f"package a;{MESSAGE}"}, "shop.gen.pb.a.dash_ed_pb2"),
        ({"orders.v2.proto": f"package a;{MESSAGE}"}, "shop.gen.pb.a.orders_v2_pb2"),
        ({"import/class.proto": f"package import.class;{MESSAGE}"}, "shop.gen.pb.import_.class_.class_pb2"),
        ({"google/acme/x.proto": f"package google.acme;{MESSAGE}"}, "shop.gen.pb.google.acme.x_pb2"),
    ],
)
def test_a_module_stands_below_its_proto_package(tmp_path: Path, protos: Mapping[str, str], module: str) -> None:
    source = emitted(tmp_path, protos)
    program = f"import importlib; print(importlib.import_module({module!r}).M.__module__)"
    assert run(source, program) == module


@pytest.mark.parametrize(
    "base",
    ["base.proto", "some/where/base.proto", "da-sh/ba-se.proto", "in/from.proto", "do.t/ba.se.proto"],
)
def test_a_module_finds_what_it_imports(tmp_path: Path, base: str) -> None:
    protos = {
        base: "package base; message Base { string text = 1; }",
        "top.proto": f'package top; import "{base}"; message Top {{ base.Base base = 1; }}',
    }
    source = emitted(tmp_path, protos, "top.proto")
    assert run(source, "from shop.gen.pb.top.top_pb2 import Top; print(Top().base.text == '')") == "True"


def test_a_public_import_brings_its_names_along(tmp_path: Path) -> None:
    protos = {
        "base.proto": "package base; message Base {}",
        "middle.proto": 'package middle; import public "base.proto";',
        "top.proto": 'package top; import "middle.proto"; message Top { base.Base base = 1; }',
    }
    source = emitted(tmp_path, protos, "top.proto")
    program = (
        "from shop.gen.pb.middle.middle_pb2 import Base; from shop.gen.pb.top import top_pb2; print(Base.__module__)"
    )
    assert run(source, program) == "shop.gen.pb.base.base_pb2"


def test_two_files_of_one_name_in_one_package_do_not_meet(tmp_path: Path) -> None:
    protos = {
        "a/types.proto": "package x; message A {}",
        "b/types.proto": 'package x; import "a/types.proto"; message B { A a = 1; }',
    }
    source = emitted(tmp_path, protos)
    assert (
        run(source, "from shop.gen.pb.x.types_pb2 import A; from shop.gen.pb.x.b_types_pb2 import B; print(B().a)")
        == ""
    )


def test_what_an_installed_package_provides_is_not_made_again(tmp_path: Path) -> None:
    text = 'package x; import "google/type/money.proto"; message M { google.type.Money money = 1; }'
    source = emitted(tmp_path, {"x.proto": text})
    assert not (source / "shop/gen/pb/google").exists()
    assert (
        run(source, "from shop.gen.pb.x.x_pb2 import M; print(type(M().money).__module__)") == "google.type.money_pb2"
    )


def test_a_comment_of_the_contract_reaches_no_generated_module(tmp_path: Path) -> None:
    text = (
        'package x;\n// """ evil()\nservice S {\n  // """ evil()\n  rpc R(M) returns (M);\n}\n// evil()\nmessage M {}'
    )
    source = emitted(tmp_path, {"x.proto": text})
    assert not [path for path in source.rglob("*_pb2*") if "evil" in path.read_text()]


def test_the_grpc_stubs_find_the_messages(tmp_path: Path) -> None:
    text = "package x; service S { rpc R(M) returns (M); } message M {}"
    source = emitted(tmp_path, {"x.proto": text})
    assert (
        run(source, "from shop.gen.pb.x.x_pb2_grpc import SStub; print(SStub.__module__)") == "shop.gen.pb.x.x_pb2_grpc"
    )

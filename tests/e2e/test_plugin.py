"""`protoc-gen-holdfast` under the real buf and protoc: the managed files that `holdfast generate` writes, byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import google.api
import pytest

from generator.project.lock import load
from generator.project.new import Request, new
from generator.render.emit import Owner
from generator.resources import root
from tests import buf

CONTRACT = """\
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "shop/v1/types.proto";
// Sells things.
service Shop {
  // One item.
  rpc GetItem(GetItemRequest) returns (Item) { option (google.api.http) = {get: "/v1/items/{name}"}; }
}
message GetItemRequest { string name = 1; }
message Item { string name = 1; Money price = 2; google.protobuf.Timestamp made = 3; optional string note = 4; }
"""
TYPES = 'syntax = "proto3";\npackage shop.v1;\nmessage Money { int64 units = 1; }\n'
STOCK = """\
edition = "2023";
package stock.v1;
service Stock { rpc Count(CountRequest) returns (CountResponse); }
message CountRequest { string name = 1; }
message CountResponse { int32 count = 1; }
"""
SPEC = """\
apiVersion: resilience.sre.io/v1
kind: ServiceResiliencePolicy
metadata: {name: shop}
spec:
  methods:
    GetItem: {deadline: {default: 1s, max: 2s}}
  dependencies:
    stock: {protocol: grpc, contract: stock/v1/stock.proto, target: "dns:///stock:50051"}
"""
GOOGLE = ("annotations.proto", "http.proto")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a contract, a spec, and copies of Google's files, as buf has them."""
    files = {"shop/v1/shop.proto": CONTRACT, "shop/v1/types.proto": TYPES, "stock/v1/stock.proto": STOCK}
    for name, text in files.items():
        (tmp_path / "protos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "protos" / name).write_text(text)
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "google/google/api").mkdir(parents=True)
    for name in GOOGLE:
        shutil.copyfile(Path(google.api.__path__[0]) / name, tmp_path / "google/google/api" / name)
    return tmp_path


def generate(
    here: Path, *options: str, protos: str = "protos", strategy: str = "all"
) -> subprocess.CompletedProcess[str]:
    """`buf generate` with the plugin, into the folder `out`."""
    modules = {"version": "v2", "modules": [{"path": protos}, {"path": "google"}]}
    plugin = {"local": [sys.executable, "-m", "generator.plugin"], "out": "out", "strategy": strategy}
    inputs = [{"directory": protos}]
    template = {"version": "v2", "plugins": [{**plugin, "opt": list(options)}], "inputs": inputs}
    (here / "buf.yaml").write_text(json.dumps(modules))
    (here / "buf.gen.yaml").write_text(json.dumps(template))
    environment = {**os.environ, "PYTHONPATH": str(root())}
    command = [str(buf.executable()), "generate"]
    return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)


def project(here: Path) -> Path:
    """The project that `holdfast new` makes of the same."""
    contracts = ("shop/v1/shop.proto", "shop/v1/types.proto")
    request = Request(here / "shop", contracts, (here / "protos",), here / "spec.yaml", package="shop", name="shop")
    new(request)
    return here / "shop"


def managed(made: Path) -> dict[str, bytes]:
    """The managed files of a project, but for its records."""
    files = load((made / ".holdfast/lock.yaml").read_bytes(), "lock.yaml").files
    paths = [path for path, file in files.items() if file.owner is Owner.MANAGED and not path.startswith(".holdfast/")]
    return {path: (made / path).read_bytes() for path in paths}


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_buf_writes_what_generate_writes(here: Path) -> None:
    done = generate(here, "package=shop", "spec=spec.yaml")
    assert done.returncode == 0, done.stderr
    assert written(here / "out") == managed(project(here))


def test_the_settings_of_a_project_are_taken_from_it(here: Path) -> None:
    made = project(here)
    done = generate(here, "project=shop")
    assert done.returncode == 0, done.stderr
    assert written(here / "out") == managed(made)


def test_the_projects_own_templates_count_and_what_it_has_ejected_is_left_to_it(here: Path) -> None:
    made = project(here)
    override = made / ".holdfast/templates/runtime/codes.py"
    override.parent.mkdir(parents=True)
    override.write_bytes((made / "src/shop/runtime/codes.py").read_bytes() + b"\n# ours\n")
    for command in (("generate",), ("eject", "src/shop/runtime/cpus.py")):
        run = [sys.executable, "-m", "generator", *command, "--project", str(made)]
        subprocess.run(run, cwd=root(), check=True, stdout=subprocess.DEVNULL)
    done = generate(here, "project=shop")
    assert done.returncode == 0, done.stderr
    assert written(here / "out") == managed(made)
    assert (here / "out/src/shop/runtime/codes.py").read_bytes().endswith(b"# ours\n")
    assert not (here / "out/src/shop/runtime/cpus.py").exists()


def test_protoc_writes_them_too(here: Path) -> None:
    script = here / "protoc-gen-holdfast"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -m generator.plugin\n")
    script.chmod(0o755)
    (here / "out").mkdir()
    command = [sys.executable, "-P", "-m", "grpc_tools.protoc", f"--plugin={script}", "-Iprotos", "-Igoogle"]
    command += ["--holdfast_out=out", "--holdfast_opt=package=shop,spec=spec.yaml"]
    files = ("shop/v1/shop.proto", "shop/v1/types.proto", "stock/v1/stock.proto")
    subprocess.run([*command, *files], cwd=here, env={**os.environ, "PYTHONPATH": str(root())}, check=True)
    assert written(here / "out") == managed(project(here))


def test_what_is_wrong_is_said_by_buf_a_line_each_and_nothing_is_written(here: Path) -> None:
    (here / "spec.yaml").write_text(SPEC.replace("GetItem:", "GetItm:").replace("default: 1s", "default: 1"))
    done = generate(here, "package=shop", "spec=spec.yaml")
    assert done.returncode != 0
    assert "spec.yaml:6:34: wrong-unit: " in done.stderr
    assert "Traceback" not in done.stderr
    assert written(here / "out") == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("package=shop", "colour=red"), "plugin-option: there is no option `colour`"),
        (("package=not a package",), "package-name: "),
        (("project=nowhere",), "nowhere: no-project: "),
    ],
)
def test_options_are_checked(here: Path, options: tuple[str, ...], told: str) -> None:
    done = generate(here, *options)
    assert done.returncode != 0
    assert told in done.stderr


def test_a_folder_at_a_time_is_refused_with_the_way_out(here: Path) -> None:
    project(here)
    done = generate(here, "project=shop", strategy="directory")
    assert done.returncode != 0
    assert "strategy: all" in done.stderr


def test_started_by_hand_it_says_who_starts_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "generator.plugin"], cwd=root(), input="", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "started by protoc or buf" in done.stderr

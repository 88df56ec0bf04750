"""A new project is there in full, or nothing is."""

import os
import tomllib
from pathlib import Path

import pytest

from generator.errors import InputError
from generator.project.generating import generate
from generator.project.new import Request, new

GREETER = """\
syntax = "proto3";
package hello.v1;
import "google/api/annotations.proto";
service Hello {
  rpc Say(SayRequest) returns (SayResponse) { option (google.api.http) = {get: "/v1/{name}"}; }
}
message SayRequest { string name = 1; }
message SayResponse { string text = 1; }
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello.proto").write_text(GREETER)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(request: Request) -> list[str]:
    with pytest.raises(InputError) as caught:
        new(request)
    return [str(finding) for finding in caught.value.findings]


def test_a_project_is_made_in_a_folder_that_is_not_there_yet(here: Path) -> None:
    new(Request(Path("deep/down/shop"), ["hello.proto"]))

    assert names(here) == ["deep", "hello.proto"]
    assert names(here / "deep/down") == ["shop"]
    assert (here / "deep/down/shop/contract/hello.proto").read_text() == GREETER
    assert (here / "deep/down/shop/.holdfast/lock.yaml").exists()


def test_a_repository_that_has_just_been_made_is_used_as_it_is(here: Path) -> None:
    (here / "shop/.git").mkdir(parents=True)
    (here / "shop/.git/HEAD").write_text("ref: refs/heads/main\n")

    new(Request(Path("shop")))

    assert (here / "shop/.git/HEAD").read_text() == "ref: refs/heads/main\n"
    assert (here / "shop/pyproject.toml").exists()
    assert not [name for name in names(here / "shop") if name.startswith(".holdfast-new")]


def test_the_current_folder_can_become_the_project(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "shop").mkdir()
    monkeypatch.chdir(here / "shop")

    new(Request(Path()))

    assert Path("pyproject.toml").exists()
    assert Path("src/shop/__init__.py").exists()


def test_a_folder_with_something_in_it_is_not_touched(here: Path) -> None:
    (here / "shop").mkdir()
    (here / "shop/mine.txt").write_text("mine")

    assert refused(Request(Path("shop"))) == ["shop: destination-not-empty: the folder is not empty; choose another"]
    assert names(here / "shop") == ["mine.txt"]


@pytest.mark.parametrize("dest", ["file", "file/shop", "dangling"])
def test_a_destination_that_cannot_be_a_folder_is_told(here: Path, dest: str) -> None:
    (here / "file").write_text("")
    (here / "dangling").symlink_to("nowhere")

    (told,) = refused(Request(Path(dest), name="shop"))

    assert told.startswith(("file", "dangling"))
    assert names(here) == ["dangling", "file", "hello.proto"]


def test_wrong_inputs_are_all_told_at_their_files_and_leave_nothing(here: Path) -> None:
    (here / "bad.proto").write_text('syntax = "proto3";\nmessage M { strin x = 1; }\n')
    (here / "bad.yaml").write_text("spec: {}\nspek: {}\n")

    told = refused(Request(Path("deep/shop"), ["bad.proto"], spec=Path("bad.yaml")))

    assert any(line.startswith("bad.proto:2:13: proto-error") for line in told)
    assert any(line.startswith("bad.yaml:2:1: ") for line in told)
    assert names(here) == ["bad.proto", "bad.yaml", "hello.proto"]


def test_routes_alike_are_told_at_the_file_the_user_named_and_with_its_name(here: Path) -> None:
    twice = 'rpc Ask(SayRequest) returns (SayResponse) { option (google.api.http) = {get: "/v1/{name}"}; }'
    (here / "twice.proto").write_text(
        GREETER.replace("\n}\nmessage SayRequest", f"\n  {twice}\n}}\nmessage SayRequest")
    )

    (told,) = refused(Request(Path("shop"), ["twice.proto"]))

    assert told.startswith("twice.proto:6:47: duplicate-route: hello.v1.Hello.Ask: GET /v1/{name} ")
    assert told.endswith("; declared at twice.proto:5:47 as /v1/{name}")


def test_a_warning_names_files_of_the_project_that_was_made(here: Path) -> None:
    other = 'service Other { rpc Ask(SayRequest) returns (SayResponse) { option (google.api.http) = {get: "/v1/{name}"}; } }\n'
    (here / "two.proto").write_text(GREETER + other)

    _, (warning,) = new(Request(Path("shop"), ["two.proto"]))

    assert str(warning).startswith("shop/contract/two.proto:9:61: duplicate-route: ")
    assert str(warning).endswith("; declared at shop/contract/two.proto:5:47 as /v1/{name}")


def test_a_spec_that_does_not_fit_the_starter_is_told_at_the_file_the_user_named(here: Path) -> None:
    spec = "apiVersion: resilience.sre.io/v1\nkind: ServiceResiliencePolicy\nmetadata: {name: x}\nspec:\n  methods: {No: {}}\n"
    (here / "my.yaml").write_text(spec)

    (told,) = refused(Request(Path("deep/shop"), spec=Path("my.yaml")))

    assert told.startswith("my.yaml:5:13: ")
    assert names(here) == ["hello.proto", "my.yaml"]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request(Path("my shop")), 'command line: project-name: "my shop" cannot be'),
        (Request(Path("class")), 'command line: package-name: "class" is a Python keyword'),
        (Request(Path("grpc")), 'command line: package-name: a package "grpc" would hide'),
        (Request(Path("x"), package="a-b"), 'command line: package-name: "a-b" cannot be'),
        (Request(Path("x"), answers={"color": "red"}), 'command line: unknown-answer: --set knows no "color"'),
        (Request(Path("x"), answers={"description": "a\nb"}), "command line: answer: Validation error for question"),
        (Request(Path("x"), ["nothing.proto"]), "nothing.proto: "),
        (Request(Path("x"), ["hello.proto"], spec=Path("nothing.yaml")), "nothing.yaml: yaml-unreadable: "),
    ],
)
def test_a_wrong_request_is_told(here: Path, request_: Request, expected: str) -> None:
    assert refused(request_)[0].startswith(expected)
    assert names(here) == ["hello.proto"]


def test_answers_reach_the_project(here: Path) -> None:
    description = 'Sells "things" \\ & 東西'

    new(Request(Path("x"), name="My.Shop", package="store", answers={"description": description}))

    project = tomllib.loads((here / "x/pyproject.toml").read_text())
    assert project["project"]["name"] == "My.Shop"
    assert project["project"]["description"] == description
    assert project["tool"]["holdfast"]["package"] == "store"
    assert (here / "x/src/store/app.py").exists()


def test_file_modes_follow_the_umask(here: Path) -> None:
    umask = os.umask(0o027)
    try:
        new(Request(Path("shop")))
    finally:
        os.umask(umask)

    modes = {path.stat().st_mode & 0o777 for path in [here / "shop", *(here / "shop").rglob("*")]}
    assert modes == {0o750, 0o640}


def test_the_floors_of_the_project_allow_what_protoc_emits(here: Path) -> None:
    new(Request(Path("shop"), ["hello.proto"]))

    project = tomllib.loads((here / "shop/pyproject.toml").read_text())["project"]
    own = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    floors = dict(entry.split(">=") for entry in project["dependencies"])
    ours = dict(entry.split(">=") for entry in own["dependencies"])
    assert floors["protobuf"] == ours["protobuf"]
    assert floors["googleapis-common-protos"] == ours["googleapis-common-protos"]
    assert tuple(floors["grpcio"].split(".")) >= tuple(ours["grpcio-tools"].split("."))


STOCK = """\
syntax = "proto3";
package stock.v1;
import "stock/v1/types.proto";
service Stock { rpc Reserve(Item) returns (Item); }
"""
CALLS = """\
spec:
  dependencies:
    stock: {contract: stock/v1/stock.proto, target: 'stock:50051'}
"""


def test_the_contract_of_a_dependency_is_found_and_copied_as_the_main_one_is(here: Path) -> None:
    protos = here / "protos/stock/v1"
    protos.mkdir(parents=True)
    (protos / "stock.proto").write_text(STOCK)
    (protos / "types.proto").write_text('syntax = "proto3"; package stock.v1; message Item {}')
    (here / "spec.yaml").write_text(CALLS)

    new(Request(Path("shop"), ["hello.proto"], [Path("protos")], Path("spec.yaml")))

    assert (here / "shop/contract/stock/v1/stock.proto").read_text() == STOCK
    assert (here / "shop/contract/stock/v1/types.proto").exists()
    assert tomllib.loads((here / "shop/pyproject.toml").read_text())["tool"]["holdfast"]["contracts"] == ["hello.proto"]
    assert "class StockClient" in (here / "shop/src/shop/gen/clients/stock.py").read_text()
    locked = (here / "shop/.holdfast/lock.yaml").read_text()
    assert "contract/stock/v1/types.proto" in locked


def test_a_dependency_whose_contract_is_nowhere_is_told_at_the_users_own_file(here: Path) -> None:
    (here / "spec.yaml").write_text(CALLS)

    (finding,) = refused(Request(Path("shop"), ["hello.proto"], spec=Path("spec.yaml")))

    assert finding.startswith("spec.yaml:3:23: contract-not-found:")
    assert not (here / "shop").exists()


FX = "spec:\n  dependencies:\n    fx: {protocol: http, target: 'https://fx.internal'}\n"


def test_only_a_project_that_calls_over_http_depends_on_an_http_client(here: Path) -> None:
    (here / "fx.yaml").write_text(FX)
    new(Request(Path("plain"), ["hello.proto"]))
    _, warnings = new(Request(Path("shop"), ["hello.proto"], spec=Path("fx.yaml")))

    assert "aiohttp" not in (here / "plain/pyproject.toml").read_text()
    assert not (here / "plain/src/plain/runtime/client/http_transport.py").exists()
    project = tomllib.loads((here / "shop/pyproject.toml").read_text())["project"]
    assert [each for each in project["dependencies"] if each.startswith("aiohttp>=")]
    assert (here / "shop/src/shop/runtime/client/http_transport.py").exists()
    assert warnings == ()


def test_a_package_that_is_needed_later_is_asked_for_until_it_is_there(here: Path) -> None:
    (here / "none.yaml").write_text("spec: {}\n")
    new(Request(Path("shop"), ["hello.proto"], spec=Path("none.yaml")))
    spec, pyproject = here / "shop/resilience.yaml", here / "shop/pyproject.toml"
    spec.write_text(FX)

    for _ in range(2):
        (note,) = generate(Path("shop")).changes.notes
        assert str(note).startswith(
            "shop/pyproject.toml: missing-distribution: protocol: http needs the package aiohttp"
        )
    text = pyproject.read_text()
    pyproject.write_text(text.replace('"grpcio>=', '"AIOHTTP[speedups] >=3.14",\n  "grpcio>=', 1))
    assert generate(Path("shop")).changes.notes == ()
    pyproject.write_text(text.replace("dependencies = [", 'dynamic = ["dependencies"]\nlisted = [', 1))
    assert generate(Path("shop")).changes.notes == ()

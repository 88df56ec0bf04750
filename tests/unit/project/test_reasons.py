"""A preview says which change of the inputs changes which file; a refusal shows what would be lost."""

import shutil
from pathlib import Path

import pytest

from generator.cli import main
from generator.project.lock import digest
from generator.project.new import Request, new

GREETER = "contract/greeter.proto"
CLOCK = """\
syntax = "proto3";
package demo.v1;
import "google/protobuf/empty.proto";
service Clock { rpc Tick(google.protobuf.Empty) returns (google.protobuf.Empty); }
message Alarm { string name = 1; }
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    project = folder / "demo"
    new(Request(project))
    (project / "contract/clock.proto").write_text(CLOCK)
    edit(project / "pyproject.toml", 'contracts = ["greeter.proto"]', 'contracts = ["greeter.proto", "clock.proto"]')
    edit(project / "src/demo/app.py", "from .handlers.", "from .handlers.clock import Clock as Clock\nfrom .handlers.")
    edit(project / "pyproject.toml", "[tool.holdfast]\n", '[tool.holdfast]\nbreaking = "NONE"\n')
    assert main(["generate", "--project", str(project), "--quiet"]) == 0
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "demo"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """What a preview prints."""
    capsys.readouterr()
    assert main(["generate", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_contract_file_changes_what_is_made_from_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / GREETER, "string name = 1;", "string name = 1;\n  int32 times = 2;")

    told = lines(capsys, "--dry-run")

    assert f"because {GREETER} differs: + field demo.v1.SayHelloRequest.times" in told
    assert f"~ src/demo/gen/pb/demo/v1/greeter_pb2.pyi  ({GREETER})" in told
    assert not [line for line in told if "clock" in line]


def test_a_key_of_the_spec_changes_what_is_made_from_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / "resilience.yaml", "default: 5s", "default: 4s")

    told = lines(capsys, "--dry-run")

    assert "because resilience.yaml: spec.deadline.default is 4s, was 5s" in told
    assert "~ src/demo/gen/policies.py  (resilience.yaml: spec.deadline.default)" in told
    assert not [line for line in told if "errors.py" in line]


def test_each_file_has_its_own_reasons(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / "resilience.yaml", "http: 409", "http: 423")
    edit(project / "contract/clock.proto", "rpc Tick", "rpc Tock")
    (project / "src/demo/gen/routes.py").unlink()

    told = lines(capsys, "--dry-run")

    errors, clock = "resilience.yaml: spec.errors.table.RESOURCE_BUSY.http", "contract/clock.proto"
    assert f"~ src/demo/gen/errors.py  ({errors})" in told
    assert f"~ src/demo/gen/services/clock.py  ({clock})" in told
    assert f"~ src/demo/handlers/clock.py  ({clock})" in told
    assert "+ src/demo/gen/routes.py  (it was deleted)" in told
    assert f"because {clock} differs: - rpc demo.v1.Clock.Tick, + rpc demo.v1.Clock.Tock" in told


def test_what_people_alone_read_is_told_as_such(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / "resilience.yaml", "spec:\n", "spec: # all of it\n")
    edit(project / GREETER, "// Greets one person.", "// Greets somebody.")

    told = lines(capsys, "--dry-run")

    assert "because resilience.yaml differs: comments or layout" in told
    assert f"because {GREETER} differs: comments or layout" in told
    assert "~ .holdfast/inputs/resilience.yaml  (resilience.yaml)" in told
    assert f"~ src/demo/gen/services/greeter.py  ({GREETER})" in told


def test_a_file_that_leaves_the_contract_takes_what_was_made_of_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(project / "pyproject.toml", ', "clock.proto"', "")

    told = lines(capsys, "--dry-run")

    assert "because contract/clock.proto is no longer part of the contract" in told
    assert "because pyproject.toml differs in [tool.holdfast] or the name" in told
    pruned = next(line for line in told if line.startswith("- src/demo/gen/pb/demo/v1/clock_pb2.py "))
    assert "contract/clock.proto" in pruned


@pytest.mark.parametrize(
    ("old", "new", "cause", "file"),
    [
        ('generator: "', 'generator: "0', "because holdfast is ", "runtime/codes.py"),
        ('black: "', 'black: "0', "because black is ", "gen/errors.py"),
        ('grpcio-tools: "', 'grpcio-tools: "0', "because grpcio-tools is ", "gen/pb/demo/v1/greeter_pb2.py"),
    ],
)
def test_another_version_of_a_tool_is_a_cause(
    project: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, cause: str, file: str
) -> None:
    edit(project / ".holdfast/lock.yaml", old, new)
    edited = project / "src/demo" / file
    before = edited.read_bytes()
    edited.write_bytes(before + b"# as an earlier version had it\n")
    lock = project / ".holdfast/lock.yaml"
    lock.write_text(lock.read_text().replace(digest(before), digest(edited.read_bytes())))

    told = lines(capsys, "--dry-run")

    assert [line for line in told if line.startswith(cause)]
    assert f"~ src/demo/{file}  ({cause.split()[1]})" in told


def test_a_diff_has_the_reasons_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / "resilience.yaml", "default: 5s", "default: 4s")

    told = lines(capsys, "--diff")

    assert told[0] == "# because resilience.yaml: spec.deadline.default is 4s, was 5s"
    before = told[told.index("--- src/demo/gen/policies.py") - 1]
    assert before == "# src/demo/gen/policies.py  (resilience.yaml: spec.deadline.default)"


def test_what_was_kept_of_the_inputs_may_be_gone_or_broken(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / "resilience.yaml", "default: 5s", "default: 4s")
    (project / ".holdfast/inputs/resilience.yaml").unlink()
    assert "~ src/demo/gen/policies.py  (resilience.yaml)" in lines(capsys, "--dry-run")

    (project / ".holdfast/inputs/resilience.yaml").write_bytes(b"a: &a [*a]\n\xff")
    (project / ".holdfast/contract.binpb").write_bytes(b"\xff\xff")
    assert main(["generate", "--dry-run"]) == 1
    assert "because resilience.yaml differs\n" in capsys.readouterr().out


def test_an_edited_file_is_shown_as_what_would_be_lost(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / "src/demo/gen/routes.py", "ROUTES", "MINE")

    for preview in ([], ["--dry-run"]):
        assert main(["generate", *preview]) == 1
        told = capsys.readouterr()
        assert "src/demo/gen/routes.py: edited-by-hand: " in told.err
        assert "--- src/demo/gen/routes.py (as generated now)\n" in told.out
        assert "\n+MINE" in told.out
    assert main(["generate", "--quiet"]) == 1
    assert not capsys.readouterr().out


def test_a_file_that_nothing_generates_is_told_and_left(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "src/demo/runtime/mine.py").write_text("")

    assert main(["generate"]) == 0
    told = capsys.readouterr().out

    assert "? src/demo/runtime/mine.py  (orphaned: nothing generates it)\n" in told
    assert told.endswith(", 1 orphaned\n")
    assert (project / "src/demo/runtime/mine.py").exists()
    assert main(["check"]) == 12


def test_what_is_left_to_do_by_hand_is_counted(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(project / "contract/clock.proto", "rpc Tick(google.protobuf.Empty)", "rpc Tick(Alarm)")

    assert main(["generate"]) == 0
    told = capsys.readouterr()

    assert ", 1 to do by hand\n" in told.out
    text = (project / "src/demo/handlers/clock.py").read_text()
    line = 1 + text[: text.index("async def tick")].count("\n")
    assert (
        f"src/demo/handlers/clock.py:{line}: rpc-changed: Clock.tick now takes demo.v1.Alarm, not google.protobuf.Empty; "
        "make it `async def tick(self, request: Alarm, call: Call) -> Empty`\n"
    ) in told.err

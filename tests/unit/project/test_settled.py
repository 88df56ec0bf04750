"""A run is spared its work only where it would find nothing to do and nothing to say."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.cli import main
from generator.project.identity import identity
from generator.project.lock import digest, seal
from generator.project.new import Request, new
from generator.project.settled import settled

ROOT = Path(__file__).parents[3]
LOCK = ".holdfast/lock.yaml"
ROUTES = "src/demo/gen/routes.py"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("made") / "demo"
    new(Request(project))
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "demo"))


def run(project: Path, *arguments: str) -> int:
    return main([*arguments, "--project", str(project)])


def same_size_same_time(project: Path) -> None:
    file = project / ROUTES
    before = file.stat()
    file.write_text(file.read_text()[::-1])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def link(project: Path) -> None:
    (project / ROUTES).rename(project / "elsewhere.py")
    (project / ROUTES).symlink_to(project / "elsewhere.py")


def replace(file: str, old: str, new: str) -> Callable[[Path], object]:
    def change(project: Path) -> None:
        text = (project / file).read_text()
        assert old in text
        (project / file).write_text(text.replace(old, new))

    return change


def add(file: str) -> Callable[[Path], object]:
    def change(project: Path) -> None:
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).touch()

    return change


def test_a_project_as_it_was_generated_is_settled(project: Path) -> None:
    (project / "src/demo/gen/__pycache__").mkdir()
    (project / "src/demo/gen/__pycache__/routes.cpython-311.pyc").touch()

    assert settled(project)


def test_what_is_the_users_to_change_settles_nothing(project: Path) -> None:
    for file in ("src/demo/handlers/greeter.py", "README.md", "tests/test_greeter.py"):
        (project / file).write_text("mine = True\n")
    replace("pyproject.toml", 'spec = "resilience.yaml"', "spec='resilience.yaml' # the spec")(project)
    (project / "src/demo/mine.py").touch()

    assert settled(project)


CHANGES = {
    "an input": replace("contract/greeter.proto", "Greets", "Salutes"),
    "the spec": replace("resilience.yaml", "5s", "6s"),
    "an input that is gone": lambda project: (project / "contract/greeter.proto").unlink(),
    "what pyproject.toml says": replace("pyproject.toml", 'name = "demo"', 'name = "other"'),
    "a root more": replace("pyproject.toml", '["greeter.proto"]', '["greeter.proto", "b.proto"]'),
    "an emitted file, its size and time kept": same_size_same_time,
    "an emitted file that is gone": lambda project: (project / ROUTES).unlink(),
    "a file that nothing emitted": add("src/demo/gen/b.py"),
    "one in the runtime": add("src/demo/runtime/b.py"),
    "an interrupted run": add(".holdfast/pending/x"),
    "a link in a file's place": link,
    "an edited lock": replace(LOCK, "black:", "black: "),
    "a lock without its seal": replace(LOCK, "seal: ", "# seal: "),
    "no lock": lambda project: (project / LOCK).unlink(),
    "a handler that app.py does not mention": replace("src/demo/app.py", "Greeter", "Someone"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_for_a_run_in_full(project: Path, change: Callable[[Path], object]) -> None:
    change(project)
    assert settled(project) is None


def test_a_glob_that_finds_more_is_for_a_run_in_full(project: Path) -> None:
    replace("pyproject.toml", '["greeter.proto"]', '["*.proto"]')(project)
    assert run(project, "generate", "--quiet") == 0
    assert settled(project)

    (project / "contract/more.proto").write_text('syntax = "proto3";\n')
    assert settled(project) is None


def test_what_has_to_be_said_again_is_for_a_run_in_full(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = "service Again { rpc Hail(SayHelloRequest) returns (SayHelloResponse) "
    again += '{ option (google.api.http) = {get: "/v1/greetings/{name}"}; } }\n// Greets whoever asks.'
    replace("contract/greeter.proto", "// Greets whoever asks.", again)(project)
    replace("src/demo/app.py", "from .handlers.", "from .handlers.again import Again as Again\nfrom .handlers.")(
        project
    )
    assert run(project, "generate") == 0
    first = capsys.readouterr().err

    assert "duplicate-route" in first
    assert settled(project) is None
    assert run(project, "generate") == 0
    assert "duplicate-route" in capsys.readouterr().err


def test_a_stub_without_a_place_is_tried_again(project: Path) -> None:
    handler = project / "src/demo/handlers/greeter.py"
    whole = handler.read_text()
    handler.write_text("def half(:\n")
    replace(
        "contract/greeter.proto",
        "rpc SayHello",
        "rpc SayBye(SayHelloRequest) returns (SayHelloResponse);\n  rpc SayHello",
    )(project)
    assert run(project, "generate", "--quiet") == 0
    assert settled(project) is None

    handler.write_text(whole)
    assert run(project, "check", "--quiet") == 10
    assert run(project, "generate", "--quiet") == 0
    assert "def say_bye" in handler.read_text()
    assert settled(project)


def test_another_version_of_a_tool_is_for_a_run_in_full(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site/black-99.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert settled(project) is None


def test_a_lock_of_another_generator_is_for_a_run_in_full(project: Path) -> None:
    lock = project / LOCK
    body, _, _ = lock.read_bytes().rpartition(b"seal: ")
    lock.write_bytes(body + f"seal: {seal(body, 'another')}\n".encode())

    assert settled(project) is None
    assert run(project, "check", "--quiet") == 10


def forge(project: Path) -> None:
    """Edits a generated file, and the lock and its seal so that they fit."""
    before = (project / ROUTES).read_bytes()
    (project / ROUTES).write_bytes(before + b"# forged\n")
    lock = project / LOCK
    body, _, _ = lock.read_bytes().rpartition(b"seal: ")
    body = body.replace(digest(before).encode(), digest((project / ROUTES).read_bytes()).encode())
    lock.write_bytes(body + f"seal: {seal(body, identity())}\n".encode())


def test_a_check_in_full_takes_nothing_on_trust(project: Path) -> None:
    forge(project)

    assert run(project, "check", "--quiet") == 0
    assert run(project, "check", "--full", "--quiet") == 10


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".git/config"])
def test_a_sealed_lock_does_not_lead_out_of_the_project(project: Path, path: str) -> None:
    outside = project.parent / "x"
    outside.touch()
    lock = project / LOCK
    body, _, _ = lock.read_bytes().rpartition(b"seal: ")
    entry = f"  {path}:\n    owner: managed\n    hash: {digest(b'')}\n    template: t\n    layer: l\n"
    body = body.replace(b"files:\n", f"files:\n{entry}".encode())
    lock.write_bytes(body + f"seal: {seal(body, identity())}\n".encode())

    assert settled(project) is None
    assert run(project, "generate", "--quiet") == 1
    assert outside.exists()


def test_a_spared_run_says_what_a_full_one_says(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (run(project, "check"), run(project, "generate")) == (0, 0)
    spared = capsys.readouterr()
    assert (run(project, "check", "--full"), run(project, "generate", "--force", ROUTES)) == (0, 0)
    assert capsys.readouterr() == spared


@pytest.mark.parametrize("argument", ["generate", "check"])
def test_a_spared_run_loads_none_of_what_takes_long_to_load(project: Path, argument: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "generator", argument, "--project", str(project)]
    loaded = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stderr
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in loaded.splitlines()}
    assert "generator" in modules
    assert modules.isdisjoint(
        {"black", "copier", "email", "google", "grpc_tools", "jinja2", "pydantic", "rich", "yaml"}
    )

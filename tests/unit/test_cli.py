"""The command line: what it prints, where, and what it exits with."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from generator import __version__
from generator.cli import main
from generator.project.new import Request, new

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
JOBS = """\
type: google.api.Service
http:
  rules:
  - selector: google.longrunning.Operations.GetOperation
    get: /v1/{name=jobs/*}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("made") / "demo"
    new(Request(project))
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own for each test, which is where the command runs."""
    folder = tmp_path / "demo"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def grow(project: Path) -> None:
    """Adds an RPC to the contract."""
    proto = project / "contract/greeter.proto"
    rpc = "\n  // Says goodbye.\n  rpc SayGoodbye(SayHelloRequest) returns (SayHelloResponse);\n}\n\n// Whom"
    proto.write_text(proto.read_text().replace("}\n\n// Whom", rpc, 1))


def test_generating_again_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(project)

    assert main(["generate"]) == 0
    assert tree(project) == before
    assert capsys.readouterr().out.startswith("nothing to do: ")
    assert main(["check"]) == 0


def test_a_new_rpc_is_stale_until_generated(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(project)

    assert main(["check"]) == 10
    assert "src/demo/handlers/greeter.py: stale: " in capsys.readouterr().err
    assert main(["generate"]) == 0
    assert "~ src/demo/handlers/greeter.py\n" in capsys.readouterr().out
    assert "async def say_goodbye" in (project / "src/demo/handlers/greeter.py").read_text()
    assert main(["check"]) == 0


def test_an_input_that_changes_no_file_changes_the_lock(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (project / "contract/greeter.proto").open("a") as contract:
        contract.write("// a remark\n")

    assert main(["check"]) == 10
    assert main(["generate"]) == 0
    assert capsys.readouterr().out == "only .holdfast/lock.yaml changed\n"
    assert main(["check"]) == 0


def test_what_protoc_would_only_warn_of_is_not_printed(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    proto = project / "contract/greeter.proto"
    proto.write_text(proto.read_text().replace("import ", 'import "google/protobuf/empty.proto";\nimport ', 1))

    assert main(["generate"]) == 0
    assert not capfd.readouterr().err


def test_a_file_that_shares_its_raw_text_with_one_of_the_user_is_written_in_full(project: Path) -> None:
    routes, lock = project / "src/demo/gen/routes.py", project / ".holdfast/lock.yaml"
    entries = yaml.safe_load(lock.read_text())["files"]
    raw = entries["src/demo/gen/routes.py"].get("rawHash", entries["src/demo/gen/routes.py"]["hash"])
    app = entries["src/demo/app.py"]
    lock.write_text(lock.read_text().replace(app.get("rawHash", app["hash"]), raw))
    content = routes.read_bytes()
    routes.unlink()

    assert main(["generate"]) == 0
    assert routes.read_bytes() == content


@pytest.mark.parametrize("option", ["--diff", "--dry-run"])
def test_a_preview_shows_the_changes_and_writes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    grow(project)
    before = tree(project)

    assert main(["generate", option]) == 0
    assert tree(project) == before
    out = capsys.readouterr().out
    expected = "+    async def say_goodbye" if option == "--diff" else "~ src/demo/handlers/greeter.py"
    assert expected in out


def test_an_edited_file_is_refused_told_and_given_up_with_force(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = project / "src/demo/gen/routes.py"
    edited.write_text(edited.read_text() + "# mine\n")
    before = tree(project)

    assert main(["check"]) == 11
    assert main(["generate", "--dry-run"]) == 1
    assert main(["generate"]) == 1
    assert capsys.readouterr().err.count("src/demo/gen/routes.py: edited-by-hand: ") == 2
    assert tree(project) == before
    assert main(["generate", "--force", "src/demo/gen/routes.py"]) == 0
    assert main(["check"]) == 0


def test_a_missing_file_and_one_too_many_are_told_apart_from_the_rest(project: Path) -> None:
    (project / "src/demo/gen/routes.py").unlink()
    assert main(["check"]) == 12
    assert main(["generate"]) == 0

    (project / "src/demo/gen/extra.py").write_text("")
    assert main(["check"]) == 12
    (project / "src/demo/gen/extra.py").unlink()

    (project / ".holdfast/lock.yaml").unlink()
    assert main(["check"]) == 12
    assert main(["generate"]) == 0
    assert main(["check"]) == 0


def test_of_several_faults_the_one_that_generate_cannot_mend_counts(project: Path) -> None:
    grow(project)
    (project / "src/demo/gen/__init__.py").unlink()
    assert main(["check"]) == 12
    (project / "src/demo/gen/routes.py").write_text("# mine\n")
    assert main(["check"]) == 11


def test_what_the_user_may_do_is_no_fault(project: Path) -> None:
    (project / "src/demo/app.py").write_text('"""Mine."""\n')
    (project / "src/demo/handlers/greeter.py").unlink()
    (project / "src/demo/mine.py").write_text("")

    assert main(["check"]) == 0


@pytest.mark.parametrize("arguments", [["--project", "demo", "check"], ["check", "--project", "demo"]])
def test_a_project_is_named_before_or_after_the_command(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(project.parent)
    grow(project)

    assert main(arguments) == 10
    assert "demo/src/demo/handlers/greeter.py: stale: " in capsys.readouterr().err


def test_explain_prints_text_and_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "SayHello"]) == 0
    assert "demo.v1.Greeter" in capsys.readouterr().out
    assert main(["explain", "--format", "json"]) == 0
    assert capsys.readouterr().out.startswith("{\n")
    assert main(["explain", "Nothing"]) == 1


def test_a_wrong_contract_is_one_line_a_finding(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "contract/greeter.proto").write_text('syntax = "proto3";\nmessage M { strin x = 1; }\n')
    before = tree(project)

    assert main(["generate"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("contract/greeter.proto:2:13: proto-error: ")
    assert captured.err.count("\n") == 1
    assert not captured.out
    assert tree(project) == before


@pytest.mark.parametrize("command", ["generate", "check", "explain"])
@pytest.mark.parametrize("folder", [".", "nowhere", "file", "file/below"])
def test_what_is_no_project_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")

    assert main([command, "--project", folder]) == 1
    assert capsys.readouterr().err.startswith(f"{folder}: ")


def test_quiet_says_nothing_but_what_is_wrong(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quiet", "generate"]) == 0
    assert main(["check", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_colour_is_for_terminals_and_those_who_ask(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(project)

    main(["check"])
    assert "\x1b[" not in capsys.readouterr().err
    main(["check", "--color"])
    assert "\x1b[" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["generate", "--nonsense"],
        ["new"],
        ["new", "x", "--defaults", "--set", "novalue"],
        ["explain", "--format", "xml"],
        ["lint"],
    ],
)
def test_a_misuse_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(arguments) == 2
    assert "Usage: holdfast" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_new_without_a_terminal_needs_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["new", "shop"]) == 2
    assert "--defaults" in capsys.readouterr().err


def test_a_service_configuration_is_copied_and_its_rules_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("jobs.yaml").write_text(JOBS)
    contract = "google/longrunning/operations.proto"

    assert main(["new", "shop", "--contract", contract, "--service-config", "jobs.yaml", "--defaults"]) == 0
    assert Path("shop/contract/jobs.yaml").read_text() == JOBS
    assert main(["explain", "GetOperation", "--project", "shop"]) == 0
    assert "route  GET /v1/{name=jobs/*}" in capsys.readouterr().out
    Path("shop/contract/jobs.yaml").write_text(JOBS.replace("jobs/*", "jobs/**"))
    assert main(["check", "--project", "shop"]) == 10
    assert main(["generate", "--project", "shop"]) == 0
    assert main(["check", "--project", "shop"]) == 0


def test_wrong_service_configurations_are_told_at_the_files_that_were_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    for name in ("jobs.yaml", "sub/jobs.yaml", "jobs.txt"):
        Path(name).write_text(JOBS.replace("GetOperation", "Got"))
    given = [part for name in ("jobs.yaml", "sub/jobs.yaml", "jobs.txt") for part in ("--service-config", name)]

    assert main(["new", "shop", "--contract", "google/longrunning/operations.proto", *given, "--defaults"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("sub/jobs.yaml: service-config-name: jobs.yaml has the same name")
    assert told[1].startswith("jobs.txt: service-config-name: this is no name for a YAML file")
    unknown = ["jobs.txt:4:15", "jobs.yaml:4:15", "sub/jobs.yaml:4:15"]
    assert [line.split(": ")[:2] for line in told[2:]] == [[place, "unknown-method"] for place in unknown]
    assert main(["new", "shop", "--service-config", "sub/jobs.yaml", "--defaults"]) == 1
    assert capsys.readouterr().err.startswith("sub/jobs.yaml:4:15: unknown-method: ")
    assert not Path("shop").exists()


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"holdfast {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert main(["completion", shell]) == 0
    assert "_HOLDFAST_COMPLETE" in capsys.readouterr().out


def test_a_contract_may_be_a_link_to_what_many_projects_share(project: Path) -> None:
    (project / "contract").rename(project.parent / "shared")
    (project / "contract").symlink_to(project.parent / "shared")

    assert main(["check"]) == 0


def test_what_is_not_installed_is_one_line(tmp_path: Path) -> None:
    bare = [sys.executable, "-S", "-P", str(ROOT / "generator/__main__.py"), "--version"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(bare, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "not-installed: No module named 'click'; install holdfast beside copier" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_module_by_name_and_by_path_is_the_command(tmp_path: Path) -> None:
    for command in (["-m", "generator"], [str(ROOT / "generator/__main__.py")]):
        environment = ENVIRONMENT if command[0] == "-m" else {**os.environ, "PYTHONPATH": ""}
        done = subprocess.run(
            [sys.executable, *command, "--version"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == f"holdfast {__version__}\n"


def test_arguments_that_are_no_text_are_shown_as_escapes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "generator", "new", b"sh\xffop", "--defaults"]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(rb'command line: project-name: "sh\udcffop" cannot be the name')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("locked", "arguments"),
    [
        (".", ["new", "shop", "--defaults"]),
        (".", ["new", "deep/down/shop", "--defaults"]),
        ("demo/src/demo/gen", ["generate", "--project", "demo"]),
        ("demo/.holdfast", ["generate", "--project", "demo"]),
    ],
)
def test_without_permission_to_write_nothing_is_written(project: Path, locked: str, arguments: list[str]) -> None:
    here = project.parent
    grow(project)
    proto = project / "contract/greeter.proto"
    proto.write_text(proto.read_text().replace("/v1/greetings/{name}", "/v1/greetings/{name=**}"))
    before = tree(here)
    (here / locked).chmod(0o555)
    # Root may write anywhere unless it gives that up.
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*drop, sys.executable, "-m", "generator", *arguments]
    done = subprocess.run(command, cwd=here, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    (here / locked).chmod(0o755)

    assert done.returncode == 1
    assert done.stderr.endswith(": cannot-write: permission denied\n")
    assert done.stderr.count("\n") == 1
    assert tree(here) == before


def interrupted(process: subprocess.Popen[bytes]) -> bytes:
    """What it says on stderr once it has ended: a signal that comes just before it waits is seen with the next one."""
    for _ in range(30):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=1)[1]
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("it goes on")


def test_an_interrupt_exits_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "spec.yaml")  # the command waits for its other end
    command = [sys.executable, "-m", "generator", "new", "shop", "--spec", "spec.yaml", "--defaults"]
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)  # what this run ignores, the command would
    process = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE)
    signal.signal(signal.SIGINT, heeded)
    with (tmp_path / "spec.yaml").open("wb"):  # returns once the command reads
        err = interrupted(process)

    assert process.returncode == 130
    assert b"Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]


def test_a_reader_who_leaves_early_is_no_traceback(project: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "generator", "explain"],
            env=ENVIRONMENT,
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert done.returncode == 1
    assert not done.stderr


def test_an_interrupted_run_is_finished_and_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(project)
    source = """
import os, sys
from generator.cli import main

def crash(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("routes.py"):
        os._exit(9)

sys.addaudithook(crash)
main(["generate"])
"""
    (project / "contract/greeter.proto").write_text(
        (project / "contract/greeter.proto").read_text().replace("/v1/greetings/{name}", "/v1/greetings/{name=**}")
    )
    assert subprocess.run([sys.executable, "-c", source], env=ENVIRONMENT, check=False).returncode == 9

    assert main(["check"]) != 0
    assert ".holdfast/pending: stale: " in capsys.readouterr().err
    assert main(["generate"]) == 0
    assert "an interrupted run was finished first: " in capsys.readouterr().out
    assert main(["check"]) == 0


@pytest.mark.parametrize("argument", ["generate", "check"])
def test_copier_and_rich_are_not_loaded_by_everyday_commands(project: Path, argument: str) -> None:
    source = f"""
import sys
from generator.cli import main
assert main([{argument!r}]) == 0
print([name for name in ("copier", "rich", "black", "prompt_toolkit") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", source], env=ENVIRONMENT, capture_output=True, text=True, check=True)

    assert done.stdout.endswith("[]\n")

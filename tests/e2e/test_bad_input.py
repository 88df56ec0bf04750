"""What a user can get wrong: told on one line with its place and what to do, exit code 1, nothing written, no traceback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.projects import ROOT, holdfast

FINDING = re.compile(r"(?P<place>[^:\n]+(?::\d+(?::\d+)?)?): (?P<rule>[a-z][a-z-]+): (?P<text>.+)")
CONTRACT = """\
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
service Shop {
  rpc Find(FindRequest) returns (Thing) {
    option (google.api.http) = {get: "/v1/things/{name}"};
  }
}
message FindRequest { string name = 1; repeated string tags = 2; Thing thing = 3; }
message Thing { string name = 1; }
"""
RULE = 'option (google.api.http) = {get: "/v1/things/{name}"};'
SPEC = """\
apiVersion: resilience.sre.io/v1
kind: ServiceResiliencePolicy
metadata: {name: shop}
spec:
  deadline: {default: 2s}
"""


def refused(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str, str]]:
    """The place, id and text of every finding; fails unless that is all there is to say."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    found = [FINDING.fullmatch(line) for line in done.stderr.splitlines()]
    assert found, "nothing was said"
    assert all(found), done.stderr
    return [(match["place"], match["rule"], match["text"]) for match in found if match]


def new(folder: Path, *arguments: str | Path, dest: str = "dest") -> subprocess.CompletedProcess[str]:
    """`holdfast new` in the folder, which must leave no trace of it."""
    before = _tree(folder)
    done = holdfast("new", dest, "--defaults", *arguments, cwd=folder)
    assert _tree(folder) == before
    return done


def _tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@dataclass(frozen=True, slots=True)
class Case:
    """A change of one input, and what is said of it: where, the rule, and a word of the text."""

    name: str
    old: str
    new: str
    place: str
    rule: str
    text: str


def _changed(text: str, case: Case) -> str:
    assert text.count(case.old) >= 1, case.name
    return text.replace(case.old, case.new, 1)


CONTRACTS = (
    Case("a missing brace", "message Thing {", "message Thing", "shop.proto:10:15", "proto-error", "Expected"),
    Case("an unknown type", "returns (Thing)", "returns (Nothing)", "shop.proto:5:34", "proto-error", "Nothing"),
    Case(
        "a missing import", "annotations.proto", "nowhere.proto", "shop.proto:3:1", "import-not-found", "nowhere.proto"
    ),
    Case("an unknown option", "package", "option colour = 1;\npackage", "shop.proto:2:8", "proto-error", "colour"),
    Case("an unknown key of a route", "{get:", "{fetch:", "shop.proto:6:32", "proto-error", "fetch"),
    Case(
        "a field twice",
        "string name = 1; rep",
        "string name = 2; rep",
        "shop.proto:9:63",
        "proto-error",
        "has already been used",
    ),
    Case("a variable of no field", "{name}", "{nmae}", "shop.proto:6:5", "http-path-variable", "nmae"),
    Case("a variable of a repeated field", "{name}", "{tags}", "shop.proto:6:5", "http-path-variable", "tags"),
    Case("a variable of a message field", "{name}", "{thing}", "shop.proto:6:5", "http-path-variable", "thing"),
    Case("a template without its end", "{name}", "{name", "shop.proto:6:5", "http-path-template", "name"),
    Case("a template without its slash", '"/v1', '"v1', "shop.proto:6:5", "http-path-template", "/"),
    Case(
        "** in the middle of a template",
        "{name}",
        "{name=**}/{thing.name}/**",
        "shop.proto:6:5",
        "http-path-template",
        "**",
    ),
    Case("a body of no field", RULE, RULE.replace("get", 'body: "bdoy" post'), "shop.proto:6:5", "http-body", "bdoy"),
    Case(
        "a response body of no field",
        RULE,
        RULE.replace("get", 'response_body: "x" get'),
        "shop.proto:6:5",
        "http-response-body",
        "x",
    ),
    Case(
        "two routes alike",
        "  }\n}\n",
        "  }\n  rpc Seek(FindRequest) returns (Thing) {\n    " + RULE.replace("{name}", "{thing.name}") + "\n  }\n}\n",
        "shop.proto:9:5",
        "duplicate-route",
        "Find",
    ),
    Case(
        "a message that is a keyword",
        "message Thing",
        "message None {}\nmessage Thing",
        "shop.proto:10:1",
        "keyword-as-type",
        "None",
    ),
)


@pytest.mark.parametrize("case", CONTRACTS, ids=lambda case: case.name)
def test_a_contract_that_is_wrong_is_refused_where_it_is_wrong(tmp_path: Path, case: Case) -> None:
    (tmp_path / "shop.proto").write_text(_changed(CONTRACT, case))
    findings = refused(new(tmp_path, "--contract", "shop.proto"))
    assert any(
        (place, rule) == (case.place, case.rule) and case.text in text for place, rule, text in findings
    ), findings


SPECS = (
    Case("an unknown key", "default:", "defualt:", "spec.yaml:5:14", "unknown-key", "default"),
    Case("a section that is misspelt", "deadline:", "deadlien:", "spec.yaml:5:3", "unknown-key", "deadline"),
    Case("a number without its unit", "2s", "2", "spec.yaml:5:23", "wrong-unit", "2s"),
    Case("an unknown unit", "2s", "2 fortnights", "spec.yaml:5:23", "wrong-unit", "fortnights"),
    Case("a negative duration", "2s", "-2s", "spec.yaml:5:23", "wrong-unit", "negative"),
    Case("a list for a mapping", "{default: 2s}", "[2s]", "spec.yaml:5:13", "wrong-type", "deadline"),
    Case("a key twice", "spec:", "kind: ServiceResiliencePolicy\nspec:", "spec.yaml:4:1", "duplicate-key", "kind"),
    Case("an unfinished mapping", "{default: 2s}", "{default: 2s", "spec.yaml:6:1", "yaml-syntax", "line 5"),
    Case("a tag", "{default: 2s}", "!!python/object/apply:os.getcwd []", "spec.yaml:5:13", "yaml-tag", "not allowed"),
    Case(
        "another kind",
        "ServiceResiliencePolicy",
        "Deployment",
        "spec.yaml:2:7",
        "wrong-value",
        "ServiceResiliencePolicy",
    ),
    Case("another version", "sre.io/v1", "sre.io/v9", "spec.yaml:1:13", "wrong-value", "v1"),
    Case(
        "a method that is not there",
        "spec:",
        "spec:\n  methods: {Fnid: {deadline: {default: 1s}}}",
        "spec.yaml:5:13",
        "unknown-method",
        "Find",
    ),
    Case(
        "a profile that is not there",
        "spec:",
        "spec:\n  methods: {Find: {profile: fast}}",
        "spec.yaml:5:29",
        "unknown-profile",
        "fast",
    ),
    Case("a default above its maximum", "2s}", "2s, max: 1s}", "spec.yaml:5:14", "values-out-of-order", "max"),
    Case(
        "an unknown code",
        "spec:",
        "spec:\n  errors: {table: {A_B: {grpc: NOPE}}}",
        "spec.yaml:5:32",
        "wrong-value",
        "NOPE",
    ),
    Case(
        "a status of success",
        "spec:",
        "spec:\n  errors: {table: {A_B: {grpc: ABORTED, http: 200}}}",
        "spec.yaml:5:47",
        "wrong-value",
        "200",
    ),
    Case(
        "a reason in lower case",
        "spec:",
        "spec:\n  errors: {table: {oops: {grpc: ABORTED}}}",
        "spec.yaml:5:20",
        "wrong-value",
        "oops",
    ),
    Case(
        "languages that differ in placeholders",
        "spec:",
        'spec:\n  errors: {table: {A_B: {grpc: ABORTED, message: {en: "{a}", zh: "{b}"}}}}',
        "spec.yaml:5:66",
        "placeholders-differ",
        "{b}",
    ),
)


@pytest.mark.parametrize("case", SPECS, ids=lambda case: case.name)
def test_a_spec_that_is_wrong_is_refused_where_it_is_wrong(tmp_path: Path, case: Case) -> None:
    (tmp_path / "shop.proto").write_text(CONTRACT)
    (tmp_path / "spec.yaml").write_text(_changed(SPEC, case))
    findings = refused(new(tmp_path, "--contract", "shop.proto", "--spec", "spec.yaml"))
    assert any(
        (place, rule) == (case.place, case.rule) and case.text in text for place, rule, text in findings
    ), findings


def test_everything_wrong_with_both_inputs_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "shop.proto").write_text(CONTRACT.replace("returns (Thing)", "returns (Nothing)"))
    (tmp_path / "spec.yaml").write_text(SPEC.replace("2s", "2").replace("kind", "knid"))
    findings = refused(new(tmp_path, "--contract", "shop.proto", "--spec", "spec.yaml"))
    assert {place.partition(":")[0] for place, _, _ in findings} == {"shop.proto", "spec.yaml"}
    assert len(findings) >= 3


@pytest.mark.parametrize("content", [b"\x00\x01", b"\xff\xfe", b"<html>", "сервис".encode("utf-16")])
def test_a_file_that_is_no_contract_or_no_spec_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shop.proto").write_bytes(content)
    refused(new(tmp_path, "--contract", "shop.proto"))
    (tmp_path / "shop.proto").write_text(CONTRACT)
    (tmp_path / "spec.yaml").write_bytes(content)
    refused(new(tmp_path, "--contract", "shop.proto", "--spec", "spec.yaml"))


@pytest.mark.parametrize("option", ["--contract", "--spec", "-I"])
def test_an_input_that_is_not_there_or_is_something_else_is_refused_by_its_name(tmp_path: Path, option: str) -> None:
    (tmp_path / "shop.proto").write_text(CONTRACT)
    given = [] if option == "--contract" else ["--contract", "shop.proto"]
    (place, _, text), *_ = refused(new(tmp_path, *given, option, "nowhere/at-all"))
    assert "nowhere/at-all" in place + text
    (tmp_path / "other").write_text("") if option == "-I" else (tmp_path / "other").mkdir()
    (place, _, text), *_ = refused(new(tmp_path, *given, option, "other"))
    assert "other" in place + text


def test_a_destination_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest" / "precious").write_text("mine")
    ((place, rule, _),) = refused(new(tmp_path))
    assert (place, rule) == ("dest", "destination-not-empty")


def test_a_destination_that_is_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dest").write_text("mine")
    assert refused(new(tmp_path))[0][:2] == ("dest", "destination-not-a-folder")
    refused(new(tmp_path, dest="dest/below"))


NAMES = (
    "class",
    "1st",
    "a b",
    "a-",
    "..",
    "naïve",
    "x" * 300,
    "a\nb",
    "{{ 7 * 7 }}",
    "os",
    "google",
    "runtime",
    "-",
    " ",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_package_can_have_is_refused(tmp_path: Path, name: str) -> None:
    findings = refused(new(tmp_path, f"--package={name}"))
    assert [rule for _, rule, _ in findings] == ["package-name"]


@pytest.mark.parametrize("name", ["a b", "../up", "a\nb", "{{ 7 * 7 }}", "-", "x" * 300, "class"])
def test_a_name_that_no_distribution_can_have_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(new(tmp_path, f"--name={name}"))


def test_an_answer_to_a_question_that_nobody_asked_is_refused(tmp_path: Path) -> None:
    assert "colour" in refused(new(tmp_path, "--set", "colour=red"))[0][2]


# -- what the machine refuses --------------------------------------------------------------------------------------


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that its owner may read only."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


def _unprivileged(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command, obeying permissions even where root runs the tests."""
    privileges = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*privileges, sys.executable, "-m", "generator", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_a_folder_that_may_not_be_written_is_named(locked: Path) -> None:
    done = _unprivileged("new", locked / "dest", "--defaults", cwd=locked)
    ((place, rule, text),) = refused(done)
    assert rule == "cannot-write"
    assert place.startswith(str(locked))
    assert "permission denied" in text
    assert list(locked.iterdir()) == []


def test_a_contract_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    contract = tmp_path / "shop.proto"
    contract.write_text(CONTRACT)
    contract.chmod(0)
    findings = refused(_unprivileged("new", "dest", "--contract", "shop.proto", "--defaults", cwd=tmp_path))
    assert findings[0][0].startswith("shop.proto")
    assert sorted(tmp_path.iterdir()) == [contract]


@pytest.mark.parametrize("room", [0, 100, 3_000, 9_000])
def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, room: int) -> None:
    before = _tree(tmp_path)
    done = _with_room(room, "new", "dest", "--defaults", cwd=tmp_path)
    assert refused(done)[0][1] == "cannot-write"
    assert _tree(tmp_path) == before


@pytest.mark.parametrize("room", [0, 100, 3_000, 9_000])
def test_a_disk_that_is_full_while_generating_leaves_the_project_as_it_was(project: Path, room: int) -> None:
    contract = project / "contract" / "greeter.proto"
    contract.write_text(contract.read_text() + "message Another {}\n")
    before = _tree(project)
    assert refused(_with_room(room, "generate", cwd=project))
    assert _tree(project) == before
    assert holdfast("generate", cwd=project).returncode == 0
    assert holdfast("check", cwd=project).returncode == 0


def _with_room(size: int, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command, able to write no file of more bytes than that."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    program = f"{limit}; import sys; from generator.cli import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


# -- in a project --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad_input")
    assert holdfast("new", "greeter", "--defaults", cwd=folder).returncode == 0
    return folder / "greeter"


@pytest.fixture
def project(pristine: Path, tmp_path: Path) -> Path:
    """A project of one's own."""
    return Path(shutil.copytree(pristine, tmp_path / "greeter"))


SPOILT: Mapping[str, tuple[str, str, str]] = {  # the file, its new text, how the place starts
    "a spec with an unknown key": ("resilience.yaml", SPEC.replace("deadline", "deadlien"), "resilience.yaml:5:3"),
    "a contract that does not compile": ("contract/greeter.proto", "message {", "contract/greeter.proto:1"),
    "settings that are no TOML": ("pyproject.toml", "[tool.holdfast\n", "pyproject.toml:1"),
    "settings that are missing": ("pyproject.toml", "", "pyproject.toml"),
    "an unknown setting": ("pyproject.toml", "[tool.holdfast]\ncolour = 1\n", "pyproject.toml:2"),
    "a contract outside": ("pyproject.toml", '[tool.holdfast]\ncontracts = ["../../x.proto"]\n', "pyproject.toml"),
    "a lock that is none": (".holdfast/lock.yaml", "version: one\n", ".holdfast/lock.yaml"),
    "a lock that leads out": (
        ".holdfast/lock.yaml",
        'version: 1\ngenerator: "0"\ntools: {}\ninputs: {}\nfiles:\n  ../../x: {owner: managed, template: x, layer: x}\n',
        ".holdfast/lock.yaml",
    ),
    "a generated file that was edited": ("src/greeter/gen/errors.py", "mine = 1\n", "src/greeter/gen/errors.py"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_project_with_something_wrong_is_not_touched(project: Path, what: str) -> None:
    file, text, place = SPOILT[what]
    (project / file).write_text(text)
    before = _tree(project)
    for command in ("generate", "explain") if file in ("resilience.yaml", "contract/greeter.proto") else ("generate",):
        assert any(found.startswith(place) for found, _, _ in refused(holdfast(command, cwd=project)))
    assert _tree(project) == before


def test_a_folder_without_a_project_is_named(tmp_path: Path) -> None:
    for command in ("generate", "check", "explain"):
        assert refused(holdfast(command, cwd=tmp_path))[0][:2] == (".", "no-project")

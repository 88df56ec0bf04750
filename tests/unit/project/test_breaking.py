"""Breaking changes of a project: refused, told with whom they hit, accepted with a reason, compared with anything."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from generator.cli import main
from generator.project.new import Request, new

CONTRACT = """\
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "shop/v1/kinds.proto";
service Shop {
  rpc Get(GetRequest) returns (Item) {
    option (google.api.http) = {get: "/v1/{name=items/*}"};
  }
  rpc Put(Item) returns (Item);
}
message GetRequest { string name = 1; }
message Item {
  string name = 1;
  string note = 2;
  Kind kind = 3;
  Size size = 4;
}
message Size { int32 width = 1; }
"""
KINDS = """\
syntax = "proto3";
package shop.v1;
enum Kind { KIND_UNSPECIFIED = 0; BOOK = 1; }
message Unused { string name = 1; }
"""
SPEC = """\
apiVersion: resilience.sre.io/v1
kind: ServiceResiliencePolicy
metadata: {name: shop}
spec:
  deadline: {default: 2s, max: 10s}
  errors:
    table:
      GONE: {grpc: NOT_FOUND, http: 410}
"""
HANDLER = "src/shop/handlers/shop.py"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "protos/shop/v1").mkdir(parents=True)
    (folder / "protos/shop/v1/shop.proto").write_text(CONTRACT)
    (folder / "protos/shop/v1/kinds.proto").write_text(KINDS)
    (folder / "spec.yaml").write_text(SPEC)
    protos = folder / "protos"
    new(Request(folder / "shop", [str(protos / "shop/v1/shop.proto")], [protos], folder / "spec.yaml"))
    return folder / "shop"


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own for each test, which is where the command runs."""
    folder = tmp_path / "shop"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def edit(file: str, before: str, after: str) -> None:
    path = Path(file)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def contract(before: str, after: str) -> None:
    edit("contract/shop/v1/shop.proto", before, after)


def git(*arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@test.example"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def commit(message: str = "one") -> None:
    if not Path(".git").exists():
        git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "-m", message)


def tree() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> list[str]:
    """The findings that the command prints."""
    assert main(arguments) == code
    return capsys.readouterr().err.splitlines()


def keys(lines: Iterable[str]) -> list[str]:
    """What the findings say would accept them."""
    return [line.rpartition("--allow-breaking ")[2] for line in lines if ": breaking: " in line]


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert main(["breaking", "--format", "json", *arguments]) == code
    loaded: dict[str, Any] = json.loads(capsys.readouterr().out)
    return loaded


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


def test_what_is_accepted_is_recorded_with_its_reason_and_asked_for_only_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit()
    contract("  string note = 2;\n", "")
    (key,) = keys(run(capsys, "generate", code=1))

    assert main(["generate", "--allow-breaking", key, "--reason", 'nobody "reads"\nit: ever \\ 注']) == 0
    assert (
        Path(".holdfast/waivers.yaml")
        .read_text()
        .endswith(
            '- rule: "FIELD_NO_DELETE"\n  subject: "shop.v1.Item.note"\n'
            '  reason: "nobody \\"reads\\"\\\\u000ait: ever \\\\ 注"\n'
        )
    )
    capsys.readouterr()
    assert run(capsys, "generate", code=0) == []
    assert run(capsys, "check", code=0) == []
    found = document(capsys, "--against", "git:HEAD")
    assert found["verdict"] == "major"
    (change,) = found["breaking"]
    assert (change["accepted"], change["reason"]) == (True, 'nobody "reads"\\u000ait: ever \\ 注')


def test_a_change_of_several_waivers_keeps_what_people_wrote_around_them(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract("  string note = 2;\n", "")
    assert main(["generate", "--allow-breaking", "FIELD_NO_DELETE:shop.v1.Item.note", "--reason", "one"]) == 0
    waivers = Path(".holdfast/waivers.yaml")
    waivers.write_text(waivers.read_text().rstrip("\n") + "  # asked Ann")
    contract("  Kind kind = 3;\n", "")
    assert main(["generate", "--allow-breaking", "FIELD_NO_DELETE:shop.v1.Item.*"]) == 0

    assert waivers.read_text().endswith(
        '  reason: "one"  # asked Ann\n- rule: "FIELD_NO_DELETE"\n  subject: "shop.v1.Item.*"\n  reason: ""\n'
    )
    assert main(["check"]) == 0


def test_one_of_two_changes_accepted_is_not_enough(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract("  string note = 2;\n", "")
    contract("  rpc Put(Item) returns (Item);\n", "")
    before = tree()

    lines = run(capsys, "generate", "--allow-breaking", "FIELD_NO_DELETE:shop.v1.Item.note", code=1)
    assert keys(lines) == ["RPC_NO_DELETE:shop.v1.Shop.Put"]
    assert tree() == before


def test_a_waiver_that_was_recorded_does_not_accept_the_next_change_of_the_kind(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit("resilience.yaml", "max: 10s", "max: 9s")
    assert main(["generate", "--allow-breaking", "DEADLINE_NO_SHORTEN:*"]) == 0
    edit("resilience.yaml", "max: 9s", "max: 8s")

    (line,) = run(capsys, "generate", code=1)
    assert line == (
        "resilience.yaml:5:27: breaking: DEADLINE_NO_SHORTEN: 2 methods: deadline.max is 8s, not 9s (hits "
        f"{HANDLER}:14 Shop.get, {HANDLER}:18 Shop.put, gRPC clients, REST clients); leave callers what they had: methods "
        "can have a `deadline` of their own; or accept it with --allow-breaking DEADLINE_NO_SHORTEN:deadline.max"
    )


@pytest.mark.parametrize(
    ("subject", "code"), {"deadline.max": 0, "shop.v1.Shop.*": 0, "*": 0, "shop.v1.Shop.Get": 1}.items()
)
def test_what_is_told_of_several_methods_is_accepted_by_the_key_or_by_all_their_names(
    project: Path, subject: str, code: int
) -> None:
    edit("resilience.yaml", "max: 10s", "max: 9s")
    assert main(["generate", "--allow-breaking", f"DEADLINE_NO_SHORTEN:{subject}"]) == code


def test_a_waiver_of_the_key_accepts_what_is_told_of_one_method(project: Path) -> None:
    edit("resilience.yaml", "spec:\n", "spec:\n  methods: {Get: {deadline: {max: 9s}}}\n")
    assert main(["breaking"]) == 13
    assert main(["breaking", "--allow-breaking", "DEADLINE_NO_SHORTEN:deadline.max"]) == 0


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


def test_a_git_revision_is_compared_by_what_was_generated_then(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit()
    contract("  string note = 2;\n", "")
    edit("resilience.yaml", "http: 410", "http: 404")
    assert (
        main(["generate", "--allow-breaking", "FIELD_NO_DELETE:*", "--allow-breaking", "ERROR_SAME_HTTP_STATUS:*"]) == 0
    )
    Path(".holdfast/waivers.yaml").unlink()
    commit("two")
    capsys.readouterr()

    lines = run(capsys, "breaking", "--against", "git:HEAD~1", code=13)
    assert keys(lines) == ["FIELD_NO_DELETE:shop.v1.Item.note", "ERROR_SAME_HTTP_STATUS:GONE"]
    assert run(capsys, "breaking", "--against", "git:HEAD", code=0) == []
    git("tag", "v1", "HEAD~1")
    assert document(capsys, "--against", "git:v1", code=13)["verdict"] == "major"


def test_a_git_revision_from_before_the_lock_is_compared_by_its_inputs(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {path: path.read_bytes() for path in Path(".holdfast").rglob("*") if path.is_file()}
    shutil.rmtree(".holdfast")
    commit()
    for path, content in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    contract("  string note = 2;\n", "")
    edit("resilience.yaml", "http: 410", "http: 404")

    lines = run(capsys, "breaking", "--against", "git:main", code=13)
    assert keys(lines) == ["FIELD_NO_DELETE:shop.v1.Item.note", "ERROR_SAME_HTTP_STATUS:GONE"]


def test_a_project_in_a_folder_of_its_repository_is_found_in_its_revisions(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.parent)
    commit()
    monkeypatch.chdir(project)
    contract("  string note = 2;\n", "")
    assert keys(run(capsys, "breaking", "--against", "git:HEAD", code=13)) == ["FIELD_NO_DELETE:shop.v1.Item.note"]
    monkeypatch.chdir(project.parent)
    found = run(capsys, "breaking", "--project", "shop", "--against", "git:HEAD", code=13)
    assert found[0].startswith("shop/contract/shop/v1/shop.proto:12:1: breaking: ")


def test_what_is_not_there_to_compare_with_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = run(capsys, "breaking", "--against", "git:HEAD", code=1)
    assert line.startswith("git:HEAD: git-failed: ")
    git("init", "--quiet")
    Path("README.md").write_text("x")
    git("add", "README.md")
    git("commit", "--quiet", "-m", "early")
    git("rm", "--quiet", "--cached", "README.md")
    git("commit", "--quiet", "--allow-empty", "-m", "nothing")
    for against, rule in {
        "git:nope": "git-failed",
        "git:--output=x": "git-failed",
        "git:HEAD": "baseline-not-found",
        "nowhere": "baseline-not-found",
        "README.md": "baseline-unreadable",
        "docs": "baseline-not-found",
    }.items():
        (line,) = run(capsys, "breaking", "--against", against, code=1)
        assert f": {rule}: " in line
    assert not Path("x").exists()


def test_a_descriptor_set_is_compared_without_a_spec(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(".holdfast/contract.binpb", "../old.binpb")
    contract("  string note = 2;\n", "")
    contract("/v1/{name=items/*}", "/v2/{name=items/*}")
    edit("resilience.yaml", "http: 410", "http: 404")

    found = document(capsys, "--against", "../old.binpb", code=13)
    assert [change["rule"] for change in found["breaking"]] == ["ROUTE_NO_DELETE", "FIELD_NO_DELETE"]
    assert found["specCompared"] is False
    assert main(["breaking", "--against", "../old.binpb"]) == 13
    assert "the contract alone was" in capsys.readouterr().out


def test_a_descriptor_set_that_does_not_stand_by_itself_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = FileDescriptorSet.FromString(Path(".holdfast/contract.binpb").read_bytes())
    del whole.file[:-1]
    Path("part.binpb").write_bytes(whole.SerializeToString())
    (line,) = run(capsys, "breaking", "--against", "part.binpb", code=1)
    assert line.startswith("part.binpb: baseline-unreadable: ")


def test_a_revision_whose_descriptors_do_not_stand_by_themselves_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Path(".holdfast/contract.binpb")
    whole = FileDescriptorSet.FromString(kept.read_bytes())
    del whole.file[:-1]
    before = kept.read_bytes()
    kept.write_bytes(whole.SerializeToString())
    commit()
    kept.write_bytes(before)
    (line,) = run(capsys, "breaking", "--against", "git:HEAD", code=1)
    assert line.startswith("git:HEAD:.holdfast/contract.binpb: baseline-unreadable: ")


def test_folders_are_compared_as_projects_or_as_protos(
    project: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract("  string note = 2;\n", "")
    edit("resilience.yaml", "http: 410", "http: 404")

    both = ["FIELD_NO_DELETE:shop.v1.Item.note", "ERROR_SAME_HTTP_STATUS:GONE"]
    assert keys(run(capsys, "breaking", "--against", str(made), code=13)) == both
    assert keys(run(capsys, "breaking", "--against", str(made / "contract"), code=13)) == both[:1]
    shutil.copytree(made, "../unlocked", ignore=shutil.ignore_patterns(".holdfast"))
    assert keys(run(capsys, "breaking", "--against", "../unlocked", code=13)) == both


def test_a_break_that_generate_never_saw_can_be_accepted_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract("  string note = 2;\n", "")
    shutil.copy(".holdfast/contract.binpb", "../old.binpb")
    key = "FIELD_NO_DELETE:shop.v1.Item.note"

    against = ["breaking", "--against", "../old.binpb"]
    assert main([*against, "--allow-breaking", key, "--reason", "agreed"]) == 0
    assert main([*against]) == 0
    assert "accepted: FIELD_NO_DELETE: shop.v1.Item.note (number 2) is gone; agreed" in capsys.readouterr().err
    assert main(["generate"]) == 1


def test_a_waiver_that_accepts_nothing_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = "FIELD_NO_DELETE:shop.v1.Item.note"
    (line,) = run(capsys, "generate", "--allow-breaking", key, code=0)
    assert line == f"command line: unused-waiver: the waiver {key} accepts nothing here"
    contract("  string note = 2;\n", "")
    assert main(["generate", "--allow-breaking", key]) == 0
    commit()
    capsys.readouterr()
    (line,) = run(capsys, "breaking", "--against", "git:HEAD", code=0)
    assert line.startswith(
        f".holdfast/waivers.yaml:3:3: unused-waiver: the waiver {key} accepts nothing here; remove it"
    )
    assert run(capsys, "breaking", code=0) == []


WRONG = {
    "a rule that is not there": (
        "FIELD_NO_DELET:x",
        "unknown-rule: there is no rule 'FIELD_NO_DELET'; did you mean 'FIELD_NO_DELETE'?",
    ),
    "no subject": (
        "FIELD_NO_DELETE",
        "wrong-waiver: --allow-breaking takes RULE:SUBJECT, not 'FIELD_NO_DELETE'; copy it from the finding",
    ),
    "an empty subject": (
        "FIELD_NO_DELETE:",
        "wrong-waiver: --allow-breaking takes RULE:SUBJECT, not 'FIELD_NO_DELETE:'; copy it from the finding",
    ),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG)
def test_waivers_that_are_none_are_refused(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    assert run(capsys, "generate", "--allow-breaking", text, code=1) == [f"command line: {expected}"]


def test_a_reason_needs_something_that_it_is_the_reason_of(project: Path) -> None:
    assert main(["generate", "--reason", "why not"]) == 2


FILES = {
    "no list": ("a: b\n", "1:1: wrong-waiver: it is not a list of waivers"),
    "no mapping": ("- a\n", "1:3: wrong-waiver: a waiver has a rule, a subject and a reason, all of them text"),
    "a key less": ("- {rule: FIELD_NO_DELETE, subject: a}\n", "1:3: wrong-waiver: a waiver has a rule"),
    "a key more": (
        "- {rule: FIELD_NO_DELETE, subject: a, reason: b, c: d}\n",
        "1:3: wrong-waiver: a waiver has a rule",
    ),
    "a number": ("- {rule: FIELD_NO_DELETE, subject: a, reason: 1}\n", "1:3: wrong-waiver: a waiver has a rule"),
    "another rule": ("- {rule: FIELD_NO, subject: a, reason: b}\n", "1:4: unknown-rule: there is no rule 'FIELD_NO'"),
    "no YAML": ("- [\n", "2:1: yaml-syntax: "),
}


@pytest.mark.parametrize(("text", "expected"), FILES.values(), ids=FILES)
def test_a_waiver_file_with_something_wrong_in_it_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    Path(".holdfast/waivers.yaml").write_text(text)
    (line,) = run(capsys, "breaking", code=1)
    assert line.startswith(f".holdfast/waivers.yaml:{expected}")


def test_waivers_may_all_be_taken_out(project: Path) -> None:
    for text in ("", "# none\n", "[]\n"):
        Path(".holdfast/waivers.yaml").write_text(text)
        assert main(["breaking"]) == 0


def test_a_baseline_that_is_gone_is_said_and_one_that_was_edited_counts_for_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract("  string note = 2;\n", "")
    kept = Path(".holdfast/contract.binpb").read_bytes()
    Path(".holdfast/contract.binpb").write_bytes(b"x" + kept)
    (line,) = run(capsys, "generate", code=1)
    assert line.startswith(".holdfast/contract.binpb: edited-by-hand: ")
    Path(".holdfast/contract.binpb").unlink()
    (line,) = run(capsys, "generate", code=0)
    assert line.startswith(".holdfast/contract.binpb: baseline-missing: ")


def test_a_project_from_before_behaviours_were_kept_is_compared_by_its_contract(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = Path(".holdfast/lock.yaml")
    entry = lock.read_text().partition("  .holdfast/behaviour.json:\n")
    lock.write_text(entry[0] + "  .holdfast" + entry[2].partition("\n  .holdfast")[2])
    Path(".holdfast/behaviour.json").unlink()
    edit("resilience.yaml", "http: 410", "http: 404")
    assert main(["generate"]) == 0
    assert Path(".holdfast/behaviour.json").exists()
    capsys.readouterr()
    contract("  string note = 2;\n", "")
    assert keys(run(capsys, "generate", code=1)) == ["FIELD_NO_DELETE:shop.v1.Item.note"]


def test_what_a_dependency_changes_is_its_own_business(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stock = Path("contract/stock.proto")
    stock.write_text(
        'syntax = "proto3"; package stock; message A { string b = 1; } service Stock { rpc Get(A) returns (A); }'
    )
    edit(
        "resilience.yaml",
        "spec:\n",
        "spec:\n  dependencies: {stock: {contract: stock.proto, target: 'dns:///stock:1'}}\n",
    )
    assert main(["generate"]) == 0
    shutil.copy(".holdfast/contract.binpb", "../old.binpb")
    edit("contract/stock.proto", "string b = 1;", "int32 c = 2;")
    assert main(["breaking"]) == 0
    assert main(["breaking", "--against", "../old.binpb"]) == 0
    assert main(["generate"]) == 0

"""A project is compared with a revision, a descriptor set, a folder, and what was generated last."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from generator.cli import main
from tests.unit.project.breaking.shop import commit, contract, document, edit, git, keys, run


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


def test_a_baseline_that_is_gone_is_said_and_one_that_was_edited_counts_for_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract("  string note = 2;\n", "")
    kept = Path(".holdfast/contract.binpb").read_bytes()
    Path(".holdfast/contract.binpb").write_bytes(b"x" + kept)
    (line,) = run(capsys, "generate", code=1)
    assert line.startswith(".holdfast/contract.binpb: edited-by-hand: ")
    assert "templates override" not in line, "there is none"
    assert "templates override" not in "".join(run(capsys, "check", code=11))
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

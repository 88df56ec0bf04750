"""Breaking changes are accepted with a reason, which is kept; what is no waiver is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generator.cli import main
from tests.unit.project.breaking.shop import HANDLER, commit, contract, document, edit, keys, run, tree


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

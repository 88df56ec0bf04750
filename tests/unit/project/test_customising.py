"""What a person takes over stays theirs, and they are told what changes upstream of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from generator.cli import main
from generator.project.new import Request, new
from generator.project.settled import settled

ERRORS = "managed/src/{package}/gen/errors.py.j2"
MINE = Path(".holdfast/templates", ERRORS)
FILE = "src/demo/gen/errors.py"
PACKED = Path("packs/acme/templates", ERRORS)

Printed = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("made") / "demo"
    new(Request(project))
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made, tmp_path / "demo")
    monkeypatch.chdir(tmp_path / "demo")
    return Path()


@pytest.fixture
def run(project: Path, capsys: pytest.CaptureFixture[str]) -> Printed:
    """Runs a command; returns its exit code and the lines of stdout and stderr."""

    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err.splitlines()

    return run


def packed(project: Path, text: str) -> None:
    """Has the project use a pack that overrides the domain of the errors with `text`."""
    PACKED.parent.mkdir(parents=True, exist_ok=True)
    PACKED.write_text(f'{{% extends "next:{ERRORS}" %}}\n{{% block domain %}}\n{text}\n{{% endblock %}}\n')
    file = project / "pyproject.toml"
    if "packs = " not in file.read_text():
        file.write_text(file.read_text().replace("[tool.holdfast]\n", '[tool.holdfast]\npacks = ["./packs/acme"]\n'))


def tree(project: Path) -> dict[str, bytes]:
    return {path.as_posix(): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def owner(project: Path, path: str) -> str:
    return str(yaml.safe_load((project / ".holdfast/lock.yaml").read_text())["files"][path]["owner"])


def test_the_list_has_every_generated_file_with_its_layers(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'acme'")
    run("templates", "override", f"{FILE}:exports")
    run("generate")

    code, lines, _ = run("templates", "list")

    rows = {path: rest for path, *rest in (line.split("  ", 1) for line in lines)}
    assert code == 0
    assert rows[FILE][0].split() == ["user", ">", "./packs/acme", ">", "built-in", ERRORS]
    assert rows.keys() - {"*.py"} == yaml.safe_load((project / ".holdfast/lock.yaml").read_text())["files"].keys()


def test_a_template_is_shown_by_file_by_name_by_block_and_by_layer(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'acme'")
    built_in = "{% block domain %}\nDOMAIN = {{ domain | literal }}\n{% endblock %}"

    assert run("templates", "show", f"{FILE}:domain")[1] == ["{% block domain %}", "DOMAIN = 'acme'", "{% endblock %}"]
    assert run("templates", "show", f"{ERRORS}:domain", "--layer", "built-in")[1] == built_in.splitlines()
    assert run("templates", "show", f"{FILE}:table")[1][0] == "{% block table %}"
    code, lines, told = run("templates", "show", "src/demo/runtime/codes.py")
    assert (code, told) == (0, ["runtime/codes.py, as built-in has it"])
    assert "\n".join(lines) + "\n" == (project / "src/demo/runtime/codes.py").read_text()
    assert run("templates", "show", FILE)[2] == [
        f"{ERRORS}, as ./packs/acme has it; blocks: docstring, imports, exports, domain, error_class, predicate, table"
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["show", "src/demo/gen/eror.py"],
            "src/demo/gen/eror.py: unknown-path: nothing generates a file of that name; did",
        ),
        (
            ["show", f"{FILE}:domian"],
            f"{ERRORS}: nothing-to-override: it has no block \"domian\"; did you mean 'domain'?",
        ),
        (["show", FILE, "--layer", "acme"], f'{ERRORS}: nothing-to-override: there is none in a layer "acme"'),
        (
            ["override", "src/demo/runtime/codes.py:x"],
            'runtime/codes.py: nothing-to-override: it has no block "x"; a file',
        ),
        (["override", "src/demo/gen/openapi.json"], "src/demo/gen/openapi.json: no-template: no template makes it"),
        (["override", "../other"], "../other: unsafe-path: it is not inside the project"),
        (["diff", "src/demo/gen/eror.py"], "src/demo/gen/eror.py: unknown-path: nothing generates a file of that name"),
    ],
)
def test_what_is_not_there_is_told(project: Path, run: Printed, arguments: list[str], expected: str) -> None:
    before = tree(project)

    code, _, told = run("templates", *arguments)

    assert (code, len(told)) == (1, 1)
    assert told[0].startswith(expected)
    assert tree(project) == before


def test_an_override_to_start_from_changes_nothing_but_the_lock(project: Path, run: Printed) -> None:
    for target in (
        f"{FILE}:domain",
        f"{FILE}:table",
        "src/demo/gen/routes.py",
        "src/demo/runtime/codes.py",
        "header.py.j2",
    ):
        assert run("templates", "override", target)[0] == 0

    assert run("generate")[:2] == (0, ["only .holdfast/lock.yaml changed"])
    assert run("check")[0] == 0
    assert settled(project) is not None


def test_blocks_are_added_to_an_override_one_by_one(project: Path, run: Printed) -> None:
    run("templates", "override", f"{FILE}:domain")
    edited = MINE.read_text().replace("{{ super() -}}", "DOMAIN = 'mine'")
    MINE.write_text(edited)

    run("templates", "override", f"{FILE}:exports")

    assert MINE.read_text() == f"{edited}\n{{% block exports %}}\n{{{{ super() -}}}}\n{{% endblock %}}\n"
    assert run("templates", "override", f"{FILE}:domain")[2] == [
        f'{MINE}: override-exists: it overrides "domain" already; edit it'
    ]
    assert run("templates", "override", FILE)[2] == [f"{MINE}: override-exists: there is one already; edit it"]


def test_a_whole_template_is_copied_unless_a_pack_has_a_part_in_it(project: Path, run: Printed) -> None:
    assert run("templates", "override", "--whole", FILE)[0] == 0
    assert MINE.read_text().startswith("{% block docstring %}")
    assert run("generate")[1] == ["only .holdfast/lock.yaml changed"]
    MINE.unlink()
    packed(project, "DOMAIN = 'acme'")

    (told,) = run("templates", "override", "--whole", FILE)[2]
    assert told.startswith(
        f"{MINE}: override-exists: ./packs/acme overrides single blocks of it, which a whole template"
    )


def test_a_change_below_an_overridden_block_is_told_until_it_is_seen_to(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'one'")
    run("templates", "override", f"{FILE}:domain")
    run("generate")
    assert run("check") == (0, ["everything is generated and unedited"], [])
    packed(project, "DOMAIN = 'two'")

    code, _, told = run("generate")
    drift = f"{MINE}: override-drift: block domain of {ERRORS} has changed upstream since you took it over; see "
    assert (code, len(told)) == (0, 1)
    assert told[0].startswith(drift)
    code, _, told = run("check")
    assert (code, len(told)) == (14, 1)
    assert told[0].startswith(drift)
    assert settled(project) is None

    changed = ["-DOMAIN = 'one'", "+DOMAIN = 'two'"]
    for target in ([], [FILE], [ERRORS], [str(MINE)]):
        code, lines, _ = run("templates", "diff", *target)
        assert (code, [line for line in lines if line.startswith(("-D", "+D"))]) == (0, changed)
    assert run("templates", "diff", "src/demo/gen/routes.py")[1][0].startswith("nothing has changed upstream")

    run("templates", "diff", "--seen", FILE)
    assert run("check")[0] == 0
    assert settled(project) is not None
    assert run("generate")[2] == []


def test_a_change_of_another_block_is_no_drift(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'one'")
    run("templates", "override", f"{FILE}:exports")
    run("generate")
    packed(project, "DOMAIN = 'two'")
    run("generate")

    assert run("check")[0] == 0


def test_an_override_made_by_hand_is_followed_from_its_first_generation_on(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'one'")
    MINE.parent.mkdir(parents=True)
    MINE.write_text("DOMAIN = 'mine'\n")
    assert run("check")[0] == 10
    run("generate")
    assert run("check")[0] == 0

    packed(project, "DOMAIN = 'two'")
    run("generate")
    assert run("check")[0] == 14

    MINE.unlink()
    run("generate")
    assert run("check")[0] == 0
    assert not Path(".holdfast/upstream").exists()


def test_a_change_of_a_file_below_an_override_of_the_runtime_is_told(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'one'")
    runtime = Path("packs/acme/templates/runtime/codes.py")
    runtime.parent.mkdir()
    runtime.write_text("X = 1\n")
    run("templates", "override", "src/demo/runtime/codes.py")
    run("generate")
    runtime.write_text("X = 2\n")
    run("generate")

    assert run("check")[0] == 14
    assert run("templates", "diff")[1][1:] == ["--- then", "+++ now", "@@ -1,2 +1,2 @@", "-X = 1", "+X = 2", " "]


def test_an_override_of_what_a_pack_no_longer_has_is_an_error(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'one'\n{% block more %}\n{% endblock %}")
    run("templates", "override", f"{FILE}:more")
    run("generate")
    packed(project, "DOMAIN = 'one'")

    for command in ("generate", "check"):
        code, _, (told,) = run(command)
        assert code == 1
        assert told.startswith(
            f'{MINE}:3: nothing-to-override: no layer below has a block "more" here; valid here: doc'
        )


def test_other_faults_count_before_drift(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'one'")
    run("templates", "override", f"{FILE}:domain")
    run("generate")
    packed(project, "DOMAIN = 'two'")
    run("generate")
    (project / FILE).write_text("edited\n")

    code, _, told = run("check")

    assert code == 11
    assert [line.split(": ")[1] for line in told] == ["edited", "override-drift"]


def test_an_ejected_file_is_never_written_again(project: Path, run: Printed) -> None:
    (project / FILE).write_text("mine\n")
    assert run("generate")[0] == 1

    assert run("eject", FILE)[0] == 0

    assert (owner(project, FILE), run("check")[0]) == ("ejected", 0)
    assert settled(project) is not None
    packed(project, "DOMAIN = 'two'")
    assert run("generate")[0] == 0
    assert run("generate", "--force", "src")[0] == 0
    assert (project / FILE).read_text() == "mine\n"
    (project / FILE).unlink()
    assert run("generate")[0] == 0
    assert not (project / FILE).exists()


def test_what_would_be_generated_in_its_place_is_told_when_it_changes(project: Path, run: Printed) -> None:
    run("eject", FILE)
    packed(project, "DOMAIN = 'two'")

    code, _, told = run("generate")
    assert code == 0
    assert told[0].startswith(
        f"{FILE}: ejected-drift: what {ERRORS} makes has changed upstream since you took it over; "
    )
    assert run("check")[0] == 14
    assert [line for line in run("templates", "diff", FILE)[1] if line.startswith("+D")] == ['+DOMAIN = "two"']

    run("templates", "diff", "--seen", FILE)
    assert (run("check")[0], run("templates", "diff")[1][0][:7]) == (0, "nothing")
    assert settled(project) is not None

    packed(project, "DOMAIN = 'three'")
    run("generate")
    run("eject", FILE)
    assert run("check")[0] == 0


def test_an_adopted_file_is_generated_again(project: Path, run: Printed) -> None:
    run("eject", FILE)
    assert run("adopt", FILE)[0] == 0
    assert (owner(project, FILE), run("check")[0]) == ("managed", 0)
    assert not Path(".holdfast/upstream").exists()
    assert settled(project) is not None


def test_a_file_that_differs_is_adopted_only_by_force(project: Path, run: Printed) -> None:
    generated = (project / FILE).read_text()
    run("eject", FILE)
    (project / FILE).write_text(f"{generated}# mine\n")
    before = tree(project)

    code, lines, told = run("adopt", FILE)
    assert code == 1
    assert told[0].startswith(
        f"{FILE}: edited-by-hand: it differs from what would be generated; to give up what is diff"
    )
    assert "+# mine" in lines
    assert tree(project) == before

    assert run("adopt", "--force", FILE)[0] == 0
    assert (project / FILE).read_text() == generated
    assert run("check")[0] == 0


def test_a_deleted_file_is_adopted_anew(project: Path, run: Printed) -> None:
    generated = (project / FILE).read_text()
    run("eject", FILE)
    (project / FILE).unlink()

    assert run("adopt", FILE)[0] == 0
    assert (project / FILE).read_text() == generated


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["eject", "src/demo/app.py"], "src/demo/app.py: not-ejectable: it is yours already"),
        (
            ["eject", "README.md"],
            "README.md: unknown-path: nothing generates a file of that name; see `holdfast templates",
        ),
        (
            ["eject", "src/demo/gen"],
            "src/demo/gen: unknown-path: nothing generates a file of that name; name its files one",
        ),
        (
            ["eject", ".holdfast/contract.binpb"],
            ".holdfast/contract.binpb: not-ejectable: what is below .holdfast is no",
        ),
        (["eject", "../x"], "../x: unsafe-path: it is not inside the project"),
        (["adopt", FILE], f"{FILE}: not-ejected: it is not ejected, so there is nothing to adopt"),
    ],
)
def test_what_cannot_change_hands_is_told(project: Path, run: Printed, arguments: list[str], expected: str) -> None:
    before = tree(project)

    code, _, told = run(*arguments)

    assert (code, len(told)) == (1, 1)
    assert told[0].startswith(expected)
    assert tree(project) == before


def test_all_files_change_hands_or_none(project: Path, run: Printed) -> None:
    before = tree(project)

    assert run("eject", FILE, "src/demo/app.py")[0] == 1
    assert tree(project) == before

    (project / FILE).unlink()
    assert run("eject", FILE)[2][0].startswith(f"{FILE}: not-ejectable: there is no such file; run `holdfast generate`")


def test_ejecting_does_nothing_else_to_a_project_that_is_stale(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'two'")
    before = tree(project)

    run("eject", "src/demo/gen/routes.py")

    changed = {path for path, content in tree(project).items() if before.get(path) != content}
    assert changed == {".holdfast/lock.yaml", ".holdfast/upstream/files/src/demo/gen/routes.py"}
    assert run("check")[0] == 10


def test_an_ejected_file_that_nothing_would_be_generated_for_any_more_is_let_go(project: Path, run: Printed) -> None:
    packed(project, "DOMAIN = 'one'")
    extra = Path("packs/acme/templates/extra/NOTE")
    extra.parent.mkdir()
    extra.write_text("x")
    run("generate")
    run("eject", "NOTE")
    extra.unlink()

    code, _, (told,) = run("generate")

    assert code == 0
    assert told.startswith(
        "NOTE: ejected-gone: nothing would be generated in its place any more: it is yours alone; it"
    )
    assert Path("NOTE").read_text() == "x"
    assert run("check") == (0, ["everything is generated and unedited"], [])


def test_a_project_is_named_from_where_one_is(project: Path, run: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    here = project.absolute()
    monkeypatch.chdir(here.parent)

    assert run("eject", "--project", "demo", f"demo/{FILE}")[1][0].startswith(f"demo/{FILE}: yours")
    assert run("adopt", "--project", str(here), FILE)[0] == 0
    assert run("templates", "override", "--project", "demo", f"{FILE}:domain")[1][0].startswith(str(Path("demo", MINE)))

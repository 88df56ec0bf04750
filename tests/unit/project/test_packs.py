"""Where a project's templates come from: its own folder, folders of packs, git repositories, installed packages."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from generator.errors import InputError
from generator.project import deciding
from generator.project.generating import generate, preview
from generator.project.new import Request, new
from generator.project.settled import settled

NOTE = "extra/NOTE.md.j2"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("made") / "demo"
    new(Request(project))
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "demo"
    subprocess.run(["cp", "-r", made, folder], check=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(folder)
    return Path()


def use(project: Path, *packs: str) -> None:
    """Names these packs in the project's pyproject.toml."""
    file = project / "pyproject.toml"
    lines = [line for line in file.read_text().splitlines(keepends=True) if not line.startswith("packs = ")]
    listed = ", ".join(f'"{pack}"' for pack in packs)
    file.write_text("".join(lines).replace("[tool.holdfast]\n", f"[tool.holdfast]\npacks = [{listed}]\n"))


def pack(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(folder: Path, text: str, tag: str) -> str:
    """Commits a pack that says `text` in its note, under a tag; returns the commit."""
    if not folder.exists():
        folder.mkdir()
        git(folder, "init", "--quiet")
    pack(folder, {NOTE: text})
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", text)
    git(folder, "tag", "--force", tag)
    return git(folder, "rev-parse", "HEAD")


def lock(project: Path) -> dict[str, object]:
    return yaml.safe_load((project / ".holdfast/lock.yaml").read_text())


def findings(project: Path) -> list[str]:
    with pytest.raises(InputError) as raised:
        deciding.changes(project)
    return [str(finding) for finding in raised.value.findings]


def place(project: Path) -> str:
    """Where the project names its packs."""
    lines = (project / "pyproject.toml").read_text().splitlines()
    return f"pyproject.toml:{1 + next(n for n, line in enumerate(lines) if line.startswith('packs = '))}:1"


def test_the_projects_own_templates_come_first_then_its_packs_in_their_order(project: Path) -> None:
    pack(project / "packs/b", {NOTE: "b", "extra/B": "b"})
    pack(project / "packs/a", {NOTE: "a", "extra/A": "a", "extra/B": "a"})
    use(project, "packs/b", "./packs/a")
    own = project / ".holdfast/templates" / NOTE
    own.parent.mkdir(parents=True)
    own.write_text('{% include "next:extra/NOTE.md.j2" %}, then mine')

    generate(project)

    assert [(project / name).read_text() for name in ("NOTE.md", "A", "B")] == ["b, then mine", "a", "b"]
    layers = {path: entry["layer"] for path, entry in lock(project)["files"].items()}
    assert [layers[name] for name in ("NOTE.md", "A", "B")] == ["user", "./packs/a", "packs/b"]


def test_what_a_pack_no_longer_has_is_removed_from_the_project(project: Path) -> None:
    pack(project / "pack", {NOTE: "n", "extra/src/{package}/acme/deep.py": "x = 1\n"})
    use(project, "./pack")
    generate(project)
    (project / "pack/templates" / NOTE).unlink()

    generate(project)
    assert not (project / "NOTE.md").exists()
    assert (project / "src/demo/acme/deep.py").read_text() == "x = 1\n"

    use(project)
    generate(project)
    assert not (project / "src/demo/acme").exists()
    assert "packs" not in lock(project)


def test_a_change_of_a_pack_or_of_an_own_template_is_told_as_the_reason(project: Path) -> None:
    pack(project / "pack", {NOTE: "n"})
    use(project, "./pack")
    generate(project)
    pack(project / "pack", {NOTE: "m"})
    own = project / ".holdfast/templates/runtime/codes.py"
    own.parent.mkdir(parents=True)
    own.write_text("X = 1\n")

    done = preview(project)

    assert set(done.causes) == {"the pack ./pack differs", ".holdfast/templates/runtime/codes.py is new"}
    assert done.reasons["src/demo/runtime/codes.py"][0] == "it comes from the layer user now, not built-in"
    assert done.reasons["NOTE.md"] == ["the pack ./pack"]


def test_a_pack_in_git_is_locked_by_commit_and_needs_its_repository_once(project: Path, tmp_path: Path) -> None:
    first = repository(tmp_path / "repo", "one", "v1")
    name = f"git+file://{tmp_path}/repo@v1"
    use(project, name)
    generate(project)
    assert lock(project)["packs"] == {name: first}

    second = repository(tmp_path / "repo", "two", "v1")
    generate(project)
    assert (lock(project)["packs"], (project / "NOTE.md").read_text()) == ({name: first}, "one")

    generate(project, upgrade=True)
    assert (lock(project)["packs"], (project / "NOTE.md").read_text()) == ({name: second}, "two")

    (tmp_path / "repo").rename(tmp_path / "away")
    generate(project)
    assert (project / "NOTE.md").read_text() == "two"


def test_on_another_machine_the_pack_is_of_the_locked_commit(project: Path, tmp_path: Path) -> None:
    first = repository(tmp_path / "repo", "one", "v1")
    use(project, f"git+file://{tmp_path}/repo@v1")
    generate(project)
    repository(tmp_path / "repo", "two", "v1")
    subprocess.run(["rm", "-r", tmp_path / "cache"], check=True)

    assert deciding.changes(project)[1].written == ()
    assert list(lock(project)["packs"].values()) == [first]


def test_a_commit_that_is_gone_is_told(project: Path, tmp_path: Path) -> None:
    repository(tmp_path / "repo", "one", "v1")
    name = f"git+file://{tmp_path}/repo@v1"
    use(project, name)
    generate(project)
    subprocess.run(["rm", "-r", tmp_path / "cache", tmp_path / "repo"], check=True)
    repository(tmp_path / "repo", "other", "v1")

    (finding,) = findings(project)

    assert "pack-not-found: file://" in finding
    assert finding.endswith("any more; `holdfast generate --upgrade-packs` takes what the ref names now")


def test_a_pack_may_lie_in_a_subdirectory_and_be_named_by_commit(project: Path, tmp_path: Path) -> None:
    pack(tmp_path / "repo/sub/acme", {NOTE: "below"})
    commit = repository(tmp_path / "repo2", "x", "v1")
    git(tmp_path / "repo", "init", "--quiet")
    git(tmp_path / "repo", "add", ".")
    git(tmp_path / "repo", "commit", "--quiet", "--message", "x")
    use(project, f"git+file://{tmp_path}/repo@main#subdirectory=sub/acme")
    generate(project)
    assert (project / "NOTE.md").read_text() == "below"

    use(project, f"git+file://{tmp_path}/repo2@{commit}")
    generate(project)
    assert (project / "NOTE.md").read_text() == "x"


def test_git_is_not_misled_by_the_hook_that_it_runs_in(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path / "repo", "one", "v1")
    use(project, f"git+file://{tmp_path}/repo@v1")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))

    generate(project)

    assert (project / "NOTE.md").read_text() == "one"


def test_links_in_a_repository_lead_nowhere(project: Path, tmp_path: Path) -> None:
    pack(tmp_path / "repo", {NOTE: "one"})
    (tmp_path / "repo/templates/extra/passwd").symlink_to("/etc/passwd")
    git(tmp_path / "repo", "init", "--quiet")
    git(tmp_path / "repo", "add", ".")
    git(tmp_path / "repo", "commit", "--quiet", "--message", "x")
    use(project, f"git+file://{tmp_path}/repo@main")

    generate(project)

    assert (project / "NOTE.md").exists()
    assert not os.path.lexists(project / "passwd")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("git+file:///r", "it must say which tag, branch or commit is meant"),
        ("git+file:///r@", "it must say which tag, branch or commit is meant"),
        ("git+file:///r@--upload-pack=x", "it must say which tag, branch or commit is meant"),
        ("https://example.com/r.git@v1", "a git repository is named git+URL, its scheme one of https"),
        ("git+ext://sh -c x@v1", "a git repository is named git+URL, its scheme one of https"),
        ("git+file:///r@v1#egg=x", "what stands behind # is not understood"),
        ("git+file:///r@v1#subdirectory=../x", "what stands behind # is not understood"),
    ],
)
def test_a_name_that_is_no_url_of_a_repository_is_refused(project: Path, name: str, expected: str) -> None:
    use(project, name)

    (finding,) = findings(project)

    assert finding.startswith(f'{place(project)}: pack-url: "{name}": {expected}'), finding


def test_what_git_complains_of_is_told(project: Path, tmp_path: Path) -> None:
    use(project, f"git+file://{tmp_path}/no-repository@v1")

    (finding,) = findings(project)

    assert "pack-not-found: git: fatal: '" in finding


def test_an_installed_package_is_a_pack_by_its_entry_point(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    pack(site / "acme_pack", {NOTE: "installed"})
    (site / "acme_pack/__init__.py").write_text("raise SystemExit('a pack is not run')\n")
    metadata = site / "acme_holdfast-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-holdfast\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text("[holdfast.packs]\nacme = acme_pack\nlost = no_such_package\n")
    monkeypatch.syspath_prepend(site)
    use(project, "acme")

    generate(project)

    assert (project / "NOTE.md").read_text() == "installed"
    assert lock(project)["tools"]["acme-holdfast"] == "1.2"
    assert "acme_pack" not in sys.modules

    use(project, "lost", "acne")
    assert findings(project) == [
        f'{place(project)}: pack-not-found: the pack "lost" is said to be in no_such_package, which is no package',
        f"{place(project)}: pack-not-found: no installed package has a pack \"acne\"; did you mean 'acme'?",
    ]


def test_a_folder_that_is_not_there_or_is_no_pack_is_refused(project: Path) -> None:
    (project / "empty").mkdir()
    use(project, "../no-such", "./empty")

    assert findings(project) == [
        f'{place(project)}: pack-not-found: there is no folder "../no-such"; it is relative to the project',
        "empty/templates: pack-not-found: there is no folder of templates for ./empty",
    ]


def test_a_link_in_a_pack_or_among_the_own_templates_is_refused(project: Path) -> None:
    pack(project / "pack", {NOTE: "n"})
    (project / "pack/templates/extra/passwd").symlink_to("/etc/passwd")
    use(project, "./pack")
    own = project / ".holdfast/templates"
    (own / "extra").mkdir(parents=True)
    (own / "extra/etc").symlink_to("/etc")

    assert [finding.partition("; ")[0] for finding in findings(project)] == [
        ".holdfast/templates/extra/etc: not-a-file: a template must be a file, not a link to one or something else",
        "pack/templates/extra/passwd: not-a-file: a template must be a file, not a link to one or something else",
    ]


def test_a_pack_is_bounded(project: Path) -> None:
    pack(project / "pack", {NOTE: "n"})
    with (project / "pack/templates/extra/big").open("wb") as file:
        file.truncate(17 << 20)
    use(project, "./pack")

    assert findings(project) == ["pack/templates: pack-too-large: there are more than 16 MiB in it"]


def test_a_project_is_looked_at_again_when_a_pack_or_an_own_template_changes(project: Path, tmp_path: Path) -> None:
    repository(tmp_path / "repo", "one", "v1")
    pack(tmp_path / "pack", {NOTE: "n"})
    pack(project / ".holdfast", {"extra/src/{package}/MINE": "m"})
    use(project, "../pack", f"git+file://{tmp_path}/repo@v1")
    generate(project)
    assert settled(project) is not None

    pack(tmp_path / "pack", {NOTE: "other"})
    assert settled(project) is None

    generate(project)
    assert settled(project) is not None
    pack(project / ".holdfast", {"extra/src/{package}/MINE": "k"})
    assert settled(project) is None

    generate(project)
    assert settled(project) is not None
    pack(project / ".holdfast", {"extra/MORE": "k"})
    assert settled(project) is None

    generate(project)
    assert settled(project) is not None
    pack(project / ".holdfast", {"extra/.github/workflows/acme.yml": "k"})
    assert settled(project) is None

    generate(project)
    assert (project / ".github/workflows/acme.yml").read_text() == "k"
    assert settled(project) is not None
    use(project, "../pack")
    assert settled(project) is None


@pytest.mark.parametrize("dest", ["shop", "deep/down/shop", "there", "."])
def test_a_new_project_starts_with_packs_named_from_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dest: str
) -> None:
    here = tmp_path / "here"
    (here / "there").mkdir(parents=True)
    if dest == ".":
        (here / "there").rmdir()
    monkeypatch.chdir(here)
    first, second = pack(tmp_path / "packs/first", {NOTE: "first"}), pack(tmp_path / "second", {NOTE: "second"})

    new(Request(Path(dest), packs=["../packs/first", str(second), "../packs/first/"]))

    project = here / dest
    assert (project / "NOTE.md").read_text() == "first"
    relative = os.path.relpath(first, project)
    assert lock(project)["packs"].keys() == {relative, str(second)}
    built, changes = deciding.changes(project)
    assert built.config.packs == (relative, str(second))
    assert not changes.written


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./nowhere", 'command line: pack-not-found: there is no folder "./nowhere"'),
        ("no-such", 'command line: pack-not-found: no installed package has a pack "no-such"'),
        ("git+https://example.com/p.git", 'command line: pack-url: "git+https://example.com/p.git": it must say'),
        ('a"b\\', 'command line: pack-not-found: no installed package has a pack "a"b'),
    ],
)
def test_a_new_project_with_a_pack_that_is_none_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        new(Request(Path("shop"), packs=[name]))
    (told,) = raised.value.findings
    assert str(told).startswith(expected)
    assert list(tmp_path.iterdir()) == []

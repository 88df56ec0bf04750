"""`holdfast update` with real git tags: the skeleton is merged, conflicts are told, and nothing of the user's is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.repositories import commit, copier, holdfast, run, template_repository

SKELETON = "templates/python/skeleton"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with two versions: the second changes, adds and removes files of the skeleton, and the runtime."""
    folder = template_repository(tmp_path_factory.mktemp("template") / "holdfast")
    edit(folder / f"{SKELETON}/Dockerfile.jinja", lambda text: text.replace("3.11", "3.13"))
    edit(folder / f"{SKELETON}/.dockerignore", lambda text: text + "*.two\n")
    (folder / f"{SKELETON}/NOTICE").write_text("Of version two.\n")
    (folder / "templates/python/runtime/__init__.py").write_text('"""The runtime of version two."""\n')
    commit(folder, "Two", "v2.0.0")
    return folder


@pytest.fixture(scope="module")
def first(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of version one, committed."""
    here = tmp_path_factory.mktemp("first")
    copier("copy", "--trust", "--defaults", "--quiet", "--vcs-ref=v1.0.0", template, "shop", cwd=here)
    run("git", "init", "--quiet", "--initial-branch=main", cwd=here / "shop")
    commit(here / "shop", "Made")
    return here / "shop"


@pytest.fixture
def project(first: Path, tmp_path: Path) -> Path:
    shutil.copytree(first, tmp_path / "shop")
    return tmp_path / "shop"


def edit(file: Path, change: Callable[[str], str]) -> None:
    before = file.read_text()
    after = change(before)
    assert after != before
    file.write_text(after)


def test_what_the_user_wrote_stays_and_what_the_template_changed_comes(template: Path, project: Path) -> None:
    edit(project / "README.md", lambda text: text + "\nOurs.\n")
    edit(project / ".dockerignore", lambda text: "ours\n" + text)
    edit(project / "src/shop/handlers/greeter.py", lambda text: text + "\n\nMINE = True\n")
    edit(project / "resilience.yaml", lambda text: text + "# ours\n")
    (project / "Makefile").write_text("ours:\n")
    commit(project, "Ours")

    told = holdfast(template, "update", cwd=project)

    assert "updated to v2.0.0" in told
    assert (project / "README.md").read_text().endswith("\nOurs.\n")
    assert (project / ".dockerignore").read_text().startswith("ours\n")
    assert (project / ".dockerignore").read_text().endswith("*.two\n")
    assert (project / "src/shop/handlers/greeter.py").read_text().endswith("\n\nMINE = True\n")
    assert (project / "resilience.yaml").read_text().endswith("# ours\n")
    assert (project / "Makefile").read_text() == "ours:\n"
    assert "3.13" in (project / "Dockerfile").read_text()
    assert (project / "NOTICE").read_text() == "Of version two.\n"
    assert (project / "src/shop/runtime/__init__.py").read_text() == '"""The runtime of version two."""\n'
    holdfast(template, "check", cwd=project)
    commit(project, "Two")
    assert "v2.0.0 is the latest version" in holdfast(template, "update", cwd=project)


def test_a_conflict_is_told_with_its_line_and_the_update_goes_on_once_it_is_settled(
    template: Path, project: Path
) -> None:
    edit(project / "Dockerfile", lambda text: text.replace("3.11", "3.12"))
    commit(project, "Ours")

    told = holdfast(template, "update", cwd=project, code=1)

    lines = (project / "Dockerfile").read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if line.startswith("<<<<<<<"))
    assert f"Dockerfile:{number}:1: update-conflict: the template changed what you changed too" in told
    assert any("3.12" in line for line in lines)
    assert any("3.13" in line for line in lines)
    assert "update-conflict" in holdfast(template, "update", cwd=project, code=1)
    assert "update-conflict" in holdfast(template, "update", "--continue", cwd=project, code=1)

    kept = [line for line in lines if not line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||"))]
    (project / "Dockerfile").write_text("\n".join(line for line in kept if "3.12" not in line) + "\n")
    assert "updated to v2.0.0" in holdfast(template, "update", "--continue", cwd=project)
    commit(project, "Settled")
    holdfast(template, "check", cwd=project)


def test_conflicts_in_what_the_generator_reads_are_settled_before_it_runs(template: Path, project: Path) -> None:
    other = project.parent / "other"
    shutil.copytree(template, other)
    edit(other / f"{SKELETON}/pyproject.toml.jinja", lambda text: text.replace('version = "0.1.0"', 'version = "3"'))
    edit(other / "templates/python/runtime/__init__.py", lambda text: '"""The runtime of version three."""\n')
    commit(other, "Three", "v3.0.0")
    edit(project / "pyproject.toml", lambda text: text.replace('version = "0.1.0"', 'version = "7"'))
    edit(project / ".copier-answers.yml", lambda text: text.replace(str(template), str(other)))
    commit(project, "Ours")

    told = holdfast(other, "update", cwd=project, code=1)

    assert "pyproject.toml:" in told
    assert "update-conflict" in told
    assert "Traceback" not in told
    text = (project / "pyproject.toml").read_text()
    start, end = text.index("<<<<<<<"), text.index("\n", text.index(">>>>>>>")) + 1
    (project / "pyproject.toml").write_text(f'{text[:start]}version = "7"\n{text[end:]}')
    assert "updated to v3.0.0" in holdfast(other, "update", "--continue", cwd=project)
    assert (project / "src/shop/runtime/__init__.py").read_text() == '"""The runtime of version three."""\n'
    holdfast(other, "check", cwd=project)


def test_a_deleted_file_stays_deleted_and_one_of_the_same_name_is_not_overwritten(
    template: Path, project: Path
) -> None:
    (project / "Dockerfile").unlink()
    (project / "NOTICE").write_text("Ours before it was theirs.\n")
    commit(project, "Ours")

    told = holdfast(template, "update", cwd=project, code=1)

    assert not (project / "Dockerfile").exists()
    notice = (project / "NOTICE").read_text()
    assert "Ours before it was theirs.\n" in notice
    assert "Of version two.\n" in notice
    assert "NOTICE:1:1: update-conflict" in told


def test_a_project_in_a_folder_of_a_larger_repository_is_updated_alone(
    template: Path, first: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    project = whole / "services/shop"
    shutil.copytree(first, project, ignore=shutil.ignore_patterns(".git"))
    (whole / "Dockerfile").write_text("FROM another:3.11\n")
    run("git", "init", "--quiet", "--initial-branch=main", cwd=whole)
    edit(project / "README.md", lambda text: text + "\nOurs.\n")
    commit(whole, "All")

    holdfast(template, "update", cwd=project)

    assert "3.13" in (project / "Dockerfile").read_text()
    assert (project / "README.md").read_text().endswith("\nOurs.\n")
    assert (whole / "Dockerfile").read_text() == "FROM another:3.11\n"
    changed = run("git", "status", "--porcelain", cwd=whole).splitlines()
    assert all(line[3:].startswith("services/shop/") for line in changed)
    holdfast(template, "check", cwd=project)


def test_an_update_that_the_new_version_cannot_generate_with_says_so_and_goes_on_later(
    template: Path, project: Path
) -> None:
    edit(project / "resilience.yaml", lambda text: text.replace("spec:", "spec:\n  nonsense: 1\n", 1))
    commit(project, "Ours")

    told = holdfast(template, "update", cwd=project, code=1)

    assert "unknown-key" in told
    assert "update-generate: the skeleton is updated" in told
    assert "Traceback" not in told
    edit(project / "resilience.yaml", lambda text: text.replace("spec:\n  nonsense: 1\n", "spec:", 1))
    holdfast(template, "update", "--continue", cwd=project)
    assert (project / "src/shop/runtime/__init__.py").read_text() == '"""The runtime of version two."""\n'


def test_what_cannot_be_updated_is_refused_in_a_line_and_left_as_it_was(template: Path, project: Path) -> None:
    (project / "README.md").write_text("half done")
    told = holdfast(template, "update", cwd=project, code=1)
    assert "update-uncommitted: the git working tree has uncommitted changes: README.md" in told
    assert (project / "README.md").read_text() == "half done"
    commit(project, "Ours")
    assert "update-refused" in holdfast(template, "update", "--to", "v9.9.9", cwd=project, code=1)
    shutil.rmtree(project / ".git")
    assert "update-git: not a git repository" in holdfast(template, "update", cwd=project, code=1)
    (project / ".copier-answers.yml").unlink()
    assert "update-answers" in holdfast(template, "update", cwd=project, code=1)


def test_a_project_without_a_template_is_given_one(template: Path, project: Path) -> None:
    lock = project / ".holdfast/lock.yaml"
    version = next(line.split('"')[1] for line in lock.read_text().splitlines() if line.startswith("generator:"))
    run("git", "tag", "--force", f"v{version}", "v1.0.0", cwd=template)
    answers = project / ".copier-answers.yml"
    edit(answers, lambda text: "".join(line for line in text.splitlines(keepends=True) if not line.startswith("_")))
    commit(project, "No template")

    assert "--template URL" in holdfast(template, "update", cwd=project, code=1)
    assert f"at v{version}" in holdfast(template, "update", "--template", str(template), cwd=project)
    commit(project, "A template")
    assert "updated to v2.0.0" in holdfast(template, "update", cwd=project)
    assert "already" in holdfast(template, "update", "--template", "elsewhere", cwd=project, code=1)

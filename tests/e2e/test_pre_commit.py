"""The hooks under the real pre-commit, in a project that is a git repository."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from generator.project.new import Request, new
from generator.resources import root
from tests.e2e.repositories import commit, run

# `language: system` spares an environment for each test: the hook then finds the holdfast of this folder.
CONFIG = """\
repos:
  - repo: {hooks}
    rev: v1.0.0
    hooks:
      - {{id: holdfast-generate, language: system}}
      - {{id: holdfast-check, language: system}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    shutil.copyfile(root() / ".pre-commit-hooks.yaml", hooks / ".pre-commit-hooks.yaml")
    run("git", "init", "--quiet", "--initial-branch=main", cwd=hooks)
    commit(hooks, "Hooks", "v1.0.0")
    program = tmp_path / "bin/holdfast"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {root()}/generator/__main__.py "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    made = tmp_path / "shop"
    new(Request(made))
    (made / ".pre-commit-config.yaml").write_text(CONFIG.format(hooks=hooks))
    run("git", "init", "--quiet", "--initial-branch=main", cwd=made)
    commit(made, "Made")
    return made


def pre_commit(project: Path, code: int = 0) -> str:
    run("git", "add", "--all", cwd=project)
    return run(sys.executable, "-m", "pre_commit", "run", "--color=never", cwd=project, code=code)


def test_a_change_of_the_spec_is_generated_and_then_accepted(project: Path) -> None:
    spec = project / "resilience.yaml"
    spec.write_text(spec.read_text().replace("    default: 5s", "    default: 6s"))
    told = pre_commit(project, code=1)
    assert "files were modified by this hook" in told
    assert "default=6.0" in (project / "src/shop/gen/policies.py").read_text()
    pre_commit(project)


def test_a_generated_file_that_was_edited_is_refused_with_its_finding(project: Path) -> None:
    edited = project / "src/shop/gen/errors.py"
    edited.write_text(edited.read_text() + "# mine\n")
    told = pre_commit(project, code=1)
    assert "src/shop/gen/errors.py: edited: " in told
    assert edited.read_text().endswith("# mine\n")

"""Git repositories of holdfast's own template, as its users see them, and commands run in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from generator import resources


def run(*command: str | Path, cwd: Path, code: int = 0) -> str:
    """The command's output, both streams, when it exits with `code`."""
    environment = {
        **os.environ,
        "HOME": str(cwd),
        "PYTHONWARNINGS": "default",
        **{f"GIT_{who}_{what}": f"{who}@test.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def copier(*arguments: str | Path, cwd: Path, code: int = 0) -> str:
    return run(sys.executable, "-m", "copier", *arguments, cwd=cwd, code=code)


def commit(repository: Path, message: str, *tags: str) -> None:
    run("git", "add", "--all", cwd=repository)
    run("git", "commit", "--quiet", "-m", message, cwd=repository)
    for tag in tags:
        run("git", "tag", tag, cwd=repository)


def holdfast(repository: Path, *arguments: str | Path, cwd: Path, code: int = 0) -> str:
    """The output of that repository's own generator."""
    return run(sys.executable, repository / "generator/__main__.py", *arguments, cwd=cwd, code=code)


def template_repository(folder: Path) -> Path:
    """What users see of this repository, as it is now, as version 1.0.0."""
    for part in ("generator", "templates", "schemas"):
        shutil.copytree(resources.root() / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(resources.root() / "copier.yml", folder / "copier.yml")
    run("git", "init", "--quiet", "--initial-branch=main", cwd=folder)
    commit(folder, "One", "v1.0.0")
    return folder

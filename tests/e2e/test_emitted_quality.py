"""Emitted projects are held to the standard of hand-written ones: typed, formatted, linted, and free of warnings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.projects import ROOT, import_everything, in_project

PROJECTS = ("orders", "chat", "nasty")


@pytest.fixture(params=PROJECTS)
def project(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"{request.param}_project")
    return found


def test_every_module_can_be_imported(project: Path) -> None:
    import_everything(project, project.name)


def test_it_is_typed(project: Path) -> None:
    in_project(project, "-m", "mypy", "--cache-dir", ROOT / ".mypy_cache" / "emitted")


def test_it_is_formatted(project: Path) -> None:
    in_project(project, "-m", "black", "--check", "--quiet", ".")


def test_it_is_free_of_lint(project: Path) -> None:
    in_project(project, "-m", "ruff", "check", "--no-cache", ".")


def test_its_contract_tests_pass(project: Path) -> None:
    in_project(project, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "tests/contract")

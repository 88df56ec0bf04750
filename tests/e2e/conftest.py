"""The projects that several tests look at from different sides, emitted once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.projects import EXAMPLES, emit, holdfast
from tests.nothing_left import (
    grpc_stays,
    nothing_left,
    nothing_left_by_module,
    nothing_left_in_loop,
    nothing_left_in_the_end,
)

__all__ = ["grpc_stays", "nothing_left", "nothing_left_by_module", "nothing_left_in_loop", "nothing_left_in_the_end"]

NASTY = Path(__file__).parent / "nasty"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("projects")


@pytest.fixture(scope="session")
def chat_project(folder: Path) -> Path:
    example = EXAMPLES / "chat"
    return _filled(emit(folder / "chat", [example / "chat.proto"], spec=example / "resilience.yaml"), example)


@pytest.fixture(scope="session")
def operations_project(folder: Path) -> Path:
    example, contract = EXAMPLES / "operations", "google/longrunning/operations.proto"
    return _filled(emit(folder / "operations", [contract], spec=example / "resilience.yaml"), example)


@pytest.fixture(scope="session")
def orders_project(folder: Path) -> Path:
    """The committed project, completed with the runtime that it lacks."""
    project = folder / "orders"
    shutil.copytree(EXAMPLES / "orders" / "project", project)
    done = holdfast("generate", "--project", project)
    assert done.returncode == 0, done.stderr
    return project


def _filled(project: Path, example: Path) -> Path:
    """The project with the example's own files in the place of the emitted ones."""
    for own in ("src", "tests"):
        shutil.copytree(example / own, project / own, dirs_exist_ok=True)
    return project


@pytest.fixture(scope="session")
def nasty_project(folder: Path) -> Path:
    """A contract with names that Python, protoc, the runtime or each other have taken; every handler is a stub."""
    contracts = sorted(NASTY / name for name in ("names", "services", "a/types", "b/types", "no_package"))
    contracts = [contract.with_name(f"{contract.name}.proto") for contract in contracts]
    return emit(folder / "nasty", contracts, include=[NASTY], spec=NASTY / "resilience.yaml")

"""Services that nobody here wrote: emitted, imported, type-checked, linted, and put to their contract tests."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.corpus.sources import CACHE, GOOGLE, IAM, TEMPORAL, MissingToolError, Source
from tests.e2e.projects import emit, holdfast

SPEC = Path(__file__).parent / "resilience.yaml"
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    if not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
"""


@dataclass(frozen=True, slots=True)
class Service:
    """Contracts by import path; without a source, googleapis-common-protos has them."""

    name: str
    contracts: tuple[str, ...]
    source: Source | None = None


SERVICES = (
    Service("longrunning", ("google/longrunning/operations.proto",)),
    Service("location", ("google/cloud/location/locations.proto",)),
    Service("iam", ("google/iam/v1/iam_policy.proto",), IAM),
    Service("library", ("google/example/library/v1/library.proto",), GOOGLE),
    Service("pubsub", ("google/pubsub/v1/pubsub.proto", "google/pubsub/v1/schema.proto"), GOOGLE),
    Service("firestore", ("google/firestore/v1/firestore.proto",), GOOGLE),
    Service("bigtable", ("google/bigtable/v2/bigtable.proto",), GOOGLE),
    Service("spanner", ("google/spanner/v1/spanner.proto",), GOOGLE),
    Service("temporal", ("temporal/api/workflowservice/v1/service.proto",), TEMPORAL),
)


@dataclass(frozen=True, slots=True)
class Project:
    """A service's emitted project."""

    name: str
    folder: Path

    def passes(self, module: str, *arguments: str | Path) -> None:
        """Runs a Python module in the project, and fails with what it prints where it fails."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-W", "error", "-m", module, *map(str, arguments)]
        _passes(subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False))

    def imports_everything(self) -> None:
        """Imports every module of the project's package."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-W", "error", "-c", IMPORT_ALL, self.name]
        _passes(subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False))


def _passes(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-20_000:]


@pytest.fixture(scope="module", params=SERVICES, ids=lambda service: service.name)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    service: Service = request.param
    try:
        include = [service.source.protos()] if service.source else []
    except (MissingToolError, subprocess.CalledProcessError) as error:
        pytest.fail(f"{service.name} cannot be downloaded: {error}", pytrace=False)
    folder = tmp_path_factory.mktemp("corpus") / service.name
    return Project(service.name, emit(folder, service.contracts, include=include, spec=SPEC))


def test_every_emitted_module_can_be_imported(project: Project) -> None:
    project.imports_everything()


def test_it_is_typed(project: Project) -> None:
    project.passes("mypy", "--cache-dir", CACHE / "mypy")


def test_it_is_formatted_and_lint_free(project: Project) -> None:
    project.passes("ruff", "check", "--no-cache", ".")
    project.passes("black", "--check", "--quiet", ".")


def test_it_keeps_its_contract(project: Project) -> None:
    project.passes("pytest", "-W", "error", "-p", "no:cacheprovider")


def test_a_second_generation_changes_nothing(project: Project) -> None:
    before = _state(project.folder)
    _passes(holdfast("check", "--project", project.folder))
    _passes(holdfast("generate", "--project", project.folder))
    assert _state(project.folder) == before


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

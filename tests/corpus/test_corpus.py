"""Services that nobody here wrote: emitted, imported, type-checked, linted, and put to their contract tests."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.corpus.sources import CACHE, GOOGLE, IAM, TEMPORAL, MissingToolError, Source
from tests.e2e.projects import emit, holdfast, import_everything, in_project

SPEC = Path(__file__).parent / "resilience.yaml"


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


@pytest.fixture(scope="module", params=SERVICES, ids=lambda service: service.name)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    service: Service = request.param
    try:
        include = [service.source.protos()] if service.source else []
    except (MissingToolError, subprocess.CalledProcessError) as error:
        pytest.fail(f"{service.name} cannot be downloaded: {error}", pytrace=False)
    folder = tmp_path_factory.mktemp("corpus") / service.name
    return emit(folder, service.contracts, include=include, spec=SPEC)


def test_every_emitted_module_can_be_imported(project: Path) -> None:
    import_everything(project, project.name)


def test_it_is_typed(project: Path) -> None:
    in_project(project, "-m", "mypy", "--cache-dir", CACHE / "mypy")


def test_it_is_formatted_and_lint_free(project: Path) -> None:
    in_project(project, "-m", "ruff", "check", "--no-cache", ".")
    in_project(project, "-m", "black", "--check", "--quiet", ".")


def test_it_keeps_its_contract(project: Path) -> None:
    in_project(project, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider")


def test_a_second_generation_changes_nothing(project: Path) -> None:
    before = _state(project)
    for command in ("check", "generate"):
        done = holdfast(command, "--project", project)
        assert done.returncode == 0, done.stderr
    assert _state(project) == before


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

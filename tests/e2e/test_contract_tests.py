"""The contract tests that a project carries: green from the start, clean, and red as soon as something is broken."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.e2e.client_mutations import CLIENT_MUTATIONS, HTTP_MUTATIONS
from tests.e2e.mutation import Mutation
from tests.e2e.mutations import MUTATIONS
from tests.e2e.projects import emit, in_project, run_in

CONTRACT = Path(__file__).parent / "everything"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the contract that has everything; every handler is a stub."""
    dest = tmp_path_factory.mktemp("contract_tests") / "everything"
    return emit(dest, [CONTRACT / "everything.proto"], include=[CONTRACT], spec=CONTRACT / "resilience.yaml")


@pytest.fixture(scope="module")
def impatient(project: Path) -> Path:
    """A copy of the project whose tests do not wait long for what will never happen."""
    dest = project.with_name("impatient")
    shutil.copytree(project, dest)
    with (dest / "src" / "everything" / "runtime" / "testing" / "scripted.py").open("a") as file:
        file.write("\n\nPATIENCE = 1.0\n")
    return dest


def failed(project: Path, select: str) -> set[str]:
    """The names of the tests that fail among those whose name has `select` in it; some must run."""
    files = [file for file in (project / "tests/contract").glob("test_*.py") if f"def {select}" in file.read_text()]
    done = run_in(project, "-m", "pytest", "-W", "error", "-x", "--tb=no", "-rfE", "-k", select, *map(str, files))
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return set(re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", done.stdout, re.MULTILINE))


def test_a_new_project_passes_its_contract_tests(project: Path) -> None:
    in_project(project, "-m", "pytest", "-W", "error")


def test_the_emitted_tests_are_typed_formatted_and_clean(project: Path) -> None:
    files = [str(path.relative_to(project)) for path in (project / "tests").rglob("*.py")]
    for tool in (["mypy", "--strict", *files], ["ruff", "check", "tests"], ["black", "--check", "-q", "tests"]):
        done = run_in(project, "-m", *tool)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "mutation", [*MUTATIONS, *HTTP_MUTATIONS], ids=lambda mutation: f"{mutation}: {mutation.noticed_by}"
)
def test_what_is_broken_is_noticed(impatient: Path, mutation: Mutation) -> None:
    with mutation.applied(impatient / "src" / "everything"):
        assert failed(impatient, mutation.noticed_by) == {mutation.noticed_by}


@pytest.fixture(scope="module")
def impatient_caller(orders_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a project that calls dependencies, as impatient."""
    dest = tmp_path_factory.mktemp("contract_tests") / "orders"
    shutil.copytree(orders_project, dest)
    with (dest / "src" / "orders" / "runtime" / "testing" / "scripted.py").open("a") as file:
        file.write("\n\nPATIENCE = 1.0\n")
    return dest


@pytest.mark.parametrize("mutation", CLIENT_MUTATIONS, ids=lambda mutation: f"{mutation}: {mutation.noticed_by}")
def test_what_is_broken_of_calls_to_dependencies_is_noticed(impatient_caller: Path, mutation: Mutation) -> None:
    with mutation.applied(impatient_caller / "src" / "orders"):
        assert failed(impatient_caller, mutation.noticed_by) == {mutation.noticed_by}


def test_descriptors_that_are_not_the_contracts_are_noticed(impatient: Path) -> None:
    file = impatient / ".holdfast" / "contract.binpb"
    whole = file.read_bytes()
    changed = FileDescriptorSet.FromString(whole)
    served = next(each for each in changed.file if each.name == "everything.proto")
    served.message_type[0].field[0].name = "renamed"
    file.write_bytes(changed.SerializeToString())
    try:
        for name in (
            "test_the_served_descriptors_are_the_contracts",
            "test_every_generated_file_is_as_the_contract_has_it",
        ):
            assert failed(impatient, name) == {name}
    finally:
        file.write_bytes(whole)

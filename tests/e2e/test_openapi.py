"""The OpenAPI document says what the REST port does: schemathesis sends what it allows and what it forbids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.e2e.projects import emit

HERE = Path(__file__).parent / "openapi"
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
# An Any may be each message that there is: that makes thousands of cases.
IN_SHORT = """
[[operations]]
include-path-regex = "^/v1/packed"
phases.coverage.enabled = false
"""


@pytest.fixture(scope="session")
def surface_project(folder: Path) -> Path:
    """A contract with every kind of parameter, body, stream and path that the document must find words for."""
    contract = HERE / "surface.proto"
    return emit(folder / "surface", [contract], include=[HERE], spec=HERE / "resilience.yaml")


@pytest.fixture(params=["orders", "surface"])
def project(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"{request.param}_project")
    return found


@contextmanager
def scripted(project: Path) -> Iterator[str]:
    """The project's service with scripted handlers, in a process of its own; its REST port's URL."""
    command = [sys.executable, HERE / "scripted_service.py", project.name]
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            assert process.poll() is None, "the service is gone"
        finally:
            process.kill()


def schemathesis(url: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What schemathesis says of the service, with every check it has; the same on every run."""
    config = folder / "schemathesis.toml"
    config.write_text((HERE / "schemathesis.toml").read_text(encoding="utf-8") + ("" if THOROUGH else IN_SHORT))
    command = [Path(sys.executable).with_name("st"), "--config-file", config]
    command += ["run", f"{url}/openapi.json", "--no-color", "--checks", "all", "--mode", "all", "--continue-on-failure"]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "hooks"}
    return subprocess.run(
        [*map(str, command), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_document_is_valid_openapi(project: Path) -> None:
    document = json.loads((project / "src" / project.name / "gen" / "openapi.json").read_bytes())
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_what_the_document_allows_is_accepted_and_what_it_forbids_refused(project: Path, tmp_path: Path) -> None:
    examples = "200" if THOROUGH else "8"
    with scripted(project) as url:
        done = schemathesis(
            url, tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", examples, "--seed", "1"
        )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]


def test_a_document_that_says_too_little_would_be_found(orders_project: Path, tmp_path: Path) -> None:
    path = orders_project / "src" / "orders" / "gen" / "openapi.json"
    true = path.read_text(encoding="utf-8")
    false = true.replace('"maximum": 2147483647', '"maximum": 1000')
    assert false != true
    try:
        path.write_text(false, encoding="utf-8")
        with scripted(orders_project) as url:
            done = schemathesis(
                url, tmp_path, "--phases", "coverage", "--include-operation-id", "OrderService_ListOrders"
            )
    finally:
        path.write_text(true, encoding="utf-8")
    assert done.returncode == 1, done.stdout[-20_000:]
    assert "Schema-violating request accepted" in done.stdout

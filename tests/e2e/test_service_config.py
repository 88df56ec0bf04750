"""A contract under a service configuration: its routes, its mixins, and what the spec says about REST, as a process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from grpc import StatusCode, aio

from tests.e2e.projects import Process, emit, holdfast, in_project, serving
from tests.e2e.wire import PATIENCE, Stub

INPUTS = Path(__file__).parent / "configured"
PAGE = "https://reports.example.com"
OPERATIONS = "google.longrunning.Operations"
HANDLER = '''\
"""Every operation is done."""

from google.longrunning.operations_pb2 import GetOperationRequest, Operation

from ..gen.services.operations import OperationsBase
from ..runtime.call import Call


class Operations(OperationsBase):
    """Knows every operation, and that it is done."""

    async def get_operation(self, request: GetOperationRequest, call: Call) -> Operation:
        return Operation(name=request.name, done=True)
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, whose handlers are stubs but for that of the mixin's."""
    dest = tmp_path_factory.mktemp("configured") / "reports"
    emit(dest, [INPUTS / "reports.proto"], spec=INPUTS / "resilience.yaml", configs=[INPUTS / "reports.yaml"])
    (dest / "src/reports/handlers/operations.py").write_text(HANDLER)
    return dest


@pytest.fixture(scope="module")
def process(project: Path) -> Iterator[Process]:
    with serving(project, "reports") as running:
        yield running


@pytest.fixture
async def http(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=process.rest, timeout=PATIENCE) as client:
        yield client


async def test_a_mixin_is_served_over_rest_where_the_configuration_says(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v2/operations/17")
    assert (answer.status_code, answer.json()) == (200, {"name": "operations/17", "done": True})


async def test_a_mixin_is_served_over_grpc(process: Process, project: Path) -> None:
    async with aio.insecure_channel(process.grpc) as channel:
        stub = Stub(project, channel)
        answer = await stub.call(f"/{OPERATIONS}/GetOperation", {"name": "operations/18"})
        assert answer == {"name": "operations/18", "done": True}
        with pytest.raises(aio.AioRpcError) as refused:
            await stub.call("/google.cloud.location.Locations/GetLocation", {"name": "x"})
    assert refused.value.code() is StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("verb", "path", "rpc"),
    [
        ("GET", "/v2/reports/a", "reports.v1.Reports/GetReport"),
        ("GET", "/v2/projects/p/reports/a", "reports.v1.Reports/GetReport"),
        ("GET", "/v1/archive/a", "reports.v1.Archive/GetArchived"),
        ("POST", "/v1/reports", "reports.v1.Reports/WriteReport"),
        ("POST", "/v2/operations/a:cancel", f"{OPERATIONS}/CancelOperation"),
        ("DELETE", "/v1/operations/a", f"{OPERATIONS}/DeleteOperation"),
        ("GET", "/v1/projects/p/locations", "google.cloud.location.Locations/ListLocations"),
        ("POST", "/reports.v1.Reports/CountReports", "reports.v1.Reports/CountReports"),
        ("POST", f"/{OPERATIONS}/WaitOperation", f"{OPERATIONS}/WaitOperation"),
        ("BREW", "/v1/pots/a", "reports.v1.Reports/Ask"),
        ("PURGE", "/v1/anything/a", "reports.v1.Reports/Ask"),
        ("WHATEVER", "/v1/anything/a", "reports.v1.Reports/Ask"),
    ],
)
async def test_each_route_reaches_its_rpc(http: httpx.AsyncClient, verb: str, path: str, rpc: str) -> None:
    answer = await http.request(verb, path)
    error = answer.json()["error"]
    assert (answer.status_code, error["message"]) == (501, f"/{rpc} is not implemented")


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/v1/reports/a", 404),
        ("GET", "/v1/overridden/a", 404),
        ("GET", "/v1/operations/a", 405),
        ("GET", "/v1/pots/a", 405),
        ("POST", "/reports.v1.Reports/GetReport", 404),
    ],
)
async def test_what_is_overridden_is_not_served(http: httpx.AsyncClient, verb: str, path: str, status: int) -> None:
    assert (await http.request(verb, path)).status_code == status


async def test_an_allowed_page_may_call_a_route_of_the_configuration(http: httpx.AsyncClient) -> None:
    asked = {"origin": PAGE, "access-control-request-method": "POST"}
    answer = await http.options("/v2/operations/a:cancel", headers=asked)
    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"].split(", ")
    read = await http.get("/v2/operations/a", headers={"origin": PAGE})
    assert read.headers["access-control-allow-origin"] == PAGE


def test_the_project_is_in_order_and_passes_its_contract_tests(project: Path) -> None:
    assert holdfast("check", "--project", project).returncode == 0
    in_project(project, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "tests/contract")


@pytest.mark.parametrize(("mode", "code", "told"), [("warn", 0, 1), ("error", 1, 1), ("firstWins", 0, 0)])
def test_routes_alike_of_two_services_are_treated_as_the_spec_says(
    tmp_path: Path, mode: str, code: int, told: int
) -> None:
    spec = (INPUTS / "resilience.yaml").read_text().replace("expose: all", f"duplicateRoutes: {mode}")
    (tmp_path / "spec.yaml").write_text(spec)
    done = holdfast(
        *("new", tmp_path / "reports", "--defaults", "--contract", INPUTS / "reports.proto"),
        *("--service-config", INPUTS / "reports.yaml", "--spec", tmp_path / "spec.yaml"),
    )
    lines = [line for line in done.stderr.splitlines() if "duplicate-route" in line]
    assert (done.returncode, len(lines)) == (code, told), done.stderr
    for line in lines:
        assert (
            "reports.proto:41:5: duplicate-route: reports.v1.Archive.GetArchived: GET /v2/{name=reports/*} is" in line
        )
        assert "reports.yaml:18:5 as /v2/{name=reports/*}" in line
    assert (tmp_path / "reports").exists() == (code == 0)

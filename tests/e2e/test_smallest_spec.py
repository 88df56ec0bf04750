"""The smallest spec that the documentation shows, as it stands: it generates, serves, protects, and proves itself."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.e2e.projects import emit, in_project, serving

SPEC = Path(__file__).parents[1] / "unit" / "spec" / "data" / "smallest.yaml"
CONTRACT = """\
syntax = "proto3";
package payments.v1;
import "google/api/annotations.proto";
service Gateway {
  rpc Charge(ChargeRequest) returns (Receipt) { option (google.api.http) = {post: "/v1/charges" body: "*"}; }
}
message ChargeRequest { string card = 1; int64 cents = 2; }
message Receipt { string id = 1; int64 cents = 2; }
"""
# The ledger answers once, and then never again.
HANDLER = """\
from grpc import StatusCode

from ..gen.errors import ServiceError
from ..gen.pb.payments.v1.gateway_pb2 import Receipt
from ..gen.services.gateway import GatewayBase


class Gateway(GatewayBase):
    def __init__(self, clients):
        super().__init__(clients)
        self._calls = 0

    async def charge(self, request, call):
        self._calls += 1
        if self._calls > 1:
            raise ServiceError(StatusCode.UNAVAILABLE, f"failure {self._calls - 1}")
        return Receipt(id="r-1", cents=request.cents)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smallest")
    (folder / "payments" / "v1").mkdir(parents=True)
    (folder / "payments" / "v1" / "gateway.proto").write_text(CONTRACT)
    return emit(folder / "payment_gateway", [folder / "payments" / "v1" / "gateway.proto"], include=[folder], spec=SPEC)


def test_its_contract_tests_pass_and_those_without_a_case_are_not_there(project: Path) -> None:
    said = in_project(project, "-m", "pytest", "-W", "error", "-rs", "tests/contract")
    assert "empty parameter set" not in said
    assert " deselected" in said


def test_fifteen_failures_open_the_breaker_and_the_last_good_response_is_served(project: Path) -> None:
    handlers = project / "src" / "payment_gateway" / "handlers" / "gateway.py"
    stub = handlers.read_text()
    handlers.write_text(HANDLER)
    known, unknown = {"card": "a", "cents": "500"}, {"card": "b", "cents": "500"}
    try:
        with serving(project, "payment_gateway") as process, httpx.Client(base_url=process.rest) as http:
            first = http.post("/v1/charges", json=known)
            assert first.json() == {"id": "r-1", "cents": "500"}
            for number in range(1, 16):
                failed = http.post("/v1/charges", json=known)
                assert failed.status_code == 503
                assert failed.json()["error"]["message"] == f"failure {number}"
            again = http.post("/v1/charges", json=known)
            assert again.json() == first.json()
            assert again.headers["x-served-from"] == "cache"
            refused = http.post("/v1/charges", json=unknown)
            assert refused.status_code == 503
            assert refused.json()["error"]["details"][0]["reason"] == "CIRCUIT_OPEN"
            assert 1 <= int(refused.headers["retry-after"]) <= 4
    finally:
        handlers.write_text(stub)

"""The OpenAPI document says what a method's own mechanisms answer, and which header its key comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.render.test_openapi_security import described

BREAKER = "circuitBreaker: {failureThreshold: 3}"
LIMIT = "rateLimiter: {requestsPerSecond: 5}"


def get(made: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = made["paths"]["/v1/orders"]["get"]
    return operation


@pytest.mark.parametrize(
    ("policy", "status", "reason"),
    [
        (LIMIT, "429", "RATE_LIMITED"),
        ("loadShedding: {eventLoopLag: 100ms}", "503", "OVERLOADED"),
        ("concurrencyLimiter: {algorithm: fixed, limit: 3}", "503", "CONCURRENCY_LIMIT"),
        (BREAKER, "503", "CIRCUIT_OPEN"),
        ("idempotency: {}", "409", "IDEMPOTENCY_KEY_IN_FLIGHT"),
        ("idempotency: {}", "422", "IDEMPOTENCY_KEY_REUSED"),
    ],
)
def test_what_a_mechanism_answers_is_an_answer_of_its_methods(
    tmp_path: Path, policy: str, status: str, reason: str
) -> None:
    made = described(tmp_path, f"methods: {{Get: {{{policy}}}}}")
    assert status in get(made)["responses"]
    response = made["components"]["responses"][f"Error{status}"]
    assert reason in response["content"]["application/json"]["examples"]
    assert ("Retry-After" in response.get("headers", {})) is (status != "422")


def test_what_is_off_is_not_there(tmp_path: Path) -> None:
    made = described(tmp_path, "deadline: {max: 1m}")
    assert not {"409", "422", "429"} & set(get(made)["responses"])
    assert list(made["components"]["responses"]["Error503"]["content"]["application/json"]["examples"]) == ["DRAINING"]


@pytest.mark.parametrize(("policy", "required"), [("{}", False), ("{required: true}", True)])
def test_the_key_is_a_header(tmp_path: Path, policy: str, required: bool) -> None:
    made = described(tmp_path, f"methods: {{Get: {{idempotency: {policy}}}}}")
    (key,) = [each for each in get(made)["parameters"] if each.get("name") == "Idempotency-Key"]
    assert (key["in"], key.get("required", False)) == ("header", required)


KEYED = "rateLimiter: {{requestsPerSecond: 5, key: {{from: '{}', onMissing: {}}}}}"


@pytest.mark.parametrize("missing", ["reject", "shared"])
def test_the_key_of_a_rate_limit_is_a_header_that_is_there_once(tmp_path: Path, missing: str) -> None:
    policy = KEYED.format("metadata:x-tenant", missing)
    spec = f"methods: {{Get: {{{policy}}}}}, observability: {{propagate: {{metadata: [x-tenant, x-other]}}}}"
    made = described(tmp_path, spec)
    (header,) = [each for each in get(made)["parameters"] if each.get("name", "").lower() == "x-tenant"]
    assert header.get("required", False) is (missing == "reject")
    shared = [each["$ref"].rpartition("/")[2].lower() for each in get(made)["parameters"] if "$ref" in each]
    assert "x-other" in shared
    assert "x-tenant" not in shared
    examples = made["components"]["responses"].get("Error400", {}).get("content", {}).get("application/json", {})
    assert ("RATE_LIMIT_KEY_MISSING" in examples.get("examples", {})) is (missing == "reject")


def test_a_rate_limit_by_peer_asks_for_no_header(tmp_path: Path) -> None:
    policy = KEYED.format("peer", "reject")
    plain, keyed = described(tmp_path, ""), described(tmp_path, f"methods: {{Get: {{{policy}}}}}")
    assert get(keyed)["parameters"] == get(plain)["parameters"]


def test_the_key_has_the_name_that_the_spec_gives_it(tmp_path: Path) -> None:
    made = described(tmp_path, "idempotency: {header: X-Once}")
    assert "X-Once" in [each.get("name") for each in get(made)["parameters"]]

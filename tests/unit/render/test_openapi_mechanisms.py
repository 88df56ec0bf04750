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


def test_the_key_has_the_name_that_the_spec_gives_it(tmp_path: Path) -> None:
    made = described(tmp_path, "idempotency: {header: X-Once}")
    assert "X-Once" in [each.get("name") for each in get(made)["parameters"]]

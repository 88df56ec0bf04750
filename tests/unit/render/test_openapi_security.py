"""The OpenAPI document says who may call: security schemes, what each operation requires, and how it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from generator.render.openapi.document import document
from tests.unit.plan.test_build import plan

JWT = 'jwt: {issuer: "https://id", audience: shop, jwks: "https://id/jwks"}'
MTLS = "tls: {mode: mtls, certificate: a, privateKey: b, clientCa: c}"


def described(tmp_path: Path, spec: str) -> dict[str, Any]:
    made: dict[str, Any] = document(plan(tmp_path, f"spec: {{{spec}}}"))
    validate(made)
    return made


@pytest.mark.parametrize(
    ("spec", "required"),
    [
        (f"auth: {{{JWT}, default: allow}}", [{"bearer": []}]),
        (f"auth: {{{JWT}, rules: {{Get: {{anyScope: [a, b]}}}}}}", [{"bearer": ["a"]}, {"bearer": ["b"]}]),
        (f"auth: {{{JWT}, rules: {{Get: {{allScopes: [a, b], anyScope: [c]}}}}}}", [{"bearer": ["a", "b", "c"]}]),
        (f"auth: {{{JWT}}}, {MTLS}", [{"bearer": [], "mutualTLS": []}]),
        (f"auth: {{clientCertificates: true}}, {MTLS}", [{"mutualTLS": []}]),
        (
            f"auth: {{{JWT}, clientCertificates: true}}, {MTLS}",
            [{"bearer": [], "mutualTLS": []}, {"mutualTLS": []}],
        ),
    ],
)
def test_an_operation_requires_what_its_rule_asks_for(
    tmp_path: Path, spec: str, required: list[dict[str, list[str]]]
) -> None:
    made = described(tmp_path, spec)
    operation = made["paths"]["/v1/orders"]["get"]
    assert operation["security"] == required
    assert set(made["components"]["securitySchemes"]) == {name for one in required for name in one}
    assert {"401", "403"} <= set(operation["responses"])
    assert "WWW-Authenticate" in made["components"]["responses"]["Error401"]["headers"]


def test_a_public_operation_requires_nothing(tmp_path: Path) -> None:
    operation = described(tmp_path, f"auth: {{{JWT}, public: [Get]}}")["paths"]["/v1/orders"]["get"]
    assert "security" not in operation
    assert not {"401", "403"} & set(operation["responses"])


def test_a_service_that_asks_nobody_has_no_schemes(tmp_path: Path) -> None:
    made = described(tmp_path, "deadline: {max: 1m}")
    assert "securitySchemes" not in made["components"]

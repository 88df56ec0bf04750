"""Who may call, in OpenAPI's terms: security schemes, and what each operation requires of them."""

from __future__ import annotations

from collections.abc import Mapping

from generator.plan.access import AccessPlan
from generator.plan.model import Plan
from generator.render.openapi.scalars import Schema

_BEARER, _CERTIFICATE = "bearer", "mutualTLS"

REASONS = ("UNAUTHENTICATED", "ACCESS_DENIED")
"""The runtime's failures of an operation that is not public."""


def schemes(plan: Plan) -> dict[str, Schema]:
    """The security schemes by name; none where nobody is asked who calls."""
    auth = plan.spec.body.auth
    if auth is None:
        return {}
    found: dict[str, Schema] = {}
    if auth.jwt:
        issuers = ", ".join(issuer.issuer for issuer in auth.jwt)
        audiences = ", ".join(dict.fromkeys(issuer.audience for issuer in auth.jwt))
        found[_BEARER] = {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": f"A token of {issuers} for the audience {audiences}.",
        }
    if plan.spec.body.tls.mode == "mtls":
        found[_CERTIFICATE] = {"type": "mutualTLS", "description": "A client certificate opens the connection."}
    return found


def requirements(plan: Plan) -> Mapping[str, list[Schema]]:
    """What operations require, by RPC path: any one of a list. RPCs that are public are left out."""
    return {
        method.rpc.path: _required(plan, method.access)
        for method in plan.methods
        if method.access is not None and not method.access.public
    }


def _required(plan: Plan, access: AccessPlan) -> list[Schema]:
    auth, rule = plan.spec.body.auth, access.rule
    mutual: Schema = {_CERTIFICATE: []} if plan.spec.body.tls.mode == "mtls" else {}
    needed: list[list[str]] = [[]]
    if rule is not None:
        always = list(rule.all_scopes)
        needed = [[*always, *([] if scope in always else [scope])] for scope in rule.any_scope] or [always]
    found: list[Schema] = []
    if auth is not None and auth.jwt:
        found = [{_BEARER: scopes, **mutual} for scopes in needed]
    if auth is not None and auth.client_certificates and not any(needed):
        found.append(mutual)
    return found

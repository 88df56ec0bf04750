"""What the mechanisms of an operation's own policy say over REST: why they refuse a call, and the headers with its keys."""

from __future__ import annotations

from collections.abc import Iterator

from google.rpc.error_details_pb2 import BadRequest

from generator.contract.model import Kind
from generator.plan.model import MethodPlan, Plan
from generator.render.openapi.error_bodies import Fault
from generator.render.openapi.scalars import Schema
from generator.spec.limits import RateLimitKey
from generator.spec.policy import Idempotency

_REUSED = BadRequest.FieldViolation(field="Idempotency-Key", description="belongs to another request")

_FAULTS = (
    Fault("RESOURCE_EXHAUSTED", 429, "RATE_LIMITED", "too many calls", {}, retry_after=1.0),
    Fault(
        "INVALID_ARGUMENT",
        400,
        "RATE_LIMIT_KEY_MISSING",
        "x-tenant is missing",
        {"field": "x-tenant"},
        [BadRequest(field_violations=[BadRequest.FieldViolation(field="x-tenant", description="is missing")])],
    ),
    Fault("UNAVAILABLE", 503, "OVERLOADED", "the server is overloaded", {}, retry_after=1.0),
    Fault("UNAVAILABLE", 503, "CONCURRENCY_LIMIT", "too many calls at once", {}, retry_after=1.0),
    Fault(
        "UNAVAILABLE",
        503,
        "CIRCUIT_OPEN",
        "it has failed too often, and is left alone for a while",
        {},
        retry_after=1.0,
    ),
    Fault("ABORTED", 409, "IDEMPOTENCY_KEY_IN_FLIGHT", "a call with this key is being served", {}, retry_after=1.0),
    Fault(
        "INVALID_ARGUMENT",
        422,
        "IDEMPOTENCY_KEY_REUSED",
        "Idempotency-Key belongs to another request",
        {"field": "Idempotency-Key"},
        [BadRequest(field_violations=[_REUSED])],
    ),
)


def refusals(method: MethodPlan) -> tuple[str, ...]:
    """The reasons for which the method's mechanisms refuse a call."""
    return tuple(_reasons(method))


def _reasons(method: MethodPlan) -> Iterator[str]:
    policy = method.policy
    if policy.rate_limiter is not None:
        yield "RATE_LIMITED"
    if (key := _limit_key(method)) is not None and key.on_missing == "reject":
        yield "RATE_LIMIT_KEY_MISSING"
    if policy.load_shedding is not None:
        yield "OVERLOADED"
    if policy.concurrency_limiter is not None:
        yield "CONCURRENCY_LIMIT"
    if policy.circuit_breaker is not None:
        yield "CIRCUIT_OPEN"
    if _idempotency(method) is not None:
        yield from ("IDEMPOTENCY_KEY_IN_FLIGHT", "IDEMPOTENCY_KEY_REUSED")


def faults(plan: Plan) -> Iterator[Fault]:
    """What the mechanisms that are on for some RPC answer."""
    wanted = {reason for method in plan.methods for reason in refusals(method)}
    yield from (fault for fault in _FAULTS if fault.reason in wanted)


def header_parameters(method: MethodPlan) -> list[Schema]:
    """The headers that the method's mechanisms read."""
    return [found for found in (_limit_parameter(method), _key_parameter(method)) if found is not None]


def _limit_parameter(method: MethodPlan) -> Schema | None:
    key = _limit_key(method)
    if key is None:
        return None
    found: Schema = {
        "name": _header_of(key),
        "in": "header",
        "description": "Whose calls these are: each has a rate limit of its own.",
        "schema": {"type": "string"},
    }
    if key.on_missing == "reject":
        found["required"] = True
    return found


def _limit_key(method: MethodPlan) -> RateLimitKey | None:
    """The key of the method's rate limit, where it is a header."""
    policy = method.policy.rate_limiter
    if policy is None or policy.key is None or not _header_of(policy.key):
        return None
    return policy.key


def _header_of(key: RateLimitKey) -> str:
    source, _, name = key.source.partition(":")
    return name if source == "metadata" else ""


def _key_parameter(method: MethodPlan) -> Schema | None:
    policy = _idempotency(method)
    if policy is None:
        return None
    found: Schema = {
        "name": policy.header,
        "in": "header",
        "description": (
            "A name for what the call is to do, of up to 255 printable ASCII characters: called again with it, it is "
            "done once, and answered alike."
        ),
        "schema": {"type": "string"},
    }
    if policy.required and policy.field is None:
        found["required"] = True
    return found


def _idempotency(method: MethodPlan) -> Idempotency | None:
    return method.policy.idempotency if method.rpc.kind is Kind.UNARY else None

"""Which errors say that the service is failing, and which only say something of the call."""

from __future__ import annotations

from grpc import StatusCode

from .definition import ErrorTable
from .errors import ErrorRow, ServiceError

FAILURES = frozenset(
    {
        StatusCode.UNKNOWN,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.INTERNAL,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
    }
)
"""The codes of a callee's failures; the others are the caller's doing, or a refusal."""

OPEN_REASON = "CIRCUIT_OPEN"
SPENT_REASON = "DEADLINE_SPENT"
DRAINING_REASON = "DRAINING"
IDLE_REASON = "STREAM_IDLE"
TOO_LONG_REASON = "STREAM_TOO_LONG"
"""Reasons of the runtime's own errors."""

_POLICIES_DOING = frozenset({SPENT_REASON, DRAINING_REASON, IDLE_REASON, TOO_LONG_REASON})


def row_of(error: ServiceError, table: ErrorTable) -> ErrorRow | None:
    """The error's row of the table, by its class or its reason; None for an error raised by code alone."""
    return error.row or table.rows.get(error.reason)


def is_failure(error: ServiceError, table: ErrorTable) -> bool:
    """Whether a circuit breaker counts it: what its row says, or else its code. A policy's refusals never count."""
    if error.reason in _POLICIES_DOING:
        return False
    row = row_of(error, table)
    if row is not None and row.breaker is not None:
        return row.breaker == "failure"
    return error.code in FAILURES


def is_bad(error: ServiceError, table: ErrorTable) -> bool:
    """Whether it counts against the service's health: what its row says of objectives, or else its code."""
    if error.reason in _POLICIES_DOING:
        return False
    row = row_of(error, table)
    if row is not None and row.slo is not None:
        return row.slo == "bad"
    return error.code in FAILURES

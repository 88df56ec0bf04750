"""A field of a request that breaks a rule, and the error of a request that has some."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode

from ..errors import ServiceError

MOST_VIOLATIONS: Final = 20
"""Violations that one answer tells of."""

_MAX_SHOWN: Final = 100  # characters of the caller's own words


@dataclass(frozen=True, slots=True)
class Violation:
    """`field` is a path of proto names, `order.lines[2].sku`, "" for the request as a whole."""

    field: str
    description: str  # a predicate that the field is the subject of: "is required"


def refusal(violations: Sequence[Violation]) -> ServiceError:
    """INVALID_ARGUMENT with a BadRequest that names every violation; the first one is its message."""
    first = violations[0]
    fields = [BadRequest.FieldViolation(field=one.field, description=one.description) for one in violations]
    return ServiceError(
        StatusCode.INVALID_ARGUMENT,
        f"{first.field or 'the request'} {first.description}",
        metadata={"field": first.field or "request"},
        details=[BadRequest(field_violations=fields)],
    )


def shown(key: object) -> str:
    """A map's key in a path, as far as an answer may repeat it."""
    if not isinstance(key, str):
        return str(key).lower() if isinstance(key, bool) else str(key)
    return json.dumps(key[:_MAX_SHOWN])

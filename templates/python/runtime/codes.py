"""The canonical gRPC codes and their HTTP statuses (google/rpc/code.proto; 499 is nginx's "client closed request")."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from grpc import StatusCode

HTTP_STATUS: Mapping[StatusCode, int] = MappingProxyType(
    {
        StatusCode.OK: 200,
        StatusCode.CANCELLED: 499,
        StatusCode.UNKNOWN: 500,
        StatusCode.INVALID_ARGUMENT: 400,
        StatusCode.DEADLINE_EXCEEDED: 504,
        StatusCode.NOT_FOUND: 404,
        StatusCode.ALREADY_EXISTS: 409,
        StatusCode.PERMISSION_DENIED: 403,
        StatusCode.RESOURCE_EXHAUSTED: 429,
        StatusCode.FAILED_PRECONDITION: 400,
        StatusCode.ABORTED: 409,
        StatusCode.OUT_OF_RANGE: 400,
        StatusCode.UNIMPLEMENTED: 501,
        StatusCode.INTERNAL: 500,
        StatusCode.UNAVAILABLE: 503,
        StatusCode.DATA_LOSS: 500,
        StatusCode.UNAUTHENTICATED: 401,
    }
)

BY_NUMBER: Mapping[int, StatusCode] = MappingProxyType({code.value[0]: code for code in StatusCode})


def number(code: StatusCode) -> int:
    """The code's number on the wire (google.rpc.Code)."""
    value: int = code.value[0]
    return value

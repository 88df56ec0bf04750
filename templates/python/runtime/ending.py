"""How a call has ended, for whoever tells of it: metrics, logs and spans."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from grpc import StatusCode

from .codes import HTTP_STATUS
from .errors import ServiceError


class Ending(NamedTuple):
    """The failure that a call ended with."""

    code: StatusCode
    http: int
    reason: str  # "" where the code says all


def ending(error: BaseException) -> Ending:
    """The ending that is an exception: a ServiceError's own, a cancellation, or a bug."""
    if isinstance(error, ServiceError):
        return Ending(error.code, error.http, error.reason)
    code = StatusCode.CANCELLED if isinstance(error, asyncio.CancelledError) else StatusCode.INTERNAL
    return Ending(code, HTTP_STATUS[code], "")

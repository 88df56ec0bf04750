"""What a peer says of when to come back: one number, wherever it stands."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc.aio import AioRpcError

_TRAILER = "grpc-retry-pushback-ms"


def of_error(error: AioRpcError) -> float | None:
    """Seconds after which the peer wants to be called again, below 0 for never; None where it does not say.

    The pushback trailer counts before a RetryInfo among the details. A trailer that is no number means never, as
    gRPC has it (proposal A6, "Pushback").
    """
    trailers: Any = error.trailing_metadata() or ()
    status = None
    for name, value in trailers:
        if name == _TRAILER:
            return _seconds(value)
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            status = value
    return None if status is None else _of_details(status)


def _seconds(milliseconds: str | bytes) -> float:
    text = milliseconds.decode("ascii", "replace") if isinstance(milliseconds, bytes) else milliseconds
    return int(text) / 1000 if text.isascii() and text.isdecimal() and len(text) <= 10 else -1.0


def _of_details(content: bytes) -> float | None:
    info = RetryInfo()
    try:
        for detail in Status.FromString(content).details:
            if detail.Unpack(info):
                seconds: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
                return max(0.0, seconds)
    except DecodeError:
        return None
    return None

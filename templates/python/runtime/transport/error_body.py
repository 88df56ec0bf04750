"""The bodies of errors over REST: AIP-193's, RFC 9457's, or google.rpc.Status as it is."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from ..codes import BY_NUMBER
from ..protojson.writing import Style, any_json
from ..status import Answer


class ErrorShape:
    """One of the body shapes: its content type and its rendering."""

    def __init__(self, name: str) -> None:
        """`name` is `google`, `problem` or `status`; raises KeyError for any other."""
        self._body = _BODIES[name]
        self.content_type = b"application/problem+json" if name == "problem" else b"application/json"

    def body(self, answer: Answer, trace_id: str = "") -> bytes:
        """The body of an error response."""
        return compact(self._body(answer, trace_id))

    def frame(self, answer: Answer, trace_id: str = "") -> bytes:
        """`{"error": …}`, which ends a stream; AIP-193's body is that already."""
        body = self._body(answer, trace_id)
        return compact(body if "error" in body else {"error": body})


def compact(value: object) -> bytes:
    return orjson.dumps(value)


def _google(answer: Answer, trace_id: str) -> dict[str, object]:
    """AIP-193."""
    status = answer.status
    return {
        "error": {
            "code": answer.http,
            "message": status.message,
            "status": BY_NUMBER[status.code].name,
            "details": _details(status),
        }
    }


def _problem(answer: Answer, trace_id: str) -> dict[str, object]:
    """RFC 9457, with the status's content as extension members; `code` is the gRPC code's name."""
    info = _error_info(answer.status)
    members: dict[str, object] = {
        "type": "about:blank",
        "title": _phrase(answer.http),
        "status": answer.http,
        "detail": answer.status.message,
        "code": BY_NUMBER[answer.status.code].name,
        "reason": info.reason,
        "domain": info.domain,
        "metadata": dict(info.metadata),
        "details": [detail for detail in _details(answer.status) if detail["@type"] != _ERROR_INFO],
    }
    if trace_id:
        members["traceId"] = trace_id
    return members


def _status(answer: Answer, trace_id: str) -> dict[str, object]:
    status = answer.status
    return {"code": status.code, "message": status.message, "details": _details(status)}


_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_BODIES: Mapping[str, Callable[[Answer, str], dict[str, object]]] = MappingProxyType(
    {"google": _google, "problem": _problem, "status": _status}
)


def _details(status: Status) -> list[dict[str, Any]]:
    return [_detail(detail) for detail in status.details]


def _detail(detail: AnyMessage) -> dict[str, Any]:
    """The detail as ProtoJSON; one of a type that is not known here keeps its bytes, and never loses the error."""
    try:
        return any_json(detail, Style())
    except (ValueError, RecursionError):
        return {"@type": detail.type_url, "value": base64.b64encode(detail.value).decode()}


def _error_info(status: Status) -> ErrorInfo:
    info = ErrorInfo()
    for detail in status.details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
            break
    return info


def _phrase(http: int) -> str:
    try:
        return HTTPStatus(http).phrase
    except ValueError:
        return "Client Closed Request" if http == 499 else "Error"

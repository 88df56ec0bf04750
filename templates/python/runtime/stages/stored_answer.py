"""The answer of a call as bytes, and the same answer given again: its response or its error, and its metadata."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from grpc import StatusCode

from ..call import Call, Header
from ..errors import ErrorRow, ServiceError, TableError


def stored(call: Call, error: ServiceError | None, headers: int, trailers: int) -> bytes:
    """How the call has ended: a line of JSON, then the response.

    Its first `headers` headers and `trailers` trailers are not the handler's: each call has its own.
    """
    head: dict[str, Any] = {"headers": _pairs(call.headers[headers:]), "trailers": _pairs(call.trailers[trailers:])}
    if error is not None:
        return orjson.dumps({**head, "error": _error(error)})
    response = b"" if call.response is None else call.response.SerializeToString()
    return orjson.dumps(head) + b"\n" + response


class Replayer:
    """Gives a stored answer again; `rows` are those of the error table, by reason."""

    __slots__ = ("_classes",)

    def __init__(self, rows: Mapping[str, ErrorRow]) -> None:
        self._classes = {reason: type("ReplayedError", (ServiceError,), {"row": row}) for reason, row in rows.items()}

    def replay(self, call: Call, answer: bytes) -> None:
        """End the call as the first one has. Raises ServiceError where that one has failed."""
        line, _, response = answer.partition(b"\n")
        head = orjson.loads(line)
        call.headers += _headers(head["headers"])
        call.trailers += _headers(head["trailers"])
        if "error" in head:
            raise self._raised(head["error"])
        call.response = call.method.response.FromString(response)

    def _raised(self, error: Mapping[str, Any]) -> ServiceError:
        kind: type[ServiceError] = self._classes.get(error["row"], ServiceError)
        return kind(
            StatusCode[error["code"]],
            error["message"],
            reason=error["reason"],
            metadata=error["metadata"],
            details=[AnyMessage(type_url=url, value=base64.b64decode(value)) for url, value in error["details"]],
            retry_after=error["retry_after"],
            http=error["http"],
        )


def _error(error: ServiceError) -> dict[str, Any]:
    return {
        "code": error.code.name,
        "message": error.message,
        "reason": error.reason,
        "metadata": dict(error.metadata),
        "details": [_detail(detail) for detail in error.details],
        "retry_after": error.retry_after,
        "http": error.http,
        "row": error.reason if isinstance(error, TableError) else None,
    }


def _detail(detail: Message) -> tuple[str, str]:
    packed = detail
    if not isinstance(packed, AnyMessage):
        packed = AnyMessage()
        packed.Pack(detail)
    return packed.type_url, base64.b64encode(packed.value).decode()


def _pairs(headers: Sequence[Header]) -> list[tuple[str, str]]:
    """Headers as JSON has them: bytes, which `-bin` names have, in base64."""
    return [(name, value if isinstance(value, str) else base64.b64encode(value).decode()) for name, value in headers]


def _headers(pairs: Sequence[tuple[str, str]]) -> list[Header]:
    return [(name, base64.b64decode(value) if name.endswith("-bin") else value) for name, value in pairs]

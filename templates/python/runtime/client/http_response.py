"""The answer of a dependency over HTTP, and what its failure means to whoever called it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

import orjson
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from ..codes import BY_NUMBER, HTTP_STATUS
from ..errors import DependencyError
from ..metadata import Metadata
from ..protojson.reading import fill
from ..protojson.refusal import RefusedError
from ..protojson.text import parse
from .peer_errors import PeerErrors, class_of

MessageT = TypeVar("MessageT", bound=Message)
DetailT = TypeVar("DetailT", ErrorInfo, RetryInfo)

_NONE: Final = Metadata()

_CODES: Final[Mapping[int, StatusCode]] = MappingProxyType(
    {
        400: StatusCode.INVALID_ARGUMENT,
        401: StatusCode.UNAUTHENTICATED,
        403: StatusCode.PERMISSION_DENIED,
        404: StatusCode.NOT_FOUND,
        409: StatusCode.ABORTED,
        416: StatusCode.OUT_OF_RANGE,
        429: StatusCode.RESOURCE_EXHAUSTED,
        499: StatusCode.CANCELLED,
        501: StatusCode.UNIMPLEMENTED,
        502: StatusCode.UNAVAILABLE,
        503: StatusCode.UNAVAILABLE,
        504: StatusCode.DEADLINE_EXCEEDED,
    }
)
"""google.rpc.Code's mapping, read backwards; 502 is what proxies say of a peer that was not reached."""

_UNREADABLE: Final = (ValueError, TypeError, LookupError, RecursionError, RefusedError)
"""What reading content that somebody else has made may raise."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer with a status below 400, whole."""

    status: int
    content: bytes = b""
    headers: Metadata = _NONE
    dependency: str = ""  # whose it is, as the spec names it
    operation: str = ""

    def json(self) -> Any:
        """The content as JSON. Raises DependencyError, INTERNAL received, where it is none."""
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError as error:
            raise self._unreadable("JSON") from error

    def message(self, message_type: type[MessageT]) -> MessageT:
        """The content as a message in ProtoJSON, with members that it does not know left out. Raises as `json` does."""
        message = message_type()
        try:
            fill(message, parse(self.content), ignore_unknown=True)
        except _UNREADABLE as error:
            raise self._unreadable(message_type.DESCRIPTOR.full_name) from error
        return message

    def _unreadable(self, wanted: str) -> DependencyError:
        return DependencyError(
            self.dependency,
            StatusCode.INTERNAL,
            f"the answer is no {wanted}",
            method=self.operation,
            http=self.status,
            final=True,
        )


def failure(
    dependency: str,
    operation: str,
    status: int,
    headers: Metadata,
    content: bytes,
    errors: PeerErrors,
    now: Callable[[], float],
) -> DependencyError:
    """What an answer from 400 on means: all that it says of itself, by its status where it says nothing.

    `now` is the time by the wall clock, which a Retry-After with a date is held against. A 429 with one asks for
    another attempt, which its code alone would not.
    """
    told = _status(content)
    info, advice = _detail(told, ErrorInfo()), _detail(told, RetryInfo())
    advised = None if advice is None else max(0.0, advice.retry_delay.seconds + advice.retry_delay.nanos / 1e9)
    after = retry_after(headers.text("retry-after"), now)
    pushback = advised if after is None else after
    found = DependencyError if info is None else class_of(errors, info.domain, info.reason)
    return found(
        dependency,
        code_of(status, told.code),
        told.message,
        method=operation,
        reason=info.reason if info else "",
        domain=info.domain if info else "",
        metadata=dict(info.metadata) if info else {},
        http=status,
        pushback=pushback,
        asks_again=status == 429 and pushback is not None,
    )


def code_of(status: int, told: int = 0) -> StatusCode:
    """The gRPC code of an HTTP status from 400 on.

    `told`, the number of the code that the body has, counts where it puts the blame on the same side: 409 may be
    ALREADY_EXISTS, but no 4xx is UNAVAILABLE.
    """
    code = BY_NUMBER.get(told)
    if code is not None and HTTP_STATUS[code] // 100 == status // 100:
        return code
    if status in _CODES:
        return _CODES[status]
    return StatusCode.FAILED_PRECONDITION if status < 500 else StatusCode.INTERNAL


def retry_after(value: str, now: Callable[[], float]) -> float | None:
    """Seconds that a Retry-After header asks to wait, None where it says nothing that can be read.

    Source: RFC 9110, section 10.2.3: seconds or a date.
    """
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return float(text) if len(text) <= 9 else None
    try:
        date = parsedate_to_datetime(text)
        return max(0.0, date.timestamp() - now()) if date.tzinfo is not None else None
    except _UNREADABLE:
        return None


def _status(content: bytes) -> Status:
    """The google.rpc.Status that a body says, whichever of its shapes it has; an empty one where it has none."""
    status = Status()
    try:
        value = parse(content)
        if isinstance(value, dict):
            found = value.get("error", value)  # AIP-193 has it inside
            fill(status, _fields(found if isinstance(found, dict) else value), ignore_unknown=True)
    except _UNREADABLE:
        return Status()
    return status


def _fields(value: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a google.rpc.Status, of those of AIP-193, of RFC 9457, or of the status itself."""
    name = value.get("status") if isinstance(value.get("status"), str) else value.get("code")
    number = StatusCode[name].value[0] if isinstance(name, str) and name in StatusCode.__members__ else 0
    details = [detail for detail in value.get("details") or () if _readable(detail)]
    info = {key: value[key] for key in ("reason", "domain", "metadata") if value.get(key)}
    if info:
        details.insert(0, {"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info})
    if not number and isinstance(value.get("code"), int) and value["code"] in BY_NUMBER:
        number = value["code"]
    message = value.get("message") or value.get("detail") or value.get("title") or ""
    return {"code": number, "message": message if isinstance(message, str) else "", "details": details}


def _detail(status: Status, wanted: DetailT) -> DetailT | None:
    """The first detail of that type, None without one."""
    return wanted if any(detail.Unpack(wanted) for detail in status.details) else None


def _readable(detail: object) -> bool:
    """Whether it is a detail of a type that is known here: one that is not must not hide the others."""
    try:
        fill(Status(), {"details": [detail]}, ignore_unknown=True)
    except _UNREADABLE:
        return False
    return True

"""What a call fails with: a ServiceError, and the table rows that give it its code, text and retry advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import RpcError, StatusCode

from .codes import HTTP_STATUS

DEPENDENCY_TEXT = "a dependency is unavailable"
EXPIRED_TEXT = "a dependency took too long"
"""All that the caller reads of a dependency's failure."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of the error table: everything both protocols say about one failure."""

    reason: str  # ErrorInfo.reason, UPPER_SNAKE_CASE
    code: StatusCode
    http: int
    business_code: str  # the team's own code, "" for none; travels as ErrorInfo.metadata["code"]
    retryable: bool
    retry_after: float | None  # seconds
    messages: Mapping[str, str]  # by language tag, the default language first; `{placeholder}` in the text
    placeholders: tuple[str, ...]
    breaker: str | None = None  # "failure" or "ignore", for circuit breakers; None: by the code
    slo: str | None = None  # "good" or "bad", for the service's health; None: by the code


class ServiceError(Exception):
    """A failure the caller may see, the same over both protocols.

    `metadata` becomes ErrorInfo.metadata; `details` are protobuf messages for google.rpc.Status.details, an
    `Any` is taken as it is; `retry_after` (seconds) becomes RetryInfo, Retry-After and the retry pushback.
    """

    row: ClassVar[ErrorRow | None] = None

    def __init__(
        self,
        code: StatusCode,
        message: str = "",
        *,
        reason: str = "",
        metadata: Mapping[str, str] = _NOTHING,
        details: Sequence[Message] = (),
        retry_after: float | None = None,
        http: int | None = None,
    ) -> None:
        if code is StatusCode.OK:
            raise ValueError("OK is not an error")
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason or code.name
        self.metadata: Mapping[str, str] = metadata
        self.details = tuple(details)
        self.retry_after = retry_after
        self.http = http if http is not None else HTTP_STATUS[code]

    def is_for(self, reason: str, domain: str) -> bool:
        """Whether this is a failure for that reason; its own are of its service's domain, whichever that is."""
        return self.reason == reason


class TableError(ServiceError):
    """Base of the exception classes generated from the error table; each has its row."""

    row: ClassVar[ErrorRow]

    def __init__(self, values: Mapping[str, object], details: Sequence[Message] = ()) -> None:
        row = self.row
        self.values: Mapping[str, str] = {name: str(value) for name, value in values.items()}
        metadata = {**self.values, "code": row.business_code} if row.business_code else self.values
        text = next(iter(row.messages.values()), "")
        super().__init__(
            row.code,
            fill(text, self.values),
            reason=row.reason,
            metadata=metadata,
            details=details,
            retry_after=row.retry_after,
            http=row.http,
        )


@dataclass(frozen=True, slots=True)
class PeerRow:
    """One row of a dependency's error table, as far as its callers care; None: by the code."""

    reason: str
    domain: str
    retryable: bool | None = None
    breaker: str | None = None  # "failure" or "ignore"


class DependencyError(ServiceError):
    """A call to a dependency did not go well.

    A handler may look at what was received: `code_received` is the peer's code, or gRPC's own where the peer gave none
    (UNAVAILABLE: it was not reached); reason, domain and metadata are those of the peer's ErrorInfo, empty without
    one. `gen.errors` has a predicate for each reason of this service's own domain, and
    `has_reason(error, reason, domain)` asks for those of others.

    Where no handler catches it, this service's caller sees UNAVAILABLE and nothing of all that; DEADLINE_EXCEEDED
    where the time that the call was given has run out (`expired`).
    """

    peer_row: ClassVar[PeerRow | None] = None

    def __init__(
        self,
        dependency: str,
        code_received: StatusCode,
        message_received: str = "",
        *,
        method: str = "",
        reason: str = "",
        domain: str = "",
        metadata: Mapping[str, str] = _NOTHING,
        expired: bool = False,
        attempt_expired: bool = False,
        broken: bool = False,
        pushback: float | None = None,
        rejected_by: str = "",
        final: bool = False,
        retry_after: float | None = None,
        http: int = 0,
        asks_again: bool = False,
    ) -> None:
        super().__init__(
            StatusCode.DEADLINE_EXCEEDED if expired or attempt_expired else StatusCode.UNAVAILABLE,
            EXPIRED_TEXT if expired or attempt_expired else DEPENDENCY_TEXT,
            retry_after=retry_after,
        )
        self.dependency = dependency  # as the spec names it
        self.method = method  # the gRPC path; over HTTP the operation, or the method alone
        self.expired = expired  # the time for the whole call has run out
        self.attempt_expired = attempt_expired  # that of the last attempt has, and the call's has not
        self.broken = broken  # no answer of the peer came: not reached, cut off, or too late
        self.pushback = pushback  # seconds after which the peer wants to be called again, below 0 for never
        self.rejected_by = rejected_by  # the stage that did not let the call out, "" where it went out
        self.final = final  # another attempt would not help, whatever the code
        self.asks_again = asks_again  # the peer wants another attempt, whatever the code
        self.http_received = http  # the HTTP status, 0 over gRPC and where none came
        self.code_received = code_received
        self.message_received = message_received
        self.reason_received = reason
        self.domain_received = domain
        self.metadata_received = metadata

    def __str__(self) -> str:
        """For the log: who was called, and what came back."""
        code = " ".join(part for part in (self.code_received.name, self.reason_received) if part)
        return ": ".join(
            part for part in (f"{self.dependency} {self.method}".rstrip(), code, self.message_received) if part
        )

    def is_for(self, reason: str, domain: str) -> bool:
        """Whether the peer gave that reason in that domain, or the caller would be given it."""
        received = self.reason_received == reason and self.domain_received == domain
        return received or super().is_for(reason, domain)


class PeerError(DependencyError):
    """Base of the exception classes generated from a dependency's error table; each has its row.

    Where no handler catches it, and this service's own table has a row for the same reason, the caller gets that row,
    with what the peer said for its placeholders. Otherwise as any DependencyError.
    """

    peer_row: ClassVar[PeerRow]

    def __init__(self, dependency: str, code_received: StatusCode, message_received: str = "", **facts: Any) -> None:
        """The arguments are DependencyError's; reason and domain are the row's."""
        known = {"reason": self.peer_row.reason, "domain": self.peer_row.domain}
        super().__init__(dependency, code_received, message_received, **{**known, **facts})


def unimplemented(path: str) -> ServiceError:
    """The error of an RPC that has no code behind it yet."""
    return ServiceError(StatusCode.UNIMPLEMENTED, f"{path} is not implemented")


def invalid_argument(
    name: str, description: str, *, subject: str = "", http: int = 400, reason: str = ""
) -> ServiceError:
    """INVALID_ARGUMENT with a BadRequest violation of that field, parameter or header.

    `description` is a predicate ("must be an integer"); in the text its subject is the name, or `subject`.
    """
    violation = BadRequest.FieldViolation(field=name, description=description)
    return ServiceError(
        StatusCode.INVALID_ARGUMENT,
        f"{subject or name} {description}",
        reason=reason,
        metadata={"field": name},
        details=[BadRequest(field_violations=[violation])],
        http=http,
    )


def has_reason(error: BaseException, reason: str, domain: str) -> bool:
    """Whether `error` was raised for that reason here, or was received with it from a peer of that domain."""
    if isinstance(error, ServiceError):
        return error.is_for(reason, domain)
    info = error_info(error) if isinstance(error, RpcError) else None
    return info is not None and info.reason == reason and info.domain == domain


def error_info(error: RpcError) -> ErrorInfo | None:
    """The ErrorInfo that a gRPC error carries in `grpc-status-details-bin`, None without a readable one."""
    trailers = getattr(error, "trailing_metadata", lambda: None)() or ()
    for name, value in trailers:
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            info = ErrorInfo()
            try:
                for detail in Status.FromString(value).details:
                    if detail.Unpack(info):
                        return info
            except DecodeError:
                return None
    return None


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `{name}` replaced by its value; nothing else in it is interpreted, and `{{` is `{`."""
    pieces: list[str] = []
    rest = text
    while rest:
        at = rest.find("{")
        close = rest.find("}")
        if at < 0 and close < 0:
            pieces.append(rest)
            break
        if at >= 0 and (close < 0 or at < close):
            pieces.append(rest[:at])
            if rest.startswith("{{", at):
                pieces.append("{")
                rest = rest[at + 2 :]
                continue
            end = rest.find("}", at)
            if end < 0:
                pieces.append(rest[at:])
                break
            name = rest[at + 1 : end]
            pieces.append(values.get(name, rest[at : end + 1]))
            rest = rest[end + 1 :]
        else:
            pieces.append(rest[:close] + "}")
            rest = rest[close + (2 if rest.startswith("}}", close) else 1) :]
    return "".join(pieces)

"""A ServiceError as google.rpc.Status: the one rendering that both protocols carry."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from .codes import HTTP_STATUS, number
from .definition import ErrorTable
from .errors import ErrorRow, ServiceError, TableError, fill
from .language import best_language
from .metadata import Metadata

_LOG = logging.getLogger(__name__)
_TYPE_PREFIX = "type.googleapis.com/"
_MAX_RETRY_AFTER = 315_576_000_000.0  # seconds; the bound of google.protobuf.Duration
_DETAILS_TRAILER = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a failed call answers: the status, its HTTP code, and when to try again (seconds, None for never said)."""

    status: Status
    http: int
    retry_after: float | None

    @property
    def retry_after_seconds(self) -> int | None:
        """The Retry-After header: whole seconds, rounded up."""
        return None if self.retry_after is None else math.ceil(self.retry_after)

    @property
    def pushback_ms(self) -> int | None:
        """The `grpc-retry-pushback-ms` trailer (gRPC proposal A6): milliseconds, rounded up."""
        return None if self.retry_after is None else math.ceil(round(self.retry_after * 1000, 6))


def answer_of(error: ServiceError, metadata: Metadata, table: ErrorTable) -> Answer:
    """The answer to a caller whose request metadata is `metadata`: code, text in the caller's language, details.

    The text is the error's row's. An error raised by code alone takes the text and the business code of its
    `errors.byCode` row, as far as the row's placeholders are in the error's metadata. An error that no answer can be
    made of (a detail that is no message, say) is INTERNAL: whoever is to be answered can do nothing about it.
    """
    try:
        return _answer(error, metadata, table)
    except Exception:  # noqa: BLE001 - an answer there must be, and it is logged
        _LOG.exception("no answer can be made of a %s", type(error).__name__)
        return _answer(ServiceError(StatusCode.INTERNAL, "internal error"), metadata, table)


def status_of(error: ServiceError, metadata: Metadata, table: ErrorTable) -> Status:
    """The google.rpc.Status of `answer_of`."""
    return answer_of(error, metadata, table).status


def _answer(error: ServiceError, metadata: Metadata, table: ErrorTable) -> Answer:
    row = error.row or table.by_code.get(error.code.name)
    values = error.values if isinstance(error, TableError) else error.metadata
    localized = _localized(row, values, metadata)
    text = _clean(localized.message if localized is not None else error.message)
    retry_after = _retry_after(error, row)
    details: list[AnyMessage] = [_packed(detail) for detail in error.details]
    given = {detail.type_url.rpartition("/")[2] for detail in details}
    own: list[Message] = [_error_info(error, row, table)]
    if localized is not None:
        own.append(localized)
    if retry_after is not None:
        own.append(RetryInfo(retry_delay=_duration(retry_after)))
    if error.code is StatusCode.INVALID_ARGUMENT and row is not None and "field" in row.placeholders:
        own.append(_bad_request(values.get("field", ""), text))
    added = [_packed(detail) for detail in own if detail.DESCRIPTOR.full_name not in given]
    return Answer(
        Status(code=number(error.code), message=text, details=[*added, *details]),
        _http(error, row),
        retry_after,
    )


def fit(status: Status, budget: int) -> tuple[Status, bytes]:
    """The status, and its bytes for `grpc-status-details-bin`, cut so that both fit into `budget` bytes of metadata.

    The largest details go first, ErrorInfo last; what remains too long is the text, which is shortened. A peer
    refuses the whole answer otherwise, and the caller would see RESOURCE_EXHAUSTED in place of the error.
    """
    if metadata_size(status, payload := status.SerializeToString()) <= budget:
        return status, payload
    cut = Status()
    cut.CopyFrom(status)
    while cut.details:
        optional = [detail for detail in cut.details if not detail.Is(ErrorInfo.DESCRIPTOR)]
        cut.details.remove(max(optional or cut.details, key=lambda detail: len(detail.value)))
        if metadata_size(cut, payload := cut.SerializeToString()) <= budget:
            return cut, payload
    # A character costs its UTF-8 bytes, each three of grpc-message and 4/3 of the details at worst.
    cut.message = cut.message.encode()[: max(0, budget - 128) // 5].decode(errors="ignore")
    return cut, cut.SerializeToString()


def metadata_size(status: Status, payload: bytes) -> int:
    """An upper bound of the bytes of metadata that the status takes on the wire (RFC 9113, section 6.5.2)."""
    message = sum(1 if 0x20 <= byte <= 0x7E and byte != 0x25 else 3 for byte in status.message.encode())
    return message + len("grpc-message") + 32 + (len(payload) * 4 + 2) // 3 + len(_DETAILS_TRAILER) + 32


def _localized(row: ErrorRow | None, values: Mapping[str, str], metadata: Metadata) -> LocalizedMessage | None:
    if row is None or not row.messages or not all(name in values for name in row.placeholders):
        return None
    language = best_language(metadata, row.messages)
    return LocalizedMessage(locale=language, message=_clean(fill(row.messages[language], values)))


def _error_info(error: ServiceError, row: ErrorRow | None, table: ErrorTable) -> ErrorInfo:
    info = ErrorInfo(reason=_clean(error.reason), domain=table.domain)
    for name, value in error.metadata.items():
        info.metadata[_clean(str(name))] = _clean(str(value))
    if row is not None and row.business_code and "code" not in info.metadata:
        info.metadata["code"] = row.business_code
    return info


def _bad_request(field: str, text: str) -> BadRequest:
    return BadRequest(field_violations=[BadRequest.FieldViolation(field=_clean(field), description=text)])


def _retry_after(error: ServiceError, row: ErrorRow | None) -> float | None:
    seconds = error.retry_after
    if seconds is None and row is not None:
        seconds = row.retry_after
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(0.0, seconds), _MAX_RETRY_AFTER)


def _http(error: ServiceError, row: ErrorRow | None) -> int:
    if error.row is None and row is not None and error.http == HTTP_STATUS[error.code]:
        return row.http
    return error.http


def _duration(seconds: float) -> Duration:
    nanos = round(seconds * 1e9)
    return Duration(seconds=nanos // 1_000_000_000, nanos=nanos % 1_000_000_000)


def _packed(detail: Message) -> AnyMessage:
    if isinstance(detail, AnyMessage):
        return detail
    return AnyMessage(
        type_url=_TYPE_PREFIX + detail.DESCRIPTOR.full_name, value=detail.SerializePartialToString(deterministic=True)
    )


def _clean(text: str) -> str:
    """The text with what UTF-8 cannot carry replaced: a lone surrogate would lose the whole answer."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text

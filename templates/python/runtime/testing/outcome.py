"""How a call ended, over either protocol, and how that is read from an HTTP answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from ..codes import BY_NUMBER
from ..definition import Route
from ..metadata import Metadata
from .error_bodies import error_status

_EMPTY: Final = Metadata()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended, over either protocol; `status` is OK's for a call that went well."""

    code: StatusCode
    message: str = ""
    responses: tuple[Message, ...] = ()
    status: Status = field(default_factory=Status)
    headers: Metadata = _EMPTY
    trailers: Metadata = _EMPTY  # gRPC only
    http: int | None = None  # REST only; None as well where no answer came
    body: bytes = b""  # REST only

    @property
    def succeeded(self) -> bool:
        return self.code is StatusCode.OK

    @property
    def pushback(self) -> float | None:
        """Seconds to wait by `grpc-retry-pushback-ms` or Retry-After, whichever the protocol has."""
        ms, seconds = self.trailers.text("grpc-retry-pushback-ms"), self.headers.text("retry-after")
        return float(ms) / 1000 if ms else float(seconds) if seconds else None

    @property
    def info(self) -> ErrorInfo:
        """The ErrorInfo among the details, an empty one without it."""
        info: ErrorInfo = self.detail(ErrorInfo)
        return info

    @property
    def retry_after(self) -> float | None:
        """Seconds after which RetryInfo advises to try again."""
        advice = self.detail(RetryInfo)
        has_advice = any(detail.Is(RetryInfo.DESCRIPTOR) for detail in self.status.details)
        return advice.retry_delay.ToTimedelta().total_seconds() if has_advice else None

    def detail(self, message_type: Callable[[], Any]) -> Any:
        """The first detail of that type, an empty one without it."""
        found = message_type()
        for detail in self.status.details:
            if detail.Is(found.DESCRIPTOR):
                detail.Unpack(found)
                break
        return found

    def everything(self) -> str:
        """All that reached the caller as text, to search for what must not be in it."""
        pairs = [*self.headers, *self.trailers]
        return "\n".join([self.message, repr(pairs), str(self.status), self.body.decode(errors="replace")])


def read_messages(route: Route, response: httpx.Response) -> tuple[Message, ...]:
    """The messages of an answer that went well."""
    message_type = route.method.response
    body_type: Any = message_type.DESCRIPTOR
    if route.response_body:
        body_type = message_type.DESCRIPTOR.fields_by_name[route.response_body].message_type
    if body_type is not None and body_type.full_name == "google.api.HttpBody":
        return (_http_body(route, response),)
    value = json.loads(response.content)
    values = value if route.method.kind.streams_responses else [value]
    return tuple(read_message(route, value) for value in values)


def read_message(route: Route, value: Any) -> Message:
    """The response that a JSON value is, by the route's `response_body`."""
    message = route.method.response()
    if route.response_body:
        value = {message.DESCRIPTOR.fields_by_name[route.response_body].json_name: value}
    json_format.ParseDict(value, message)
    return message


def _http_body(route: Route, response: httpx.Response) -> Message:
    message: Any = route.method.response()
    target = getattr(message, route.response_body) if route.response_body else message
    target.content_type, target.data = response.headers.get("content-type", ""), response.content
    return message  # type: ignore[no-any-return]  # protobuf's classes are made at run time


def read_failure(body: bytes, headers: Metadata, http: int | None, responses: tuple[Message, ...] = ()) -> Outcome:
    """The outcome that an error body tells of."""
    status = error_status(body) if body else Status()
    code = BY_NUMBER[status.code] if status.code else StatusCode.UNKNOWN
    return Outcome(code, status.message, responses, status, headers, http=http, body=body)

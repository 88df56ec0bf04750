"""The bodies of errors: their schemas in each shape, and what a failure looks like in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, LocalizedMessage, RetryInfo

from generator.plan.model import ErrorRowPlan
from generator.render.openapi.scalars import Schema
from generator.spec.codes import canonical_codes, error_codes

BODY, DETAIL = "Error-Body", "Error-Detail"
_MEDIA_TYPES = {"problem": "application/problem+json"}


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure as it is answered, but for its language: what an example is made from."""

    code: str
    http: int
    reason: str
    message: str
    metadata: Mapping[str, str]
    details: Sequence[Message] = ()
    retry_after: float | None = None
    row: ErrorRowPlan | None = None


def body(fault: Fault, shape: str, domain: str, language: str, text: str) -> object:
    """The fault's body in a language ("" for none), in that shape; as `runtime/transport/error_body.py` has it."""
    metadata = {"metadata": dict(fault.metadata)} if fault.metadata else {}
    info = {"reason": fault.reason, "domain": domain, **metadata}  # in this order: a protobuf map has none
    details = [
        {"@type": f"type.googleapis.com/google.rpc.{name}", **value} for name, value in _details(fault, language, text)
    ]
    packed = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}, *details]
    number = canonical_codes()[fault.code].number
    if shape == "problem":
        return {
            "type": "about:blank",
            "title": phrase(fault.http),
            "status": fault.http,
            "detail": text,
            "code": fault.code,
            "reason": fault.reason,
            "domain": domain,
            "metadata": dict(fault.metadata),
            "details": details,
        }
    if shape == "status":
        return {"code": number, "message": text, "details": packed}
    return {"error": {"code": fault.http, "message": text, "status": fault.code, "details": packed}}


def _details(fault: Fault, language: str, text: str) -> Iterator[tuple[str, dict[str, object]]]:
    """The details beside ErrorInfo, by their names in google.rpc, in the order in which they are answered."""
    found: list[Message] = [LocalizedMessage(locale=language, message=text)] if language else []
    if fault.retry_after is not None:
        found.append(RetryInfo(retry_delay=_duration(fault.retry_after)))
    named = fault.row is not None and "field" in fault.row.placeholders
    if fault.code == "INVALID_ARGUMENT" and named and not fault.details:
        wrong = BadRequest.FieldViolation(field=fault.metadata.get("field", ""), description=text)
        found.append(BadRequest(field_violations=[wrong]))
    for detail in [*found, *fault.details]:
        yield detail.DESCRIPTOR.name, json_format.MessageToDict(detail)


def _duration(seconds: float) -> Duration:
    nanos = round(seconds * 1e9)
    return Duration(seconds=nanos // 1_000_000_000, nanos=nanos % 1_000_000_000)


def media_type(shape: str) -> str:
    """The content type of error bodies in that shape."""
    return _MEDIA_TYPES.get(shape, "application/json")


def challenge_header() -> Schema:
    """What a caller without a good token is told (RFC 6750, section 3)."""
    return {
        "description": "How to authenticate, and whether the token that came is no good.",
        "schema": {"type": "string"},
        "example": 'Bearer realm="service", error="invalid_token"',
    }


def retry_after_header() -> Schema:
    """The Retry-After header as a component."""
    return {
        "description": "Whole seconds after which to try again; on errors that say when.",
        "schema": {"type": "integer", "minimum": 0},
    }


def stream_error(shape: str) -> Schema:
    """`{"error": …}`, which ends a stream that has begun: AIP-193's body is that already."""
    body: Schema = {"$ref": f"#/components/schemas/{BODY}"}
    if shape == "google":
        return body
    return {"type": "object", "properties": {"error": body}, "required": ["error"], "additionalProperties": False}


def phrase(status: int) -> str:
    """An HTTP status in words."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Closed Request" if status == 499 else "Error"


_HTTP: Schema = {"type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status."}
_TEXT: Schema = {"type": "string", "description": "What went wrong, in the language that Accept-Language asks for."}
_CODE: Schema = {"type": "string", "enum": list(error_codes()), "description": "The gRPC code."}
_DETAILS: Schema = {"type": "array", "items": {"$ref": f"#/components/schemas/{DETAIL}"}}
_DETAIL: Schema = {
    "type": "object",
    "title": "Detail",
    "description": "A message of google/rpc/error_details.proto, or of the service: its JSON, and in `@type` its type.",
    "properties": {"@type": {"type": "string"}},
    "required": ["@type"],
    "additionalProperties": True,
}


def _closed(title: str, description: str, properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    return {
        "type": "object",
        "title": title,
        "description": description,
        "properties": dict(properties),
        "required": list(required or properties),
        "additionalProperties": False,
    }


_GOOGLE = _closed(
    "Error",
    "An error as AIP-193 has it.",
    {
        "error": {
            "type": "object",
            "properties": {"code": _HTTP, "message": _TEXT, "status": _CODE, "details": _DETAILS},
            "required": ["code", "message", "status", "details"],
            "additionalProperties": False,
        }
    },
)
_PROBLEM_MEMBERS: dict[str, Schema] = {
    "type": {"type": "string", "format": "uri-reference"},
    "title": {"type": "string", "description": "The HTTP status in words."},
    "status": _HTTP,
    "detail": _TEXT,
    "code": _CODE,
    "reason": {"type": "string", "description": "Which failure it is, in UPPER_SNAKE_CASE."},
    "domain": {"type": "string", "description": "Whose reasons these are."},
    "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
    "details": _DETAILS,
}
_TRACE: Schema = {"type": "string", "description": "The trace that the call is part of."}
_PROBLEM = _closed(
    "Problem",
    "A problem as RFC 9457 has it.",
    {**_PROBLEM_MEMBERS, "traceId": _TRACE},
    required=tuple(_PROBLEM_MEMBERS),
)
_STATUS = _closed(
    "Status",
    "A google.rpc.Status.",
    {
        "code": {"type": "integer", "minimum": 1, "maximum": 16, "description": "The number of the gRPC code."},
        "message": _TEXT,
        "details": _DETAILS,
    },
)
SCHEMAS: Mapping[str, Mapping[str, Schema]] = {
    shape: {BODY: body, DETAIL: _DETAIL}
    for shape, body in (("google", _GOOGLE), ("problem", _PROBLEM), ("status", _STATUS))
}
"""The component schemas of each shape, by name."""

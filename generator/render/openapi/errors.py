"""Error responses: the body's shape, and an example for each row of the error table in each of its languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.rpc.error_details_pb2 import BadRequest

from generator.plan.error_table import placeholders
from generator.plan.model import ErrorRowPlan, Plan
from generator.render.openapi import mechanisms
from generator.render.openapi.error_bodies import BODY, SCHEMAS, Fault, body, media_type, phrase
from generator.render.openapi.scalars import Schema
from generator.spec.codes import canonical_codes

_OF_AUTH = (
    Fault("UNAUTHENTICATED", 401, "UNAUTHENTICATED", "the caller is not authenticated", {}),
    Fault("PERMISSION_DENIED", 403, "ACCESS_DENIED", "the caller may not call this method", {}),
)


@dataclass(frozen=True, slots=True)
class ErrorResponses:
    """The error responses as components, `schemas` and `responses` by name, and the HTTP statuses that they are for.

    `runtime` has the status of each of the runtime's own failures, by reason; `table` the statuses of the rows.
    """

    schemas: Mapping[str, Schema]
    responses: Mapping[str, Schema]
    runtime: Mapping[str, int]
    table: frozenset[int]

    def of(self, reasons: Sequence[str]) -> dict[str, Schema]:
        """The responses of an operation that may fail for these reasons of the runtime's own, and for any row's."""
        wanted = sorted(self.table | {self.runtime[reason] for reason in reasons})
        found: dict[str, Schema] = {str(status): _ref(f"Error{status}") for status in wanted}
        found["default"] = _ref("Error")
        return found


def error_responses(plan: Plan) -> ErrorResponses:
    """The error responses of a service."""
    shape = plan.spec.body.errors.rest
    runtime = list(_of_runtime(plan))
    by_status: dict[int, list[Fault]] = {}
    for fault in [*runtime, *(_of_row(row) for row in plan.errors)]:  # of one reason, the row's is shown
        by_status.setdefault(fault.http, []).append(fault)
    responses = {"Error": _response("Any other error.", shape, {}, retry=True)}
    for status, found in sorted(by_status.items()):
        examples = dict(example for fault in found for example in _examples(fault, shape, plan.domain))
        retry = any(fault.retry_after is not None for fault in found)
        challenge = any(fault.reason == "UNAUTHENTICATED" for fault in found)
        responses[f"Error{status}"] = _response(phrase(status), shape, examples, retry=retry, challenge=challenge)
    return ErrorResponses(
        schemas=SCHEMAS[shape],
        responses=responses,
        runtime={fault.reason: fault.http for fault in runtime},
        table=frozenset(row.http for row in plan.errors),
    )


def _of_row(row: ErrorRowPlan) -> Fault:
    """A row's error with each placeholder standing for itself."""
    values = {name: f"{{{name}}}" for name in row.placeholders}
    metadata = {**values, "code": row.business_code} if row.business_code else values
    return Fault(row.code, row.http, row.reason, "", metadata, retry_after=row.retry_after, row=row)


def _of_runtime(plan: Plan) -> Iterator[Fault]:
    """What the service answers before or in place of a handler; rows for bare codes have their say in it."""
    rows = {row.code: row for row in plan.errors if row.by_code}
    limit = plan.spec.body.server.rest.max_body_bytes
    wrong = BadRequest.FieldViolation(field="pageSize", description="must be an integer")
    invalid = Fault(
        "INVALID_ARGUMENT",
        400,
        "INVALID_ARGUMENT",
        "pageSize must be an integer",
        {"field": "pageSize"},
        [BadRequest(field_violations=[wrong])],
    )
    large = f"the request body exceeds {limit} bytes"
    upgrade = "a bidirectional stream is served over WebSocket (RFC 6455), version 13"
    form = BadRequest.FieldViolation(field="content-type", description="must be application/json")
    faults = (
        invalid,
        Fault("RESOURCE_EXHAUSTED", 413, "REQUEST_TOO_LARGE", large, {}),
        Fault(
            "INVALID_ARGUMENT",
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "content-type must be application/json",
            {"field": "content-type"},
            [BadRequest(field_violations=[form])],
        ),
        Fault("UNIMPLEMENTED", 426, "UPGRADE_REQUIRED", upgrade, {}),
        Fault("INTERNAL", 500, "INTERNAL", "internal error", {}),
        Fault("UNAVAILABLE", 503, "DRAINING", "the server is shutting down", {}, retry_after=1.0),
        Fault("DEADLINE_EXCEEDED", 504, "DEADLINE_EXCEEDED", "the deadline has passed", {}),
    )
    for fault in (*faults, *(_OF_AUTH if plan.spec.body.auth is not None else ()), *mechanisms.faults(plan)):
        yield _with_row(fault, rows.get(fault.code))


def _with_row(fault: Fault, row: ErrorRowPlan | None) -> Fault:
    if row is None:
        return fault
    metadata = dict(fault.metadata)
    if row.business_code:
        metadata.setdefault("code", row.business_code)
    usual = fault.http == canonical_codes()[fault.code].http
    retry_after = fault.retry_after if fault.retry_after is not None else row.retry_after
    return Fault(
        fault.code,
        row.http if usual else fault.http,
        fault.reason,
        fault.message,
        metadata,
        fault.details,
        retry_after,
        row,
    )


def _examples(fault: Fault, shape: str, domain: str) -> Iterator[tuple[str, Schema]]:
    """The fault's answer in each language that there is, under its reason, the default language's without a tag."""
    row = fault.row
    texts = row.messages if row is not None and all(name in fault.metadata for name in row.placeholders) else {}
    if not texts:
        yield fault.reason, {"summary": fault.reason, "value": body(fault, shape, domain, "", fault.message)}
    for position, (language, text) in enumerate(texts.items()):
        name = f"{fault.reason}-{language}" if position else fault.reason
        value = body(fault, shape, domain, language, _filled(text, fault.metadata))
        yield name, {"summary": f"{fault.reason} ({language})", "value": value}


def _filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled, as the runtime fills them."""
    marked = text.replace("{{", "\0").replace("}}", "\1")
    for name in placeholders(text):
        marked = marked.replace(f"{{{name}}}", values[name].replace("{", "\0").replace("}", "\1"))
    return marked.replace("\0", "{").replace("\1", "}")


def _response(
    description: str, shape: str, examples: Mapping[str, Schema], *, retry: bool, challenge: bool = False
) -> Schema:
    content: Schema = {"schema": {"$ref": f"#/components/schemas/{BODY}"}}
    if examples:
        content["examples"] = dict(examples)
    response: Schema = {"description": description}
    names = [name for name, sent in (("Retry-After", retry), ("WWW-Authenticate", challenge)) if sent]
    if names:
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    response["content"] = {media_type(shape): content}
    return response


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/responses/{name}"}

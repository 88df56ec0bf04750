"""Operations: what a route takes and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator.contract.model import Contract, Field, Kind
from generator.plan.model import MethodPlan, RoutePlan
from generator.render.openapi import mechanisms, parameters, samples, well_known
from generator.render.openapi.descriptions import summary
from generator.render.openapi.error_bodies import stream_error
from generator.render.openapi.errors import ErrorResponses
from generator.render.openapi.paths import SpelledPath
from generator.render.openapi.scalars import Schema
from generator.render.openapi.schemas import Schemas, Side, nullable
from generator.render.openapi.security import REASONS

_JSON, _NDJSON, _SSE = "application/json", "application/x-ndjson", "text/event-stream"
_BYTES: Schema = {"type": "string", "format": "binary", "description": "Bytes, as they are."}
_ALWAYS = ("INVALID_ARGUMENT", "INTERNAL", "DRAINING", "DEADLINE_EXCEEDED")
_WITH_BODY = (*_ALWAYS, "REQUEST_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")
_OPENING = ("INVALID_ARGUMENT", "UPGRADE_REQUIRED")


@dataclass(frozen=True, slots=True)
class Surface:
    """What all operations share."""

    contract: Contract
    schemas: Schemas
    errors: ErrorResponses
    error_shape: str
    headers: Sequence[parameters.Header]
    security: Mapping[str, list[Schema]]  # by RPC path; public ones are left out
    methods: Mapping[str, MethodPlan]  # by RPC path


def operation(surface: Surface, route: RoutePlan, path: SpelledPath, *, tag: str, name: str, method: str) -> Schema:
    """The operation of a route under one of its methods; `name` is its operationId."""
    rpc, rule = route.rpc, route.rule
    found: Schema = {"tags": [tag], "operationId": name}
    title = summary(rpc.comment)
    found["summary"] = title or rpc.name
    text = _description(route, title)
    if text:
        found["description"] = text
    if rpc.deprecated:
        found["deprecated"] = True
    if rpc.path in surface.security:
        found["security"] = surface.security[rpc.path]
    found["x-rpc"] = rpc.path
    found["x-path-template"] = rule.template.text
    request = surface.contract.messages[rpc.request]
    own = [
        *parameters.path_parameters(surface.contract, request, path),
        *parameters.query_parameters(surface.contract, route),
    ]
    headers = mechanisms.header_parameters(surface.methods[rpc.path])
    named = {str(header["name"]).lower() for header in headers}
    shared: list[Schema] = [
        {"$ref": f"#/components/parameters/{header.component}"}
        for header in surface.headers
        if header.component.lower() not in named
    ]
    found["parameters"] = [*own, *headers, *shared]
    if rpc.kind is Kind.BIDI:
        found["x-websocket"] = _frames(surface, route)
    elif rule.body:
        found["requestBody"] = _request_body(surface, route)
    found["responses"] = _responses(surface, route, head=method == "head")
    return found


def _description(route: RoutePlan, title: str) -> str:
    parts = [route.rpc.comment] if route.rpc.comment != title else []
    if route.rpc.kind is Kind.CLIENT_STREAM:
        parts.append("The body is a stream of requests: an array of them, or one a line.")
    if route.rpc.kind is Kind.SERVER_STREAM:
        parts.append("The answer is a stream of messages, in the form that `Accept` asks for.")
    if route.rpc.kind is Kind.BIDI:
        parts.append(
            "A WebSocket: each text frame is one message as JSON, `x-websocket` says of which form. The answer to a plain "
            "request is 426."
        )
    return "\n\n".join(part for part in parts if part)


def _request_body(surface: Surface, route: RoutePlan) -> Schema:
    """What the body may be. An empty one is the empty message, so that none has to be there."""
    contract, rule = surface.contract, route.rule
    field = _body_field(surface, route)
    if _is_raw(route.rpc.request, field):
        return {"required": False, "content": {"*/*": {"schema": _BYTES}}}
    captured = [variable.field_path for variable in rule.template.variables]
    schema = _sent(surface, route, field)
    if field is None:
        example = samples.sample(contract, route.rpc.request, Side.REQUEST, captured)
    else:
        inside = [path[1:] for path in captured if path[0] == field.name]
        example = samples.field_sample(contract, field, Side.REQUEST, inside)
    if not route.rpc.kind.streams_requests:
        return {"required": False, "content": {_JSON: {"schema": schema, "example": example}}}
    many: Schema = {"schema": {"type": "array", "items": schema}, "example": [example]}
    return {"required": False, "content": {_JSON: many, _NDJSON: many}}


def _sent(surface: Surface, route: RoutePlan, field: Field | None) -> Schema:
    """One request's JSON: the whole message, or the field that is the body."""
    if field is None:
        return surface.schemas.message(route.rpc.request, Side.REQUEST)
    return surface.schemas.field(field, Side.REQUEST)


def _answered(surface: Surface, route: RoutePlan, field: Field | None) -> Schema:
    """One response's JSON: the whole message, or the field that is the body."""
    if field is None:
        return surface.schemas.message(route.rpc.response, Side.RESPONSE)
    schema = surface.schemas.field(field, Side.RESPONSE)
    return nullable(schema) if _may_be_unset(field) else schema


def _body_field(surface: Surface, route: RoutePlan) -> Field | None:
    """The field that is the request's body, None where that is the whole message."""
    messages, body = surface.contract.messages, route.rule.body
    return None if body in ("", "*") else messages[route.rpc.request].field(body)


def _response_field(surface: Surface, route: RoutePlan) -> Field | None:
    messages, body = surface.contract.messages, route.rule.response_body
    return messages[route.rpc.response].field(body) if body else None


def _frames(surface: Surface, route: RoutePlan) -> Schema:
    """What the frames of a WebSocket hold, each way."""
    return {
        "request": _sent(surface, route, _body_field(surface, route)),
        "response": _answered(surface, route, _response_field(surface, route)),
        "error": stream_error(surface.error_shape),
    }


def _responses(surface: Surface, route: RoutePlan, *, head: bool) -> Schema:
    if route.rpc.kind is Kind.BIDI:
        opened = {"101": {"description": "The WebSocket is open."}}
        return {**opened, **surface.errors.of(_OPENING)}
    guarded = REASONS if route.rpc.path in surface.security else ()
    refused = mechanisms.refusals(surface.methods[route.rpc.path])
    errors = surface.errors.of((*(_WITH_BODY if route.rule.body else _ALWAYS), *guarded, *refused))
    if head:
        without_body = {name: {"description": "An error; its body is left out."} for name in errors}
        return {"200": {"description": "As for GET, without the body."}, **without_body}
    description = "A stream of messages." if route.rpc.kind.streams_responses else "The response."
    return {"200": {"description": description, "content": _content(surface, route)}, **errors}


def _content(surface: Surface, route: RoutePlan) -> Schema:
    contract = surface.contract
    field = _response_field(surface, route)
    if _is_raw(route.rpc.response, field):
        return {"*/*": {"schema": _BYTES}}
    schema = _answered(surface, route, field)
    if field is None:
        example = samples.sample(contract, route.rpc.response, Side.RESPONSE)
    else:
        example = samples.field_sample(contract, field, Side.RESPONSE)
    if not route.rpc.kind.streams_responses:
        return {_JSON: {"schema": schema, "example": example}}
    return _streamed(schema, example, stream_error(surface.error_shape))


def _streamed(schema: Schema, example: object, error: Schema) -> Schema:
    """The three forms of a stream. Lines and events are described as OpenAPI 3.2 does: as an array of them."""
    line: Schema = {
        "oneOf": [
            {"type": "object", "properties": {"result": schema}, "required": ["result"], "additionalProperties": False},
            error,
        ]
    }
    event: Schema = {
        "type": "object",
        "properties": {
            "event": {"const": "error", "description": "On the event of a failure, which is the last one."},
            "data": {
                "type": "string",
                "contentMediaType": _JSON,
                "contentSchema": {"anyOf": [schema, error]},
            },
        },
        "required": ["data"],
    }
    return {
        _JSON: {"schema": {"type": "array", "items": schema}, "example": [example]},
        _NDJSON: {"schema": {"type": "array", "items": line, "description": "One JSON value a line."}},
        _SSE: {"schema": {"type": "array", "items": event, "description": "Server-sent events."}},
    }


def _is_raw(message: str, field: Field | None) -> bool:
    """Whether the body is a google.api.HttpBody: bytes, of whatever type."""
    if field is None:
        return message == well_known.HTTP_BODY
    return field.type_name == well_known.HTTP_BODY and not field.repeated


def _may_be_unset(field: Field) -> bool:
    """Whether a response body that is this field alone may be null, for want of a value."""
    message = field.type in ("message", "group") and not field.repeated and not field.is_map
    return message and field.type_name.startswith("google.protobuf.")

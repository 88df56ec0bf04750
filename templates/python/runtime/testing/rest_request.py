"""Transcoding in reverse: the HTTP request that brings a given message, by the rules of `google.api.http`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from google.protobuf import json_format
from google.protobuf.message import Message

from ..definition import Capture, Kind, Route
from ..protojson.reading import has_own_form
from .samples import is_map, sample, variants

_JSON: Final = "application/json"
_HTTP_BODY: Final = "google.api.HttpBody"
_LONGEST_QUERY: Final = 4096  # characters; a longer URL is cut off by many a proxy
_TEXT_MESSAGES: Final = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("Timestamp", "Duration", "FieldMask", "StringValue", "BytesValue", "BoolValue", "DoubleValue", "FloatValue"),
        *("Int32Value", "Int64Value", "UInt32Value", "UInt64Value"),
    )
)
"""Messages that ProtoJSON writes as one scalar, so that a query parameter can be one."""
_NO_PARAMETERS: Final = frozenset(f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue"))

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class RestRequest:
    """An HTTP request, its path percent-encoded."""

    verb: str
    path: str
    query: str = ""
    body: bytes | None = None
    content_type: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.target}"

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


def carried(route: Route, requests: Sequence[M], rest: tuple[str, ...] = ("p",)) -> tuple[M, ...]:
    """The requests as far as the route can carry them, with path variables of the template's shape.

    Without a body, repeated messages, maps and the like have no place; what the path and the query say is the same
    for every request of a stream. `rest` is what `**` stands for.
    """
    route = _with_body(route)
    first, *others = (_carried_alone(route, request, rest) for request in requests)
    return (first, *(_with_the_path_of(route, first, other) for other in others))


def carried_back(route: Route, response: M) -> M:
    """The response as far as the route's `response_body` carries it."""
    if not route.response_body:
        return response
    field = response.DESCRIPTOR.fields_by_name[route.response_body]
    candidates = (sample(type(response), variant) for variant in range(variants(type(response))))
    source = next((made for made in (response, *candidates) if _is_set(made, field)), response)
    only = type(response)()
    only.MergeFrom(source)
    for other in only.DESCRIPTOR.fields:
        if other.number != field.number:
            only.ClearField(other.name)
    return only


def rest_request(route: Route, requests: Sequence[Message], *, proto_names: bool = False) -> RestRequest:
    """The HTTP request that brings these messages (which `carried` has made fit) by that route.

    Several are the elements of a client stream; those of a bidirectional stream go into frames, and the request is its
    upgrade. `proto_names` spells fields as the contract does, not in lowerCamelCase: both are accepted.
    """
    route = _with_body(route)
    path = _path(route, requests[0])
    bare = [_without_captures(route, request) for request in requests]
    verb = route.verb if route.verb != "*" else "POST" if route.body else "GET"
    query = urlencode(list(_parameters(route, bare[0], proto_names=proto_names)))
    if route.method.kind is Kind.BIDI:
        return RestRequest("GET", path, query)
    raw = _raw_body(route, bare[0])
    if route.method.kind.streams_requests and raw is None:
        values = [_body_value(route, message, proto_names) for message in bare]
        return RestRequest(verb, path, query, json.dumps(values).encode(), _JSON)
    if raw is not None:
        return RestRequest(verb, path, query, raw.data, raw.content_type)
    if not route.body or not _has_body(route, bare[0]):
        return RestRequest(verb, path, query)
    return RestRequest(verb, path, query, json.dumps(_body_value(route, bare[0], proto_names)).encode(), _JSON)


def takes_one(route: Route) -> bool:
    """Whether only one request fits: a client stream of google.api.HttpBody has parts where the network has them."""
    kind = route.method.kind
    return not kind.streams_requests or (kind is not Kind.BIDI and _raw_body(route, route.method.request()) is not None)


def frame(route: Route, request: Message, *, proto_names: bool = False) -> bytes:
    """The WebSocket frame that brings that request of a bidirectional stream."""
    route = _with_body(route)
    return json.dumps(_body_value(route, _without_captures(route, request), proto_names)).encode()


def _with_body(route: Route) -> Route:
    """The route as its requests are made: a frame of a bidirectional stream without a body is the whole request."""
    return replace(route, body="*") if route.method.kind is Kind.BIDI and not route.body else route


def _carried_alone(route: Route, request: M, rest: tuple[str, ...]) -> M:
    made = type(request)()
    made.CopyFrom(request)
    for capture in route.captures:
        _fit_capture(made, route, capture, rest)
    if route.body != "*":
        captured = {capture.field_path for capture in route.captures}
        for field in made.DESCRIPTOR.fields:
            if field.name != route.body:
                _keep_parameters(made, field, (), captured)
        _shorten(route, made)
    return made


def _with_the_path_of(route: Route, first: M, other: M) -> M:
    """The request `other` with the path variables and query parameters of `first`."""
    made = type(first)()
    if route.body == "*":
        made.CopyFrom(other)
        for capture in route.captures:
            name = capture.field_path[-1]
            setattr(_parent(made, capture), name, getattr(_parent(first, capture), name))
        return made
    made.CopyFrom(first)
    made.ClearField(route.body)
    body = type(first)()
    body.CopyFrom(other)
    for field in body.DESCRIPTOR.fields:
        if field.name != route.body:
            body.ClearField(field.name)
    made.MergeFrom(body)
    return made


def _fit_capture(message: Message, route: Route, capture: Capture, rest: tuple[str, ...]) -> None:
    template = route.segments[capture.start : capture.end]
    parent = _parent(message, capture)
    field = parent.DESCRIPTOR.fields_by_name[capture.field_path[-1]]
    if template != ("*",):
        segments: list[str] = []
        for position, segment in enumerate(template):
            segments += {"*": [f"{position} é+%"], "**": rest}.get(segment, [segment])
        setattr(parent, field.name, "/".join(segments))
    elif not _is_set(parent, field):  # it stands in a member of a oneof that this sample does not have
        single = sample(type(parent))
        if not _is_set(single, field):
            single = next((one for one in _all_samples(type(parent)) if _is_set(one, field)), single)
        setattr(parent, field.name, getattr(single, field.name) or "x")


def _all_samples(message_type: type[M]) -> Iterator[M]:
    return (sample(message_type, variant) for variant in range(variants(message_type)))


def _parent(message: Message, capture: Capture) -> Any:
    parent: Any = message
    for name in capture.field_path[:-1]:
        parent = getattr(parent, name)
    return parent


def _keep_parameters(message: Message, field: Any, above: tuple[str, ...], captured: set[tuple[str, ...]]) -> None:
    """Clear what no query parameter can say in that field of the message."""
    path = (*above, field.name)
    if path in captured or not _is_set(message, field):
        return
    inner = field.message_type
    if inner is None or (inner.full_name in _TEXT_MESSAGES and not is_map(field)):
        return
    if not field.is_repeated and inner.full_name not in _NO_PARAMETERS:
        value = getattr(message, field.name)
        for below in inner.fields:
            _keep_parameters(value, below, path, captured)
        if value.ListFields():
            return
    message.ClearField(field.name)


def _shorten(route: Route, message: Message) -> None:
    """Clear the last fields until the query is of a length that every client and proxy lets through."""
    own = {capture.field_path[0] for capture in route.captures} | {route.body}
    droppable = [field.name for field, _ in message.ListFields() if field.name not in own]
    while droppable and len(rest_request(route, (message,)).query) > _LONGEST_QUERY:
        message.ClearField(droppable.pop())


def _path(route: Route, message: Message) -> str:
    segments = [quote(segment, safe="") if segment not in ("*", "**") else "x" for segment in route.segments]
    filled: list[list[str]] = [[segment] for segment in segments]
    for capture in route.captures:
        parent = _parent(message, capture)
        text = _text(parent, parent.DESCRIPTOR.fields_by_name[capture.field_path[-1]])
        several = capture.end - capture.start > 1 or route.segments[capture.start] == "**"
        parts = text.split("/") if several else [text]
        filled[capture.start] = [quote(part, safe="") for part in parts] if text else []
        for position in range(capture.start + 1, capture.end):
            filled[position] = []
    path = "/" + "/".join(part for parts in filled for part in parts)
    return f"{path}:{quote(route.suffix, safe=':')}" if route.suffix else path


def _without_captures(route: Route, request: M) -> M:
    bare = type(request)()
    bare.CopyFrom(request)
    for capture in route.captures:
        _parent(bare, capture).ClearField(capture.field_path[-1])
    return bare


def _raw_body(route: Route, message: Message) -> Any:
    """The google.api.HttpBody that is the body, None where it is JSON."""
    target: Any = message
    if route.body != "*":
        field = message.DESCRIPTOR.fields_by_name.get(route.body)
        if field is None or field.message_type is None or field.is_repeated:
            return None
        target = getattr(message, field.name)
    return target if target.DESCRIPTOR.full_name == _HTTP_BODY else None


def _has_body(route: Route, message: Message) -> bool:
    return route.body == "*" or _is_set(message, message.DESCRIPTOR.fields_by_name[route.body])


def _body_value(route: Route, message: Message, proto_names: bool) -> Any:
    """The body's JSON value; null too where its field is not set."""
    if route.body == "*":
        return _json(message, proto_names)
    field = message.DESCRIPTOR.fields_by_name[route.body]
    return _json_fields(message, proto_names).get(_name(field, proto_names))


def _parameters(route: Route, message: Message, *, proto_names: bool) -> Iterator[tuple[str, str]]:
    if route.body != "*":
        value = _json_fields(message, proto_names)
        if route.body:
            value.pop(_name(message.DESCRIPTOR.fields_by_name[route.body], proto_names), None)
        yield from _flat(value, "")


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """The query parameters of a JSON value: dots into objects, one parameter for each entry of an array."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, name)
    else:
        yield name, _scalar_text(value)


def _text(message: Message, field: Any) -> str:
    return _scalar_text(_json_fields(message, proto_names=True).get(field.name, ""))


def _scalar_text(value: Any) -> str:
    """A JSON scalar outside JSON; `null` is an enum's value there, as no other field is written so."""
    if value is None:
        return "NULL_VALUE"
    return value if isinstance(value, str) else json.dumps(value)


def _json_fields(message: Message, proto_names: bool) -> dict[str, Any]:
    """The JSON of each field, of a message too whose own JSON is no object: a wrapper is a request like any other."""
    if has_own_form(message.DESCRIPTOR):
        return {_name(field, proto_names): _plain(field, value) for field, value in message.ListFields()}
    fields: dict[str, Any] = _json(message, proto_names)
    return fields


def _plain(field: Any, value: Any) -> Any:
    """The JSON of a field of such a message; messages in it have no place in a query, and are not met here."""
    if field.is_repeated:
        return list(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _json(message: Message, proto_names: bool) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=proto_names)


def _name(field: Any, proto_names: bool) -> str:
    name: str = field.name if proto_names else field.json_name
    return name


def _is_set(message: Message, field: Any) -> bool:
    return any(present.number == field.number for present, _ in message.ListFields())

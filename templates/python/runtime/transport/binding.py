"""A request message from its three places: the path's captures, the query string, the body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from ..definition import Bind, Route
from ..protojson.codec import LEFT_OVER, Codec, read_body
from ..protojson.reading import has_own_form
from . import system_parameters
from .faults import invalid, unsupported_media_type
from .field_mask import body_paths, mask_field
from .query import NO_QUERY, Parameters, Query, parameters
from .query_values import ValueTextError, is_leaf, set_value

HTTP_BODY = "google.api.HttpBody"
_MAX_DEPTH = 32  # dots in a parameter's name
_NO_BODY: Final = object()
_UNUSUAL = (*LEFT_OVER, ValueTextError)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that a path variable or a query parameter fills: the fields from the request down to it."""

    fields: tuple[Any, ...]

    @property
    def path(self) -> str:
        return ".".join(field.name for field in self.fields)


class Binding:
    """How the requests of one route are made. Nothing is guessed: what no place of the message takes is refused.

    `bind` is the route's generated code, None where it has none: what it leaves over is bound here, by descriptors.
    """

    def __init__(self, route: Route, codec: Codec, bind: Bind | None, *, ignore_unknown: bool) -> None:
        self._route = route
        self._request: Callable[..., Message] = route.method.request
        self._codec = codec
        self._bind = bind
        self._ignore_unknown = ignore_unknown
        descriptor: Any = route.method.request.DESCRIPTOR
        self._descriptor = descriptor
        self._captures = tuple(Leaf(_fields(descriptor, capture.field_path)) for capture in route.captures)
        self._captured = frozenset(leaf.path for leaf in self._captures)
        named = route.body not in ("", "*")
        self._body_field: Any = descriptor.fields_by_name[route.body] if named else None
        body_type: Any = descriptor.fields_by_name[route.body].message_type if named else descriptor
        self._mask = mask_field(descriptor) if route.verb == "PATCH" and named else ""
        self._raw_body = body_type is not None and body_type.full_name == HTTP_BODY
        own = {name for field in descriptor.fields for name in (field.name, field.json_name)}
        self._system = system_parameters.NAMES - own
        self._answered = _answered(route)

    @property
    def takes_body(self) -> bool:
        return self._route.body != ""

    @property
    def raw_body(self) -> bool:
        """Whether the body is a google.api.HttpBody: any bytes, of any content type."""
        return self.takes_body and self._raw_body

    def check_media_type(self, content_type: str) -> None:
        """Raises ServiceError (415) for a body that is neither JSON nor taken as it is. No content type is JSON."""
        media = content_type.partition(";")[0].strip().lower()
        if media and not self.raw_body and media != "application/json" and not media.endswith("+json"):
            raise unsupported_media_type("must be application/json")

    def query(self, raw: bytes) -> Query:
        """The query of a request. Raises ServiceError."""
        if not raw:
            return NO_QUERY
        pairs = parameters(raw)
        if not (given := [pair for pair in pairs if pair[0] in self._system]):
            return Query(pairs)
        rest = [pair for pair in pairs if pair[0] not in self._system]
        return Query(rest, system_parameters.answer_form(given, self._answered))

    def request(self, values: Sequence[str], query: Query, body: bytes, content_type: str) -> Message:
        """The request message of a body that holds one. Raises ServiceError."""
        if self.raw_body:
            message = self._request()
            target: Any = message if self._body_field is None else getattr(message, self._body_field.name)
            if body:
                target.data, target.content_type = body, content_type
            self._complete(message, values, query.parameters)
            return message
        value = read_body(body) if body else _NO_BODY
        message = self.message(values, query, value)
        if self._mask and not (mask := getattr(message, self._mask)).paths:
            mask.paths.extend(body_paths(value, self._body_field.message_type))
        return message

    def message(self, values: Sequence[str], query: Query, value: object = _NO_BODY) -> Message:
        """The request message with the body's JSON value in it. Raises ServiceError, naming what is wrong."""
        if self._bind is not None and (value is not _NO_BODY or self._body_field is None):
            try:
                return self._request(**self._bind(values, query.parameters, {} if value is _NO_BODY else value))
            except _UNUSUAL:  # bound below instead, by what can tell what is wrong
                pass
        if value is _NO_BODY:
            message = self._request()
        else:
            message = self._codec.decode(value if self._body_field is None else {self._body_field.json_name: value})
        self._complete(message, values, query.parameters)
        return message

    def check(self, values: Sequence[str], query: Query) -> None:
        """Raises ServiceError where the path or the query cannot be part of any request."""
        self._complete(self._request(), values, query.parameters)

    def _complete(self, message: Message, values: Sequence[str], given: Parameters) -> None:
        """Set what the path and the query say. Raises ServiceError, naming the variable or the parameter."""
        for leaf, text in zip(self._captures, values, strict=True):
            _set(message, leaf, text)
        taken: set[str] = set()
        for name, text in given:
            leaf_or_none = self._leaf(name)
            if leaf_or_none is None:
                continue
            self._check_place(leaf_or_none, name, taken)
            _check_oneofs(leaf_or_none, name, message)
            taken.add(leaf_or_none.path)
            _set(message, leaf_or_none, text, name)

    def _check_place(self, leaf: Leaf, name: str, taken: set[str]) -> None:
        """Refuse a parameter for a field that another place of the request fills, or one before it has."""
        if self._route.body == "*":
            raise invalid(name, "must be in the body: the whole request is")
        if self._body_field is not None and leaf.fields[0] is self._body_field:
            raise invalid(name, "must be in the body")
        if leaf.path in self._captured:
            raise invalid(name, "is set by the path")
        if leaf.path in taken and not leaf.fields[-1].is_repeated:
            raise invalid(name, "is given twice")

    def _leaf(self, name: str) -> Leaf | None:
        """The field that a parameter names, None for one to ignore. Raises ServiceError."""
        try:
            return Leaf(_fields(self._descriptor, name.split(".", _MAX_DEPTH)))
        except _NoFieldError as error:
            if error.unknown and self._ignore_unknown:
                return None
            raise invalid(name, str(error)) from error


class _NoFieldError(Exception):
    def __init__(self, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.unknown = unknown


def _answered(route: Route) -> Any:
    """The descriptor of the message whose fields the answer's JSON has, None where it has none."""
    descriptor: Any = route.method.response.DESCRIPTOR
    if route.response_body:
        descriptor = descriptor.fields_by_name[route.response_body].message_type
    if descriptor is None or descriptor.GetOptions().map_entry or has_own_form(descriptor):
        return None
    return None if descriptor.full_name == HTTP_BODY else descriptor


def _fields(descriptor: Any, path: Iterable[str]) -> tuple[Any, ...]:
    """The fields along a path of proto or JSON names. Raises _NoFieldError where it leads to no value."""
    fields: list[Any] = []
    parent = descriptor
    for name in path:
        if fields and (parent is None or is_leaf(fields[-1])):
            raise _NoFieldError("leads through a field that has no fields")
        if fields and fields[-1].is_repeated:
            raise _NoFieldError("leads through a repeated field")
        field = parent.fields_by_name.get(name) or _by_json(parent, name)
        if field is None:
            raise _NoFieldError("is no field of the request", unknown=True)
        fields.append(field)
        parent = field.message_type
    if not is_leaf(fields[-1]):
        raise _NoFieldError("is a message: name one of its fields")
    return tuple(fields)


def _by_json(descriptor: Any, name: str) -> Any:
    return next((field for field in descriptor.fields if field.json_name == name), None)


def _check_oneofs(leaf: Leaf, name: str, message: Message) -> None:
    """Refuse a second member of a oneof, wherever the first came from."""
    parent = message
    for field in leaf.fields:
        oneof = field.containing_oneof
        if oneof is not None and parent.WhichOneof(oneof.name) not in (None, field.name):
            raise invalid(name, f"excludes another member of {oneof.name} that is given")
        if field is not leaf.fields[-1]:
            parent = getattr(parent, field.name)


def _set(message: Message, leaf: Leaf, text: str, name: str = "") -> None:
    target = message
    for field in leaf.fields[:-1]:
        target = getattr(target, field.name)
    try:
        set_value(target, leaf.fields[-1], text)
    except ValueTextError as error:
        raise invalid(name or leaf.path, str(error)) from error

"""A request message from its three places: the path's captures, the query string, the body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from google.protobuf.message import Message

from ..definition import Route
from ..protojson.codec import Codec, read_body
from .faults import invalid, unsupported_media_type
from .field_mask import body_paths, mask_field
from .query_values import ValueTextError, is_leaf, set_value

HTTP_BODY = "google.api.HttpBody"
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_MAX_PARAMETERS = 1000
_MAX_DEPTH = 32  # dots in a parameter's name
_SYSTEM = frozenset({"$alt", "alt", "$prettyPrint", "$apiVersion", "$fields"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that a path variable or a query parameter fills: the fields from the request down to it."""

    fields: tuple[Any, ...]

    @property
    def path(self) -> str:
        return ".".join(field.name for field in self.fields)


class Binding:
    """How the requests of one route are made. Nothing is guessed: what no place of the message takes is refused."""

    def __init__(self, route: Route, codec: Codec, *, ignore_unknown: bool) -> None:
        self._route = route
        self._request = route.method.request
        self._codec = codec
        self._ignore_unknown = ignore_unknown
        descriptor: Any = self._request.DESCRIPTOR
        self._descriptor = descriptor
        self._captures = tuple(Leaf(_fields(descriptor, capture.field_path)) for capture in route.captures)
        self._captured = frozenset(leaf.path for leaf in self._captures)
        named = route.body not in ("", "*")
        self._body_field: Any = descriptor.fields_by_name[route.body] if named else None
        body_type: Any = descriptor.fields_by_name[route.body].message_type if named else descriptor
        self._mask = mask_field(descriptor) if route.verb == "PATCH" and named else ""
        self._raw_body = body_type is not None and body_type.full_name == HTTP_BODY

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

    def request(self, values: Sequence[str], query: bytes, body: bytes, content_type: str) -> Message:
        """The request message of a body that holds one. Raises ServiceError."""
        if self.raw_body:
            message = self._request()
            target: Any = message if self._body_field is None else getattr(message, self._body_field.name)
            if body:
                target.data, target.content_type = body, content_type
            self.complete(message, values, query)
            return message
        value = read_body(body) if body else None
        message = self.with_body(value) if body else self._request()
        self.complete(message, values, query)
        if self._mask and not (mask := getattr(message, self._mask)).paths:
            mask.paths.extend(body_paths(value, self._body_field.message_type))
        return message

    def with_body(self, value: object) -> Message:
        """A request with nothing but the body's JSON value in it. Raises ServiceError."""
        return self._codec.decode(value if self._body_field is None else {self._body_field.json_name: value})

    def element(self, text: bytes, values: Sequence[str], query: bytes) -> Message:
        """One request of a stream, each of which comes as a JSON text of its own. Raises ServiceError."""
        message = self.with_body(read_body(text))
        self.complete(message, values, query)
        return message

    def check(self, values: Sequence[str], query: bytes) -> None:
        """Raises ServiceError where the path or the query cannot be part of any request."""
        self.complete(self._request(), values, query)

    def complete(self, message: Message, values: Sequence[str], query: bytes) -> None:
        """Set what the path and the query say. Raises ServiceError, naming the variable or the parameter."""
        for leaf, text in zip(self._captures, values, strict=True):
            _set(message, leaf, text)
        if query:
            self._set_query(message, query)

    def _set_query(self, message: Message, query: bytes) -> None:
        taken: set[str] = set()
        for name, text in _parameters(query):
            leaf = self._leaf(name)
            if leaf is None:
                continue
            if self._route.body == "*":
                raise invalid(name, "must be in the body: the whole request is")
            if self._body_field is not None and leaf.fields[0] is self._body_field:
                raise invalid(name, "must be in the body")
            if leaf.path in self._captured:
                raise invalid(name, "is set by the path")
            if leaf.path in taken and not leaf.fields[-1].is_repeated:
                raise invalid(name, "is given twice")
            _check_oneofs(leaf, name, message)
            taken.add(leaf.path)
            _set(message, leaf, text, name)

    def _leaf(self, name: str) -> Leaf | None:
        """The field that a parameter names, None for one to ignore. Raises ServiceError."""
        try:
            return Leaf(_fields(self._descriptor, name.split(".", _MAX_DEPTH)))
        except _NoFieldError as error:
            if name in _SYSTEM:
                return None
            if error.unknown and self._ignore_unknown:
                return None
            raise invalid(name, str(error)) from error


class _NoFieldError(Exception):
    def __init__(self, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.unknown = unknown


def _fields(descriptor: Any, path: Iterable[str]) -> tuple[Any, ...]:
    """The fields along a path of proto or JSON names. Raises _NoFieldError where it leads to no value."""
    fields: list[Any] = []
    parent = descriptor
    for name in path:
        if fields and (parent is None or is_leaf(fields[-1])):
            raise _NoFieldError("leads through a field that has no fields")
        if fields and fields[-1].is_repeated:
            raise _NoFieldError("leads through a repeated field")
        field = parent.fields_by_name.get(name) or parent.fields_by_camelcase_name.get(name) or _by_json(parent, name)
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


def _parameters(query: bytes) -> list[tuple[str, str]]:
    """The query's pairs, decoded. Raises ServiceError."""
    pieces = [piece for piece in query.split(b"&", _MAX_PARAMETERS) if piece]
    if len(pieces) > _MAX_PARAMETERS:
        raise invalid("query", "has too many parameters")
    pairs: list[tuple[str, str]] = []
    for piece in pieces:
        name, _, text = piece.partition(b"=")
        pairs.append((_decode(name), _decode(text)))
    return pairs


def _decode(raw: bytes) -> str:
    if b"%" not in raw and b"+" not in raw and raw.isascii():
        return raw.decode()
    if _MALFORMED.search(raw):
        raise invalid("query", "has a malformed percent-encoding")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as error:
        raise invalid("query", "is not UTF-8") from error

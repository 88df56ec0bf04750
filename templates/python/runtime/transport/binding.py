"""A request message from its three places: the path's captures, the query string, the body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from google.protobuf.message import Message

from ..definition import Bind, Kind, Route
from ..protojson.answer_form import AS_EVER
from ..protojson.codec import LEFT_OVER, Codec, read_body
from ..protojson.reading import has_own_form
from . import system_parameters
from .faults import unsupported_media_type
from .parameter_names import ParameterNames
from .query import Query, parameters

HTTP_BODY = "google.api.HttpBody"
_NO_BODY: Final = object()


class Binding:
    """How the requests of one route are made: by `bind`, the route's generated code, from what this class reads for it.

    Nothing is guessed: what no place of the message takes is refused.
    """

    def __init__(self, route: Route, codec: Codec, bind: Bind, *, ignore_unknown: bool) -> None:
        self._request: Callable[..., Message] = route.method.request
        self._codec = codec
        self._bind = bind
        descriptor: Any = route.method.request.DESCRIPTOR
        self._whole = route.body == "*" or (route.body == "" and route.method.kind is Kind.BIDI)
        self._body_field: Any = None if self._whole or not route.body else descriptor.fields_by_name[route.body]
        body_type: Any = descriptor if self._body_field is None else self._body_field.message_type
        self.takes_body = route.body != ""
        self.raw_body = self.takes_body and body_type is not None and body_type.full_name == HTTP_BODY
        """Whether the body is a google.api.HttpBody: any bytes, of any content type."""
        self.names = ParameterNames(route, ignore_unknown=ignore_unknown)
        self.no_query = Query(self.names)
        own = {name for field in descriptor.fields for name in (field.name, field.json_name)}
        self._system = system_parameters.NAMES - own
        self._answered = _answered(route)

    def check_media_type(self, content_type: str) -> None:
        """Raises ServiceError (415) for a body that is neither JSON nor taken as it is. No content type is JSON."""
        media = content_type.partition(";")[0].strip().lower()
        if media and not self.raw_body and media != "application/json" and not media.endswith("+json"):
            raise unsupported_media_type("must be application/json")

    def query(self, raw: bytes) -> Query:
        """The query of a request. Raises ServiceError."""
        if not raw:
            return self.no_query
        pairs = parameters(raw)
        form = AS_EVER
        if given := [pair for pair in pairs if pair[0] in self._system]:
            pairs = [pair for pair in pairs if pair[0] not in self._system]
            form = system_parameters.answer_form(given, self._answered)
        return Query(self.names, pairs, form)

    def request(self, values: Sequence[str], query: Query, body: bytes, content_type: str) -> Message:
        """The request message of a body that holds one. Raises ServiceError."""
        if not body:
            return self.message(values, query)
        if self.raw_body:
            return self._bind(values, query, {"data": body, "content_type": content_type}, self._read_raw)
        return self.message(values, query, read_body(body))

    def message(self, values: Sequence[str], query: Query, value: object = _NO_BODY) -> Message:
        """The request message with the body's JSON value in it. Raises ServiceError, naming what is wrong."""
        if self._whole:
            return self._bind(values, query, value, self._read_whole)
        if value is _NO_BODY:
            return self._bind(values, query, None, _read_nothing)
        try:
            return self._bind(values, query, value, _read)
        except LEFT_OVER:  # JSON that its generated decoder does not take
            return self._bind(values, query, value, self._read_by_descriptor)

    def check(self, values: Sequence[str], query: Query) -> None:
        """Raises ServiceError where the path or the query cannot be part of any request."""
        self.message(values, query)

    def _read_whole(self, _: object, value: object) -> Message:
        return self._request() if value is _NO_BODY else self._codec.decode(value)

    def _read_raw(self, _: object, value: dict[str, Any]) -> object:
        return value if self._body_field is not None else self._request(**value)

    def _read_by_descriptor(self, _: object, value: object) -> object:
        message: Any = self._codec.decode({self._body_field.json_name: value})
        name = self._body_field.name
        if self._body_field.has_presence and not message.HasField(name):
            return None
        return getattr(message, name)


def _read(decode: Callable[[Any], object], value: object) -> object:
    return decode(value)


def _read_nothing(_: object, __: object) -> None:
    return None


def _answered(route: Route) -> Any:
    """The descriptor of the message whose fields the answer's JSON has, None where it has none."""
    descriptor: Any = route.method.response.DESCRIPTOR
    if route.response_body:
        descriptor = descriptor.fields_by_name[route.response_body].message_type
    if descriptor is None or descriptor.GetOptions().map_entry or has_own_form(descriptor):
        return None
    return None if descriptor.full_name == HTTP_BODY else descriptor

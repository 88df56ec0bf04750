"""What is wrong with the name of a query parameter that generated code does not take."""

from __future__ import annotations

from typing import Any

from ..definition import Route
from ..protojson.reading import has_own_form
from .faults import invalid
from .parameters import MOST_DOTS

_BY_FIELD = frozenset(f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue"))


class ParameterNames:
    """The names that parameters of a route may have, as far as it takes to refuse the others."""

    def __init__(self, route: Route, *, ignore_unknown: bool) -> None:
        self._descriptor: Any = route.method.request.DESCRIPTOR
        self._ignore_unknown = ignore_unknown
        self._body = route.body
        self._captured = frozenset(capture.field_path for capture in route.captures)
        field = None if route.body in ("", "*") else self._descriptor.fields_by_name[route.body]
        self.in_body = frozenset() if field is None else frozenset({field.name, field.json_name})
        """What the body fills is called, at the first step."""

    def refuse(self, name: str) -> None:
        """Raises ServiceError, naming the parameter; returns for one that is unknown, where these are ignored."""
        try:
            path = _path(self._descriptor, name)
        except _NoValueError as error:
            if error.unknown and self._ignore_unknown:
                return
            in_body = name.partition(".")[0] in self.in_body
            raise invalid(name, "must be in the body" if in_body else str(error)) from error
        if self._body == "*":
            raise invalid(name, "must be in the body: the whole request is")
        if path[0] == self._body:
            raise invalid(name, "must be in the body")
        raise invalid(name, "is set by the path" if path in self._captured else "is given twice")


class _NoValueError(Exception):
    def __init__(self, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.unknown = unknown


def _path(descriptor: Any, name: str) -> tuple[str, ...]:
    """The proto names on the way to the value that a parameter fills. Raises _NoValueError where it leads to none."""
    path: list[str] = []
    field: Any = None
    for step in name.split(".", MOST_DOTS):
        if field is not None and _is_value(field):
            raise _NoValueError("leads through a field that has no fields")
        if field is not None and field.is_repeated:
            raise _NoValueError("leads through a repeated field")
        parent = descriptor if field is None else field.message_type
        field = parent.fields_by_name.get(step) or _by_json(parent, step)
        if field is None:
            raise _NoValueError("is no field of the request", unknown=True)
        path.append(field.name)
    if not _is_value(field):
        text = (
            "holds messages, which no query can give" if field.is_repeated else "is a message: name one of its fields"
        )
        raise _NoValueError(text)
    return tuple(path)


def _by_json(descriptor: Any, name: str) -> Any:
    return next((field for field in descriptor.fields if field.json_name == name), None)


def _is_value(field: Any) -> bool:
    """Whether one text can be the field's value, or an element of it."""
    held = field.message_type
    return held is None or (has_own_form(held) and held.full_name not in _BY_FIELD)

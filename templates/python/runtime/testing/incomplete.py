"""Requests that lack one required field each, made of samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from ..validation.required import RequiredFields
from .entries import Entry
from .rest_request import rest_request


def incomplete(entry: Entry) -> Iterator[tuple[str, Message]]:
    """A sample request of the entry without one required field, and that field's path; for each that it can carry."""
    whole, *_ = entry.requests()
    required = RequiredFields(entry.method.request.DESCRIPTOR)
    already = {violation.field for violation in required.missing(whole)}
    for path in _paths(whole, "", 0):
        copy = type(whole)()
        copy.CopyFrom(whole)
        _clear(copy, path)
        missing = {violation.field for violation in required.missing(copy)} - already
        if path in missing and _carried(entry, copy):
            yield path, copy


def _paths(message: Any, prefix: str, depth: int) -> Iterator[str]:
    """The paths of the fields of the message and of the single messages in it."""
    for field, value in message.ListFields():
        yield prefix + field.name
        if field.message_type is not None and not field.is_repeated and depth < 2:
            yield from _paths(value, f"{prefix}{field.name}.", depth + 1)


def _clear(message: Any, path: str) -> None:
    *around, last = path.split(".")
    for name in around:
        message = getattr(message, name)
    message.ClearField(last)


def _carried(entry: Entry, message: Message) -> bool:
    """Whether the entry can send the message: a route has no path without its variables."""
    if entry.route is None:
        return True
    try:
        rest_request(entry.route, (message,))
    except (ValueError, KeyError, TypeError):
        return False
    return all(_set(message, capture.field_path) for capture in entry.route.captures)


def _set(message: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        message = getattr(message, name)
    return bool(message)

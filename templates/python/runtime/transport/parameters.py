"""Texts of the path and the query as arguments of a request's constructor: what generated code does with each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

from ..protojson.refusal import RefusedError
from .faults import invalid

MOST_DOTS = 32  # in a parameter's name

Take: TypeAlias = Callable[[dict[str, Any], str, str], None]
"""Generated code of a message: adds what a parameter of that name and text says to the arguments of its constructor.

Raises MisnamedError, GivenError or RefusedError.
"""


class MisnamedError(Exception):
    """No value of the message is called that."""


class GivenError(Exception):
    """The path, or a parameter before this one, has given the value."""


def variable(name: str, text: str, read: Callable[[str], Any]) -> Any:
    """What a variable of the path says that is no text. Raises ServiceError, naming it."""
    try:
        return read(text)
    except RefusedError as refused:
        raise invalid(name, refused.description) from refused


def once(fields: dict[str, Any], name: str, value: object, oneof: Collection[str] = ()) -> None:
    """Add an argument that is given once; `oneof` has the members of the one that it is in.

    Raises GivenError, or RefusedError where another member is given.
    """
    if name in fields:
        raise GivenError
    if oneof and (other := _other(fields, oneof)):
        raise RefusedError(f"excludes {other}, which is given too")
    fields[name] = value


def inside(fields: dict[str, Any], name: str, take: Take, rest: str, text: str, oneof: Collection[str] = ()) -> None:
    """Take a parameter into a message in the message, as `once`; there is none before something has been taken into it."""
    inner: dict[str, Any] = fields.get(name, {})
    take(inner, rest, text)
    if name not in fields:
        once(fields, name, inner, oneof)


def first_step(name: str) -> tuple[str, str]:
    """A name of several steps as its first one and the rest. Raises MisnamedError where it has one step, or too many."""
    step, dot, rest = name.partition(".")
    if not dot or rest.count(".") >= MOST_DOTS:
        raise MisnamedError
    return step, rest


def beside(fields: dict[str, Any], name: str, value: object, oneof: Collection[str]) -> None:
    """Add the argument that the body makes, which is a member of `oneof`; None for an absent one.

    Raises ServiceError where the path or the query gives another member.
    """
    if value is not None and (other := _other(fields, oneof)):
        raise invalid(other, f"excludes {name}, which is the body")
    fields[name] = value


def assign(message: Any, fields: dict[str, Any]) -> None:
    """Set what the arguments say in a message that is there already."""
    for name, value in fields.items():
        if isinstance(value, dict):
            inner = getattr(message, name)
            inner.SetInParent()
            assign(inner, value)
        elif isinstance(value, list):
            _extend(getattr(message, name), value)
        else:
            setattr(message, name, value)


def _extend(container: Any, items: list[Any]) -> None:
    for item in items:
        if isinstance(item, dict):
            assign(container.add(), item)
        else:
            container.append(item)


def _other(fields: dict[str, Any], oneof: Collection[str]) -> str:
    """A member of the oneof that is given, "" for none."""
    return next((name for name in fields if name in oneof), "")

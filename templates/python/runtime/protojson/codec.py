"""The JSON codec of a message type: its generated code, and reading and writing by descriptor behind that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf.message import DecodeError, Message

from ..transport.faults import invalid
from .answer_form import AS_EVER, AnswerForm, masked
from .reading import fill
from .refusal import RefusedError
from .text import parse
from .writing import Style, field_default, to_json


class UnusualError(Exception):
    """JSON that a generated decoder leaves to `reading`: a null, an unknown member, a field twice, what is refused."""


LEFT_OVER = (
    UnusualError,
    RefusedError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    DecodeError,
)
"""What a generated decoder, or the constructor that is given what it made, raises for JSON that is not as usual."""

_NO_JSON = (TypeError, ValueError, ArithmeticError, RecursionError)


def as_it_is(json: Any) -> Any:
    """The decoder of what the constructor looks at closely enough."""
    return json


def left_over(_: object) -> dict[str, Any]:
    """The decoder of a message that has none: its names stand for several fields. Raises UnusualError."""
    raise UnusualError


@dataclass(frozen=True, slots=True)
class Generated:
    """A message type's generated code.

    `decode` turns a parsed JSON object into the arguments of the message's constructor; for one that it does not take
    it, or the constructor, raises some exception. `encode` turns a message into what orjson takes. Each is None where
    no route has need of it.
    """

    decode: Callable[[Any], dict[str, Any]] | None = None
    encode: Callable[[Any, Style], dict[str, Any]] | None = None


class Codec:
    """JSON for one message type."""

    def __init__(
        self,
        message_type: type[Message],
        generated: Generated | None = None,
        *,
        emit_defaults: bool = False,
        ignore_unknown: bool = False,
    ) -> None:
        self._make: Callable[..., Message] = message_type
        self._descriptor: Any = message_type.DESCRIPTOR
        self._decode = generated.decode if generated else None
        self._encode = (generated.encode if generated else None) or to_json
        self._names = Style(emit_defaults)
        self._numbers = Style(emit_defaults, enum_numbers=True)
        self._ignore_unknown = ignore_unknown

    def decode(self, value: Any) -> Message:
        """A message from parsed JSON. Raises ServiceError, INVALID_ARGUMENT, naming the field."""
        if self._decode is not None:
            try:
                return self._make(**self._decode(value))
            except LEFT_OVER:  # read below instead, by what can tell what is wrong
                pass
        message = self._make()
        try:
            fill(message, value, ignore_unknown=self._ignore_unknown)
        except RefusedError as refused:
            raise invalid(refused.path, refused.description) from refused
        except (
            RecursionError,
            DecodeError,
        ) as error:  # protobuf has a limit of its own, which a Struct meets at 33 levels
            raise invalid("", "is nested too deep") from error
        return message

    def encode(self, message: Message, form: AnswerForm = AS_EVER) -> bytes:
        """The message as JSON, in one line. Raises ValueError where it has none."""
        try:
            if form is AS_EVER:
                return orjson.dumps(self._encode(message, self._names))
            value = self._encode(message, self._numbers if form.enum_numbers else self._names)
            return orjson.dumps(value if form.mask is None else masked(value, form.mask))
        except _NO_JSON as error:
            raise ValueError(f"this {self._descriptor.full_name} has no JSON form") from error

    def encode_field(self, message: Message, name: str, form: AnswerForm = AS_EVER) -> bytes:
        """One field's value as JSON, its default where it is not set. Raises ValueError where it has none."""
        field = self._descriptor.fields_by_name[name]
        style = self._numbers if form.enum_numbers else self._names
        try:
            members = self._encode(message, style)
            value = members[field.json_name] if field.json_name in members else field_default(field, style)
            return orjson.dumps(value if form.mask is None else masked(value, form.mask))
        except _NO_JSON as error:
            raise ValueError(f"{name} of this {self._descriptor.full_name} has no JSON form") from error


CodecFor = Callable[[type[Message]], Codec]


def read_body(body: bytes) -> object:
    """The body's one JSON value. Raises ServiceError, INVALID_ARGUMENT, where it has none."""
    try:
        return parse(body)
    except RefusedError as refused:
        raise invalid(refused.path, refused.description) from refused

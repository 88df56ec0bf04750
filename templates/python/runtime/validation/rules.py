"""The rules of buf.validate, by the protovalidate library: imported only where the contract has some."""

from __future__ import annotations

import logging
from itertools import islice
from typing import Any

import protovalidate
from google.protobuf.message import Message
from grpc import StatusCode

from ..errors import ServiceError
from ..starting import StartError
from .violation import MOST_VIOLATIONS, Violation, shown

_log = logging.getLogger(__name__)


class Rules:
    """Finds what breaks the rules of a message's type. One for all types: it keeps what it has compiled."""

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    def compile(self, message_type: type[Message]) -> None:
        """See that the type's rules can be checked at all. Raises StartError."""
        try:
            self._validator.collect_violations(message_type())
        except protovalidate.CompilationError as error:
            raise StartError(f"the buf.validate rules of {message_type.DESCRIPTOR.full_name}: {error}") from None
        except protovalidate.EvaluationError:
            return  # of an empty message, which no caller has sent

    def broken(self, message: Message) -> list[Violation]:
        """What breaks a rule, by paths of proto names; so much at most. Raises ServiceError where nobody can tell."""
        try:
            violations = self._validator.collect_violations(message)
        except (protovalidate.EvaluationError, protovalidate.CompilationError) as error:
            _log.exception("the rules of %s cannot be evaluated", message.DESCRIPTOR.full_name)
            raise ServiceError(StatusCode.INTERNAL, "internal error") from error
        return [Violation(_path(one.proto), _text(one.proto)) for one in islice(violations, MOST_VIOLATIONS)]


def _text(violation: Any) -> str:
    return str(violation.message or violation.rule_id or "breaks a rule")


def _path(violation: Any) -> str:
    """The field's path, with the index or key of each list and map on the way."""
    parts: list[str] = []
    for element in violation.field.elements if violation.field is not None else ():
        subscript = _subscript(element)
        parts.append(f"{element.field_name}{'' if subscript is None else f'[{shown(subscript)}]'}")
    return ".".join(parts)


def _subscript(element: Any) -> object:
    chosen = element.subscript
    return None if chosen is None else chosen.value

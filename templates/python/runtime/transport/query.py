"""The query string: its parameters, decoded, apart from those of the system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from ..protojson.answer_form import AS_EVER, AnswerForm
from ..protojson.codec import UnusualError
from .faults import invalid

Parameters: TypeAlias = Sequence[tuple[str, str]]

_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_MAX_PARAMETERS = 1000


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters that are for the request, in their order, and what those of the system say."""

    parameters: Parameters = ()
    form: AnswerForm = AS_EVER


NO_QUERY = Query()


def once(fields: dict[str, Any], name: str, value: object, *others: str) -> None:
    """Add an argument of a request's constructor that no place of the request has given yet; nor any of the others of its oneof.

    Raises UnusualError.
    """
    if name in fields or any(other in fields for other in others):
        raise UnusualError
    fields[name] = value


def impose(fields: dict[str, Any], name: str, value: object) -> None:
    """Set an argument to what the path says. Raises UnusualError where the body says something else, which may be no value."""
    given = fields.setdefault(name, value)
    if given is not value and (type(given) is not type(value) or given != value):
        raise UnusualError


def parameters(query: bytes) -> list[tuple[str, str]]:
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

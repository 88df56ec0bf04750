"""The query string: its parameters, decoded, apart from those of the system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from ..protojson.answer_form import AS_EVER, AnswerForm
from ..protojson.refusal import RefusedError
from .faults import invalid
from .parameter_names import ParameterNames
from .parameters import GivenError, MisnamedError, Take

Parameters: TypeAlias = Sequence[tuple[str, str]]

_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_MAX_PARAMETERS = 1000


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters that are for the request, in their order, and what those of the system say."""

    names: ParameterNames  # of the route
    parameters: Parameters = ()
    form: AnswerForm = AS_EVER

    def into(self, fields: dict[str, Any], take: Take) -> None:
        """Add the parameters to arguments of the request's constructor. Raises ServiceError, naming what is wrong."""
        names = self.names
        for name, text in self.parameters:
            try:
                if names.in_body and name.partition(".")[0] in names.in_body:
                    names.refuse(name)
                else:
                    take(fields, name, text)
            except RefusedError as refused:
                raise invalid(name, refused.description) from refused
            except (MisnamedError, GivenError):
                names.refuse(name)

    def refuse_all(self) -> None:
        """Raises ServiceError for any parameter, but for unknown ones that are to be ignored: the body makes the request."""
        for name, _ in self.parameters:
            self.names.refuse(name)


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

"""System parameters: query parameters of every route, by which a caller says how its answer is to be written.

They are those of Google's APIs (https://docs.cloud.google.com/apis/docs/system-parameters) that concern the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..protojson.answer_form import AS_EVER, AnswerForm, read_mask
from ..protojson.refusal import RefusedError
from .faults import invalid
from .query_values import to_boolean

NAMES = frozenset({"$alt", "alt", "$fields", "$prettyPrint", "$apiVersion"})
_ENUM_NUMBERS = {"json": False, "json;enum-encoding=int": True}


def answer_form(given: Sequence[tuple[str, str]], answered: Any) -> AnswerForm:
    """What these parameters ask for; `answered` is the descriptor of the message that the answer shows, None for none.

    Raises ServiceError, naming the parameter.
    """
    form = AS_EVER
    seen: dict[str, str] = {}
    for name, text in given:
        plain = name.removeprefix("$")
        if seen.setdefault(plain, text) != text:
            raise invalid(name, "is given twice, with different values")
        try:
            form = _with(form, plain, text, answered)
        except RefusedError as refused:
            raise invalid(name, str(refused)) from refused
    return form


def _with(form: AnswerForm, name: str, text: str, answered: Any) -> AnswerForm:
    if name == "alt":
        if text not in _ENUM_NUMBERS:
            raise RefusedError("must be json or json;enum-encoding=int")
        return replace(form, enum_numbers=_ENUM_NUMBERS[text])
    if name == "fields":
        return replace(form, mask=read_mask(text, answered))
    if name == "prettyPrint":
        return replace(form, pretty=to_boolean(text))
    return form  # $apiVersion: there is one

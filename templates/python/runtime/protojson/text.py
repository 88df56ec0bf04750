"""JSON text to Python values: what RFC 8259 allows, each key of an object once, nested no deeper than 100 levels."""

from __future__ import annotations

import json

import orjson

from .refusal import RefusedError

MAX_DEPTH = 100  # arrays and objects in one another


def parse(text: bytes) -> object:
    """The text's one JSON value.

    Raises RefusedError where it is not UTF-8, no JSON, too deep, has a number beyond a double, or a key twice.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RefusedError("is not valid JSON") from error
    if isinstance(value, (dict, list)) and _members(value, MAX_DEPTH) != _most_members(text):
        _check_keys(text)
    return value


def _members(value: dict[str, object] | list[object], levels: int) -> int:
    """The members of all objects in the value, which may have that many levels. Raises RefusedError."""
    if not levels:
        raise RefusedError(f"is nested more than {MAX_DEPTH} levels deep")
    if type(value) is dict:
        count = len(value)
        for item in value.values():
            if type(item) is dict or type(item) is list:
                count += _members(item, levels - 1)
        return count
    count = 0
    for item in value:
        if type(item) is dict or type(item) is list:
            count += _members(item, levels - 1)
    return count


def _most_members(text: bytes) -> int:
    """No fewer than the text's objects have members, duplicates included; mostly just as many.

    A key is followed by a colon, with nothing or white space between its quote and the colon; in a string, what looks
    the same is rare. orjson keeps the last of a key's values and tells nobody: where the text has as many members as
    the value, there was no other.
    """
    count = text.count
    if (colons := count(b":")) == (most := count(b'":')):
        return colons
    return most + count(b" :") + count(b"\n:") + count(b"\t:") + count(b"\r:")


def _check_keys(text: bytes) -> None:
    """Read the text again, slowly, and look at each key. Raises RefusedError."""
    _refuse_twins(json.loads(text, object_pairs_hook=tuple))


def _refuse_twins(value: object) -> None:
    """Raises RefusedError where an object, here the tuple of its members, has a key twice."""
    if isinstance(value, tuple):
        keys: set[str] = set()
        for key, item in value:
            if key in keys:
                raise RefusedError("is given twice", key)
            keys.add(key)
            try:
                _refuse_twins(item)
            except RefusedError as refused:
                raise refused.below(key) from None
    elif isinstance(value, list):
        for index, item in enumerate(value):
            try:
                _refuse_twins(item)
            except RefusedError as refused:
                raise refused.at(index) from None

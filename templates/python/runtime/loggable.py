"""Values as they may appear in a log line: redacted, bounded, and JSON at last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import orjson
from google.protobuf.message import Message

REDACTED: Final = "[redacted]"
_MAX_DEPTH: Final = 8
_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE


def shown(value: object, redact: frozenset[str], depth: int = 0) -> object:
    """`value` as it may appear in a log line: redacted, its depth bounded, messages as mappings."""
    if isinstance(value, str | int | float | bool | None):
        return value
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, Message):
        return _message_fields(value, redact, depth)
    if isinstance(value, Mapping):
        return {
            name if isinstance(name, str) else represented(name): (
                REDACTED if name in redact else shown(inner, redact, depth + 1)
            )
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [shown(inner, redact, depth + 1) for inner in value]
    if isinstance(value, datetime):
        return value
    return represented(value)


def _message_fields(message: Message, redact: frozenset[str], depth: int) -> dict[str, object]:
    fields: dict[str, object] = {}
    for field, value in message.ListFields():
        if field.name in redact or field.GetOptions().debug_redact:
            fields[field.name] = REDACTED
        elif isinstance(value, str | int | float | bool | bytes | Message):
            fields[field.name] = shown(value, redact, depth + 1)
        elif isinstance(value, Mapping):
            fields[field.name] = shown(dict(value), redact, depth + 1)
        else:
            fields[field.name] = shown(list(value), redact, depth + 1)
    return fields


def compact(value: object) -> str:
    """`value` as JSON, without a newline."""
    return json_line(value).decode().rstrip("\n")


def json_line(value: object) -> bytes:
    """`value` as one line of JSON, newline included; what JSON cannot carry is shown as its `repr`. Never raises."""
    try:
        return orjson.dumps(value, default=represented, option=_OPTIONS)
    except (TypeError, ValueError, RecursionError):  # lone surrogates, integers over 64 bits
        try:
            return json.dumps(value, default=represented, skipkeys=True).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            return orjson.dumps({"message": f"not loggable: {type(error).__name__}"}) + b"\n"


def represented(value: object) -> str:
    """The `repr` of anything. Never raises."""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a broken _represented__ must not end a call
        return f"<{type(value).__name__}: {type(error).__name__} in repr>"

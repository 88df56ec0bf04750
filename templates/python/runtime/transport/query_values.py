"""Text from a path or a query string as the value of a message's field."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool

from ..protojson.refusal import RefusedError

_INTEGER = re.compile(r"-?[0-9]{1,20}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BOOLS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}


def to_enum(enum: str, text: str) -> Any:
    """A value of the enum with that full name, by its name or its number. Raises RefusedError."""
    return _enum(enum)(text)


@cache
def _enum(full_name: str) -> Callable[[str], int]:
    enum_type: Any = descriptor_pool.Default().FindEnumTypeByName(full_name)
    names: dict[str, int] = {value.name: value.number for value in enum_type.values}
    known = frozenset(names.values()) if enum_type.is_closed else None

    def read(text: str) -> int:
        if text in names:
            return names[text]
        if _INTEGER.fullmatch(text):
            number = to_int32(text)
            if known is None or number in known:
                return number
        raise RefusedError(f"must be a value of {full_name}")

    return read


def _within(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise RefusedError("must be an integer")
        value = int(text)
        if not low <= value <= high:
            raise RefusedError(f"must be an integer from {low} to {high}")
        return value

    return read


to_int32 = _within(-(2**31), 2**31 - 1)
to_int64 = _within(-(2**63), 2**63 - 1)
to_uint32 = _within(0, 2**32 - 1)
to_uint64 = _within(0, 2**64 - 1)


def to_double(text: str) -> float:
    """A double's value. Raises RefusedError."""
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    if not _FLOAT.fullmatch(text):
        raise RefusedError("must be a number")
    value = float(text)
    if math.isinf(value):
        raise RefusedError("must be a number within the range of a double")
    return value


def to_single(text: str) -> float:
    """A float's value. Raises RefusedError."""
    value = to_double(text)
    try:
        struct.pack("<f", value)
    except OverflowError as error:
        raise RefusedError("must be a number within the range of a float") from error
    return value


def to_boolean(text: str) -> bool:
    """A bool's value. Raises RefusedError."""
    if text not in _BOOLS:
        raise RefusedError("must be true or false")
    return _BOOLS[text]

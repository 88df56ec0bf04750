"""Scalars and enums: JSON values to what a message's fields hold, and back."""

from __future__ import annotations

import math
import re
import struct
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .refusal import RefusedError

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")  # RFC 8259, section 6
_BELOW_INT64 = -(2.0**63)  # what -9223372036854775809 and its neighbours are read as; -2**63 itself is an int
_MOST_DIGITS = 20  # of a 64-bit integer
_FLOAT = struct.Struct("<f")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_KEYS = {"true": True, "false": False}


class UnknownNameError(RefusedError):
    """A text that names no value of the enum."""


def text(value: object) -> str:
    """A string field's value. Raises RefusedError."""
    if type(value) is not str:
        raise RefusedError("must be a string")
    return value


def boolean(value: object) -> bool:
    """A bool field's value. Raises RefusedError."""
    if type(value) is not bool:
        raise RefusedError("must be true or false")
    return value


def integer(value: object) -> int:
    """An integer field's value, from a number or a string that holds one, but of any size. Raises RefusedError.

    Fractions of zero and exponents are allowed in both (`1.0`, `"1e2"`).
    """
    if type(value) is int:
        return value
    if type(value) is str:
        if _INTEGER.fullmatch(value):
            return int(value)
        if _NUMBER.fullmatch(value):
            return _integral(value)
    elif type(value) is float and value.is_integer() and value != _BELOW_INT64:
        return int(value)
    raise RefusedError("must be an integer")


def _integral(number: str) -> int:
    try:
        exact = Decimal(number)
    except ArithmeticError as error:
        raise RefusedError("must be an integer") from error
    if exact.adjusted() > _MOST_DIGITS or exact != int(exact):
        raise RefusedError("must be an integer")
    return int(exact)


def ranged(low: int, high: int) -> Callable[[object], int]:
    """`integer`, for a field that holds what lies between `low` and `high`."""

    def read(value: object) -> int:
        number = integer(value)
        if not low <= number <= high:
            raise RefusedError(f"must be an integer from {low} to {high}")
        return number

    return read


int32 = ranged(-(2**31), 2**31 - 1)
int64 = ranged(-(2**63), 2**63 - 1)
uint32 = ranged(0, 2**32 - 1)
uint64 = ranged(0, 2**64 - 1)


def double(value: object) -> float:
    """A double field's value, from a number or a string that holds one. Raises RefusedError."""
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    if type(value) is str:
        if value in _SPECIAL:
            return _SPECIAL[value]
        if _NUMBER.fullmatch(value):
            number = float(value)
            if math.isinf(number):
                raise RefusedError("must be a number within the range of a double")
            return number
    raise RefusedError("must be a number")


def single(value: object) -> float:
    """A float field's value: a double that rounds to a finite float, or a special one. Raises RefusedError."""
    number = double(value)
    try:
        _FLOAT.pack(number)
    except OverflowError as error:
        raise RefusedError("must be a number within the range of a float") from error
    return number


def blob(value: object) -> bytes:
    """A bytes field's value, from base64: either alphabet, padded or not. Raises RefusedError."""
    if type(value) is str:
        standard = value.replace("-", "+").replace("_", "/") if "-" in value or "_" in value else value
        bare = standard.rstrip("=")
        if len(bare) % 4 != 1 and len(standard) in (len(bare), len(bare) + -len(bare) % 4):
            try:
                return a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
            except ValueError as error:
                raise RefusedError("must be base64") from error
    raise RefusedError("must be base64")


def enum(enum_type: Any) -> Callable[[object], int]:
    """How a value of that enum is read: by its name, or by a number, which an open enum need not know.

    The reader raises RefusedError, UnknownNameError for a text that is no name.
    """
    numbers: dict[str, int] = {value.name: value.number for value in enum_type.values}
    known = frozenset(numbers.values()) if enum_type.is_closed else None
    expected = f"must be a value of {enum_type.full_name}"

    def read(value: object) -> int:
        if type(value) is str:
            if value not in numbers:
                raise UnknownNameError(expected)
            return numbers[value]
        try:
            number = int32(value)
        except RefusedError as refused:
            raise RefusedError(expected) from refused
        if known is not None and number not in known:
            raise RefusedError(expected)
        return number

    return read


def array(value: object) -> list[Any]:
    """The elements of a repeated field. Raises RefusedError."""
    if type(value) is not list:
        raise RefusedError("must be a JSON array")
    return value


def members(value: object) -> dict[str, Any]:
    """The members of a message or of a map. Raises RefusedError."""
    if type(value) is not dict:
        raise RefusedError("must be a JSON object")
    return value


def integer_key(key: str) -> int:
    """The key of a map whose keys are integers, but of any size. Raises RefusedError."""
    if not _INTEGER.fullmatch(key):
        raise RefusedError("must have an integer for its key")
    return int(key)


def boolean_key(key: str) -> bool:
    """The key of a map whose keys are bools. Raises RefusedError."""
    if key not in _KEYS:
        raise RefusedError("must have true or false for its key")
    return _KEYS[key]


def integer_keys(value: object) -> dict[int, Any]:
    """The members of a map with integer keys, each key once. Raises RefusedError."""
    return _keyed(members(value), integer_key)


def boolean_keys(value: object) -> dict[bool, Any]:
    """The members of a map with bool keys. Raises RefusedError."""
    return _keyed(members(value), boolean_key)


def _keyed(value: dict[str, Any], read: Callable[[str], Any]) -> dict[Any, Any]:
    made = {read(key): item for key, item in value.items()}
    if len(made) != len(value):  # "0" and "-0"
        raise RefusedError("must have a key once")
    return made


finite = math.isfinite
"""Whether JSON has a number for a double field's value."""


def double_json(value: float) -> object:
    """A double field's value as JSON."""
    if finite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def single_json(value: float) -> object:
    """A float field's value as JSON: with as many digits, from six, as it takes to be read again."""
    if not math.isfinite(value):
        return double_json(value)
    for digits in range(6, 9):
        shortest = float(f"{value:.{digits}g}")
        if _FLOAT.unpack(_FLOAT.pack(shortest))[0] == value:
            return shortest
    return float(f"{value:.9g}")


def blob_json(value: bytes) -> str:
    """A bytes field's value as JSON."""
    return b2a_base64(value, newline=False).decode()


def boolean_key_json(key: bool) -> str:
    """The key of a map whose keys are bools, as JSON has it."""
    return "true" if key else "false"

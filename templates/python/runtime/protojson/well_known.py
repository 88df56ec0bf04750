"""The well-known types whose JSON is not that of their fields: Timestamp, Duration, FieldMask, Struct and its values.

What reads one gives the fields to make it from, or the message itself; what writes one raises ValueError for a
message that has no JSON.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from .refusal import RefusedError
from .scalars import array, members

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:Z|([-+])([01][0-9]|2[0-3]):([0-5][0-9]))"
)  # RFC 3339, in capitals
_DURATION = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
_CAPITAL = re.compile(r"[A-Z]")
_SNAKE = re.compile(r"_[a-z]")

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout, and a zone would be printed
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00Z
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
_LONGEST = 315_576_000_000  # seconds, some 10,000 years
_NANOS = 1_000_000_000


def timestamp(value: object) -> dict[str, Any]:
    """The fields of a Timestamp. Raises RefusedError."""
    found = _TIMESTAMP.fullmatch(value) if type(value) is str else None
    if found is None:
        raise RefusedError("must be a time as RFC 3339 has it")
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError as error:
        raise RefusedError("must be a time that exists") from error
    if hour > "23" or minute > "59" or second > "59":
        raise RefusedError("must be a time that exists")
    seconds = days * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
        if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
            raise RefusedError("must be a time in the years 1 to 9999")
    return {"seconds": seconds, "nanos": _nanos(fraction)}


def timestamp_json(message: Any) -> str:
    """A Timestamp as JSON."""
    seconds, nanos = message.seconds, message.nanos
    if not (_FIRST_SECOND <= seconds <= _LAST_SECOND and 0 <= nanos < _NANOS):
        raise ValueError("a Timestamp is out of range")
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()}{_fraction(nanos)}Z"


def duration(value: object) -> dict[str, Any]:
    """The fields of a Duration. Raises RefusedError."""
    found = _DURATION.fullmatch(value) if type(value) is str else None
    if found is None:
        raise RefusedError('must be a duration like "1.5s"')
    sign, whole, fraction = found.groups()
    seconds, nanos = int(whole), _nanos(fraction)
    if seconds > _LONGEST:
        raise RefusedError(f"must be a duration of at most {_LONGEST} seconds")
    return {"seconds": -seconds, "nanos": -nanos} if sign else {"seconds": seconds, "nanos": nanos}


def duration_json(message: Any) -> str:
    """A Duration as JSON."""
    seconds, nanos = message.seconds, message.nanos
    if abs(seconds) > _LONGEST or abs(nanos) >= _NANOS or (seconds < 0 < nanos) or (nanos < 0 < seconds):
        raise ValueError("a Duration is out of range")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def _nanos(fraction: str | None) -> int:
    return int(fraction.ljust(9, "0")) if fraction else 0


def _fraction(nanos: int) -> str:
    """No digits, 3, 6 or 9: as few as there is need of."""
    if not nanos:
        return ""
    digits = f"{nanos:09}"
    if digits.endswith("000000"):
        return f".{digits[:3]}"
    return f".{digits[:6]}" if digits.endswith("000") else f".{digits}"


def field_mask(value: object) -> dict[str, Any]:
    """The fields of a FieldMask. Raises RefusedError."""
    if type(value) is not str or "_" in value:
        raise RefusedError("must be field paths in camelCase, with commas between them")
    if not value:
        return {"paths": []}
    paths = [_CAPITAL.sub(lambda found: f"_{found[0].lower()}", path) for path in value.split(",")]
    if not all(paths):
        raise RefusedError("must have no empty path")
    return {"paths": paths}


def field_mask_json(message: Any) -> str:
    """A FieldMask as JSON; paths that would not be read as they were are refused."""
    paths = []
    for path in message.paths:
        camel = _SNAKE.sub(lambda found: found[0][1].upper(), path)
        if not path or "_" in camel or "," in path or _CAPITAL.search(path):
            raise ValueError("a FieldMask has a path that has no camelCase")
        paths.append(camel)
    return ",".join(paths)


def struct(value: object) -> Struct:
    """A Struct. Raises RefusedError."""
    made = Struct()
    made.update(members(value))
    return made


def struct_json(message: Any) -> dict[str, object]:
    """A Struct as JSON, by key."""
    return {key: value_json(value) for key, value in sorted(message.fields.items())}


def list_value(value: object) -> ListValue:
    """A ListValue. Raises RefusedError."""
    made = ListValue()
    made.extend(array(value))
    return made


def list_value_json(message: Any) -> list[object]:
    """A ListValue as JSON."""
    return [value_json(value) for value in message.values]


def any_value(value: Any) -> Value:
    """A Value: whatever JSON there is."""
    kind = type(value)
    if kind is str:
        return Value(string_value=value)
    if kind is bool:
        return Value(bool_value=value)
    if kind is float or kind is int:
        return Value(number_value=value)
    if kind is dict:
        return Value(struct_value=struct(value))
    if kind is list:
        return Value(list_value=list_value(value))
    return Value(null_value=0)  # type: ignore[arg-type]  # the stubs have no numbers for enums


def value_json(message: Any) -> object:
    """A Value as JSON; one that has no kind is null."""
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        return struct_json(message.struct_value)
    if kind == "list_value":
        return list_value_json(message.list_value)
    if kind == "number_value":
        if not math.isfinite(message.number_value):
            raise ValueError("a Value is a number that JSON does not have")
        return message.number_value
    return None if kind is None or kind == "null_value" else getattr(message, kind)


def null_value(value: object) -> int:
    """A NullValue: null, or its name or number. Raises RefusedError."""
    if value is None or value == "NULL_VALUE" or (type(value) is int and value == 0):
        return 0
    raise RefusedError("must be null")

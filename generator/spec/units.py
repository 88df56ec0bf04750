"""Durations and sizes: how they are written, read, and written back."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic_core import PydanticCustomError, core_schema

from generator.spec.spelling import Spelling

_DURATION_UNITS = {
    "d": Decimal(86400),
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
    "us": Decimal("0.000001"),
}
_SIZE_UNITS = {
    "B": 1,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
}

_NUMBER = r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,9})?"
DURATION_PATTERN = "^" + "".join(f"(?:{_NUMBER}{unit})?" for unit in _DURATION_UNITS) + "$"
SIZE_PATTERN = f"^{_NUMBER}(?:{'|'.join(_SIZE_UNITS)})$"

_DURATION_TEXT = re.compile(DURATION_PATTERN)
_DURATION_PART = re.compile(f"({_NUMBER})(d|h|ms|us|m|s)")
_SIZE_TEXT = re.compile(f"^({_NUMBER})({'|'.join(_SIZE_UNITS)})$")

MAX_DURATION = 3650 * 86400.0
MAX_SIZE = (1 << 31) - 1
"""Bytes; no message of protobuf is larger, and no option of gRPC holds more."""
MAX_WINDOW = 1_000_000
"""Calls; each call of a window takes memory, for each method or each key."""


def parse_duration(text: str) -> float:
    """Seconds of `300ms`, `1.5s`, `2m`, `1h30m`, `30d`; ValueError for anything else.

    Units descend and appear once each, as Go writes them; there is no bare number, not even 0.
    """
    if not text or not _DURATION_TEXT.fullmatch(text):
        raise ValueError(_duration_problem(text))
    seconds = sum((Decimal(n) * _DURATION_UNITS[unit] for n, unit in _DURATION_PART.findall(text)), Decimal(0))
    if seconds > MAX_DURATION:
        raise ValueError(f"'{text}' is longer than ten years")
    return float(seconds)


def _duration_problem(text: str) -> str:
    if re.fullmatch(r"[0-9]+(:[0-9]{1,2}){1,2}", text):
        return f"'{text}' is a clock time, not a duration: write it with units, as in 1m30s"
    if re.fullmatch(r"[0-9.]+", text):
        return f"'{_cut(text)}' has no unit: write {_cut(text)}s or {_cut(text)}ms"
    if re.fullmatch(r"-.*", text):
        return f"'{_cut(text)}' is negative"
    if re.fullmatch(rf"[0-9.]{{13,}}(?:{'|'.join(_DURATION_UNITS)})", text):
        return f"'{_cut(text)}' has too many digits"
    spaced = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]+)", text)
    unit = next((unit for unit, words in _UNIT_WORDS.items() if spaced and spaced[2].lower() in words), "")
    if spaced and unit:
        return f"'{text}' is not a duration: write {spaced[1].lstrip('0') or '0'}{unit}"
    return f"'{_cut(text)}' is not a duration"


_UNIT_WORDS = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
    "ms": ("ms", "msec", "msecs", "milli", "millis", "millisecond", "milliseconds"),
    "us": ("us", "usec", "usecs", "micro", "micros", "microsecond", "microseconds"),
}


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"


def format_duration(seconds: float) -> str:
    """`seconds` as the shortest usual spelling: 0.3 → 300ms, 90 → 1m30s, 86400 → 24h, 2592000 → 30d."""
    micros = round(seconds * 1_000_000)
    if micros == 0:
        return "0s"
    if micros < 1000:
        return f"{micros}us"
    if micros < 1_000_000:
        return f"{Decimal(micros) / 1000:f}ms"
    days, rest = divmod(micros, 86400 * 1_000_000)
    if days >= 2 and rest == 0:
        return f"{days}d"
    hours, rest = divmod(micros, 3600 * 1_000_000)
    minutes, rest = divmod(rest, 60 * 1_000_000)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    if rest:
        parts.append(f"{(Decimal(rest) / 1_000_000).normalize():f}s")
    return "".join(parts)


def parse_size(text: str) -> int:
    """Bytes of `64KiB`, `1MiB`, `4MB`, `512B`; ValueError for anything else."""
    found = _SIZE_TEXT.fullmatch(text)
    if not found:
        raise ValueError(_size_problem(text))
    size = Decimal(found[1]) * _SIZE_UNITS[found[2]]
    if size != size.to_integral_value():
        raise ValueError(f"'{text}' is not a whole number of bytes")
    if size > MAX_SIZE:
        raise ValueError(f"'{text}' is 2GiB or more: no message may be")
    return int(size)


def _size_problem(text: str) -> str:
    spelt = re.fullmatch(r"([0-9.]+)\s*([kKmMgG])(?:[iI]?[bB]?)", text)
    if spelt:
        return f"'{_cut(text)}' is not a size: write {_cut(spelt[1])}{spelt[2].upper()}iB"
    return f"'{_cut(text)}' is not a size"


def format_size(size: int) -> str:
    """`size` bytes in the largest binary unit that divides it: 4194304 → 4MiB, 1000 → 1000B."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return f"{size}B"


def _duration(value: object) -> float:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise PydanticCustomError("duration", "{problem}", {"problem": str(error)}) from None
    if isinstance(value, int | float) and not isinstance(value, bool):
        problem = f"{value} has no unit: write {value}s or {value}ms"
        raise PydanticCustomError("duration", "{problem}", {"problem": problem})
    raise PydanticCustomError("duration", "{problem}", {"problem": "is not a duration"})


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise PydanticCustomError("duration", "{problem}", {"problem": "must be longer than 0s"})
    return seconds


def _size(value: object) -> int:
    problem = "not a size"
    if isinstance(value, str):
        try:
            value = parse_size(value)
        except ValueError as error:
            raise PydanticCustomError("size", "{problem}", {"problem": str(error)}) from None
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 < value <= MAX_SIZE:
            return value
        problem = "must be at least 1B and less than 2GiB"
    raise PydanticCustomError("size", "{problem}", {"problem": problem})


def _window(value: object) -> int | float:
    if isinstance(value, int) and not isinstance(value, bool):
        if 1 <= value <= MAX_WINDOW:
            return value
        raise PydanticCustomError("window", "{problem}", {"problem": f"must be from 1 to {MAX_WINDOW} calls"})
    return _positive(_duration(value))


def _format_window(size: float) -> int | str:
    return size if isinstance(size, int) else format_duration(size)


def _positive_duration(value: object) -> float:
    return _positive(_duration(value))


def _checked(
    label: str, check: Callable[[Any], Any], write: Callable[[Any], Any], schema: dict[str, Any], hint: str
) -> Spelling:
    serialization = core_schema.plain_serializer_function_ser_schema(write, when_used="json")
    core = core_schema.no_info_plain_validator_function(check, serialization=serialization)
    return Spelling(label, core, schema, hint)


_DURATION_SCHEMA = {"type": "string", "pattern": DURATION_PATTERN, "minLength": 2}
_DURATION_HINT = "durations are written 300ms, 1.5s, 2m, 1h30m or 30d"

# Seconds, 0 or more.
Duration = Annotated[float, _checked("duration", _duration, format_duration, _DURATION_SCHEMA, _DURATION_HINT)]

# Seconds, more than 0.
PositiveDuration = Annotated[
    float, _checked("duration", _positive_duration, format_duration, _DURATION_SCHEMA, _DURATION_HINT)
]

# Bytes, 1 or more.
Size = Annotated[
    int,
    _checked(
        "size",
        _size,
        format_size,
        {
            "anyOf": [
                {"type": "string", "pattern": SIZE_PATTERN},
                {"type": "integer", "minimum": 1, "maximum": MAX_SIZE},
            ]
        },
        "sizes are written 64KiB, 1MiB or 4MB",
    ),
]

# An int is a number of calls, a float a number of seconds.
WindowSize = Annotated[
    int | float,
    _checked(
        "count or duration",
        _window,
        _format_window,
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_WINDOW}, _DURATION_SCHEMA]},
        "a window is a number of calls (type: count) or a duration (type: time)",
    ),
]

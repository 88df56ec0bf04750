"""JSON schemas of scalars: as a body takes them, as a body answers them, and as a path, a query or a header spells them."""

from __future__ import annotations

from types import MappingProxyType

Schema = dict[str, object]

_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_UINT32 = (0, 2**32 - 1)
_UINT64 = (0, 2**64 - 1)

RANGES = MappingProxyType(
    {
        "int32": _INT32,
        "sint32": _INT32,
        "sfixed32": _INT32,
        "int64": _INT64,
        "sint64": _INT64,
        "sfixed64": _INT64,
        "uint32": _UINT32,
        "fixed32": _UINT32,
        "uint64": _UINT64,
        "fixed64": _UINT64,
    }
)
"""The integer types of protobuf, and what each holds."""

_FORMATS = MappingProxyType({_INT32: "int32", _INT64: "int64", _UINT32: "uint32", _UINT64: "uint64"})
_FLOAT_BOUND = 3.4028235677973366e38  # what rounds to infinity, and no number below it does
_SPECIAL_FLOATS = ["NaN", "Infinity", "-Infinity"]
# A number as text: as long as a number of its type ever has to be, and never beyond its range.
_NUMBER_PATTERN = r"^-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,20})?(?:[eE](?:-[0-9]{1,3}|\+?(?:%s)))?$"
_EXPONENTS = MappingProxyType({"double": "[0-9]{1,2}|1[0-9]{2}|2[0-8][0-9]", "float": "[0-9]|1[0-9]|2[0-2]"})
_BASE64_PATTERN = "^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}(?:==)?|[A-Za-z0-9+/_-]{3}=?)?$"
_STANDARD_BASE64_PATTERN = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


def integer_pattern(low: int, high: int) -> str:
    """The regular expression of the integers from `low` (at most 0) to `high`, without leading zeros."""
    below = f"|-(?:{_positive_pattern(-low)})" if low else ""
    return f"^(?:0|{_positive_pattern(high)}{below})$"


def _positive_pattern(high: int) -> str:
    """The alternatives of the integers from 1 to `high`: fewer digits, or as many and a smaller one among them."""
    digits = str(high)
    most = len(digits)
    parts = [f"[1-9][0-9]{{0,{most - 2}}}"]
    for at, digit in enumerate(digits):
        lowest = 1 if at == 0 else 0
        if int(digit) > lowest:
            smaller = f"[{lowest}-{int(digit) - 1}]"
            rest = most - at - 1
            parts.append(digits[:at] + smaller + (f"[0-9]{{{rest}}}" if rest else ""))
    return "|".join([*parts, digits])


def integer_format(kind: str) -> str:
    """The `format` of a protobuf integer type: the name of the plain type with its range."""
    return _FORMATS[RANGES[kind]]


def accepted(kind: str) -> Schema:
    """A scalar as a request's JSON may have it (ProtoJSON)."""
    if kind in RANGES:
        low, high = RANGES[kind]
        number: Schema = {"type": "integer", "format": integer_format(kind), "minimum": low, "maximum": high}
        text: Schema = {"type": "string", "pattern": integer_pattern(low, high)}
        return {"anyOf": [text, number] if high > _UINT32[1] else [number, text]}
    if kind in ("double", "float"):
        return {
            "anyOf": [
                _number(kind),
                {"type": "string", "enum": _SPECIAL_FLOATS},
                {"type": "string", "pattern": _NUMBER_PATTERN % _EXPONENTS[kind]},
            ]
        }
    if kind == "bytes":
        return {"type": "string", "contentEncoding": "base64", "pattern": _BASE64_PATTERN}
    return {"type": "boolean" if kind == "bool" else "string"}


def answered(kind: str) -> Schema:
    """A scalar as a response's JSON has it (ProtoJSON)."""
    if kind in RANGES:
        low, high = RANGES[kind]
        if high > _UINT32[1]:
            return {"type": "string", "format": integer_format(kind), "pattern": integer_pattern(low, high)}
        return {"type": "integer", "format": integer_format(kind), "minimum": low, "maximum": high}
    if kind in ("double", "float"):
        return {"anyOf": [_number(kind), {"type": "string", "enum": _SPECIAL_FLOATS}]}
    if kind == "bytes":
        return {"type": "string", "contentEncoding": "base64", "pattern": _STANDARD_BASE64_PATTERN}
    return {"type": "boolean" if kind == "bool" else "string"}


def spelled(kind: str) -> Schema:
    """A scalar as text in a path or a query (rules of google/api/http.proto)."""
    if kind in RANGES:
        low, high = RANGES[kind]
        return {"type": "integer", "format": integer_format(kind), "minimum": low, "maximum": high}
    if kind in ("double", "float"):
        return {"anyOf": [_number(kind), {"type": "string", "enum": _SPECIAL_FLOATS}]}
    if kind == "bool":
        return {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["True", "False", "1", "0"]}]}
    if kind == "bytes":
        return {"type": "string", "contentEncoding": "base64", "pattern": _BASE64_PATTERN}
    return {"type": "string"}


def map_keys(kind: str) -> Schema:
    """The names that the members of a map have, given the type of its keys; empty for any."""
    if kind in RANGES:
        return {"pattern": integer_pattern(*RANGES[kind])}
    return {"enum": ["true", "false"]} if kind == "bool" else {}


def _number(kind: str) -> Schema:
    if kind == "double":
        return {"type": "number", "format": "double"}
    bounds = {"exclusiveMinimum": -_FLOAT_BOUND, "exclusiveMaximum": _FLOAT_BOUND}
    return {"type": "number", "format": "float", **bounds}

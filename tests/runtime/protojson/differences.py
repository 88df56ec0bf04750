"""Where ProtoJSON is read and written otherwise than by google.protobuf.json_format, and why: all of it, here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_BASE64 = re.compile(r"(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?)?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[-+]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(r"-?\d+(\.\d{1,9})?s", re.ASCII)
_LARGEST_SINGLE = 3.4028234663852886e38
_WRAPPERS = {
    f"google.protobuf.{name}": kind
    for name, kind in (
        *(("BoolValue", "bool"), ("BytesValue", "bytes"), ("DoubleValue", "double"), ("FloatValue", "float")),
        *(("Int32Value", "integer"), ("Int64Value", "integer"), ("UInt32Value", "integer"), ("UInt64Value", "integer")),
        ("StringValue", "string"),
    )
}


@dataclass(frozen=True)
class Difference:
    """JSON that one side takes and the other refuses; `applies` is asked about each value, with its kind.

    `examples` are members of an object for `schemas.every_kind`.
    """

    what: str
    why: str
    examples: tuple[str, ...]
    applies: Callable[[str, Any], bool]


WE_REFUSE = (
    Difference(
        "an integer in quotes that is no JSON number: '5_0', '٣', '+1', '01', '1.'",
        "the text must follow the same syntax as the number (conformance suite, Int32FieldLeadingSpace and others)",
        (
            '"singularInt32": "5_0"',
            '"singularInt64": "٣"',
            '"singularInt64": "+1"',
            '"singularUint32": "01"',
            '"singularInt32": "1."',
            '"singularInt64value": "01"',
        ),
        lambda kind, value: kind == "integer" and _no_number(value),
    ),
    Difference(
        "a floating-point number in quotes that is none: '5_0', 'inf', ' 1'; true and false as 1 and 0",
        "as for integers; the special values have one spelling each, and a bool is no number",
        (
            '"singularDouble": "5_0"',
            '"singularDouble": "inf"',
            '"singularFloat": " 1"',
            '"singularDouble": true',
            '"repeatedFloat": [false]',
        ),
        lambda kind, value: kind in ("double", "float") and (_no_number(value) or type(value) is bool),
    ),
    Difference(
        "a number in quotes beyond the range of its type: '1e400'; '1e300' in a float",
        "out of range is refused (conformance suite, FloatFieldTooLarge), in quotes too",
        (
            '"singularDouble": "1e400"',
            '"singularFloat": "1e300"',
            '"singularFloat": "-3.5e38"',
        ),
        lambda kind, value: kind in ("double", "float") and type(value) is str and _overflows(kind, value),
    ),
    Difference(
        "base64 with foreign characters, or padded in the wrong place: 'AQ I', 'AQ=I'",
        "RFC 4648, section 3.3: what is no base64 is refused, and not dropped",
        (
            '"singularBytes": "AQ=I"',
            '"singularBytes": "AQ I"',
            '"singularBytes": "AAAA===="',
            '"singularBytes": "AQI=\\n"',
        ),
        lambda kind, value: kind == "bytes" and type(value) is str and not _BASE64.fullmatch(value),
    ),
    Difference(
        "an enum by a number in quotes, by a bool, by a fraction, or beyond 32 bits: '1', true, 1.5, 4294967296",
        "the specification has names and integers; json_format cuts the number down to 32 bits",
        (
            '"singularEnum": "1"',
            '"singularEnum": true',
            '"singularEnum": 1.5',
            '"singularEnum": 4294967296',
        ),
        lambda kind, value: kind == "enum"
        and (type(value) in (str, bool) or value != int(value) or not -(2**31) <= value < 2**31),
    ),
    Difference(
        "a NullValue by any other number, or by false",
        "null is all that it can be",
        (
            '"singularNull": 1',
            '"singularNull": false',
        ),
        lambda kind, value: kind == "null" and (type(value) is not int or value != 0),
    ),
    Difference(
        "an empty array or an empty string for a message",
        "a message is a JSON object",
        (
            '"singularInner": []',
            '"singularInner": ""',
            '"singularEmpty": []',
        ),
        lambda kind, value: kind == "message" and type(value) in (list, str),
    ),
    Difference(
        "one field under its JSON name and its proto name",
        "a field is given once (conformance suite, FieldNameDuplicateDifferentCasing)",
        (
            '"singularInt32": 1, "singular_int32": 1',
            '"singularInt32": null, "singular_int32": 1',
        ),
        lambda kind, _: kind == "twin",
    ),
    Difference(
        "null for a Value or a NullValue beside another member of its oneof",
        "null is a value of theirs, so two members are given (conformance suite, OneofFieldDuplicate)",
        (
            '"oneofString": "", "oneofNull": null',
            '"oneofValue": null, "oneofString": ""',
        ),
        lambda kind, _: kind == "null member",
    ),
    Difference(
        "a Timestamp that is not as RFC 3339 has it: '2020-1-1T0:0:0Z', an offset of '+8:00'",
        "RFC 3339, section 5.6",
        (
            '"singularTimestamp": "2020-1-1T0:0:0Z"',
            '"singularTimestamp": "2020-01-01T00:00:00+8:00"',
        ),
        lambda kind, value: kind == "google.protobuf.Timestamp" and type(value) is str and not _TIME.fullmatch(value),
    ),
    Difference(
        "a Duration with a plus, without digits behind its point, or in other digits: '+1s', '1.s'",
        "the specification's grammar of it",
        (
            '"singularDuration": "+1s"',
            '"singularDuration": "1.s"',
            '"singularDuration": "٣s"',
        ),
        lambda kind, value: kind == "google.protobuf.Duration"
        and type(value) is str
        and not _DURATION.fullmatch(value),
    ),
    Difference(
        "an empty path in a FieldMask: 'a,,b'",
        "no field has that path",
        (
            '"singularFieldmask": "a,,b"',
            '"singularFieldmask": ","',
        ),
        lambda kind, value: kind == "google.protobuf.FieldMask" and "" in str(value).split(","),
    ),
    Difference(
        "an Any whose type has no slash, or which has more than '@type' and 'value' where that is its form",
        "any.proto demands the slash; other unknown members are refused as well",
        (
            '"singularAny": {"@type": "google.rpc.ErrorInfo"}',
            '"singularAny": {"@type": "a/google.protobuf.Duration", "value": "1s", "more": 1}',
        ),
        lambda kind, value: kind == "google.protobuf.Any"
        and type(value) is dict
        and ("/" not in str(value.get("@type")) or len(value) > 2),
    ),
    Difference(
        "a map's key that is a number in another form: '01', '1.0', '+1'; one number as two keys, '0' and '-0'",
        "keys have one form each",
        (
            '"int32Keys": {"01": 1}',
            '"int32Keys": {"1.0": 1}',
            '"int64Keys": {"+1": 1}',
            '"uint32Keys": {"٣": 1}',
            '"int32Keys": {"0": 1, "-0": 2}',
        ),
        lambda kind, value: kind == "integer keys" and not all(re.fullmatch(r"0|-?[1-9][0-9]*", key) for key in value),
    ),
)

WE_TAKE = (
    Difference(
        "3.4028235e+38 in a float",
        "it rounds to the largest float, and is how that is written",
        (
            '"singularFloat": 3.4028235e+38',
            '"repeatedFloat": [-3.4028235e+38]',
        ),
        lambda kind, value: kind == "float" and type(value) is float and abs(value) > _LARGEST_SINGLE,
    ),
    Difference(
        "null as an element of a repeated NullValue, or a value of a map of them",
        "it is written that way",
        (
            '"repeatedNull": [null]',
            '"mapNull": {"a": null}',
        ),
        lambda kind, value: kind == "null" and value is None,
    ),
    Difference(
        "null for a repeated Value or NullValue as a whole",
        "null is one of their elements; for the whole it is what it is for any field: nothing",
        (
            '"repeatedNull": null',
            '"repeatedValue": null',
        ),
        lambda kind, _: kind == "null list",
    ),
    Difference(
        'an Any with an Empty as {"@type": …, "value": {}}',
        "other implementations write it so",
        ('"singularAny": {"@type": "a/google.protobuf.Empty", "value": {}}',),
        lambda kind, value: kind == "google.protobuf.Any" and type(value) is dict and value.get("value") == {},
    ),
)


def explained(differences: tuple[Difference, ...], descriptor: Any, value: Any) -> bool:
    """Whether any of the differences is about something in the JSON."""
    return any(
        difference.applies(kind, item) for kind, item in _message(descriptor, value) for difference in differences
    )


def _no_number(value: Any) -> bool:
    return type(value) is str and not _NUMBER.fullmatch(value) and value not in ("NaN", "Infinity", "-Infinity")


def _overflows(kind: str, value: str) -> bool:
    return bool(_NUMBER.fullmatch(value)) and abs(float(value)) > (1e308 if kind == "double" else _LARGEST_SINGLE)


def _message(descriptor: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Each value in the JSON of that message, with its kind."""
    name = descriptor.full_name
    if name in _WRAPPERS:
        yield _WRAPPERS[name], value
    elif name.startswith("google.protobuf.") and name != "google.protobuf.Empty":
        yield name, value
    elif not isinstance(value, dict):
        yield "message", value
    else:
        for field in descriptor.fields:
            names = {field.name, field.json_name} & value.keys()
            if len(names) > 1:
                yield "twin", value
            for key in names:
                yield from _field(field, value[key])
                if value[key] is None and field.containing_oneof is not None and _kind(field) in ("null", "value"):
                    yield "null member", value


def _field(field: Any, value: Any) -> Iterator[tuple[str, Any]]:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        if isinstance(value, dict):
            key, held = entry.fields_by_name["key"], entry.fields_by_name["value"]
            if key.cpp_type in (1, 2, 3, 4):
                yield "integer keys", list(value)
            for item in value.values():
                yield from _one(held, item)
    elif not field.is_repeated:
        if value is not None:
            yield from _one(field, value)
    elif isinstance(value, list):
        for item in value:
            yield from _one(field, item)
    elif value is None and _kind(field) in ("null", "value"):
        yield "null list", value


def _one(field: Any, value: Any) -> Iterator[tuple[str, Any]]:
    if field.message_type is not None:
        yield from _message(field.message_type, value)
    elif not isinstance(value, (dict, list)):
        yield _kind(field), value


def _kind(field: Any) -> str:
    if field.message_type is not None:
        return "value" if field.message_type.full_name == "google.protobuf.Value" else "message"
    if field.enum_type is not None:
        return "null" if field.enum_type.full_name == "google.protobuf.NullValue" else "enum"
    if field.cpp_type in (1, 2, 3, 4):
        return "integer"
    return {5: "double", 6: "float", 7: "bool", 9: "bytes" if field.type == 12 else "string"}[field.cpp_type]

"""JSON that is refused: the field in the caller's own words, what it must be, and nothing of its value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode
from runtime.errors import ServiceError
from runtime.protojson.codec import Codec, read_body

from tests.runtime.protojson.schemas import every_kind

Every = every_kind().message


def violation(text: str, *, ignore_unknown: bool = False) -> tuple[str, str]:
    """The field and the description with which the text is refused."""
    with pytest.raises(ServiceError) as refused:
        Codec(Every, ignore_unknown=ignore_unknown).decode(read_body(text.encode()))
    assert refused.value.code is StatusCode.INVALID_ARGUMENT
    (detail,) = refused.value.details
    assert isinstance(detail, BadRequest)
    (found,) = detail.field_violations
    return found.field, found.description


def read(text: str, *, ignore_unknown: bool = False) -> Any:
    return Codec(Every, ignore_unknown=ignore_unknown).decode(read_body(text.encode()))


@pytest.mark.parametrize(
    ("text", "field", "description"),
    [
        ("[]", "body", "must be a JSON object"),
        ("null", "body", "must be a JSON object"),
        ('{"stranger": 1}', "stranger", "is no field of the request"),
        ('{"singularInner": {"b": 1}}', "singularInner.b", "is no field of the request"),
        ('{"singular_inner": {"aB": "x"}}', "singular_inner.aB", "must be an integer"),
        ('{"repeatedInner": [{}, {"a_b": 1.5}]}', "repeatedInner[1].a_b", "must be an integer"),
        ('{"mapInner": {"k.1": {"aB": []}}}', "mapInner[k.1].aB", "must be an integer"),
        ('{"repeatedInner": {}}', "repeatedInner", "must be a JSON array"),
        ('{"repeatedInner": [null]}', "repeatedInner[0]", "must not be null"),
        ('{"repeatedString": ["", null]}', "repeatedString[1]", "must not be null"),
        ('{"mapInt32": []}', "mapInt32", "must be a JSON object"),
        ('{"mapInt32": {"a": null}}', "mapInt32[a]", "must not be null"),
        ('{"int32Keys": {"a": 1}}', "int32Keys[a]", "must have an integer for its key"),
        (
            '{"int32Keys": {"2147483648": 1}}',
            "int32Keys[2147483648]",
            "must be an integer from -2147483648 to 2147483647",
        ),
        ('{"boolKeys": {"1": 1}}', "boolKeys[1]", "must have true or false for its key"),
        ('{"int32Keys": {"0": 1, "-0": 1}}', "int32Keys[-0]", "is a key that is given twice"),
        ('{"singularString": 1}', "singularString", "must be a string"),
        ('{"singularBool": "true"}', "singularBool", "must be true or false"),
        ('{"singularInt32": 2147483648}', "singularInt32", "must be an integer from -2147483648 to 2147483647"),
        ('{"singularUint64": -1}', "singularUint64", "must be an integer from 0 to 18446744073709551615"),
        ('{"singularInt64": -9223372036854775809}', "singularInt64", "must be an integer"),
        ('{"singularInt64": 1e400}', "body", "is not valid JSON"),
        ('{"singularInt64": "1e400"}', "singularInt64", "must be an integer"),
        ('{"singularInt64": "0e999999999"}', "singularInt64", "must be an integer"),
        ('{"singularInt64": "1e99999999999999999999"}', "singularInt64", "must be an integer"),
        ('{"singularDouble": []}', "singularDouble", "must be a number"),
        ('{"singularDouble": "1e400"}', "singularDouble", "must be a number within the range of a double"),
        ('{"singularFloat": 3.4028236e38}', "singularFloat", "must be a number within the range of a float"),
        ('{"singularBytes": "A"}', "singularBytes", "must be base64"),
        ('{"singularEnum": "red"}', "singularEnum", "must be a value of random.every_kind.Color"),
        ('{"singularEnum": "1"}', "singularEnum", "must be a value of random.every_kind.Color"),
        ('{"singularNull": "null"}', "singularNull", "must be null"),
        ('{"singularTimestamp": "2020-02-30T00:00:00Z"}', "singularTimestamp", "must be a time that exists"),
        ('{"singularTimestamp": "2020-01-01T00:00:60Z"}', "singularTimestamp", "must be a time that exists"),
        ('{"singularTimestamp": "0000-01-01T00:00:00Z"}', "singularTimestamp", "must be a time that exists"),
        ('{"singularTimestamp": 5}', "singularTimestamp", "must be a time as RFC 3339 has it"),
        ('{"singularTimestamp": "2020-01-01t00:00:00Z"}', "singularTimestamp", "must be a time as RFC 3339 has it"),
        (
            '{"singularTimestamp": "0001-01-01T00:00:00+00:01"}',
            "singularTimestamp",
            "must be a time in the years 1 to 9999",
        ),
        ('{"singularDuration": "1"}', "singularDuration", 'must be a duration like "1.5s"'),
        ('{"singularDuration": "0.0000000001s"}', "singularDuration", 'must be a duration like "1.5s"'),
        (
            '{"singularDuration": "-315576000001s"}',
            "singularDuration",
            "must be a duration of at most 315576000000 seconds",
        ),
        (
            '{"singularFieldmask": "a_b"}',
            "singularFieldmask",
            "must be field paths in camelCase, with commas between them",
        ),
        ('{"singularStruct": []}', "singularStruct", "must be a JSON object"),
        ('{"singularListvalue": {}}', "singularListvalue", "must be a JSON array"),
        ('{"singularInt32value": "x"}', "singularInt32value", "must be an integer"),
        ('{"repeatedStringvalue": [1]}', "repeatedStringvalue[0]", "must be a string"),
        ('{"singularEmpty": {"a": 1}}', "singularEmpty.a", "is no field of the request"),
        ('{"singularAny": {"a": 1}}', "singularAny.@type", "must be the URL of a type"),
        ('{"singularAny": {"@type": "a/b.C"}}', "singularAny.@type", "must be the type of a message that is known"),
        (
            '{"singularAny": {"@type": "t/google.rpc.ErrorInfo", "reason": 1}}',
            "singularAny.reason",
            "must be a string",
        ),
        (
            '{"singularAny": {"@type": "t/google.protobuf.Duration", "value": "x"}}',
            "singularAny.value",
            'must be a duration like "1.5s"',
        ),
        (
            '{"singularAny": {"@type": "t/google.protobuf.Duration"}}',
            "singularAny",
            'must have a "value", and nothing else beside "@type"',
        ),
        ('{"singularInt32": 1, "singular_int32": 1}', "singular_int32", "is given twice, as singularInt32 too"),
        ('{"oneofInt32": 1, "oneof_string": ""}', "oneof_string", "excludes oneofInt32, which is given too"),
        ('{"singularInt32": 1, "singularInt32": 1}', "singularInt32", "is given twice"),
    ],
)
def test_a_refusal_names_the_field_and_what_it_must_be(text: str, field: str, description: str) -> None:
    assert violation(text) == (field, description)


def test_the_callers_own_words_are_cut_short_and_cleaned() -> None:
    field, _ = violation(json.dumps({"\x1b[31m" + "x" * 10_000: 1}))
    assert field.startswith("�[31mxxx")
    assert len(field) <= 101


def test_long_keys_at_every_level_do_not_make_a_long_answer() -> None:
    value: Any = "x"
    for _ in range(90):
        value = {"singularStruct": {}, "mapInner": {"k" * 10_000: value}}
    field, _ = violation(json.dumps(value))
    assert len(field) <= 101


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"stranger": {"a": [1]}}', Every()),
        ('{"singularInner": {"stranger": 1, "aB": 1}}', Every(singular_inner={"a_b": 1})),
        ('{"singularEnum": "PINK", "singularInt32": 1}', Every(singular_int32=1)),
        ('{"repeatedEnum": ["PINK", "VERT"]}', Every(repeated_enum=[1])),
        ('{"mapEnum": {"a": "PINK", "b": "GREEN"}}', Every(map_enum={"b": 1})),
        (
            '{"singularAny": {"@type": "t/google.rpc.ErrorInfo", "stranger": 1}}',
            read('{"singularAny": {"@type": "t/google.rpc.ErrorInfo"}}'),
        ),
    ],
)
def test_what_is_unknown_is_passed_over_where_the_policy_says_so(text: str, expected: Any) -> None:
    assert read(text, ignore_unknown=True) == expected
    violation(text)


@pytest.mark.parametrize("text", ['{"singularInt32": "x"}', '{"stranger": 1, "stranger": 2}', '{"singularEnum": 1.5}'])
def test_what_is_wrong_is_refused_even_where_the_unknown_is_passed_over(text: str) -> None:
    violation(text, ignore_unknown=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"singularInt64": "9223372036854775807"}', Every(singular_int64=2**63 - 1)),
        ('{"singularInt64": "9007199254740993.0"}', Every(singular_int64=2**53 + 1)),
        ('{"singularInt32": 1.0, "singularInt64": 1e2, "singularUint32": "1E2"}', Every(singular_int32=1, singular_int64=100, singular_uint32=100)),
        ('{"singularInt32": "-0", "singularInt64": -0.0}', Every()),
        ('{"singularFloat": 3.4028235e+38}', Every(singular_float=3.4028234663852886e38)),
        ('{"singularDouble": "-Infinity", "singularFloat": "1e-1"}', Every(singular_double=float("-inf"), singular_float=0.1)),
        ('{"singularBytes": "-_-_"}', Every(singular_bytes=b"\xfb\xff\xbf")),
        ('{"singularBytes": "+/8"}', Every(singular_bytes=b"\xfb\xff")),
        ('{"singularEnum": "VERT"}', Every(singular_enum=1)),
        ('{"singularEnum": 77}', Every(singular_enum=77)),
        ('{"singularEnum": 1.0}', Every(singular_enum=1)),
        ('{"singularValue": null}', Every(singular_value={"null_value": 0})),
        ('{"oneofNull": null}', Every(oneof_null=0)),
        ('{"oneofNull": "NULL_VALUE", "oneofString": null}', Every(oneof_null=0)),
        ('{"singularInner": null, "repeatedInner": null, "mapInner": null, "singularInt32value": null}', Every()),
        ('{"singularInt32value": 0, "singularEmpty": {}}', Every(singular_int32value={}, singular_empty={})),
        ('{"singularTimestamp": "1969-12-31T16:00:01-08:00"}', Every(singular_timestamp={"seconds": 1})),
        ('{"singularTimestamp": "9999-12-31T23:59:59.999999999Z"}', Every(singular_timestamp={"seconds": 253402300799, "nanos": 999999999})),
        ('{"singularDuration": "-0.5s"}', Every(singular_duration={"nanos": -500_000_000})),
        ('{"singularDuration": "315576000000.999999999s"}', Every(singular_duration={"seconds": 315576000000, "nanos": 999999999})),
        ('{"singularFieldmask": "fooBar.bazQux,a"}', Every(singular_fieldmask={"paths": ["foo_bar.baz_qux", "a"]})),
        ('{"singularFieldmask": ""}', Every(singular_fieldmask={})),
        ('{"boolKeys": {"true": 1, "false": 2}}', Every(bool_keys={True: 1, False: 2})),
        ('{"singularAny": {}}', Every(singular_any={})),
    ],
)  # fmt: skip
def test_what_protojson_allows_is_read(text: str, expected: Any) -> None:
    assert read(text) == expected

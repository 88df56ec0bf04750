"""Messages to JSON: one form for each, and an error for those that have none."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.rpc.error_details_pb2 import RetryInfo
from runtime.protojson.answer_form import AnswerForm
from runtime.protojson.codec import Codec
from runtime.protojson.reading import fill
from runtime.protojson.writing import Style, to_json

from tests.runtime.protojson.schemas import every_kind

Every = every_kind().message


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Every(), b"{}"),
        (Every(singular_string='é"\n\0\u2028'), '{"singularString":"é\\"\\n\\u0000\u2028"}'.encode()),
        (Every(singular_int64=-(2**63)), b'{"singularInt64":"-9223372036854775808"}'),
        (Every(singular_double=-0.0), b'{"singularDouble":-0.0}'),
        (Every(singular_double=float("nan")), b'{"singularDouble":"NaN"}'),
        (Every(repeated_float=[0.1, 1e-45, 3.4028234663852886e38, 16777216]), b'{"repeatedFloat":[0.1,1.4013e-45,3.4028235e+38,16777216.0]}'),
        (Every(singular_bytes=b"\xfb\xff"), b'{"singularBytes":"+/8="}'),
        (Every(repeated_enum=[1, 77]), b'{"repeatedEnum":["GREEN",77]}'),
        (Every(map_string={"b": "1", "a": "2"}), b'{"mapString":{"a":"2","b":"1"}}'),
        (Every(int64_keys={2**40: 1, -1: 2}), b'{"int64Keys":{"-1":2,"1099511627776":1}}'),
        (Every(bool_keys={True: 1, False: 2}), b'{"boolKeys":{"false":2,"true":1}}'),
        (Every(oneof_int32=0), b'{"oneofInt32":0}'),
        (Every(oneof_null=0), b'{"oneofNull":null}'),
        (Every(singular_inner={}), b'{"singularInner":{}}'),
        (Every(singular_timestamp={"seconds": -1, "nanos": 10_000}), b'{"singularTimestamp":"1969-12-31T23:59:59.000010Z"}'),
        (Every(singular_timestamp={"seconds": -62135596800}), b'{"singularTimestamp":"0001-01-01T00:00:00Z"}'),
        (Every(singular_duration={"nanos": -1}), b'{"singularDuration":"-0.000000001s"}'),
        (Every(singular_duration={"seconds": 1, "nanos": 10_000_000}), b'{"singularDuration":"1.010s"}'),
        (Every(singular_fieldmask={"paths": ["foo_bar.b", "a1"]}), b'{"singularFieldmask":"fooBar.b,a1"}'),
        (Every(singular_value={}), b'{"singularValue":null}'),
        (Every(singular_any={}), b'{"singularAny":{}}'),
    ],
)  # fmt: skip
def test_a_message_has_one_form(message: Any, text: bytes) -> None:
    assert Codec(Every).encode(message) == text


@pytest.mark.parametrize(
    "message",
    [
        Every(singular_timestamp={"seconds": -62135596801}),
        Every(singular_timestamp={"seconds": 253402300800}),
        Every(singular_timestamp={"nanos": -1}),
        Every(singular_duration={"seconds": 315576000001}),
        Every(singular_duration={"seconds": 1, "nanos": -1}),
        Every(singular_fieldmask={"paths": ["fooBar"]}),
        Every(singular_fieldmask={"paths": ["foo_3_bar"]}),
        Every(singular_fieldmask={"paths": ["foo__bar"]}),
        Every(singular_fieldmask={"paths": ["a,b"]}),
        Every(singular_fieldmask={"paths": [""]}),
        Every(singular_value={"number_value": float("nan")}),
        Every(singular_value={"number_value": float("inf")}),
        Every(singular_any={"type_url": "t/no.Such"}),
        Every(singular_any={"value": b"x"}),
        Every(singular_any={"type_url": "t/google.rpc.ErrorInfo", "value": b"\xff"}),
    ],
)
def test_a_message_without_a_form_is_an_error(message: Any) -> None:
    with pytest.raises(ValueError, match=r"random.every_kind.Every has no JSON form"):
        Codec(Every).encode(message)


def test_an_any_of_anys_beyond_all_measure_is_an_error() -> None:
    message = Every()
    for _ in range(2_000):
        outer = Every()
        outer.singular_any.Pack(message.singular_any)
        message = outer
    with pytest.raises(ValueError, match="has no JSON form"):
        Codec(Every).encode(message)


def test_an_any_has_its_type_beside_its_fields_or_its_value() -> None:
    message = Every()
    message.repeated_any.add().Pack(RetryInfo(retry_delay={"seconds": 1}))
    message.repeated_any.add().Pack(RetryInfo(retry_delay={"seconds": 1}).retry_delay)
    assert to_json(message, Style()) == {
        "repeatedAny": [
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"},
            {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"},
        ]
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("singular_string", b'""'),
        ("singular_int64", b'"0"'),
        ("singular_enum", b'"RED"'),
        ("singular_inner", b"{}"),
        ("singular_timestamp", b"null"),
        ("singular_null", b"null"),
        ("repeated_inner", b"[]"),
        ("map_inner", b"{}"),
    ],
)
def test_a_field_that_is_not_set_is_written_at_its_default(name: str, text: bytes) -> None:
    assert Codec(Every).encode_field(Every(), name) == text


def test_one_field_of_a_message_is_written_alone() -> None:
    message = Every(repeated_enum=[1], singular_string="x")
    assert Codec(Every).encode_field(message, "repeated_enum") == b'["GREEN"]'
    assert Codec(Every).encode_field(message, "repeated_enum", AnswerForm(enum_numbers=True)) == b"[1]"


def test_extensions_have_their_full_names_in_brackets() -> None:
    file = FileDescriptorProto(name="random/extended.proto", package="random.extended", syntax="proto2")
    fields = FieldDescriptorProto
    file.message_type.add(name="Open").extension_range.add(start=100, end=200)
    for name, number, label in (("one", 100, fields.LABEL_OPTIONAL), ("many", 101, fields.LABEL_REPEATED)):
        extension = file.extension.add(name=name, number=number, label=label, type=fields.TYPE_INT64)
        extension.extendee = ".random.extended.Open"
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName("random.extended.Open"))
    message: Any = made()
    value = {"[random.extended.one]": "1", "[random.extended.many]": ["2", "3"]}
    fill(message, value)
    assert to_json(message, Style()) == value
    assert json_format.MessageToDict(message) == value

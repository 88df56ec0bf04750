"""Messages of random schemas, read and written as google.protobuf.json_format does, save for the listed differences."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.errors import ServiceError
from runtime.protojson.answer_form import AnswerForm
from runtime.protojson.codec import Codec, read_body
from runtime.protojson.reading import fill as read
from runtime.protojson.writing import Style, to_json

from tests.runtime.protojson.differences import WE_REFUSE, WE_TAKE, explained
from tests.runtime.protojson.schemas import Schema, every_kind, fill, hostile_objects, schemas, spoiled

# Every example leaves its schema in the process's descriptor pool.
few = settings(max_examples=min(settings.default.max_examples, 2_000))


def by_json_format(schema: Schema, text: str) -> Any:
    """The message that json_format reads, None where it refuses."""
    try:
        return json_format.Parse(text, schema.message())
    except json_format.ParseError:
        return None


def by_us(schema: Schema, text: str) -> Any:
    """The message that is read here, None where it is refused."""
    try:
        return Codec(schema.message).decode(read_body(text.encode()))
    except ServiceError:
        return None


@few
@given(schemas(), st.data(), st.booleans(), st.booleans())
def test_a_message_is_written_as_json_format_writes_it(
    schema: Schema, data: st.DataObject, defaults: bool, numbers: bool
) -> None:
    message = fill(data.draw, schema.message())
    expected = json_format.MessageToDict(
        message, always_print_fields_with_no_presence=defaults, use_integers_for_enums=numbers
    )
    written = json.loads(
        Codec(schema.message, emit_defaults=defaults).encode(message, AnswerForm(enum_numbers=numbers))
    )
    assert written == (json.loads(json.dumps(expected)) if not numbers else nulls(message, expected, written))


def nulls(message: Any, expected: Any, written: Any) -> Any:
    """What json_format writes for enums as numbers, but for NullValue, which it then writes as 0 and we as null."""
    if isinstance(expected, dict) and isinstance(written, dict) and expected.keys() == written.keys():
        return {key: nulls(message, item, written[key]) for key, item in expected.items()}
    if isinstance(expected, list) and isinstance(written, list) and len(expected) == len(written):
        return [nulls(message, one, other) for one, other in zip(expected, written, strict=True)]
    return None if expected == 0 and written is None else expected


@few
@given(schemas(), st.data(), st.booleans(), st.booleans())
def test_what_was_written_is_read_as_it_was(schema: Schema, data: st.DataObject, defaults: bool, numbers: bool) -> None:
    message = fill(data.draw, schema.message())
    value = to_json(message, Style(defaults, numbers))
    again = schema.message()
    read(again, value)
    # Not the messages: a field that is null comes back as nothing, and NaN is not NaN.
    assert to_json(again, Style(defaults, numbers)) == value


@few
@given(schemas(), st.data())
def test_json_with_oddities_is_read_as_json_format_reads_it_or_the_difference_is_listed(
    schema: Schema, data: st.DataObject
) -> None:
    descriptor = schema.message.DESCRIPTOR
    value = json.loads(json_format.MessageToJson(fill(data.draw, schema.message())))
    text = json.dumps(data.draw(spoiled(value, descriptor)))
    compare(schema, text)


def test_every_hostile_value_in_every_kind_of_field_is_read_as_json_format_reads_it_or_the_difference_is_listed() -> (
    None
):
    for value in hostile_objects():
        compare(every_kind(), json.dumps(value))


@pytest.mark.parametrize("example", [example for row in WE_REFUSE for example in row.examples])
def test_what_we_alone_refuse_is_refused(example: str) -> None:
    text = f"{{{example}}}"
    assert by_us(every_kind(), text) is None
    assert by_json_format(every_kind(), text) is not None
    assert explained(WE_REFUSE, every_kind().message.DESCRIPTOR, json.loads(text))


@pytest.mark.parametrize("example", [example for row in WE_TAKE for example in row.examples])
def test_what_we_alone_take_is_taken(example: str) -> None:
    text = f"{{{example}}}"
    assert by_us(every_kind(), text) is not None
    assert by_json_format(every_kind(), text) is None
    assert explained(WE_TAKE, every_kind().message.DESCRIPTOR, json.loads(text))


def compare(schema: Schema, text: str) -> None:
    ours, theirs = by_us(schema, text), by_json_format(schema, text)
    if ours is None and theirs is not None:
        assert explained(WE_REFUSE, schema.message.DESCRIPTOR, json.loads(text)), text
    elif ours is not None and theirs is None:
        assert explained(WE_TAKE, schema.message.DESCRIPTOR, json.loads(text)), text
    elif ours is not None:
        assert json_format.MessageToJson(ours, sort_keys=True) == json_format.MessageToJson(theirs, sort_keys=True)

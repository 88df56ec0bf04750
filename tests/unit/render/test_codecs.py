"""Generated codecs do what reading and writing by descriptor do, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import event, given, settings
from hypothesis import strategies as st
from runtime.protojson.reading import fill as fill_by_descriptor
from runtime.protojson.writing import Style, to_json

from tests.rendered import loaded, plan_of
from tests.runtime.protojson.schemas import Schema, every_kind, fill, hostile_objects, schemas, spoiled

# Every example leaves its schema in the process's descriptor pool.
few = settings(max_examples=min(settings.default.max_examples, 2_000))

_WITH_DEFAULTS = "spec:\n  server:\n    rest:\n      emitDefaults: true\n"


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """A spec by whether it has defaults written."""
    folder = tmp_path_factory.mktemp("specs")
    bare, full = folder / "bare.yaml", folder / "full.yaml"
    bare.write_text("spec: {}\n")
    full.write_text(_WITH_DEFAULTS)
    return {False: bare, True: full}


def name_of(schema: Schema) -> str:
    return str(schema.message.DESCRIPTOR.full_name)


@few
@given(schema=schemas(), data=st.data(), defaults=st.booleans(), numbers=st.booleans())
def test_a_message_is_written_as_by_its_descriptor(
    specs: dict[bool, Path], schema: Schema, data: st.DataObject, defaults: bool, numbers: bool
) -> None:
    with loaded(plan_of(schema.file, name_of(schema), specs[defaults])) as codecs:
        encode = codecs[name_of(schema)].encode
        assert encode is not None
        for _ in range(3):
            message = fill(data.draw, schema.message())
            style = Style(defaults, numbers)
            assert encode(message, style) == to_json(message, style)


@few
@given(schema=schemas(), data=st.data())
def test_what_was_written_is_read_without_recourse_to_the_descriptor(
    specs: dict[bool, Path], schema: Schema, data: st.DataObject
) -> None:
    with loaded(plan_of(schema.file, name_of(schema), specs[False])) as codecs:
        decode = codecs[name_of(schema)].decode
        assert decode is not None
        for _ in range(3):
            value = to_json(fill(data.draw, schema.message()), Style())
            assert to_json(schema.message(**decode(value)), Style()) == value


@few
@given(schema=schemas(), data=st.data())
def test_what_is_read_is_what_is_read_by_its_descriptor(
    specs: dict[bool, Path], schema: Schema, data: st.DataObject
) -> None:
    with loaded(plan_of(schema.file, name_of(schema), specs[False])) as codecs:
        decode = codecs[name_of(schema)].decode
        assert decode is not None
        value = json.loads(json_format.MessageToJson(fill(data.draw, schema.message())))
        value = data.draw(spoiled(value, schema.message.DESCRIPTOR))
        event("taken" if takes(schema, decode, value) else "left")


def test_every_hostile_value_in_every_kind_of_field_is_read_as_by_its_descriptor(specs: dict[bool, Path]) -> None:
    schema = every_kind()
    with loaded(plan_of(schema.file, name_of(schema), specs[False])) as codecs:
        decode = codecs[name_of(schema)].decode
        assert decode is not None
        taken = [takes(schema, decode, value) for value in hostile_objects()]
    assert any(taken)
    assert not all(taken)


def takes(schema: Schema, decode: Callable[[Any], dict[str, Any]], value: Any) -> bool:
    """Whether the generated code takes the JSON; then reading by descriptor must come to the same message."""
    try:
        message = schema.message(**decode(value))
    except Exception:  # noqa: BLE001 - left to the descriptor, in whatever way
        return False
    by_descriptor = schema.message()
    fill_by_descriptor(by_descriptor, value)
    assert message.SerializeToString(deterministic=True) == by_descriptor.SerializeToString(deterministic=True), value
    return True

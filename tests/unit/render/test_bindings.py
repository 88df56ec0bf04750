"""Generated requests of routes are what is bound by descriptors, and nothing that is refused there is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import runtime.transport.query_values  # noqa: F401 - what generated code imports is to be there
from google.protobuf import json_format
from hypothesis import event, given, settings
from hypothesis import strategies as st
from runtime import definition
from runtime.definition import Bind, Capture, Method, Route
from runtime.errors import ServiceError
from runtime.protojson.codec import Codec
from runtime.transport.binding import Binding, is_leaf
from runtime.transport.query import Query

from generator.contract.model import HttpRule
from tests.runtime.protojson.schemas import Schema, every_kind, fill, schemas, spoiled
from tests.unit.render.loaded_codecs import loaded_bindings, plan_of, rule

# Every example leaves its schema in the process's descriptor pool.
few = settings(max_examples=min(settings.default.max_examples, 2_000))

TEXTS = (
    *(
        "",
        "a",
        "x y",
        "0",
        "1",
        "-1",
        "07",
        "+1",
        "1.5",
        "1e2",
        "5_0",
        "٣",
        "NaN",
        "Infinity",
        "3.4028235e+38",
        "1e400",
    ),
    *("2147483648", "-2147483649", "4294967296", "9223372036854775808", "18446744073709551616", "true", "True", "no"),
    *("RED", "GREEN", "PURPLE", "2147483647", "NULL_VALUE", "AAA=", "AAA", "_-8", "A", "a.b,cD", "a_b", "1.5s", "-0s"),
    *("1970-01-01T00:00:05Z", "1970-01-01", "0001-01-01T00:00:00Z", "null"),
)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("specs") / "bare.yaml"
    path.write_text("spec: {}\n")
    return path


def bound(binding: Binding, values: Sequence[str], query: Query, body: Any) -> Any:
    """The request, or the name of what is wrong with it."""
    try:
        return binding.message(values, query, *body)
    except ServiceError as error:
        return error.metadata["field"]


def same(bind: Bind, schema: Schema, found: HttpRule, values: Sequence[str], query: Query, body: Any) -> bool:
    """Whether the generated code takes the request; bound by descriptors, it must be the same, or refused alike."""
    template = found.template
    captures = tuple(
        Capture(variable.field_path, start, end)
        for variable, (start, end) in zip(template.variables, template.captures, strict=True)
    )
    method = Method("/x.Do/Do", "x.Do", "Do", "do", definition.Kind.UNARY, schema.message, schema.message)
    route = Route(found.verb, template.text, template.segments, "", captures, found.body, "", method)
    codec = Codec(schema.message)
    expected = bound(Binding(route, codec, None, ignore_unknown=False), values, query, body)
    actual = bound(Binding(route, codec, bind, ignore_unknown=False), values, query, body)
    if isinstance(expected, str):
        assert actual == expected
        return False
    assert not isinstance(actual, str), actual
    assert actual.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True)
    try:
        schema.message(**bind(values, query.parameters, *(body or ({},))))
    except Exception:  # noqa: BLE001 - left to the descriptors, in whatever way
        return False
    return True


def rules_of(schema: Schema) -> list[HttpRule]:
    """Routes without a body, with a whole one, and with each field as one; a field in the path where one can be."""
    fields = list(schema.message.DESCRIPTOR.fields)
    in_path = [field.name for field in fields if not field.is_repeated and field.message_type is None]
    variables = "".join(f"/{{{name}}}" for name in in_path[:2])
    rules = [rule("GET", "/a"), rule("GET", f"/b{variables}"), rule("POST", f"/c{variables}", "*")]
    return [*rules, *(rule("PATCH", f"/d/{field.name}", field.name) for field in fields)]


@few
@given(schema=schemas(), data=st.data())
def test_a_request_is_what_it_is_by_descriptors(spec: Path, schema: Schema, data: st.DataObject) -> None:
    rules = rules_of(schema)
    descriptor = schema.message.DESCRIPTOR
    names = [name for field in descriptor.fields for name in (field.name, field.json_name)]
    parameters = st.tuples(st.sampled_from([*names, "nope", "inner.x"]), st.sampled_from(TEXTS))
    with loaded_bindings(plan_of(schema.file, descriptor.full_name, spec, rules)) as bindings:
        for _ in range(6):
            found = data.draw(st.sampled_from(rules))
            bind = bindings.get(f"{found.verb} {found.template.text}")
            if bind is None:
                event("no function")
                continue
            values = [data.draw(st.sampled_from(TEXTS[1:])) for _ in found.template.variables]
            query = Query(data.draw(st.lists(parameters, max_size=3)))
            body = body_of(data, schema, found) if found.body else ()
            event("taken" if same(bind, schema, found, values, query, body) else "left")


def body_of(data: st.DataObject, schema: Schema, found: HttpRule) -> tuple[Any, ...]:
    """The JSON value of a body, mostly such as the route takes; none for an empty body."""
    whole = json.loads(json_format.MessageToJson(fill(data.draw, schema.message())))
    whole = data.draw(spoiled(whole, schema.message.DESCRIPTOR)) if data.draw(st.booleans()) else whole
    if found.body == "*":
        return (whole,)
    field = schema.message.DESCRIPTOR.fields_by_name[found.body]
    return (whole[field.json_name],) if isinstance(whole, dict) and field.json_name in whole else ()


def test_every_text_for_every_kind_of_field_is_read_as_by_descriptors(spec: Path) -> None:
    schema = every_kind()
    descriptor: Any = schema.message.DESCRIPTOR
    leaves = [field for field in descriptor.fields if is_leaf(field)]
    in_path = [field.name for field in leaves if not field.is_repeated and field.message_type is None]
    rules = [rule("GET", "/all"), *(rule("GET", f"/{name}/{{{name}}}") for name in in_path)]
    taken: dict[str, int] = {}
    with loaded_bindings(plan_of(schema.file, descriptor.full_name, spec, rules)) as bindings:
        for text in TEXTS:
            for field in leaves:
                query = Query([(field.json_name, text)])
                taken[field.name] = taken.get(field.name, 0) + same(
                    bindings["GET /all"], schema, rules[0], (), query, ()
                )
            for found, name in zip(rules[1:], in_path, strict=True):
                if text and (bind := bindings.get(f"GET {found.template.text}")):
                    taken[name] += same(bind, schema, found, [text], Query(), ())
    assert {name for name, count in taken.items() if not count} == {
        field.name for field in leaves if field.containing_oneof is not None
    }


def test_what_is_left_over_is_a_refusal_that_names_its_place(spec: Path) -> None:
    schema = every_kind()
    found = rule("GET", "/v1/{singular_int32}")
    with loaded_bindings(plan_of(schema.file, schema.message.DESCRIPTOR.full_name, spec, [found])) as bindings:
        bind: Mapping[str, Bind] = bindings
        assert same(bind["GET /v1/{singular_int32}"], schema, found, ["7"], Query([("singularString", "a")]), ())
        for name in ("singular_int32", "singularInt32", "nope", "singular_string.x"):
            assert not same(bind["GET /v1/{singular_int32}"], schema, found, ["7"], Query([(name, "1")]), ())

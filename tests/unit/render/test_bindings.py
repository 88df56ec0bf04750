"""Generated code makes every request that its message's descriptor has a place for, and refuses the others alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pool, field_mask_pb2, json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import event, given, settings
from hypothesis import strategies as st
from runtime import definition
from runtime.definition import Bind, Capture, Method, Route
from runtime.errors import ServiceError
from runtime.protojson.codec import Codec
from runtime.transport.binding import Binding
from runtime.transport.query import Query

from generator.contract.model import HttpRule, Kind
from tests.rendered import loaded_bindings, plan_of, rule
from tests.runtime.protojson.schemas import Schema, every_kind, fill, schemas, spoiled
from tests.unit.render.reference_binding import NO_BODY, WrongError, requested

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
_MOST_STEPS = 4


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("specs") / "bare.yaml"
    path.write_text("spec: {}\n")
    return path


def route_of(schema: Schema, found: HttpRule, kind: Kind = Kind.UNARY) -> Route:
    template = found.template
    captures = tuple(
        Capture(variable.field_path, start, end)
        for variable, (start, end) in zip(template.variables, template.captures, strict=True)
    )
    method = Method("/x.Do/Do", "x.Do", "Do", "do", definition.Kind(kind.value), schema.message, schema.message)
    return Route(found.verb, template.text, template.segments, "", captures, found.body, "", method)


def same(
    bind: Bind, route: Route, values: Sequence[str], parameters: Sequence[tuple[str, str]], body: Any, ignore: bool
) -> bool:
    """Whether there is such a request; generated code makes the one that the descriptor makes, or names the same place."""
    message: Any = None
    wrong = named = ""
    try:
        message = requested(route, values, parameters, body, ignore_unknown=ignore)
    except WrongError as error:
        wrong = str(error) or "body"
    binding = Binding(route, Codec(route.method.request), bind, ignore_unknown=ignore)
    made: Any = None
    try:
        made = binding.message(values, Query(binding.names, parameters), *(() if body is NO_BODY else (body,)))
    except ServiceError as error:
        named = error.metadata["field"]
    assert named == wrong
    if message is not None:
        assert made.SerializePartialToString(deterministic=True) == message.SerializePartialToString(deterministic=True)
    return message is not None


def rules_of(schema: Schema) -> list[HttpRule]:
    """Routes without a body, with a whole one, and with each field as one; in the path what can be there."""
    fields = list(schema.message.DESCRIPTOR.fields)
    in_path = list(_paths(schema.message.DESCRIPTOR, 2))[:3]
    variables = "".join(f"/{{{name}}}" for name in in_path)
    rules = [rule("GET", "/a"), rule("GET", f"/b{variables}"), rule("POST", f"/c{variables}", "*")]
    for field in fields:
        own = next((f"/{{{path}}}" for path in in_path if path.startswith(f"{field.name}.")), "")
        rules += [rule("PATCH", f"/d/{field.name}", field.name), rule("PUT", f"/e/{field.name}{own}", field.name)]
    return rules


def _paths(descriptor: Any, depth: int) -> Any:
    """Where variables of a path may lead."""
    for field in descriptor.fields:
        if field.is_repeated:
            continue
        if field.message_type is None:
            yield field.name
        elif depth > 1:
            yield from (f"{field.name}.{path}" for path in _paths(field.message_type, depth - 1))


@st.composite
def parameter_names(draw: st.DrawFn, descriptor: Any) -> str:
    """A way from the request down to some field, in either spelling; now and then too short, too long, or into the blue."""
    steps = []
    at = descriptor
    for _ in range(_MOST_STEPS):
        if at is None or not at.fields or draw(st.integers(0, 12)) == 0:
            steps.append(draw(st.sampled_from(["nope", "", "x", "value"])))
            break
        field = draw(st.sampled_from(list(at.fields)))
        steps.append(draw(st.sampled_from([field.name, field.json_name])))
        at = field.message_type
        if at is None and draw(st.integers(0, 12)):
            break
    return ".".join(steps)


@few
@given(
    schema=schemas(), data=st.data(), kind=st.sampled_from([Kind.UNARY, Kind.UNARY, Kind.BIDI]), ignore=st.booleans()
)
def test_a_request_is_what_it_is_by_its_descriptor(
    spec: Path, schema: Schema, data: st.DataObject, kind: Kind, ignore: bool
) -> None:
    rules = rules_of(schema)
    descriptor = schema.message.DESCRIPTOR
    parameters = st.tuples(parameter_names(descriptor), st.sampled_from(TEXTS))
    with loaded_bindings(plan_of(schema.file, descriptor.full_name, spec, rules, kind)) as bindings:
        for _ in range(6):
            found = data.draw(st.sampled_from(rules))
            route = route_of(schema, found, kind)
            values = [data.draw(st.sampled_from(TEXTS[1:])) for _ in found.template.variables]
            query = data.draw(st.lists(parameters, max_size=3))
            body = body_of(data, schema, found) if found.body or kind is Kind.BIDI else NO_BODY
            bind = bindings[f"{found.verb} {found.template.text}"]
            event("made" if same(bind, route, values, query, body, ignore) else "refused")


def body_of(data: st.DataObject, schema: Schema, found: HttpRule) -> Any:
    """The JSON value of a body, mostly such as the route takes; none for an empty body."""
    whole = json.loads(json_format.MessageToJson(fill(data.draw, schema.message())))
    whole = data.draw(spoiled(whole, schema.message.DESCRIPTOR)) if data.draw(st.booleans()) else whole
    if found.body in ("", "*"):
        return whole
    field = schema.message.DESCRIPTOR.fields_by_name[found.body]
    return whole[field.json_name] if isinstance(whole, dict) and field.json_name in whole else NO_BODY


@few
@given(schema=schemas(), data=st.data())
def test_a_mask_that_is_left_out_has_the_fields_of_the_body(spec: Path, schema: Schema, data: st.DataObject) -> None:
    change = changing(schema)
    found = rule("PATCH", "/v1/thing", "thing")
    with loaded_bindings(plan_of(change.file, change.message.DESCRIPTOR.full_name, spec, [found])) as bindings:
        for _ in range(3):
            thing = json.loads(json_format.MessageToJson(fill(data.draw, schema.message())))
            if isinstance(thing, dict) and thing and data.draw(st.booleans()):
                thing[data.draw(st.sampled_from(sorted(thing)))] = None
            query = data.draw(st.sampled_from([[], [], [("updateMask", "")], [("updateMask", "thing")]]))
            event("made" if same(bindings["PATCH /v1/thing"], route_of(change, found), (), query, thing, False) else "")


def changing(schema: Schema) -> Schema:
    """A request to change a thing of that schema."""
    package = schema.file.package
    file = FileDescriptorProto(name=f"{schema.file.name}.change.proto", package=f"{package}.change", syntax="proto3")
    file.dependency.extend([field_mask_pb2.DESCRIPTOR.name, schema.file.name])
    message = file.message_type.add(name="Change")
    for number, (name, kind) in enumerate(
        (("thing", schema.message.DESCRIPTOR.full_name), ("update_mask", "google.protobuf.FieldMask")), 1
    ):
        message.field.add(name=name, number=number, type="TYPE_MESSAGE", label="LABEL_OPTIONAL", type_name=f".{kind}")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindMessageTypeByName(f"{file.package}.Change")
    return Schema(file, message_factory.GetMessageClass(found))


def test_every_text_for_every_kind_of_field_is_read_as_by_its_descriptor(spec: Path) -> None:
    schema = every_kind()
    descriptor: Any = schema.message.DESCRIPTOR
    in_path = list(_paths(descriptor, 1))
    rules = [rule("GET", "/all"), *(rule("GET", f"/{name}/{{{name}}}") for name in in_path)]
    made: dict[str, int] = {}
    with loaded_bindings(plan_of(schema.file, descriptor.full_name, spec, rules)) as bindings:
        for text in TEXTS:
            for field in descriptor.fields:
                route = route_of(schema, rules[0])
                made.setdefault(field.name, 0)
                made[field.name] += same(bindings["GET /all"], route, (), [(field.json_name, text)], NO_BODY, False)
            for found, name in zip(rules[1:], in_path, strict=True):
                if text:
                    bind = bindings[f"GET {found.template.text}"]
                    made[name] += same(bind, route_of(schema, found), [text], [], NO_BODY, False)
    assert {name.partition("_")[2] for name, count in made.items() if not count and not name.startswith("map_")} == {
        *("any", "empty", "listvalue", "struct", "value", "inner"),
        *(field.name.partition("_")[2] for field in descriptor.fields if field.name.endswith("_keys")),
    }

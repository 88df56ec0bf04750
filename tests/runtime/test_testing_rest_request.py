"""A message becomes the HTTP request that brings it: the rules of `google.api.http`, in reverse."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from google.api.http_pb2 import HttpRule
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import BoolValue, BytesValue, StringValue
from google.rpc.context.attribute_context_pb2 import AttributeContext
from google.rpc.error_details_pb2 import ErrorInfo
from runtime.definition import Capture, Kind, Method, Route
from runtime.routing import Router
from runtime.testing import RestRequest, entries, rest_request, sample
from runtime.testing.annotations import route_of
from runtime.testing.rest_request import carried, carried_back

from tests.runtime.sample_service import definition


def route(
    template: str,
    request: type[Message] = AttributeContext.Request,
    *,
    verb: str = "get",
    body: str = "",
    response_body: str = "",
    kind: Kind = Kind.UNARY,
) -> Route:
    method = Method("/a.B/C", "a.B", "C", "c", kind, request, request)
    rule = HttpRule(body=body, response_body=response_body)
    if verb == "*":
        rule.custom.kind, rule.custom.path = "*", template
    else:
        setattr(rule, verb, template)
    return route_of(rule, method)


def sent(way: Route, *requests: Message, proto_names: bool = False) -> RestRequest:
    return rest_request(way, requests, proto_names=proto_names)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/v1/{id}", "/v1/a%2Fb%20%2B%C3%A9"),
        ("/v1/{id}:fetch", "/v1/a%2Fb%20%2B%C3%A9:fetch"),
        ("/v1/{id=**}", "/v1/a/b%20%2B%C3%A9"),
        ("/v1/{id=a/*}/tail", "/v1/a/b%20%2B%C3%A9/tail"),
        ("/v1/{id=a/**}/{method}", "/v1/a/b%20%2B%C3%A9/m"),
        ("/v1/*/{id}", "/v1/x/a%2Fb%20%2B%C3%A9"),
        ("/v1/{size}", "/v1/7"),
        ("/v1/{auth.principal}", "/v1/p"),
    ],
)
def test_path_variables_are_percent_encoded_as_their_template_splits_them(template: str, path: str) -> None:
    request = AttributeContext.Request(id="a/b +é", method="m", size=7)
    request.auth.principal = "p"
    assert sent(route(template), request).path == path


def test_what_neither_path_nor_body_carries_goes_into_the_query() -> None:
    request = AttributeContext.Request(id="a", host="h &=é", size=5)
    request.auth.audiences.extend(["x", "y"])
    assert sent(route("/v1/{id}"), request) == RestRequest(
        "GET", "/v1/a", "host=h+%26%3D%C3%A9&size=5&auth.audiences=x&auth.audiences=y"
    )


def test_a_body_field_is_the_whole_body_and_the_rest_is_query() -> None:
    request = AttributeContext.Request(id="a", host="h")
    request.auth.principal = "p"
    made = sent(route("/v1/{id}", verb="patch", body="auth"), request)
    assert made == RestRequest("PATCH", "/v1/a", "host=h", b'{"principal": "p"}', "application/json")


def test_a_body_of_everything_lacks_what_the_path_says() -> None:
    request = AttributeContext.Request(id="a", host="h")
    made = sent(route("/v1/{id}", verb="post", body="*"), request)
    assert made == RestRequest("POST", "/v1/a", "", b'{"host": "h"}', "application/json")


def test_a_body_field_that_is_not_set_sends_no_body() -> None:
    assert sent(route("/v1/all", verb="post", body="auth"), AttributeContext.Request()).body is None


def test_fields_can_be_spelt_as_the_contract_does() -> None:
    request = AttributeContext.Auth(access_levels=["a"])
    way = route("/v1/all", AttributeContext.Auth)
    assert sent(way, request).query == "accessLevels=a"
    assert sent(way, request, proto_names=True).query == "access_levels=a"


@pytest.mark.parametrize(
    ("request_", "query"),
    [
        (StringValue(value="a b"), "value=a+b"),
        (BytesValue(value=b"\xff"), "value=%2Fw%3D%3D"),
        (BoolValue(value=True), "value=true"),
        (FieldMask(paths=["a", "b"]), "paths=a&paths=b"),
        (Timestamp(seconds=7), "seconds=7"),
    ],
    ids=lambda value: value.DESCRIPTOR.name if isinstance(value, Message) else "",
)
def test_a_request_whose_json_is_no_object_goes_into_the_query_by_its_fields(request_: Message, query: str) -> None:
    assert sent(route("/v1/all", type(request_)), request_).query == query


def test_a_request_whose_json_is_no_object_fills_a_path_and_a_body() -> None:
    request = StringValue(value="a b")
    assert sent(route("/v1/{value}", StringValue), request) == RestRequest("GET", "/v1/a%20b")
    assert sent(route("/v1/all", StringValue, verb="post", body="value"), request).body == b'"a b"'


def test_a_client_stream_is_one_array() -> None:
    way = route("/v1/{domain}", ErrorInfo, verb="post", body="*", kind=Kind.CLIENT_STREAM)
    made = sent(way, ErrorInfo(domain="d", reason="a"), ErrorInfo(domain="d", reason="b"))
    assert (made.path, json.loads(made.body or b"")) == ("/v1/d", [{"reason": "a"}, {"reason": "b"}])


def test_an_http_body_is_sent_as_it_is() -> None:
    made = sent(route("/v1/raw", HttpBody, verb="post", body="*"), HttpBody(content_type="text/plain", data=b"\xff"))
    assert (made.body, made.content_type) == (b"\xff", "text/plain")


def test_any_http_method_is_post_where_there_is_a_body_and_else_get() -> None:
    with_body = route("/v1/all", verb="*", body="*")
    without = Route("*", "/v1/all", ("v1", "all"), "", (), "", "", with_body.method)
    assert sent(with_body, AttributeContext.Request()).verb == "POST"
    assert sent(without, AttributeContext.Request()).verb == "GET"


def test_maps_and_repeated_messages_have_no_place_in_a_query() -> None:
    (made,) = carried(route("/v1/{id}"), [sample(AttributeContext.Request)])
    assert made.id
    assert made.host
    assert made.HasField("time")
    assert not made.headers
    assert not made.auth.HasField("claims")
    (rule,) = carried(route("/v1/rules", HttpRule), [sample(HttpRule)])
    assert not rule.additional_bindings


def test_a_path_variable_gets_a_value_of_its_templates_shape() -> None:
    way = route("/v1/{id=shelves/*/books/**}")
    (made,) = carried(way, [sample(AttributeContext.Request)], ("x", "y"))
    shelves, _, books, *rest = made.id.split("/")
    assert (shelves, books, rest) == ("shelves", "books", ["x", "y"])


def test_a_path_variable_inside_a_oneof_is_set_in_every_variant() -> None:
    for variant in range(6):
        (made,) = carried(route("/v1/{put}", HttpRule), [sample(HttpRule, variant)])
        assert made.put


def test_the_requests_of_a_stream_share_what_the_path_says() -> None:
    way = route("/v1/{domain}", ErrorInfo, verb="post", body="*", kind=Kind.CLIENT_STREAM)
    first, second = carried(way, [ErrorInfo(domain="a", reason="r"), ErrorInfo(domain="b", reason="s")])
    assert (first.domain, second.domain, second.reason) == ("a", "a", "s")


def test_a_long_query_loses_fields_rather_than_break_a_proxy() -> None:
    big: Any = AttributeContext.Request(id="a", host="h" * 3000, scheme="s" * 3000)
    (made,) = carried(route("/v1/{id}"), [big])
    assert made.id == "a"
    assert len(sent(route("/v1/{id}"), made).query) <= 4096


def test_a_response_body_carries_one_field() -> None:
    made = carried_back(route("/v1/all", response_body="auth"), sample(AttributeContext.Request))
    assert [field.name for field, _ in made.ListFields()] == ["auth"]


def test_annotations_are_read_into_segments_captures_and_verb() -> None:
    read = route("/v1/{a.b=x/*/**}/{c}:go:on", AttributeContext.Request)
    assert read.segments == ("v1", "x", "*", "**", "*")
    assert read.suffix == "go:on"
    assert read.captures == (Capture(("a", "b"), 1, 4), Capture(("c",), 4, 5))


def test_what_two_stars_stand_for_leaves_the_sample_to_its_own_route() -> None:
    templates = ("/v1/{id=a/**}", "/v1/a/p", "/v1/{id=a/*/*}", "/v1/{id=a/**}/{host}", "/{id=**}")
    found = served(*templates)
    assert found["/v1/{id=a/**}"] == ()
    assert found["/v1/{id=a/**}/{host}"] == ("p q", "é")
    assert found["/{id=**}"] == ("p q", "é")


def test_a_route_that_no_request_reaches_is_no_entry() -> None:
    templates = ("/v1/{id=a/*/**}", "/v1/a/{id}", "/v1/{id=a/*/**}/{host}")
    assert "/v1/{id=a/*/**}" not in served(*templates)


def served(*templates: str) -> dict[str, tuple[str, ...]]:
    """What `**` stands for in the entries of these routes."""
    routes = [route(template) for template in templates]
    over_rest = [entry for entry in entries(replace(definition(), router=Router(routes))) if entry.route is not None]
    return {entry.template or "": entry.rest for entry in over_rest}

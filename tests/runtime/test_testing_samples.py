"""Samples show what their type can hold, and are the same on every run."""

from __future__ import annotations

import pytest
from google.api.http_pb2 import HttpRule
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, UninterpretedOption
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.rpc.context.attribute_context_pb2 import AttributeContext
from google.rpc.status_pb2 import Status
from google.type.money_pb2 import Money
from runtime.testing import sample, smallest, variants
from runtime.testing.samples import MOST_VARIANTS

TYPES = [AttributeContext, DescriptorProto, FileDescriptorProto, HttpRule, ListValue, Money, Status, Struct, Value]


@pytest.mark.parametrize("message_type", TYPES, ids=lambda found: found.DESCRIPTOR.full_name)
def test_a_sample_is_the_same_every_time(message_type: type[Message]) -> None:
    for variant in range(variants(message_type)):
        assert sample(message_type, variant) == sample(message_type, variant)


@pytest.mark.parametrize("message_type", TYPES, ids=lambda found: found.DESCRIPTOR.full_name)
def test_a_sample_survives_both_encodings(message_type: type[Message]) -> None:
    for variant in range(variants(message_type)):
        made = sample(message_type, variant)
        assert message_type.FromString(made.SerializeToString()) == made
        assert json_format.Parse(json_format.MessageToJson(made), message_type()) == made


def test_every_field_is_set() -> None:
    made = sample(AttributeContext)
    assert {field.name for field, _ in made.ListFields()} == set(AttributeContext.DESCRIPTOR.fields_by_name)
    request = made.request
    assert {field.name for field, _ in request.ListFields()} == set(request.DESCRIPTOR.fields_by_name)


def test_the_variants_show_every_member_of_a_oneof() -> None:
    members = {HttpRule.DESCRIPTOR.oneofs[0].fields[at].name for at in range(6)}
    assert {sample(HttpRule, variant).WhichOneof("pattern") for variant in range(variants(HttpRule))} == members


def test_the_variants_show_every_kind_of_json_value() -> None:
    kinds = {sample(Value, variant).WhichOneof("kind") for variant in range(variants(Value))}
    assert kinds == {"null_value", "number_value", "string_value", "bool_value", "struct_value", "list_value"}


def test_a_message_without_oneofs_has_one_variant() -> None:
    assert variants(Money) == 1


def test_the_variants_are_bounded() -> None:
    assert all(variants(message_type) <= MOST_VARIANTS for message_type in TYPES)


def test_the_smallest_message_is_empty_where_it_may_be() -> None:
    assert smallest(Money) == Money()
    assert smallest(UninterpretedOption.NamePart).IsInitialized()


def test_recursion_is_entered_and_ends() -> None:
    made = sample(HttpRule)
    assert made.additional_bindings[0].additional_bindings[0] == HttpRule()


def test_repeated_fields_have_two_entries_that_differ() -> None:
    first, second = sample(FileDescriptorProto).dependency
    assert first != second


def test_integers_need_all_of_their_bits_and_text_is_beyond_ascii() -> None:
    made = sample(Money)
    assert made.units < -(2**53)
    assert not made.currency_code.isascii()


def test_a_wide_message_is_sampled_less_deep_and_stays_small() -> None:
    assert sample(FileDescriptorProto).ByteSize() < 64_000


def test_required_fields_are_set_however_deep() -> None:
    made = sample(FileDescriptorProto)
    assert made.IsInitialized()

"""Rules about messages and what they no longer hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from generator.breaking.pairs import messages
from generator.breaking.ranges import Range, missing, text
from generator.breaking.rule import ALWAYS, BOTH_WIRES, EVERYBODY, JSON, ONLY_WIRE_JSON, SOURCE, Audience, Change, Rule
from generator.breaking.schema import FieldNode, MessageNode, Schema

LAST_NUMBER = 2**29 - 1


def _deleted(
    excused: Callable[[FieldNode, MessageNode], bool], how: str = ""
) -> Callable[[MessageNode, MessageNode], Iterator[Change]]:
    """Finds fields whose number is no longer there, but for those excused."""

    def check(old: MessageNode, new: MessageNode) -> Iterator[Change]:
        for number, field in old.fields.items():
            if number not in new.fields and not excused(field, new):
                what = f"{field.full_name} (number {number}) is gone{how}"
                yield Change(field.full_name, what, new.place, new.full_name)

    return check


def _never(field: FieldNode, message: MessageNode) -> bool:
    return False


def _number_reserved(field: FieldNode, message: MessageNode) -> bool:
    return any(start <= field.proto.number <= end for start, end in _reserved(message))


def _name_reserved(field: FieldNode, message: MessageNode) -> bool:
    return field.name in message.proto.reserved_name


def _reserved(message: MessageNode) -> list[Range]:
    return [(one.start, one.end - 1) for one in message.proto.reserved_range]  # the end is exclusive


def _extendable(message: MessageNode) -> list[Range]:
    return [(one.start, one.end - 1) for one in message.proto.extension_range]


def _ranges_gone(
    kind: str, ranges: Callable[[MessageNode], Sequence[Range]]
) -> Callable[[MessageNode, MessageNode], Iterator[Change]]:
    def check(old: MessageNode, new: MessageNode) -> Iterator[Change]:
        for span in ranges(old):
            if gone := missing(span, ranges(new)):
                numbers = ", ".join(text(one, LAST_NUMBER) for one in gone)
                what = f"{new.full_name} has the numbers {numbers} no longer {kind}"
                yield Change(new.full_name, what, new.place, new.full_name)

    return check


def _reserved_gone(old: MessageNode, new: MessageNode) -> Iterator[Change]:
    yield from _ranges_gone("reserved", _reserved)(old, new)
    for name in old.proto.reserved_name:
        if name not in new.proto.reserved_name:
            what = f'{new.full_name} has the name "{name}" no longer reserved'
            yield Change(new.full_name, what, new.place, new.full_name)


def _oneof_gone(old: MessageNode, new: MessageNode) -> Iterator[Change]:
    for name in sorted(old.oneofs - {one.name for one in new.proto.oneof_decl}):
        yield Change(f"{new.full_name}.{name}", f"oneof {new.full_name}.{name} is gone", new.place, new.full_name)


def _same_required_fields(old: MessageNode, new: MessageNode) -> Iterator[Change]:
    before, after = _required(old), _required(new)
    for number in before.keys() - after.keys():
        field = before[number]
        yield Change(field.full_name, f"{field.full_name} is no longer required", new.place, new.full_name)
    for number in after.keys() - before.keys():
        field = after[number]
        yield Change(field.full_name, f"{field.full_name} is required now", field.place, new.full_name)


def _required(message: MessageNode) -> dict[int, FieldNode]:
    # As it is written: buf does not count the feature of editions here, which FIELD_SAME_CARDINALITY sees.
    required = {number: one for number, one in message.fields.items() if one.proto.label == one.proto.LABEL_REQUIRED}
    return dict(sorted(required.items()))


def _same_json_format(old: MessageNode, new: MessageNode) -> Iterator[Change]:
    if old.features.json_format == "ALLOW" != new.features.json_format:
        what = f"{new.full_name} is no longer sure to have a JSON form"
        yield Change(new.full_name, what, new.place, new.full_name)


RULES: tuple[Rule[Schema], ...] = (
    Rule(
        "FIELD_NO_DELETE",
        SOURCE,
        EVERYBODY,
        "a field is gone, even where its name and number are reserved",
        "keep it and mark it deprecated",
        messages(_deleted(_never)),
    ),
    Rule(
        "FIELD_NO_DELETE_UNLESS_NAME_RESERVED",
        ONLY_WIRE_JSON,
        (Audience.REST,),
        "a field is gone and its name is free, so that another field could be taken for it in JSON",
        "reserve the name",
        messages(_deleted(_name_reserved, " and its name is not reserved")),
    ),
    Rule(
        "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED",
        BOTH_WIRES,
        (Audience.GRPC,),
        "a field is gone and its number is free, so that another field could be taken for it",
        "reserve the number",
        messages(_deleted(_number_reserved, " and its number is not reserved")),
    ),
    Rule(
        "ONEOF_NO_DELETE",
        SOURCE,
        (Audience.CODE,),
        "a oneof is gone",
        "keep the oneof, with its fields deprecated",
        messages(_oneof_gone),
    ),
    Rule(
        "MESSAGE_SAME_REQUIRED_FIELDS",
        ALWAYS,
        (Audience.GRPC, Audience.REST),
        "a field is required and was not, or the other way round: one side refuses what the other sends",
        "leave required fields required; add further ones as optional, and check them in the handler",
        messages(_same_required_fields),
    ),
    Rule(
        "MESSAGE_SAME_JSON_FORMAT",
        JSON,
        (Audience.REST,),
        "a message allowed JSON and no longer does",
        "leave the feature `json_format` as it is",
        messages(_same_json_format),
    ),
    Rule(
        "RESERVED_MESSAGE_NO_DELETE",
        ALWAYS,
        (Audience.GRPC, Audience.REST),
        "a name or number is no longer reserved, so that a new field could be taken for an old one",
        "leave it reserved; take other names and numbers",
        messages(_reserved_gone),
    ),
    Rule(
        "EXTENSION_MESSAGE_NO_DELETE",
        SOURCE,
        (Audience.GRPC, Audience.CODE),
        "a message leaves fewer numbers to extensions",
        "leave the range of extensions as it is",
        messages(_ranges_gone("open to extensions", _extendable)),
    ),
)

"""Rules about enums and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generator.breaking.pairs import enums
from generator.breaking.ranges import Range, missing, text
from generator.breaking.rule import ALWAYS, BOTH_WIRES, EVERYBODY, JSON, ONLY_WIRE_JSON, SOURCE, Audience, Change, Rule
from generator.breaking.schema import EnumNode, Schema

_LAST_NUMBER = 2**31 - 1


def _deleted(
    excused: Callable[[int, EnumNode, EnumNode], bool], how: str = ""
) -> Callable[[EnumNode, EnumNode], Iterator[Change]]:
    """Finds values whose number is no longer there, but for those excused."""

    def check(old: EnumNode, new: EnumNode) -> Iterator[Change]:
        for number, names in old.values.items():
            if number not in new.values and not excused(number, old, new):
                full_names = [f"{new.full_name}.{name}" for name in names]
                yield Change(
                    full_names[0], f"{', '.join(full_names)} = {number} is gone{how}", new.place, new.full_name
                )

    return check


def _never(number: int, old: EnumNode, new: EnumNode) -> bool:
    return False


def _number_reserved(number: int, old: EnumNode, new: EnumNode) -> bool:
    return any(start <= number <= end for start, end in _reserved(new))


def _names_reserved(number: int, old: EnumNode, new: EnumNode) -> bool:
    return all(name in new.proto.reserved_name for name in old.values[number])


def _reserved(enum: EnumNode) -> list[Range]:
    return [(one.start, one.end) for one in enum.proto.reserved_range]  # the end is inclusive, unlike a message's


def _reserved_gone(old: EnumNode, new: EnumNode) -> Iterator[Change]:
    for span in _reserved(old):
        if gone := missing(span, _reserved(new)):
            numbers = ", ".join(text(one, _LAST_NUMBER) for one in gone)
            yield Change(new.full_name, f"{new.full_name} has {numbers} no longer reserved", new.place, new.full_name)
    for name in old.proto.reserved_name:
        if name not in new.proto.reserved_name:
            what = f'{new.full_name} has the name "{name}" no longer reserved'
            yield Change(new.full_name, what, new.place, new.full_name)


def _same_value_name(old: EnumNode, new: EnumNode) -> Iterator[Change]:
    for number, names in old.values.items():
        known = new.values.get(number, {})
        gone = sorted(names.keys() - known.keys())
        if known and gone:
            now = ", ".join(sorted(known))
            place = next(iter(known.values()))
            what = f"{new.full_name}: {number} is {now}, no longer {', '.join(gone)}"
            yield Change(f"{new.full_name}.{gone[0]}", what, place, new.full_name)


def _same_type(old: EnumNode, new: EnumNode) -> Iterator[Change]:
    if old.closed != new.closed:
        before, after = ("closed" if enum.closed else "open" for enum in (old, new))
        yield Change(new.full_name, f"{new.full_name} is {after}, not {before}", new.place, new.full_name)


def _same_json_format(old: EnumNode, new: EnumNode) -> Iterator[Change]:
    if old.features.json_format == "ALLOW" != new.features.json_format:
        what = f"{new.full_name} is no longer sure to have a JSON form"
        yield Change(new.full_name, what, new.place, new.full_name)


RULES: tuple[Rule[Schema], ...] = (
    Rule(
        "ENUM_VALUE_NO_DELETE",
        SOURCE,
        EVERYBODY,
        "an enum value is gone, even where its name and number are reserved",
        "keep it and mark it deprecated",
        enums(_deleted(_never)),
    ),
    Rule(
        "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED",
        ONLY_WIRE_JSON,
        (Audience.REST,),
        "an enum value is gone and its name is free, so that another could be taken for it in JSON",
        "reserve the name",
        enums(_deleted(_names_reserved, " and its name is not reserved")),
    ),
    Rule(
        "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED",
        BOTH_WIRES,
        (Audience.GRPC,),
        "an enum value is gone and its number is free, so that another could be taken for it",
        "reserve the number",
        enums(_deleted(_number_reserved, " and its number is not reserved")),
    ),
    Rule(
        "ENUM_VALUE_SAME_NAME",
        JSON,
        (Audience.REST, Audience.CODE),
        "an enum value has another name",
        "add the new name as an alias (`option allow_alias = true`), after the old one",
        enums(_same_value_name),
    ),
    Rule(
        "ENUM_SAME_TYPE",
        SOURCE,
        (Audience.GRPC, Audience.CODE),
        "an enum is open and was closed, or the other way round: unknown values are kept, or taken out",
        "set the feature `enum_type` to what it was",
        enums(_same_type),
    ),
    Rule(
        "ENUM_SAME_JSON_FORMAT",
        JSON,
        (Audience.REST,),
        "an enum allowed JSON and no longer does",
        "leave the feature `json_format` as it is",
        enums(_same_json_format),
    ),
    Rule(
        "RESERVED_ENUM_NO_DELETE",
        ALWAYS,
        (Audience.GRPC, Audience.REST),
        "a name or number is no longer reserved, so that a new value could be taken for an old one",
        "leave it reserved; take other names and numbers",
        enums(_reserved_gone),
    ),
)

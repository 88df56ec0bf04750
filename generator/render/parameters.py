"""What the query says of a message, and what an update mask does, as Python: functions beside the message's codec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from generator.contract.model import Field, Message
from generator.render.codec_expressions import Use, from_text, is_text_value
from generator.render.codec_reach import has_paths
from generator.render.layout import case, signature
from generator.render.python import docstring, literal

PARAMETERS = ".transport.parameters"  # modules below runtime
MASKS = ".transport.field_mask"
_PARAMETER = ("fields: dict[str, Any]", "name: str", "text: str")


@dataclass(frozen=True, slots=True)
class NameCase:
    """The names of a field, as the line that opens a case, and what is done for one of them."""

    opens: str
    statement: str


@dataclass(frozen=True, slots=True)
class TakerView:
    """The function that takes a parameter for a message: `values` by their whole name, `steps` into messages by their first."""

    opens: str
    docstring: str
    values: tuple[NameCase, ...]
    steps: tuple[NameCase, ...]


@dataclass(frozen=True, slots=True)
class PathsView:
    """The function that gives the paths of the fields that a message's JSON has."""

    opens: str
    docstring: str
    fields: tuple[NameCase, ...]
    leads_on: bool  # whether one of them has fields of its own


@dataclass(frozen=True, slots=True)
class ParameterNames:
    """What a module calls things by; each function notes the import that the name relies on.

    `taker`, `paths` and `oneof` are for the full names of messages and oneofs.
    """

    use: Use
    taker: Callable[[str], str]
    paths: Callable[[str], str]
    oneof: Callable[[str], str]


def taker(function: str, message: Message, asked: set[str], names: ParameterNames) -> TakerView:
    """The view of a message whose fields `asked` parameters may name."""
    spelled = _spelled_in_query(message)
    values, steps = [], []
    for field in (field for field in message.fields if field.name in asked):
        if is_text_value(field):
            values.append(NameCase(case(spelled[field.name], 8), _value(message, field, names)))
        elif not field.repeated:
            steps.append(NameCase(case(spelled[field.name], 16), _step(message, field, names)))
    names.use(PARAMETERS, "MisnamedError")
    if steps:
        names.use(PARAMETERS, "first_step")
    return TakerView(
        opens=signature(f"def {function}", _PARAMETER, " -> None:", 0),
        docstring=docstring(f"A query parameter of {message.full_name}."),
        values=tuple(values),
        steps=tuple(steps),
    )


def _value(message: Message, field: Field, names: ParameterNames) -> str:
    value = from_text(field, "text", names.use)
    if field.repeated:
        return f"fields.setdefault({literal(field.name)}, []).append({value})"
    return _call("once", message, field, [value], names)


def _step(message: Message, field: Field, names: ParameterNames) -> str:
    return _call("inside", message, field, [names.taker(field.type_name), "rest", "text"], names)


def _call(function: str, message: Message, field: Field, arguments: Sequence[str], names: ParameterNames) -> str:
    oneof = [names.oneof(f"{message.full_name}.{field.oneof}")] if in_choice(message, field) else []
    given = ", ".join(["fields", literal(field.name), *arguments, *oneof])
    return f"{names.use(PARAMETERS, function)}({given})"


def in_choice(message: Message, field: Field) -> bool:
    """Whether the field excludes others: it is in a oneof, and not alone there."""
    return any(oneof.name == field.oneof and len(oneof.fields) > 1 for oneof in message.oneofs)


def paths(function: str, message: Message, names: ParameterNames) -> PathsView:
    """The view of a message that an update mask may lead into."""
    spelled = _spelled_in_json(message)
    plain = [field for field in message.fields if spelled[field.name] == [field.name] and not has_paths(field)]
    fields = [NameCase(case([field.name for field in plain], 12), "yield name")] if plain else []
    for field in message.fields:
        if field in plain:
            continue
        statement = f"yield {literal(field.name)}"
        if has_paths(field):
            inner = f"{literal(field.name)}, value, {names.paths(field.type_name)}"
            statement = f"yield from {names.use(MASKS, 'below')}({inner})"
        if spelled[field.name]:
            fields.append(NameCase(case(spelled[field.name], 12), statement))
    return PathsView(
        opens=signature(f"def {function}", ["json: Any"], " -> Iterator[str]:", 0),
        docstring=docstring(f"The paths of what JSON of {message.full_name} sets."),
        fields=tuple(fields),
        leads_on=any(map(has_paths, message.fields)),
    )


def _spelled_in_query(message: Message) -> dict[str, list[str]]:
    """The names by which a step leads to each field: of two that have one, the proto name goes first, then the order."""
    owners = {field.name: field.name for field in message.fields}
    for field in message.fields:
        if "." not in field.json_name:
            owners.setdefault(field.json_name, field.name)
    return _by_owner(message.fields, owners)


def _spelled_in_json(message: Message) -> dict[str, list[str]]:
    """The members that stand for each field: of two that have one name, the JSON name goes first."""
    owners = {field.name: field.name for field in message.fields}
    owners |= {field.json_name: field.name for field in message.fields}
    return _by_owner(message.fields, owners)


def _by_owner(fields: Sequence[Field], owners: dict[str, str]) -> dict[str, list[str]]:
    spelled: dict[str, list[str]] = {field.name: [] for field in fields}
    for name, owner in owners.items():
        spelled[owner].append(name)
    return spelled

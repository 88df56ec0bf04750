"""The parameters of a route: path variables, query parameters by the fields they fill, and headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from generator.contract.model import Contract, Field, Message
from generator.plan.model import RoutePlan
from generator.render.openapi import well_known
from generator.render.openapi.descriptions import described, field_description
from generator.render.openapi.paths import SpelledPath, Wildcard
from generator.render.openapi.scalars import Schema, spelled
from generator.render.openapi.schemas import enum_numbers

_DEEPEST = 6  # fields from the request to a parameter's
_MOST_ALTERNATIVES = 32  # of oneofs in one another

Choice = tuple[str, str]  # a oneof, by its path, and its member


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that a query parameter fills.

    `name` is the parameter's, `path` leads to the field by proto names; `choices` are the oneofs on the way, outermost
    first.
    """

    name: str
    path: tuple[str, ...]
    field: Field
    choices: tuple[Choice, ...]


def path_parameters(contract: Contract, request: Message, spelled_path: SpelledPath) -> list[Schema]:
    """The parameters of the route's path."""
    return [_path_parameter(contract, request, wildcard) for wildcard in spelled_path.wildcards]


def _path_parameter(contract: Contract, request: Message, wildcard: Wildcard) -> Schema:
    field = _field_at(contract, request, wildcard.variable.field_path) if wildcard.variable else None
    schema: Schema = {"type": "string"}
    if field is not None and wildcard.whole and not wildcard.many:
        schema = value_schema(contract, field)
    if schema.get("type") == "string":
        schema["minLength"] = 1
    return {
        "name": wildcard.name,
        "in": "path",
        "required": True,
        "description": _path_description(wildcard, field),
        "schema": schema,
    }


def _path_description(wildcard: Wildcard, field: Field | None) -> str:
    variable = wildcard.variable
    if variable is None or field is None:
        text = "Any text; it has no meaning."
    elif wildcard.whole and not wildcard.many:
        text = field_description(field)
    else:
        text = f"A segment of `{'.'.join(variable.field_path)}`, which is `{'/'.join(variable.segments)}`."
        if wildcard.whole:
            text = f"`{'.'.join(variable.field_path)}`, which is `{'/'.join(variable.segments)}`."
    return f"{text} There may be any number of segments here, none too.".strip() if wildcard.many else text


def _field_at(contract: Contract, message: Message, path: Sequence[str]) -> Field | None:
    """The field at the end of a path of proto names."""
    field = message.field(path[0])
    for name in path[1:]:
        field = contract.messages[field.type_name].field(name) if field is not None else None
    return field


def query_parameters(contract: Contract, route: RoutePlan) -> list[Schema]:
    """A parameter for each field that the query may fill; one for all members of a oneof, whose schema says so."""
    request = contract.messages[route.rpc.request]
    parameters: list[Schema] = []
    grouped: set[str] = set()
    leaves = _open_leaves(contract, request, route)
    for leaf in leaves:
        if not leaf.choices:
            parameters.append(_query_parameter(contract, leaf))
        elif (oneof := leaf.choices[0][0]) not in grouped:
            grouped.add(oneof)
            members = [one for one in leaves if one.choices and one.choices[0][0] == oneof]
            parameters.append(_choice_parameter(contract, oneof, members))
    return parameters


def _open_leaves(contract: Contract, request: Message, route: RoutePlan) -> list[Leaf]:
    """The leaves that neither the path nor the body fills, and whose oneofs neither of them decides otherwise."""
    rule = route.rule
    if rule.body == "*":
        return []
    captured = {variable.field_path for variable in rule.template.variables}
    decided: dict[str, str] = {}
    for path in [*captured, *([(rule.body,)] if rule.body else [])]:
        decided.update(_choices_on(contract, request, path))
    leaves = []
    for leaf in _leaves(contract, request, (), (), (), (request.full_name,)):
        if leaf.path in captured or (rule.body and leaf.path[0] == rule.body):
            continue
        if any(decided.get(oneof, member) != member for oneof, member in leaf.choices):
            continue
        open_choices = tuple(choice for choice in leaf.choices if choice[0] not in decided)
        if not (open_choices and leaf.field.repeated):  # an array inside an object has no form of its own in a query
            leaves.append(replace(leaf, choices=open_choices))
    return leaves


def _choices_on(contract: Contract, message: Message, path: Sequence[str]) -> Iterator[Choice]:
    names: tuple[str, ...] = ()
    for name in path:
        field = message.field(name)
        if field is None:
            return
        if field.oneof:
            yield ".".join((*names, field.oneof)), name
        names = (*names, name)
        message = contract.messages.get(field.type_name, message)


def _leaves(
    contract: Contract,
    message: Message,
    path: tuple[str, ...],
    names: tuple[str, ...],
    choices: tuple[Choice, ...],
    types: tuple[str, ...],
) -> Iterator[Leaf]:
    """The leaves below a message; a type is entered once on the way down, as it would lead to itself for ever."""
    for field in message.fields:
        here = (*path, field.name)
        named = (*names, field.json_name)
        chosen = (*choices, (".".join((*path, field.oneof)), field.name)) if field.oneof else choices
        if field.is_map:
            continue
        if field.type not in ("message", "group") or well_known.is_leaf(field.type_name):
            yield Leaf(".".join(named), here, field, chosen)
        elif _has_leaves(field, types) and len(here) < _DEEPEST:
            below = contract.messages[field.type_name]
            yield from _leaves(contract, below, here, named, chosen, (*types, field.type_name))


def _has_leaves(field: Field, types: Sequence[str]) -> bool:
    return not (field.repeated or field.type_name in types or well_known.has_own_form(field.type_name))


def value_schema(contract: Contract, field: Field) -> Schema:
    """One value of a field as text."""
    if field.type in ("message", "group"):
        return well_known.spelled_message(field.type_name)
    if field.type != "enum":
        return spelled(field.type)
    found = contract.enums[field.type_name]
    names = [value.name for value in found.values]
    return {"anyOf": [{"type": "string", "enum": names}, enum_numbers(found)]}


def _field_schema(contract: Contract, field: Field) -> Schema:
    value = value_schema(contract, field)
    return {"type": "array", "items": value} if field.repeated else value


def _query_parameter(contract: Contract, leaf: Leaf) -> Schema:
    parameter: Schema = {"name": leaf.name, "in": "query"}
    described(parameter, field_description(leaf.field), deprecated=leaf.field.deprecated)
    parameter["schema"] = _field_schema(contract, leaf.field)
    return parameter


def _choice_parameter(contract: Contract, oneof: str, leaves: Sequence[Leaf]) -> Schema:
    """The members of a oneof as one object, whose members are parameters of their own in the query.

    Nothing else in OpenAPI says that two parameters exclude each other.
    """
    alternatives = []
    for chosen in _alternatives(leaves, 0)[:_MOST_ALTERNATIVES]:
        properties = {leaf.name: _described_value(contract, leaf) for leaf in chosen}
        title = dict(chosen[0].choices).get(oneof, "")
        alternatives.append({"title": title, "type": "object", "properties": properties, "additionalProperties": False})
    return {
        "name": oneof,
        "in": "query",
        "description": "Members of one of these; each is a parameter of its own.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "anyOf": alternatives} if len(alternatives) > 1 else alternatives[0],
    }


def _described_value(contract: Contract, leaf: Leaf) -> Schema:
    schema = _field_schema(contract, leaf.field)
    described(schema, field_description(leaf.field), deprecated=leaf.field.deprecated)
    return schema


def _alternatives(leaves: Sequence[Leaf], depth: int) -> list[list[Leaf]]:
    """Which of these leaves can be together: all without a choice at that depth, and of each oneof one member's."""
    base = [leaf for leaf in leaves if len(leaf.choices) <= depth]
    oneofs: dict[str, dict[str, list[Leaf]]] = {}
    for leaf in leaves:
        if len(leaf.choices) > depth:
            oneof, member = leaf.choices[depth]
            oneofs.setdefault(oneof, {}).setdefault(member, []).append(leaf)
    per_oneof = [
        [chosen for below in members.values() for chosen in _alternatives(below, depth + 1)]
        for members in oneofs.values()
    ]
    found = []
    for combination in product(*per_oneof):
        found.append([*base, *(leaf for chosen in combination for leaf in chosen)])
        if len(found) == _MOST_ALTERNATIVES:
            break
    return found


@dataclass(frozen=True, slots=True)
class Header:
    """A request header as a component of the document."""

    component: str
    parameter: Mapping[str, object]


def header_parameters(propagated: Sequence[str], languages: Sequence[str]) -> tuple[Header, ...]:
    """The headers that every call may have; `languages` are those that errors are told in."""
    found = [
        _header(
            "X-Request-Id", "A name for this call, in logs and on calls to others; one is made up where it is missing."
        ),
        _header(
            "X-Server-Timeout",
            "Seconds that the call may take; the method's own limit holds all the same.",
            {"type": "string", "pattern": r"^[0-9]{1,9}(?:\.[0-9]{1,9})?$"},
        ),
        _header(
            "Grpc-Timeout",
            "As X-Server-Timeout, in the form of gRPC: a number and `H`, `M`, `S`, `m`, `u` or `n`.",
            {"type": "string", "pattern": "^[0-9]{1,8}[HMSmun]$"},
        ),
    ]
    if len(languages) > 1:
        text = f"Languages for the texts of errors, in order of preference: there is {', '.join(languages)}."
        found.append(_header("Accept-Language", text))
    known = {header.component.lower() for header in found}
    text = "Handed to the handler, and on to what it calls."
    found += [_header(name, text) for name in propagated if name.lower() not in known]
    return tuple(found)


def _header(name: str, description: str, schema: Mapping[str, object] | None = None) -> Header:
    return Header(
        name,
        {"name": name, "in": "header", "description": description, "schema": schema or {"type": "string"}},
    )

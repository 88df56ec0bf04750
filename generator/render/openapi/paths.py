"""Path templates as OpenAPI has them: every wildcard a parameter of one segment, whatever variable it belongs to.

OpenAPI's parameters never hold a `/`. A variable of several segments is therefore written out:
`/v1/{name=customers/*/orders/*}` is `/v1/customers/{customer}/orders/{order}`. A `**` is written as one segment, the
least that shows it; where that path is another route's, as two or more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from generator.contract.model import Kind, PathTemplate, Variable
from generator.plan.model import RoutePlan

ONE, MANY = "*", "**"

KNOWN_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
"""The methods that OpenAPI has a place for."""

_HANDSHAKE = ("get",)  # of a WebSocket, whatever the method that the rule says
_ANY_METHOD = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_LITERAL_SAFE = "!$&'()+,;=:@"  # with the unreserved ones: RFC 3986, pchar
_MOST_REPETITIONS = 8  # of a "**"


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A parameter of a path: one segment of it.

    `variable` is what it fills, None for a wildcard outside all variables; `whole` says that it alone does; `many`
    that it stands for any number of segments.
    """

    name: str
    variable: Variable | None
    whole: bool
    many: bool


@dataclass(frozen=True, slots=True)
class SpelledPath:
    """A route's place in the document; methods that OpenAPI does not have are in capitals, none where all are taken."""

    path: str
    methods: tuple[str, ...]
    wildcards: tuple[Wildcard, ...]


_Shape = tuple[tuple[str, ...], str]  # segments, every wildcard a "*", and the custom verb
_Place = tuple[_Shape, str]  # and the method


def spell(routes: Sequence[RoutePlan]) -> tuple[SpelledPath, ...]:
    """The place of each route, in order. Paths that differ only in their parameters' names share those of the first."""
    explicit, fixed = _declared(routes)
    taken: set[_Place] = set()
    names: dict[_Shape, tuple[str, ...]] = {}
    result = []
    for route in routes:
        template, verb = route.rule.template, route.rule.verb
        wanted = _methods(verb)
        if route.rpc.kind is Kind.BIDI and (_shape(template), _HANDSHAKE[0]) not in explicit | taken:
            wanted = _HANDSHAKE
        if MANY in template.segments:
            template = _repeated(template, wanted, fixed | taken)
        shape = _shape(template)
        if verb == "*":
            wanted = tuple(method for method in wanted if (shape, method) not in explicit | taken)
        taken.update((shape, method) for method in wanted)
        wildcards = _wildcards(template)
        if shape in names:
            renamed = zip(names[shape], wildcards, strict=True)
            wildcards = tuple(replace(wildcard, name=name) for name, wildcard in renamed)
        names[shape] = tuple(wildcard.name for wildcard in wildcards)
        result.append(SpelledPath(_text(template, names[shape]), wanted, wildcards))
    return tuple(result)


def _declared(routes: Sequence[RoutePlan]) -> tuple[set[_Place], set[_Place]]:
    """The places of routes without `**`: of those for a method, and of those for any method too."""
    explicit: set[_Place] = set()
    fixed: set[_Place] = set()
    for rule in (route.rule for route in routes if MANY not in route.rule.template.segments):
        places = {(_shape(rule.template), method) for method in _methods(rule.verb)}
        fixed |= places
        if rule.verb != "*":
            explicit |= places
    return explicit, fixed


def _methods(verb: str) -> tuple[str, ...]:
    """The methods of a rule's verb, as OpenAPI writes them; one that it does not have stays as it is."""
    if verb == "*":
        return _ANY_METHOD
    return (verb.lower(),) if verb in KNOWN_METHODS else (verb,)


def _shape(template: PathTemplate) -> _Shape:
    return tuple(ONE if segment in (ONE, MANY) else segment for segment in template.segments), template.verb


def _repeated(template: PathTemplate, methods: Iterable[str], taken: set[_Place]) -> PathTemplate:
    """The template with as many `**` in place of its one as it takes to be nobody else's path."""
    found = template
    for _ in range(_MOST_REPETITIONS):
        if not any((_shape(found), method) in taken for method in methods):
            return found
        found = _with_one_more(found)
    return found


def _with_one_more(template: PathTemplate) -> PathTemplate:
    at = template.segments.index(MANY)
    segments = (*template.segments[:at], MANY, *template.segments[at:])
    captures = tuple((start + (start > at), end + (end > at)) for start, end in template.captures)
    return PathTemplate(template.text, segments, template.variables, captures, template.verb)


def _wildcards(template: PathTemplate) -> tuple[Wildcard, ...]:
    names: list[str] = []
    wildcards = []
    for at, segment in enumerate(template.segments):
        if segment not in (ONE, MANY):
            continue
        variable, whole = _variable_at(template, at)
        name = _unique(_name(template, at, variable, whole), names)
        names.append(name)
        wildcards.append(Wildcard(name, variable, whole, segment == MANY))
    return tuple(wildcards)


def _variable_at(template: PathTemplate, at: int) -> tuple[Variable | None, bool]:
    for variable, (start, end) in zip(template.variables, template.captures, strict=True):
        if start <= at < end:
            return variable, end - start == 1
    return None, False


def _name(template: PathTemplate, at: int, variable: Variable | None, whole: bool) -> str:
    """The field's name where the parameter is all of it; else that of the collection before it, in the singular."""
    if variable is None:
        return "segment"
    before = template.segments[at - 1] if at else MANY
    if whole or before in (ONE, MANY) or template.segments[at] == MANY:
        return "_".join(variable.field_path)
    return singular(re.sub(r"[^A-Za-z0-9]+", "_", before).strip("_")) or "segment"


def singular(noun: str) -> str:
    """An English plural's singular, as far as its ending tells: what a collection's one resource is called."""
    for plural, ending in (
        ("ies", "y"),
        ("sses", "ss"),
        ("xes", "x"),
        ("elves", "elf"),
        ("ss", "ss"),
        ("us", "us"),
        ("is", "is"),
    ):
        if noun.lower().endswith(plural) and len(noun) > len(plural) + 1:
            return noun[: -len(plural)] + ending
    return noun[:-1] if noun.lower().endswith("s") and len(noun) > 1 else noun


def _unique(name: str, names: Sequence[str]) -> str:
    found, count = name, 1
    while found in names:
        count += 1
        found = f"{name}_{count}"
    return found


def _text(template: PathTemplate, names: Sequence[str]) -> str:
    left = iter(names)
    segments = (
        f"{{{next(left)}}}" if segment in (ONE, MANY) else quote(segment, safe=_LITERAL_SAFE)
        for segment in template.segments
    )
    path = "/" + "/".join(segments)
    return f"{path}:{quote(template.verb, safe=_LITERAL_SAFE)}" if template.verb else path

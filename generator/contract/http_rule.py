"""`google.api.http` rules: path templates parsed, fields resolved, routes that collide found.

The grammar is that of google/api/http.proto, read strictly: what no request could match, or what two readers could
take for two things, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from urllib.parse import unquote

from google.api import http_pb2

from generator.contract.model import Field, HttpRule, Message, PathTemplate, Rpc, Service, Variable
from generator.errors import Finding, Place

WILDCARDS = ("*", "**")

_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # an HTTP method: RFC 9110, section 5.6.2
# RFC 3986's pchar without "*", which is a wildcard here, and whatever is not ASCII (it travels percent-encoded).
_LITERAL = re.compile(r"(?:[A-Za-z0-9._~!$&'()+,;=:@-]|%[0-9A-Fa-f]{2}|[^\x00-\xa0\u2028\u2029\ud800-\udfff])+")
_WITHOUT_BODY = ("GET", "HEAD")


_Problem = tuple[str, str, str]  # id, message, hint


class TemplateError(ValueError):
    """A path template that does not follow the grammar; the text says why."""


@dataclass(frozen=True, slots=True)
class Collision:
    """Two bindings that the same requests match. The first declared is the one that can be served."""

    first: Rpc
    first_rule: HttpRule
    second: Rpc
    second_rule: HttpRule
    same_service: bool

    def is_refused(self, duplicates: str) -> bool:
        """Whether this is an error where the spec's `server.rest.duplicateRoutes` is "warn", "error" or "firstWins"."""
        return duplicates == "error" or (duplicates == "warn" and self.same_service)

    def finding(self) -> Finding:
        """What to tell the user, at the second binding's place."""
        rule = self.second_rule
        return Finding(
            rule.place,
            "duplicate-route",
            f"{self.second.full_name}: {rule.verb} {rule.template.text} is a route of {self.first.full_name} already",
            f"declared at {self.first_rule.place} as {self.first_rule.template.text}",
        )


def parse_template(text: str) -> PathTemplate:
    """The parsed template: `"/" Segments [":" LITERAL]`.

    Raises TemplateError. Two departures from http.proto, both found in Google's own contracts: segments of a fixed
    number may follow "**" (Firestore's ".../**}/{collection_id}"), and a verb may hold colons.
    """
    if not text.startswith("/"):
        raise TemplateError('it does not start with "/"' if text else "it is empty")
    if text == "/":
        return PathTemplate(text, (), (), (), "")
    path, verb = _split_verb(text[1:])
    segments: list[str] = []
    variables: list[Variable] = []
    captures: list[tuple[int, int]] = []
    for part in _split_segments(path):
        if not part.startswith("{"):
            segments.append(_segment(part))
            continue
        variable = _variable(part)
        captures.append((len(segments), len(segments) + len(variable.segments)))
        segments.extend(variable.segments)
        variables.append(variable)
    _check_wildcards(segments)
    _check_variables(variables)
    return PathTemplate(text, tuple(segments), tuple(variables), tuple(captures), verb)


def bind(
    rule: http_pb2.HttpRule,
    request: Message,
    response: Message,
    messages: Mapping[str, Message],
    places: Sequence[Place],
) -> tuple[tuple[HttpRule, ...], tuple[Finding, ...]]:
    """The bindings that `rule` declares, its `additional_bindings` included, and everything wrong with them.

    `places` are those of the rule and of its `additional_bindings`, as far as these have their own; else they stand at
    the rule's. A binding with something wrong in it is not among those returned.
    """
    bindings: list[HttpRule] = []
    findings: list[Finding] = []
    declared = [(False, rule), *((True, nested) for nested in rule.additional_bindings)]
    for (additional, binding), place in zip(declared, chain(places, repeat(places[0])), strict=False):
        template, wrong = _template(binding)
        if template is not None:
            wrong = [*wrong, *_unresolved(binding, template, request, response, messages)]
        problems = [Finding(place, *problem) for problem in wrong]
        if additional and binding.additional_bindings:
            problems.append(
                Finding(
                    place,
                    "http-nested-bindings",
                    f"{_path(binding)}: additional_bindings inside additional_bindings",
                    "list every binding at the first level",
                )
            )
        findings.extend(problems)
        if template is not None and not problems:
            body, response_body = binding.body, binding.response_body
            bindings.append(HttpRule(_verb(binding), template, body, response_body, additional, place))
    return tuple(bindings), tuple(findings)


def shape(rule: HttpRule) -> tuple[str, tuple[str, ...], str]:
    """What decides which requests `rule` matches: HTTP method, segments without variables' names, verb."""
    return rule.verb, rule.template.segments, rule.template.verb


def collisions(services: Sequence[Service]) -> list[Collision]:
    """Every binding that repeats one declared before it, in declaration order, with the first of its shape."""
    seen: dict[tuple[str, tuple[str, ...], str], tuple[Service, Rpc, HttpRule]] = {}
    found: list[Collision] = []
    for service in services:
        for rpc in service.rpcs:
            for rule in rpc.rules:
                owner, first, first_rule = seen.setdefault(shape(rule), (service, rpc, rule))
                if first_rule is not rule:
                    found.append(Collision(first, first_rule, rpc, rule, owner is service))
    return found


def _split_verb(text: str) -> tuple[str, str]:
    """The path, and the verb after the first colon of its last segment; a colon before that is data."""
    last = max(text.rfind("/"), text.rfind("}"))
    colon = text.find(":", last + 1)
    if colon < 0:
        return text, ""
    verb = text[colon + 1 :]
    if not all(verb.split(":")):
        raise TemplateError('nothing follows a ":" in its verb')
    return text[:colon], _literal(verb)


def _split_segments(path: str) -> Iterator[str]:
    """The segments between slashes, where a slash inside braces does not count."""
    start, inside = 0, False
    for position, character in enumerate(path):
        if character == "{":
            if inside:
                raise TemplateError("a variable stands inside a variable")
            inside = True
        elif character == "}":
            if not inside:
                raise TemplateError('a "}" closes nothing')
            inside = False
        elif character == "/" and not inside:
            yield path[start:position]
            start = position + 1
    if inside:
        raise TemplateError('a "{" is not closed')
    yield path[start:]


def _variable(part: str) -> Variable:
    """The variable `{field.path}` or `{field.path=segments}`, which must be the whole of its segment."""
    if part.find("}") != len(part) - 1:
        raise TemplateError(f'"{part}": a variable is a whole segment, nothing may stand beside it')
    name, equals, pattern = part[1:-1].partition("=")
    if not _FIELD_PATH.fullmatch(name):
        raise TemplateError(f'"{part}": "{name}" is not a field path')
    segments = tuple(_segment(piece) for piece in pattern.split("/")) if equals else ("*",)
    return Variable(tuple(name.split(".")), segments)


def _segment(text: str) -> str:
    return text if text in WILDCARDS else _literal(text)


def _literal(text: str) -> str:
    """A literal, percent-decoded."""
    if not text:
        raise TemplateError("a segment is empty")
    if "{" in text or "}" in text:
        raise TemplateError(f'"{text}": a variable is a whole segment, nothing may stand beside it')
    if "*" in text:
        raise TemplateError(f'"{text}": "*" stands for a whole segment, it cannot be a part of one')
    if not _LITERAL.fullmatch(text):
        raise TemplateError(f'"{text}" has a character that a path cannot hold; percent-encode it')
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise TemplateError(f'"{text}" is not UTF-8 once percent-decoded') from None
    if decoded in WILDCARDS:
        raise TemplateError(f'"{text}" cannot be told from a wildcard')
    return decoded


def _check_wildcards(segments: Sequence[str]) -> None:
    if segments.count("**") > 1:
        raise TemplateError('"**" occurs twice, so where the first one ends could be read in several ways')


def _check_variables(variables: Sequence[Variable]) -> None:
    paths = [variable.field_path for variable in variables]
    for path in dict.fromkeys(paths):
        if paths.count(path) > 1:
            raise TemplateError(f'the variable "{".".join(path)}" occurs twice')


def _verb(rule: http_pb2.HttpRule) -> str:
    pattern = rule.WhichOneof("pattern")
    return rule.custom.kind if pattern == "custom" else (pattern or "").upper()


def _path(rule: http_pb2.HttpRule) -> str:
    pattern = rule.WhichOneof("pattern")
    if pattern is None:
        return ""
    return rule.custom.path if pattern == "custom" else str(getattr(rule, pattern))


def _template(rule: http_pb2.HttpRule) -> tuple[PathTemplate | None, list[_Problem]]:
    """The binding's path template, or what is wrong with it."""
    if rule.WhichOneof("pattern") is None:
        hint = 'give it one of get, put, post, delete, patch, custom: "/…"'
        return None, [("http-no-path", "the http rule has no path", hint)]
    text = _path(rule)
    try:
        return parse_template(text), []
    except TemplateError as error:
        return None, [("http-path-template", f'the path template "{text}" is not usable: {error}', "")]


def _unresolved(
    rule: http_pb2.HttpRule,
    template: PathTemplate,
    request: Message,
    response: Message,
    messages: Mapping[str, Message],
) -> Iterator[_Problem]:
    """What a binding with a good template names that is not there, or that cannot be used so."""
    verb = _verb(rule)
    named = f"{verb} {template.text}"
    if not _TOKEN.fullmatch(verb):
        yield "http-method", f'{template.text}: "{verb}" is not an HTTP method', 'such as "HEAD", or "*" for any'
    if verb == "CONNECT":
        yield "http-method", f"{template.text}: CONNECT asks a proxy for a tunnel, no path can have it", ""
    for variable in template.variables:
        if reason := _unfillable(variable, request, messages):
            yield "http-path-variable", f"{named}: {{{'.'.join(variable.field_path)}}}: {reason}", ""
    if rule.body and verb in _WITHOUT_BODY:
        yield "http-body", f"{named}: {verb} has no body", "remove body; what the path does not hold is in the query"
    elif rule.body not in ("", "*") and request.field(rule.body) is None:
        yield "http-body", f'{named}: body: {request.full_name} has no field "{rule.body}"', 'a field\'s name, or "*"'
    if rule.response_body and response.field(rule.response_body) is None:
        yield (
            "http-response-body",
            f'{named}: response_body: {response.full_name} has no field "{rule.response_body}"',
            "a field's name, or nothing for the whole response",
        )


def _unfillable(variable: Variable, request: Message, messages: Mapping[str, Message]) -> str:
    """Why a piece of a path cannot fill the variable's field; "" when it can."""
    message = request
    *parents, last = variable.field_path
    for name in parents:
        field = message.field(name)
        if field is None:
            return f'{message.full_name} has no field "{name}"'
        if field.repeated or field.is_map or field.type not in ("message", "group"):
            return f"{message.full_name}.{name} is {_described(field)}, only a singular message has fields"
        message = messages[field.type_name]
    field = message.field(last)
    if field is None:
        return f'{message.full_name} has no field "{last}"'
    if field.repeated or field.is_map or field.type in ("message", "group"):
        return f"{message.full_name}.{last} is {_described(field)}, a path fills a singular scalar or enum"
    return ""


def _described(field: Field) -> str:
    if field.is_map:
        return "a map"
    if field.repeated:
        return "repeated"
    return f"the message {field.type_name}" if field.type in ("message", "group") else f"of type {field.type}"

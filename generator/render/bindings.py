"""The requests of the REST routes as Python: a module for each service, with a function a route and a line a field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

from generator.contract.model import Contract, Field, Kind, Message
from generator.plan.model import Plan, RoutePlan
from generator.render import imports, naming
from generator.render.codec_expressions import CODEC, SCALARS, TEXTS, Names, decoded, text_reader
from generator.render.codec_places import Places
from generator.render.codec_reach import Reach, mask_field, masked_body
from generator.render.emit import Import
from generator.render.layout import assignment, laid_out, signature
from generator.render.parameters import MASKS, PARAMETERS, in_choice
from generator.render.python import Expression, docstring, literal
from generator.render.services import ServiceView, TypeNames, below

_LOCALS = ("path", "query", "body", "read", "fields", "request")
_ALWAYS = (
    Import("__future__", "annotations"),
    Import("collections.abc", "Mapping"),
    Import("collections.abc", "Sequence"),
    Import("typing", "Any"),
    Import("...runtime.definition", "Bind"),
    Import("...runtime.definition", "Read"),
    Import("...runtime.transport.query", "Query"),
)
_ARGUMENTS = ("path: Sequence[str]", "query: Query", "body: Any", "read: Read")


@dataclass(frozen=True, slots=True)
class BindingView:
    """One route's function: what opens it, and its statements."""

    opens: str
    docstring: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BindingsView:
    """The routes of one service; `table` has each function by its route's HTTP method and template."""

    service: str  # full name
    module: str
    docstring: str
    imports: str
    routes: tuple[BindingView, ...]
    table: Mapping[str, Expression]


def views(plan: Plan, services: Sequence[ServiceView]) -> tuple[BindingsView, ...]:
    """A view for each service that has a route, in contract order."""
    reach, places = Reach(plan), Places.of(plan.contract)
    made = []
    for service, view in zip(plan.services, services, strict=True):
        full_name = service.service.full_name
        own = [route for route in plan.routes if route.rpc.full_name.rpartition(".")[0] == full_name]
        if own:
            made.append(_ModuleWriter(plan.contract, reach, places, own).module(full_name, view.module))
    return tuple(made)


class _ModuleWriter:
    """Makes the functions of one service's routes, and collects what they need to import."""

    def __init__(self, contract: Contract, reach: Reach, places: Places, routes: Sequence[RoutePlan]) -> None:
        self._contract = contract
        self._reach = reach
        self._places = places
        self._routes = routes
        self._needed = set(_ALWAYS)
        self._taken = {*_LOCALS, "BINDINGS", *(found.name for found in _ALWAYS)}
        self._imported: dict[tuple[str, str], str] = {}
        functions = []
        for route in routes:
            functions.append(naming.identifier(naming.snake(route.rpc.name), self._taken))
            self._taken.add(functions[-1])
        self._functions = functions
        self._types = TypeNames(contract, naming.pb_modules(contract), frozenset(self._taken))
        for route in routes:
            self._taken.add(self._types.import_of(route.rpc.request).bound)
        self._names = Names(self._use, self._decoder, self._decoder, self._decoder)

    def module(self, service: str, module: str) -> BindingsView:
        """The view of the module."""
        routes = tuple(map(self._route, self._routes, self._functions))
        keys = (f"{route.rule.verb} {route.rule.template.text}" for route in self._routes)
        return BindingsView(
            service=service,
            module=module,
            docstring=docstring(f"The requests of {service}: what paths, queries and bodies become."),
            imports=imports.block([*self._needed, *(below(found, "..pb") for found in self._types.imports)]),
            routes=routes,
            table={key: Expression(function) for key, function in zip(keys, self._functions, strict=True)},
        )

    def _route(self, route: RoutePlan, function: str) -> BindingView:
        rule = route.rule
        body = self._contract.messages[route.rpc.request].field(rule.body)
        whole = rule.body == "*" or (not rule.body and route.rpc.kind is Kind.BIDI)
        statements = self._of_whole(route) if whole else self._of_parts(route, body)
        request = self._types.expression(route.rpc.request)
        return BindingView(
            opens=signature(f"def {function}", _ARGUMENTS, f" -> {request}:", 0),
            docstring=docstring(f"{rule.verb} {rule.template.text}{f', with a body of {rule.body}' if body else ''}"),
            statements=tuple(f"    {statement}" for statement in statements),
        )

    def _of_whole(self, route: RoutePlan) -> Iterator[str]:
        """The statements for a route whose body is the whole request."""
        request = self._types.expression(route.rpc.request)
        values, assignments = self._assigned(list(self._captures(route)))
        yield from values
        if route.rule.body == "*":
            yield "query.refuse_all()"
        else:
            yield "fields: dict[str, Any] = {}"
            yield self._query(route)
        yield f"request: {request} = read({request}, body)"
        if route.rule.body != "*":
            yield f"{self._use(PARAMETERS, 'assign')}(request, fields)"
        yield from assignments
        yield "return request"

    def _of_parts(self, route: RoutePlan, body: Field | None) -> Iterator[str]:
        """The statements for a route whose body is one field, or none."""
        request = self._types.expression(route.rpc.request)
        captures = list(self._captures(route))
        values, assignments = self._assigned([(path, value) for path, value in captures if path[0] is body])
        yield from values
        first = _nested([(path, value) for path, value in captures if path[0] is not body])
        yield laid_out(first, "    fields: dict[str, Any] = ").lstrip()
        yield self._query(route)
        if body is not None:
            yield self._body(route, body)
        if masked_body(self._contract, route) is not None:
            assignments.append(self._mask(route))
        if assignments:
            yield f"request = {request}(**fields)"
            yield from assignments
            yield "return request"
        else:
            yield f"return {request}(**fields)"

    def _captures(self, route: RoutePlan) -> Iterator[tuple[tuple[Field, ...], str]]:
        """The fields from the request down to the one that each variable of the path fills, and the value for it."""
        for at, variable in enumerate(route.rule.template.variables):
            message: Message | None = self._contract.messages[route.rpc.request]
            fields = []
            for name in variable.field_path:
                field = message.field(name) if message is not None else None
                if field is None:
                    raise ValueError(f"{route.rpc.full_name}: the path leads nowhere")
                fields.append(field)
                message = self._contract.messages.get(field.type_name)
            yield tuple(fields), self._captured(fields, f"path[{at}]")

    def _captured(self, path: Sequence[Field], text: str) -> str:
        field = path[-1]
        if field.type == "string":
            return text
        if field.type == "enum":
            reader = f"{self._bound('functools', 'partial')}({self._use(TEXTS, 'to_enum')}, {literal(field.type_name)})"
        elif field.type == "bytes":
            reader = self._use(SCALARS, "blob")
        else:
            reader = self._use(TEXTS, text_reader(field.type))
        name = literal(".".join(each.name for each in path))
        return f"{self._use(PARAMETERS, 'variable')}({name}, {text}, {reader})"

    def _assigned(self, captures: Sequence[tuple[tuple[Field, ...], str]]) -> tuple[list[str], list[str]]:
        """The statements that read variables, and those that set them in a request that its body has made."""
        reading, setting = [], []
        local = set(self._taken)
        for path, value in captures:
            target = "request"
            for field in path[:-1]:
                name = literal(field.name)
                target = f"getattr({target}, {name})" if iskeyword(field.name) else f"{target}.{field.name}"
            field = path[-1]
            read = value
            if field.type != "string":
                read = naming.identifier(f"path_{field.name}", local)
                local.add(read)
                reading.append(f"{read} = {value}")
            if iskeyword(field.name):
                setting.append(f"setattr({target}, {literal(field.name)}, {read})")
            else:
                setting.append(f"{target}.{field.name} = {read}")
        return reading, setting

    def _query(self, route: RoutePlan) -> str:
        return f"query.into(fields, {self._from_codecs('take', route.rpc.request)})"

    def _body(self, route: RoutePlan, body: Field) -> str:
        """The statement that adds the argument that the body makes."""
        message = self._contract.messages[route.rpc.request]
        made = decoded(body, "json", self._names)
        called = re.fullmatch(r"(\w+)\(json\)", made)
        if called is not None:
            decode = called[1]
        else:
            decode = self._use(CODEC, "as_it_is") if made == "json" else f"lambda json: {made}"
        value = f"read({decode}, body)"
        if not in_choice(message, body):
            return assignment(f"fields[{literal(body.name)}]", value, 4).lstrip()
        oneof = self._import(*self._places.oneof(message, body.oneof))
        return f"{self._use(PARAMETERS, 'beside')}(fields, {literal(body.name)}, {value}, {oneof})"

    def _mask(self, route: RoutePlan) -> str:
        request = self._contract.messages[route.rpc.request]
        mask, body = mask_field(request), request.field(route.rule.body)
        if mask is None or body is None:
            raise ValueError(f"{route.rpc.full_name} has no mask")
        read = f"getattr(request, {literal(mask.name)})" if iskeyword(mask.name) else f"request.{mask.name}"
        return f"{self._use(MASKS, 'complete')}({read}, body, {self._from_codecs('paths_of', body.type_name)})"

    def _decoder(self, full_name: str) -> str:
        if full_name not in self._reach.decoded:
            return self._use(CODEC, "left_over")
        return self._from_codecs("decode", full_name)

    def _from_codecs(self, verb: str, full_name: str) -> str:
        return self._import(*self._places.function(verb, full_name))

    def _use(self, module: str, name: str) -> str:
        return self._bound(f"...runtime{module}", name)

    def _import(self, module: str, name: str) -> str:
        return self._bound(f"..codecs.{module}", name)

    def _bound(self, module: str, name: str) -> str:
        """The name by which the module calls what another one has."""
        key = (module, name)
        if key not in self._imported:
            bound = naming.identifier(name, self._taken)
            self._taken.add(bound)
            self._imported[key] = bound
            self._needed.add(Import(module, name, "" if bound == name else bound))
        return self._imported[key]


def _nested(captures: Sequence[tuple[tuple[Field, ...], str]]) -> dict[str, object]:
    """The arguments of the request's constructor that the path gives."""
    fields: dict[str, Any] = {}
    for path, value in captures:
        target = fields
        for field in path[:-1]:
            target = target.setdefault(field.name, {})
        target[path[-1].name] = Expression(value)
    return fields

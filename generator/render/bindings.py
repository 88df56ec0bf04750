"""The requests of the REST routes as Python: a module for each service, with a function a route and two lines a parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from generator.contract.model import Contract, Field, Kind, Message
from generator.plan.model import Plan, RoutePlan
from generator.render import codecs, imports, naming
from generator.render.codec_expressions import CODEC, Names, decoded, from_text, is_text_value
from generator.render.codec_reach import HTTP_BODY, Reach
from generator.render.emit import Import
from generator.render.layout import laid_out, signature
from generator.render.python import Expression, docstring, literal
from generator.render.services import ServiceView

_QUERY = ".transport.query"  # a module below runtime
_MOST_OTHERS = 7  # members of a oneof beside the one that a parameter names: each is told to exclude the others
_LOCALS = ("path", "query", "body", "fields", "name", "text")
_ALWAYS = (
    Import("__future__", "annotations"),
    Import("collections.abc", "Mapping"),
    Import("collections.abc", "Sequence"),
    Import("typing", "Any"),
    Import("...runtime.definition", "Bind"),
    Import(f"...runtime{CODEC}", "UnusualError"),
    Import(f"...runtime{_QUERY}", "Parameters"),
)
_ARGUMENTS = ("path: Sequence[str]", "query: Parameters", "body: Any")
_QUERY_ARGUMENTS = ("fields: dict[str, Any]", "query: Parameters")


@dataclass(frozen=True, slots=True)
class ParameterView:
    """A query parameter: the pattern of its names, and the statement that takes its text."""

    pattern: str
    statement: str


@dataclass(frozen=True, slots=True)
class QueryView:
    """The function that takes the parameters of the requests of one type, whichever route has them."""

    opens: str
    docstring: str
    parameters: tuple[ParameterView, ...]


@dataclass(frozen=True, slots=True)
class BindingView:
    """One route's function: what opens it, the statement that begins with the body, and those that add what the path says."""

    opens: str
    docstring: str
    begins: str
    captures: tuple[str, ...]
    query: str  # the function that takes the query, "" where there can be none


@dataclass(frozen=True, slots=True)
class BindingsView:
    """The routes of one service; `table` has each function by its route's HTTP method and template."""

    service: str  # full name
    module: str
    docstring: str
    imports: str
    queries: tuple[QueryView, ...]
    routes: tuple[BindingView, ...]
    table: Mapping[str, Expression]


def views(plan: Plan, services: Sequence[ServiceView]) -> tuple[BindingsView, ...]:
    """A view for each service that has a route with a function, in contract order."""
    reach, places = Reach(plan), codecs.Places.of(plan.contract)
    made = []
    for service, view in zip(plan.services, services, strict=True):
        full_name = service.service.full_name
        own = [route for route in plan.routes if route.rpc.full_name.rpartition(".")[0] == full_name]
        bound = [route for route in own if _is_bound(route, plan.contract, reach)]
        if bound:
            writer = _ModuleWriter(plan.contract, reach, places, bound)
            made.append(writer.module(full_name, view.module))
    return tuple(made)


def _is_bound(route: RoutePlan, contract: Contract, reach: Reach) -> bool:
    """Whether the route has a function.

    It has none where the body is any bytes or a message of its own JSON form, and where the path fills a member of a
    oneof, which the body may fill too.
    """
    request = contract.messages[route.rpc.request]
    if any(field.oneof for path in _captured(route, contract) for field in path):
        return False
    if _takes_whole(route):
        return route.rpc.request in reach.decoded and (request.full_name != HTTP_BODY or route.rpc.kind is Kind.BIDI)
    body = request.field(route.rule.body)
    return body is None or body.type_name != HTTP_BODY


def _takes_whole(route: RoutePlan) -> bool:
    """Whether the body, or each message of a conversation, is the whole request."""
    return route.rule.body == "*" or (route.rule.body == "" and route.rpc.kind is Kind.BIDI)


def _captured(route: RoutePlan, contract: Contract) -> list[tuple[Field, ...]]:
    """The fields from the request down to what each of the path's variables fills."""
    found = []
    for variable in route.rule.template.variables:
        message: Message | None = contract.messages[route.rpc.request]
        fields = []
        for name in variable.field_path:
            field = message.field(name) if message is not None else None
            if field is None:
                raise ValueError(f"{route.rpc.full_name}: the path leads nowhere")
            fields.append(field)
            message = contract.messages.get(field.type_name)
        found.append(tuple(fields))
    return found


class _ModuleWriter:
    """Makes the functions of one service's routes, and collects what they need to import."""

    def __init__(self, contract: Contract, reach: Reach, places: codecs.Places, routes: Sequence[RoutePlan]) -> None:
        self._contract = contract
        self._reach = reach
        self._places = places
        self._routes = routes
        self._needed = set(_ALWAYS)
        self._taken = {*_LOCALS, "BINDINGS", *(found.name for found in _ALWAYS)}
        self._imported: dict[tuple[str, str], str] = {}
        self._queries: dict[tuple[str, str], tuple[str, QueryView]] = {}
        self._functions: list[str] = []
        for route in routes:
            self._functions.append(naming.identifier(naming.snake(route.rpc.name), self._taken))
            self._taken.add(self._functions[-1])
        self._names = Names(
            lambda module, name: self._import(f"...runtime{module}", name), self._decoder, self._decoder, self._decoder
        )

    def module(self, service: str, module: str) -> BindingsView:
        """The view of the module."""
        routes = tuple(map(self._route, self._routes, self._functions))
        keys = (f"{route.rule.verb} {route.rule.template.text}" for route in self._routes)
        return BindingsView(
            service=service,
            module=module,
            docstring=docstring(f"The requests of {service}: what paths, queries and bodies become."),
            imports=imports.block(self._needed),
            queries=tuple(view for name, view in self._queries.values() if name),
            routes=routes,
            table={key: Expression(function) for key, function in zip(keys, self._functions, strict=True)},
        )

    def _route(self, route: RoutePlan, function: str) -> BindingView:
        rule, request = route.rule, self._contract.messages[route.rpc.request]
        body = request.field(rule.body)
        first: dict[str, Expression] = {}
        if body is not None:
            first[body.name] = Expression(decoded(body, "body", self._names))
        captures = []
        for at, path in enumerate(_captured(route, self._contract)):
            value = from_text(path[-1], f"path[{at}]", self._names)
            if len(path) == 1 and not _takes_whole(route):
                first[path[0].name] = Expression(value)
            else:
                captures.append(self._capture(path, value, shared=_takes_whole(route) or path[0] is body))
        begins = laid_out(first, "    fields: dict[str, Any] = ")
        if _takes_whole(route):
            begins = f"    fields = {self._decoder(request.full_name)}(body)"
        return BindingView(
            opens=signature(f"def {function}", _ARGUMENTS, " -> dict[str, Any]:", 0),
            docstring=docstring(f"{rule.verb} {rule.template.text}{f', with a body of {rule.body}' if body else ''}"),
            begins=begins,
            captures=tuple(captures),
            query="" if rule.body == "*" else self._query(request, rule.body),
        )

    def _capture(self, path: Sequence[Field], value: str, *, shared: bool) -> str:
        """The statement that sets a field, which the body may set too where they are `shared`."""
        target = "fields" + "".join(f".setdefault({literal(field.name)}, {{}})" for field in path[:-1])
        name = literal(path[-1].name)
        if shared:
            return f"{self._import(f'...runtime{_QUERY}', 'impose')}({target}, {name}, {value})"
        return f"{target}[{name}] = {value}"

    def _query(self, request: Message, body: str) -> str:
        """The name of the function that takes the query of such a request beside a body; "" where it takes none."""
        field = request.field(body)
        shared = field is None or not field.repeated or not is_text_value(field)
        key = (request.full_name, "" if shared else body)  # `once` sees to what else the body fills
        if key not in self._queries:
            parameters = tuple(self._parameters(request, key[1]))
            name = naming.identifier(f"take_{naming.snake(request.name)}", self._taken) if parameters else ""
            self._taken.add(name)
            view = QueryView(
                opens=signature(f"def {name}", _QUERY_ARGUMENTS, " -> None:", 0),
                docstring=docstring(f"Add what the query says to the fields of a {request.full_name}."),
                parameters=parameters,
            )
            self._queries[key] = (name, view)
        return self._queries[key][0]

    def _parameters(self, request: Message, body: str) -> Iterator[ParameterView]:
        """The fields that a parameter of one name fills; a longer path, and a member of a wide oneof, is left over."""
        if not self._reach.is_decodable(request):
            return
        for field in request.fields:
            others = [
                each.name for each in request.fields if field.oneof and each.oneof == field.oneof and each is not field
            ]
            if field.name == body or len(others) > _MOST_OTHERS or not is_text_value(field) or "." in field.json_name:
                continue
            name, value = literal(field.name), from_text(field, "text", self._names)
            if field.repeated:
                statement = f"fields.setdefault({name}, []).append({value})"
            else:
                arguments = ", ".join(["fields", name, value, *map(literal, others)])
                statement = f"{self._import(f'...runtime{_QUERY}', 'once')}({arguments})"
            pattern = " | ".join(map(literal, dict.fromkeys((field.name, field.json_name))))
            yield ParameterView(pattern, statement)

    def _decoder(self, full_name: str) -> str:
        if full_name not in self._reach.decoded:
            return self._import(f"...runtime{CODEC}", "left_over")
        module, name = self._places.decoder(full_name)
        return self._import(f"..codecs.{module}", name)

    def _import(self, module: str, name: str) -> str:
        """The name by which the module calls what another one has."""
        key = (module, name)
        if key not in self._imported:
            bound = naming.identifier(name, self._taken)
            self._taken.add(bound)
            self._imported[key] = bound
            self._needed.add(Import(module, name, "" if bound == name else bound))
        return self._imported[key]

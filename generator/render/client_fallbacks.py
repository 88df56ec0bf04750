"""What answers in the place of a dependency, as Python: the generated base, and the stub of the user's class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from generator.contract.model import Rpc
from generator.plan.fallbacks import named_handlers
from generator.plan.model import DependencyPlan, Operation
from generator.render import imports
from generator.render.emit import Import
from generator.render.layout import signature
from generator.render.python import docstring
from generator.render.services import TypeNames, below, listed

NEEDED: Final = (
    Import("abc", "ABC"),
    Import("abc", "abstractmethod"),
    Import("...runtime.definition", "DependencyFallbacks"),
)
"""What a module with a base imports."""

OVER_HTTP: Final = (
    Import("...runtime.client.http_request", "HttpRequest"),
    Import("...runtime.client.http_response", "HttpResponse"),
)
"""What it imports beside, where requests are HTTP's."""


@dataclass(frozen=True, slots=True)
class ClientFallbackView:
    """A method of the user's that answers in the place of a dependency."""

    name: str
    signature: str
    docstring: str
    path: str  # of the first RPC that it stands in for; over HTTP the first operation


@dataclass(frozen=True, slots=True)
class FallbacksView:
    """The class of a dependency's fallbacks: its generated base, and the stub of the user's own."""

    base: str
    class_name: str  # the user's
    docstring: str
    methods: tuple[ClientFallbackView, ...]
    imports: tuple[Import, ...]  # of the module that has the user's class


def view(dependency: DependencyPlan, name: str, attribute: str, types: TypeNames) -> FallbacksView | None:
    """A method for each name that calls fall back on, in the order of the contract; None for none."""
    found = {handler: [rpc for rpc in rpcs if isinstance(rpc, Rpc)] for handler, rpcs in _named(dependency).items()}
    messages = [rpc for rpcs in found.values() for rpc in rpcs[:1]]
    used = {types.import_of(message) for rpc in messages for message in (rpc.request, rpc.response)}
    methods = [
        _method(handler, types.expression(first.request), types.expression(first.response), names(rpcs), first.path)
        for handler, rpcs in found.items()
        for first in rpcs[:1]
    ]
    return _view(dependency, name, attribute, methods, [below(each, ".gen.pb") for each in used])


def over_http(dependency: DependencyPlan, name: str, attribute: str) -> FallbacksView | None:
    """The same of a dependency that is called over HTTP: each method takes a request, whichever it answers."""
    methods = [
        _method(handler, "HttpRequest", "HttpResponse", names(operations), operations[0].name)
        for handler, operations in _named(dependency).items()
    ]
    used = [Import(each.module.removeprefix(".."), each.name) for each in OVER_HTTP]
    return _view(dependency, name, attribute, methods, used)


def names(callees: Iterable[Rpc | Operation]) -> list[str]:
    """What a sentence calls them; those that the spec does not name are any other request."""
    found = [callee.name if callee.path else "any other request" for callee in callees]
    return list(dict.fromkeys(found))


def stub_imports(views: Iterable[FallbacksView]) -> str:
    """The imports of the module with the user's fallbacks."""
    needed = [Import("__future__", "annotations"), Import(".gen.errors", "unimplemented")]
    return imports.block([*needed, *(found for view in views for found in view.imports)])


def _named(dependency: DependencyPlan) -> Mapping[str, Sequence[Rpc | Operation]]:
    found: dict[str, list[Rpc | Operation]] = {}
    for call in dependency.calls:
        for handler in named_handlers([call.policy]):
            found.setdefault(handler, []).append(call.rpc)
    return found


def _view(
    dependency: DependencyPlan,
    name: str,
    attribute: str,
    methods: Sequence[ClientFallbackView],
    used: Sequence[Import],
) -> FallbacksView | None:
    if not methods:
        return None
    base = f"{name}FallbacksBase"
    return FallbacksView(
        base=base,
        class_name=f"{name}Fallbacks",
        docstring=docstring(
            f"What answers where calls to {dependency.name} fail: an object of your subclass, in "
            "`Application(fallbacks=[…])`.",
            4,
        ),
        methods=tuple(methods),
        imports=(Import(f".gen.clients.{attribute}", base), *used),
    )


def _method(name: str, request: str, response: str, answers: Sequence[str], path: str) -> ClientFallbackView:
    return ClientFallbackView(
        name,
        signature(f"async def {name}", ["self", f"request: {request}"], f" -> {response}:", 4),
        docstring(f"Answers {listed(answers)} where it cannot; what is raised here leaves its failure as it is.", 8),
        path,
    )

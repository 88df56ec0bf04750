"""What the user's code does with the generated clients, held against what the spec says of calls and of their fallbacks."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from generator.errors import Finding, Place, nearest
from generator.project.wiring import composition, last_name, mentioned
from generator.spec.shape import shape

_CLIENTS = "/gen/clients/"
_MARKS = (b"OPERATIONS = ", b"(DependencyFallbacks")
_VERBS = frozenset({"get", "head", "post", "put", "patch", "delete"})

PlaceOf = Callable[[str, str], Place]
"""Where the spec has that operation of that dependency."""


@dataclass(frozen=True, slots=True)
class _Client:
    """What a generated module says of a dependency."""

    attribute: str  # of Clients
    dependency: str
    operations: tuple[str, ...]  # over HTTP, as the spec names them
    base: str  # of what its calls fall back on, "" where no method of the user's answers for it
    methods: Mapping[str, str]  # of that base: their signatures by name


@dataclass(frozen=True, slots=True)
class _Request:
    """A call of an HTTP client somewhere in the user's code."""

    place: Place
    operation: str  # "GET /rates/{base}"; what an f-string fills in is `{}`
    filled: bool  # whether it is an f-string that fills in the path


def notes(code: Mapping[str, ast.Module], generated: Mapping[str, bytes], place_of: PlaceOf) -> Iterator[Finding]:
    """What a person should look at: fallbacks that nobody hands over, operations that no request is of.

    `code` are the user's modules by the path that is shown, `generated` the generator's by theirs in the project. Nothing
    where neither is about anything here.
    """
    for client in _clients(generated):
        if client.base:
            yield from _fallbacks(code, client)
        if client.operations:
            yield from _operations(code, client, place_of)


def concerned(generated: Mapping[str, bytes]) -> bool:
    """Whether there may be anything to note at all, told without parsing."""
    return any(_is_client(path) and any(mark in text for mark in _MARKS) for path, text in generated.items())


def _is_client(path: str) -> bool:
    return _CLIENTS in path and path.endswith(".py")


def _clients(generated: Mapping[str, bytes]) -> Iterator[_Client]:
    for path, text in generated.items():
        if not _is_client(path) or not any(mark in text for mark in _MARKS):
            continue
        classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
        constants = {
            node.targets[0].id: node.value
            for made in classes
            for node in made.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        base = next((made for made in classes if "DependencyFallbacks" in map(last_name, made.bases)), None)
        methods = [node for node in base.body if isinstance(node, ast.AsyncFunctionDef)] if base is not None else []
        yield _Client(
            path.rpartition("/")[2].removesuffix(".py"),
            " ".join(_texts(constants.get("DEPENDENCY"))),
            tuple(" ".join(_texts(made)) for made in getattr(constants.get("OPERATIONS"), "elts", ())),
            "" if base is None else base.name,
            {method.name: _signature(method) for method in methods},
        )


def _texts(node: ast.AST | None) -> list[str]:
    """The texts in an expression, in order."""
    found = [] if node is None else [each for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return [each.value for each in found if isinstance(each.value, str)]


def _signature(method: ast.AsyncFunctionDef) -> str:
    result = "" if method.returns is None else f" -> {ast.unparse(method.returns)}"
    return f"async def {method.name}({ast.unparse(method.args)}){result}"


def _fallbacks(code: Mapping[str, ast.Module], client: _Client) -> Iterator[Finding]:
    """Whether the composition root hands over an object with every method that calls fall back on."""
    root = next((path for path in code if path.endswith("/app.py")), None)
    if root is None:
        return
    line, given = composition(code[root])
    if given is not None and not isinstance(given, ast.List | ast.Tuple):
        return  # made elsewhere: who knows of what
    own = dict(_subclasses(code, client.base))
    if not mentioned(code[root]) & own.keys():
        message = (
            f"app.py does not hand over what calls to {client.dependency} fall back on: the service will not start"
        )
        hint = f"give Application fallbacks=[{min(own, default='…')}()]"
        if not own:
            hint = f"write a subclass of {client.base} and give Application an object of it, in fallbacks=[…]"
        yield Finding(Place(root, line), "fallbacks-not-wired", message, hint)
    found = {node.name for _, made in own.values() for node in made.body if isinstance(node, ast.AsyncFunctionDef)}
    bases = {last_name(base) for _, made in own.values() for base in made.bases}
    whole = bool(own) and bases <= {client.base, *own}  # what another base has is not seen
    for method, signature in client.methods.items():
        if whole and method not in found:
            path, made = own[min(own)]
            message = f"{made.name} has no {method}, which calls to {client.dependency} fall back on"
            yield Finding(Place(path, made.lineno), "fallback-missing", message, f"add `{signature}`")


def _subclasses(code: Mapping[str, ast.Module], base: str) -> Iterator[tuple[str, tuple[str, ast.ClassDef]]]:
    """The classes that derive from it, however far, by name: where each is."""
    classes = [(path, node) for path, tree in code.items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    known = {base}
    for _ in classes:
        for path, made in classes:
            if made.name not in known and known & set(map(last_name, made.bases)):
                known.add(made.name)
                yield made.name, (path, made)


def _operations(code: Mapping[str, ast.Module], client: _Client, place_of: PlaceOf) -> Iterator[Finding]:
    """The operations that no request is of, where there are requests to the dependency; a template may stand anywhere."""
    requests = [request for path, tree in code.items() for request in _requests(path, tree, client.attribute)]
    texts = {text for tree in code.values() for text in _texts(tree) if text.startswith("/")}
    written = set(map(shape, texts))
    filled = {shape(request.operation): request for request in requests if request.filled}
    others = {
        request.operation: request.place
        for request in requests
        if shape(request.operation) not in set(map(shape, client.operations))
    }
    for operation in client.operations:
        verb, _, template = operation.partition(" ")
        if shape(operation) in filled:
            hint = f'call .{verb.lower()}("{template}", path={{…}})'
            message = f"the path is filled in here, so that nothing which the spec says of {operation} holds for it"
            yield Finding(filled[shape(operation)].place, "operation-filled-in", message, hint)
        elif requests and shape(template) not in written:
            alike = nearest(operation, others)
            hint = f"{others[alike]} calls {alike}: is that meant?" if alike else "call it, or remove it"
            message = f"no request to {client.dependency} is {operation}"
            yield Finding(place_of(client.dependency, operation), "operation-unused", message, hint)


def _requests(path: str, tree: ast.Module, attribute: str) -> Iterator[_Request]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if last_name(node.func.value) != attribute:
            continue
        verb, given = node.func.attr, node.args[:1]
        if verb == "request":
            verb, given = " ".join(_texts(next(iter(node.args), None))), node.args[1:2]
        elif verb not in _VERBS:
            continue
        for template in given:
            text = _template(template)
            if text is not None:
                filled = isinstance(template, ast.JoinedStr)
                yield _Request(Place(path, node.lineno), f"{verb.upper()} {text}", filled)


def _template(node: ast.expr) -> str | None:
    """The text of a template, with `{}` for what an f-string fills in; None for what only a run can tell."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    return "".join("{}" if isinstance(part, ast.FormattedValue) else " ".join(_texts(part)) for part in node.values)

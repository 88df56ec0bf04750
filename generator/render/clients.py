"""The clients of the dependencies as Python: one module each, and the names that its methods have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from generator.contract.model import Contract, Kind, Rpc
from generator.plan.model import DependencyPlan, Plan
from generator.render import client_fallbacks, imports, naming, peer_errors
from generator.render.client_fallbacks import FallbacksView
from generator.render.emit import Import
from generator.render.layout import signature
from generator.render.peer_errors import PeerErrorsView
from generator.render.python import Expression, docstring, literal
from generator.render.services import TypeNames, below

_REDIS_PY = "redis.asyncio"
_ATTRIBUTES = frozenset({"DEPENDENCY", "ERRORS", "METHODS"})
_MODULE_NAMES = frozenset(
    {
        "ABC",
        "AsyncGenerator",
        "AsyncIterable",
        "DependencyFallbacks",
        "GrpcClient",
        "Header",
        "Iterable",
        "Kind",
        "Method",
        "abstractmethod",
        "annotations",
        "response",
    }
)
_IMPORTS = (
    Import("__future__", "annotations"),
    Import("collections.abc", "Iterable"),
    Import("...runtime.call", "Header"),
    Import("...runtime.definition", "Kind"),
    Import("...runtime.definition", "Method"),
)


@dataclass(frozen=True, slots=True)
class ClientMethodView:
    """One RPC in a client's module."""

    path: str
    service: str  # full name
    name: str
    method: str  # of the client's class
    constant: str  # name of its Method in the module
    kind: str  # member of runtime.definition.Kind
    request: str  # expression for the message class
    response: str
    argument: str  # "request", or "requests" for a stream
    streams_responses: bool
    signature: str  # "async def get_stock(self, request: GetStockRequest, *, timeout: …) -> Stock:", in a class
    docstring: str


@dataclass(frozen=True, slots=True)
class ClientView:
    """One dependency: its module below `gen/clients`, and what stands in it."""

    name: str  # as the spec has it
    protocol: str  # "grpc", "http" or "redis"
    attribute: str  # of Clients; the module's name too
    class_name: str
    root: str  # the class's base: the runtime's GrpcClient or HttpClient, by the name it has in the module
    contract: str  # import path of the .proto, "" but for gRPC
    module_docstring: str
    docstring: str
    imports: str  # the import block of the module
    methods: tuple[ClientMethodView, ...]  # over gRPC
    constants: tuple[Expression, ...]  # the methods' names; over HTTP the operations
    opener: Import  # of what opens its connection
    fallbacks: FallbacksView | None = None  # None where no method of the user's answers for it
    errors: PeerErrorsView | None = None  # None where its error table is not known

    @property
    def generated(self) -> bool:
        """Whether it has a module of its own; redis-py's client has not."""
        return self.protocol != "redis"

    @property
    def opened(self) -> str:
        """The client with its connection open, in `open_clients`."""
        connection = f"await stack.enter_async_context({self.opener.bound}({literal(self.name)}, outbound))"
        return f"{self.class_name}({connection})" if self.generated else connection


def views(plan: Plan) -> tuple[ClientView, ...]:
    """One view per dependency, in spec order."""
    modules = naming.pb_modules(plan.contract)
    attributes = naming.unique(dependency.name.replace("-", "_") for dependency in plan.dependencies)
    files = set(attributes.values())
    classes: set[str] = set()
    result = []
    for dependency, attribute in zip(plan.dependencies, attributes.values(), strict=True):
        if dependency.protocol == "redis":
            result.append(_redis(dependency, attribute))
            continue
        class_name = naming.identifier(f"{naming.pascal(dependency.name)}Client", classes)
        classes.add(class_name)
        found = None
        if dependency.errors:
            found = peer_errors.view(dependency, peer_errors.module_name(attribute, files))
            files.add(found.module)
        if dependency.protocol == "http":
            result.append(_http(dependency, attribute, class_name, found))
        else:
            result.append(_view(plan.contract, dependency, modules, attribute, class_name, found))
    return tuple(result)


def import_block(clients: tuple[ClientView, ...]) -> str:
    """The imports of `gen/clients/__init__.py`."""
    needed = [
        Import("collections.abc", "AsyncIterator"),
        Import("contextlib", "AsyncExitStack"),
        Import("contextlib", "asynccontextmanager"),
        Import("dataclasses", "dataclass"),
        Import("...runtime.client.environment", "Outbound"),
    ]
    for client in clients:
        needed.append(client.opener)
        needed.append(Import(f".{client.attribute}" if client.generated else _REDIS_PY, client.class_name))
        if client.fallbacks is not None:
            needed.append(Import(f".{client.attribute}", client.fallbacks.base))
    return imports.block(needed)


def _redis(dependency: DependencyPlan, attribute: str) -> ClientView:
    """The client of a dependency that speaks Redis: redis-py's, without a module of its own."""
    opener = Import("...runtime.client.redis_client", "connection", "redis_connection")
    return ClientView(dependency.name, "redis", attribute, "Redis", "", "", "", "", "", (), (), opener)


def _http(dependency: DependencyPlan, attribute: str, class_name: str, errors: PeerErrorsView | None) -> ClientView:
    """The client of a dependency that is called over HTTP: the operations that the spec names."""
    bound = "RuntimeHttpClient" if class_name == "HttpClient" else ""
    root = Import("...runtime.client.http_client", "HttpClient", bound)
    needed = [Import("__future__", "annotations"), root]
    named = [call.rpc.name.partition(" ") for call in dependency.calls if call.rpc.path]
    if named:
        needed.append(Import("...runtime.client.http_client", "Operation"))
    fallbacks = client_fallbacks.over_http(dependency, class_name.removesuffix("Client"), attribute)
    if fallbacks is not None:
        needed += [*client_fallbacks.NEEDED, *client_fallbacks.OVER_HTTP]
    if errors is not None:
        needed.append(Import(".", errors.module))
    return ClientView(
        name=dependency.name,
        protocol="http",
        attribute=attribute,
        class_name=class_name,
        root=root.bound,
        contract="",
        module_docstring=docstring(f"The client of {dependency.name}, which is called over HTTP."),
        docstring=docstring(f"Calls {dependency.name}.", 4),
        imports=imports.block(needed),
        methods=(),
        constants=tuple(Expression(f"Operation({literal(verb)}, {literal(path)})") for verb, _, path in named),
        opener=Import("...runtime.client.http_transport", "connection", "http_connection"),
        fallbacks=fallbacks,
        errors=errors,
    )


def _view(
    contract: Contract,
    dependency: DependencyPlan,
    modules: dict[str, str],
    attribute: str,
    class_name: str,
    errors: PeerErrorsView | None,
) -> ClientView:
    names = _method_names(dependency)
    constants = naming.unique((name.upper() for name in names.values()), _ATTRIBUTES)
    root = Import(
        "...runtime.client.grpc_client", "GrpcClient", "RuntimeGrpcClient" if class_name == "GrpcClient" else ""
    )
    taken = _MODULE_NAMES | {
        f"{class_name.removesuffix('Client')}FallbacksBase",
        class_name,
        root.bound,
        *names.values(),
        *constants.values(),
    }
    if errors is not None:
        taken |= {errors.module}
    types = TypeNames(contract, modules, taken)
    methods = []
    for service in dependency.services:
        for rpc in service.rpcs:
            name = names[rpc.path]
            methods.append(_method(rpc, service.full_name, types, name, constants[name.upper()]))
    fallbacks = client_fallbacks.view(dependency, class_name.removesuffix("Client"), attribute, types)
    needed = [*_IMPORTS, root, *(below(found, "..pb") for found in types.imports)]
    if fallbacks is not None:
        needed += client_fallbacks.NEEDED
    if any(rpc.kind.streams_requests for rpc in dependency.rpcs):
        needed.append(Import("collections.abc", "AsyncIterable"))
    if any(rpc.kind.streams_responses for rpc in dependency.rpcs):
        needed.append(Import("collections.abc", "AsyncGenerator"))
    if errors is not None:
        needed.append(Import(".", errors.module))
    called = ", ".join(service.full_name for service in dependency.services if service.rpcs)
    comments = [service.comment for service in dependency.services if service.comment]
    return ClientView(
        name=dependency.name,
        protocol="grpc",
        attribute=attribute,
        class_name=class_name,
        root=root.bound,
        contract=dependency.contract,
        module_docstring=docstring(f"The client of {dependency.name}: calls {called}."),
        docstring=docstring("\n\n".join([f"Calls {called}.", *comments]), 4),
        imports=imports.block(needed),
        methods=tuple(methods),
        constants=tuple(Expression(method.constant) for method in methods),
        opener=Import("...runtime.client.grpc_client", "connection"),
        fallbacks=fallbacks,
        errors=errors,
    )


def _method_names(dependency: DependencyPlan) -> Mapping[str, str]:
    """The client's method for each RPC, by its path; one that several services have is prefixed with its service."""
    owners: dict[str, set[str]] = defaultdict(set)
    for service in dependency.services:
        for rpc in service.rpcs:
            owners[naming.snake(rpc.name)].add(service.name)
    taken = set(_ATTRIBUTES)
    names: dict[str, str] = {}
    for service in dependency.services:
        for rpc in service.rpcs:
            name = naming.snake(rpc.name)
            if len(owners[name]) > 1:
                name = f"{naming.snake(service.name)}_{name}"
            names[rpc.path] = naming.identifier(name, taken)
            taken.add(names[rpc.path])
    return names


def _method(rpc: Rpc, service: str, types: TypeNames, name: str, constant: str) -> ClientMethodView:
    request, response = types.expression(rpc.request), types.expression(rpc.response)
    return ClientMethodView(
        path=rpc.path,
        service=service,
        name=rpc.name,
        method=name,
        constant=constant,
        kind=rpc.kind.name,
        request=request,
        response=response,
        argument="requests" if rpc.kind.streams_requests else "request",
        streams_responses=rpc.kind.streams_responses,
        signature=_signature(rpc.kind, name, request, response),
        docstring=docstring(rpc.comment or f"Calls {rpc.full_name}.", 8),
    )


def _signature(kind: Kind, name: str, request: str, response: str) -> str:
    given = f"requests: AsyncIterable[{request}]" if kind.streams_requests else f"request: {request}"
    parameters = ["self", given, "*", "timeout: float | None = None", "metadata: Iterable[Header] = ()"]
    if kind.streams_responses:
        return signature(f"def {name}", parameters, f" -> AsyncGenerator[{response}, None]:", 4)
    return signature(f"async def {name}", parameters, f" -> {response}:", 4)

"""The services as Python: modules, base classes, handler methods, and the types they name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from generator.contract.model import Contract, Kind, Rpc
from generator.plan.fallbacks import named_handlers
from generator.plan.model import Plan, ServicePlan
from generator.render import imports, naming
from generator.render.emit import Import, Stub
from generator.render.layout import signature
from generator.render.python import Expression, docstring

_FUTURE = Import("__future__", "annotations")
_ASYNC_ITERATOR = Import("collections.abc", "AsyncIterator")
_RPC_IMPORTS = (
    Import("...runtime.definition", "Kind"),
    Import("...runtime.definition", "Method"),
    Import("...runtime.errors", "unimplemented"),
)


@dataclass(frozen=True, slots=True)
class MethodView:
    """One RPC in a service's module."""

    path: str
    name: str
    handler: str  # method name of the handler
    constant: str  # name of its Method in the module
    kind: str  # member of runtime.definition.Kind
    request: str  # expression for the message class
    response: str
    streams_responses: bool
    signature: str  # "async def create_order(self, request: CreateOrderRequest, call: Call) -> Order:", in a class
    docstring: str


@dataclass(frozen=True, slots=True)
class FallbackView:
    """A method of the handler's class that answers in another's place."""

    signature: str
    docstring: str
    path: str  # of the first RPC that it stands in for


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service: its module below `gen/services` and `handlers`, and what stands in them."""

    name: str
    full_name: str
    module: str
    base: str
    root: str  # the base's own base: the runtime's ServiceBase, by the name it has in the module
    handler: str  # the handler's class
    handler_alias: str  # in app.py, where another service has a handler of that name; else ""
    proto: str  # import path of the .proto
    module_docstring: str
    docstring: str
    imports: str  # the import block of gen/services/<module>.py
    handler_imports: str  # the import block of handlers/<module>.py
    methods: tuple[MethodView, ...]
    fallbacks: tuple[FallbackView, ...]
    constants: tuple[Expression, ...]  # the methods' names
    stubs: tuple[Stub, ...]


class TypeNames:
    """The names one module gives to the message classes it needs, and the imports that bind them."""

    def __init__(self, contract: Contract, modules: dict[str, str], taken: frozenset[str]) -> None:
        self._contract = contract
        self._modules = modules
        self._taken = set(taken)
        self._bound: dict[tuple[str, str], Import] = {}

    def expression(self, full_name: str) -> str:
        """How the module says that message's class: `Order`, `Outer.Inner`, or its alias."""
        outer, *inner = self._path(full_name)
        found = self._import(full_name, outer)
        return ".".join([found.bound, *inner])

    def import_of(self, full_name: str) -> Import:
        """The import that `expression` relies on; its module starts with "." for the project's own below gen/pb."""
        return self._import(full_name, self._path(full_name)[0])

    @property
    def imports(self) -> tuple[Import, ...]:
        return tuple(sorted(self._bound.values()))

    def _path(self, full_name: str) -> list[str]:
        message = self._contract.messages[full_name]
        package = self._contract.files[message.file].package
        return full_name.removeprefix(f"{package}." if package else "").split(".")

    def _import(self, full_name: str, outer: str) -> Import:
        file = self._contract.messages[full_name].file
        key = (file, outer)
        if key not in self._bound:
            package = self._contract.files[file].package
            name = naming.type_alias(package, outer, self._taken)
            self._taken.add(name)
            self._bound[key] = Import(self._modules[file], outer, "" if name == outer else name)
        return self._bound[key]


def views(plan: Plan) -> tuple[ServiceView, ...]:
    """One view per service, in contract order."""
    modules = naming.pb_modules(plan.contract)
    taken = set(naming.APP_NAMES)
    result: list[ServiceView] = []
    for service in plan.services:
        proto = service.service
        package = plan.contract.files[proto.file].package
        handler = naming.identifier(proto.name)
        alias = naming.type_alias(package, handler, taken)
        module = naming.identifier(naming.snake(handler))
        if module in {view.module for view in result}:
            module = naming.identifier(naming.snake(alias), {view.module for view in result})
        taken.add(alias)
        result.append(_view(plan.contract, service, modules, module, handler, "" if alias == handler else alias))
    return tuple(result)


def _view(
    contract: Contract, plan: ServicePlan, modules: dict[str, str], module: str, handler: str, alias: str
) -> ServiceView:
    proto = plan.service
    methods = naming.handler_methods(rpc.name for rpc in proto.rpcs)
    constants = naming.constants(methods)
    base = f"{handler}Base"
    # A service may well be called Call, or Service.
    call = Import("...runtime.call", "Call", "RuntimeCall" if handler == "Call" else "")
    root = Import("...runtime.definition", "ServiceBase", "RuntimeServiceBase" if base == "ServiceBase" else "")
    types = TypeNames(
        contract,
        modules,
        naming.SERVICE_MODULE_NAMES | {base, handler, call.bound, root.bound, *constants.values(), *methods.values()},
    )
    rpcs = [_method(rpc, types, methods[rpc.name], constants[rpc.name], call) for rpc in proto.rpcs]
    fallbacks = _fallbacks(plan, types, call)
    stubs = tuple(_stub(handler, rpc, view, types, call) for rpc, view in zip(proto.rpcs, rpcs, strict=True))
    needed = [_FUTURE, root, Import("..clients", "Clients"), *(below(found, "..pb") for found in types.imports)]
    if rpcs:
        needed += [call, *_RPC_IMPORTS]
    if any(rpc.kind is not Kind.UNARY for rpc in proto.rpcs):
        needed.append(_ASYNC_ITERATOR)
    return ServiceView(
        name=proto.name,
        full_name=proto.full_name,
        module=module,
        base=base,
        root=root.bound,
        handler=handler,
        handler_alias=alias,
        proto=proto.file,
        module_docstring=docstring(f"{proto.full_name}: its methods, and the base class of its handler."),
        docstring=docstring(proto.comment or f"Serves {proto.full_name}.", 4),
        imports=imports.block(needed),
        handler_imports=imports.block(
            [_FUTURE, Import(f"..gen.services.{module}", base), *(found for stub in stubs for found in stub.imports)]
        ),
        methods=tuple(rpcs),
        fallbacks=fallbacks,
        constants=tuple(Expression(method.constant) for method in rpcs),
        stubs=stubs,
    )


def _method(rpc: Rpc, types: TypeNames, handler: str, constant: str, call: Import) -> MethodView:
    request, response = types.expression(rpc.request), types.expression(rpc.response)
    return MethodView(
        path=rpc.path,
        name=rpc.name,
        handler=handler,
        constant=constant,
        kind=rpc.kind.name,
        request=request,
        response=response,
        streams_responses=rpc.kind.streams_responses,
        signature=_signature(rpc.kind, handler, request, response, call.bound),
        docstring=docstring(rpc.comment or f"Serves {rpc.full_name}.", 8),
    )


def _fallbacks(plan: ServicePlan, types: TypeNames, call: Import) -> tuple[FallbackView, ...]:
    """One method for each name that policies fall back on, in the order of the contract."""
    found: dict[str, list[Rpc]] = {}
    for method in plan.methods:
        for name in named_handlers([method.policy]):
            found.setdefault(name, []).append(method.rpc)
    return tuple(
        FallbackView(
            _signature(
                Kind.UNARY, name, types.expression(rpcs[0].request), types.expression(rpcs[0].response), call.bound
            ),
            docstring(
                f"Answers {listed(rpc.name for rpc in rpcs)} where it cannot; what is raised here leaves its failure as it is.",
                8,
            ),
            rpcs[0].path,
        )
        for name, rpcs in found.items()
    )


def listed(names: Iterable[str]) -> str:
    """The names as a sentence has them."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _signature(kind: Kind, handler: str, request: str, response: str, call: str) -> str:
    argument = f"requests: AsyncIterator[{request}]" if kind.streams_requests else f"request: {request}"
    result = f"AsyncIterator[{response}]" if kind.streams_responses else response
    return signature(f"async def {handler}", ["self", argument, f"call: {call}"], f" -> {result}:", 4)


def _stub(handler: str, rpc: Rpc, view: MethodView, types: TypeNames, call: Import) -> Stub:
    lines = [
        view.signature,
        f"    {docstring(rpc.comment or f'Serves {rpc.full_name}.', 4)}",
        f'    raise errors.unimplemented("{rpc.path}")',
    ]
    needed = [below(types.import_of(name), "..gen.pb") for name in (rpc.request, rpc.response)]
    if view.streams_responses:
        lines.append(f"    yield {view.response}()  # makes this an async generator")
    if rpc.kind is not Kind.UNARY:
        needed.append(_ASYNC_ITERATOR)
    needed += [Import("..gen", "errors"), Import("..runtime.call", "Call", call.alias)]
    return Stub(
        class_name=handler,
        method=view.handler,
        source="\n".join(lines) + "\n",
        imports=tuple(sorted(set(needed))),
        rpc=rpc.path,
        kind=rpc.kind.value,
        request=rpc.request,
        response=rpc.response,
    )


def below(found: Import, folder: str) -> Import:
    """The import as it stands in a file from which `gen/pb` is `folder`."""
    return Import(folder + found.module, found.name, found.alias) if found.module.startswith(".") else found

"""Stand-ins for dependencies: a real server in the place of each, scripted as the handlers' stand-ins are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeAlias

from google.protobuf.message import Message

from ..call import Header
from ..client.environment import Outbound
from ..client.grpc_client import GrpcClient
from ..client.http_client import HttpClient
from ..client.http_request import content_of
from ..client.http_response import HttpResponse
from ..client.onward import OWN
from ..definition import Application, Definition, ErrorTable, Kind, Method, Route, ServiceBase
from ..metadata import Metadata
from ..routing import Router
from ..snapshot import DependencyPolicy, MethodPolicy, ObservabilityPolicy, Snapshot, TlsPolicy
from ..targets import target_variable
from . import http_calls
from .client import Client
from .entries import Entry
from .http_received import taking_any_request
from .outcome import Outcome
from .samples import sample
from .scripted import Messages, Received, Scripted
from .serving import serving, under_test

PEER_DOMAIN: Final = "dependency.test"
"""The domain of the errors that stand-ins answer with, where that of their dependency is not known."""

OpenClients = Callable[[Outbound], AbstractAsyncContextManager[Any]]
"""`gen.clients.open_clients`."""

_OF_THE_TRANSPORT: Final = frozenset({"content-type", "host", "te", "user-agent"})


AnyClient: TypeAlias = GrpcClient | HttpClient


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One RPC of one dependency; over HTTP one operation, which has its name for a path."""

    client: type[AnyClient]
    method: Method

    @property
    def dependency(self) -> str:
        """The dependency's name in the spec."""
        return self.client.DEPENDENCY

    @property
    def domain(self) -> str:
        """The domain of the errors that its stand-in answers with."""
        return domain_of(self.client)

    def __str__(self) -> str:
        return f"{self.dependency} {self.method.path}"


@dataclass(frozen=True, slots=True)
class StandIn:
    """A running stand-in: give it a script by `scripted.plays(…)`, and see what it got in `scripted.received`."""

    scripted: Scripted
    policy: (
        DependencyPolicy  # the declared one, with certificates that the stand-in takes, and has, where it names some
    )
    environ: Mapping[str, str]  # what `open_clients` needs to find it


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A caller, the service with scripted handlers and its real clients, and the stand-ins that those call."""

    caller: Client
    service: Scripted
    stand_ins: Mapping[type[AnyClient], StandIn]
    clients: Sequence[AnyClient]
    propagated: Sequence[str]  # names of metadata that the policies hand on as they are
    raised: list[BaseException]  # what calls to dependencies raised in the handler, in order

    def stand_in(self, outgoing: Outgoing) -> Scripted:
        """The stand-in that the RPC goes to."""
        return self.stand_ins[outgoing.client].scripted

    async def call(
        self, entry: Entry, outgoing: Outgoing, *, metadata: Sequence[Header] = (), deadline: float | None = None
    ) -> Outcome:
        """Call the service; its handler makes the outgoing call, and answers where that went well."""
        client = next(each for each in self.clients if isinstance(each, outgoing.client))

        async def script(received: Received) -> Messages:
            await received.read()
            try:
                await call_dependency(client, outgoing.method)
            except Exception as error:
                self.raised.append(error)
                raise
            for response in entry.responses():
                yield response

        self.service.plays(script)
        try:
            return await self.caller.call(entry, metadata=metadata, deadline=deadline)
        finally:
            self.stand_in(outgoing).script = answering_samples


def outgoing(*clients: type[AnyClient]) -> tuple[Outgoing, ...]:
    """Every RPC of these clients; over HTTP the operations that the spec names, and a request of no operation."""
    return tuple(Outgoing(client, method) for client in clients for method in _methods(client))


def _methods(client: type[AnyClient]) -> tuple[Method, ...]:
    return http_calls.methods(client) if issubclass(client, HttpClient) else client.METHODS


def one_of_each_kind(calls: Iterable[Outgoing]) -> tuple[Outgoing, ...]:
    """The first RPC of each dependency and kind: what is the same for all RPCs is tested on those."""
    chosen: dict[tuple[str, Kind], Outgoing] = {}
    for call in calls:
        chosen.setdefault((call.dependency, call.method.kind), call)
    return tuple(chosen.values())


async def call_dependency(client: AnyClient, method: Method) -> tuple[Message, ...]:
    """Call one of the client's RPCs with a sample request, or a stream of three; every response."""
    if isinstance(client, HttpClient):
        return await http_calls.request(client, method)
    call: Any = getattr(client, method.handler)

    async def requests() -> AsyncIterator[Message]:
        for variant in range(3):
            yield sample(method.request, variant)

    given = requests() if method.kind.streams_requests else sample(method.request)
    if method.kind.streams_responses:
        return tuple([message async for message in call(given)])
    return (await call(given),)


def answer_of(call: Outgoing, message: Message) -> Message | HttpResponse:
    """What a method that answers in the dependency's place gives, for the message to be the response."""
    if not issubclass(call.client, HttpClient):
        return message
    content, content_type = content_of(message)
    return HttpResponse(200, content or b"", Metadata([("content-type", content_type)]))


async def answering_samples(received: Received) -> Messages:
    """What a stand-in does unless it is given another script: reads every request, then answers with a sample."""
    await received.read()
    yield sample(received.method.response)


@asynccontextmanager
async def standing_in(client: type[AnyClient], policies: Snapshot) -> AsyncIterator[StandIn]:
    """A server on a free local port with every RPC of the client's dependency; `policies` are the project's own."""
    declared = policies.dependencies[client.DEPENDENCY]
    definition = _definition(client, policies, declared)
    scripted = Scripted(definition, answering_samples)
    async with serving(definition, scripted.application) as served:
        credentials = served.client.credentials
        policy = declared
        if declared.tls is not None and credentials is not None and credentials.served is not None:
            policy = replace(declared, tls=credentials.served.called_by(declared.tls))
        addresses = served.client.addresses
        target = addresses.rest if issubclass(client, HttpClient) else addresses.grpc
        yield StandIn(scripted, policy, {target_variable(client.DEPENDENCY): target})


@asynccontextmanager
async def chained(
    definition: Definition, service: Scripted, open_clients: OpenClients, calls: Iterable[Outgoing]
) -> AsyncIterator[Chain]:
    """Serve the definition with scripted handlers, and stand in for every dependency that `calls` go to.

    Policies are the declared ones without rate limits, which would refuse what a test has no permits for.
    """
    opened: list[AnyClient] = []

    @asynccontextmanager
    async def application(clients: Any) -> AsyncIterator[Application]:
        opened.extend(getattr(clients, each.name) for each in fields(clients))
        yield Application(service.handlers)

    async with AsyncExitStack() as stack:
        stand_ins = {
            client: await stack.enter_async_context(standing_in(client, definition.policies))
            for client in dict.fromkeys(call.client for call in calls)
        }
        environ = {name: target for stand_in in stand_ins.values() for name, target in stand_in.environ.items()}

        declared = {client.DEPENDENCY: _unlimited(stand_in.policy) for client, stand_in in stand_ins.items()}
        policies = replace(definition.policies, dependencies={**definition.policies.dependencies, **declared})

        def opening(outbound: Outbound) -> AbstractAsyncContextManager[Any]:
            return open_clients(replace(outbound, policies=policies, environ=environ))

        connected = replace(definition, open_clients=opening)
        served = await stack.enter_async_context(serving(connected, application))
        yield Chain(served.client, service, stand_ins, opened, _propagated(definition.policies), [])


def _unlimited(policy: DependencyPolicy) -> DependencyPolicy:
    methods = {path: replace(each, rate_limit=None) for path, each in policy.methods.items()}
    return replace(policy, calls=replace(policy.calls, rate_limit=None), methods=methods)


def domain_of(client: type[AnyClient]) -> str:
    """The domain of the dependency's errors, by its table."""
    return client.ERRORS[0].peer_row.domain if client.ERRORS else PEER_DOMAIN


def _propagated(policies: Snapshot) -> tuple[str, ...]:
    names = policies.observability.propagate
    return tuple(name for name in names if name not in OWN | _OF_THE_TRANSPORT and not name.startswith("grpc-"))


def _definition(client: type[AnyClient], policies: Snapshot, declared: DependencyPolicy) -> Definition:
    """The dependency as a service: no deadlines of its own, an empty error table."""
    tls = declared.tls
    served = None if tls is None else TlsPolicy("", "", client_ca=tls.certificate)  # files are the test's own
    bases, routes = _services(client)
    methods = {
        method.path: MethodPolicy(deadline=None, criticality="CRITICAL") for base in bases for method in base.METHODS
    }
    definition = Definition(
        name=client.DEPENDENCY,
        services=bases,
        router=Router(routes),
        bindings=http_calls.binding,
        errors=ErrorTable(domain=domain_of(client), rows={}, by_code={}),
        policies=replace(policies, methods=methods, tls=served, observability=_all_ears(declared, policies)),
        open_clients=_none,
        stages=(taking_any_request(),) if issubclass(client, HttpClient) else (),
    )
    return under_test(definition, deadline=None)


def _services(client: type[AnyClient]) -> tuple[tuple[type[ServiceBase], ...], tuple[Route, ...]]:
    if issubclass(client, HttpClient):
        base, routes = http_calls.stand_in()
        return (base,), routes
    names = dict.fromkeys(method.service for method in client.METHODS)
    return tuple(_base(name, [method for method in client.METHODS if method.service == name]) for name in names), ()


def _base(service: str, methods: Sequence[Method]) -> type[ServiceBase]:
    made: type[ServiceBase] = type("DependencyBase", (ServiceBase,), {"SERVICE": service, "METHODS": tuple(methods)})
    return made


def _all_ears(declared: DependencyPolicy, policies: Snapshot) -> ObservabilityPolicy:
    """Over REST, metadata is what a service asks for: here, also what clients send beside the usual."""
    keys = {each.idempotency.header for each in (declared.calls, *declared.methods.values()) if each.idempotency}
    names = (*policies.observability.propagate, *sorted(keys), "grpc-previous-rpc-attempts")
    return replace(policies.observability, propagate=names)


@asynccontextmanager
async def _none(outbound: Outbound) -> AsyncIterator[None]:
    yield None

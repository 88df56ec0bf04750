"""Stand-ins for dependencies: a real server in the place of each, scripted as the handlers' stand-ins are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message

from ..client.grpc_client import GrpcClient, target_variable
from ..definition import Definition, ErrorTable, Method, ServiceBase
from ..snapshot import MethodPolicy, Snapshot
from .samples import sample
from .scripted import Scripted
from .serving import serving, under_test

PEER_DOMAIN = "dependency.test"
"""The domain of the errors that stand-ins answer with."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A running stand-in: give it a script by `scripted.plays(…)`, and see what it got in `scripted.received`."""

    scripted: Scripted
    environ: Mapping[str, str]  # what `open_clients(environ)` needs to find it


@asynccontextmanager
async def standing_in(client: type[GrpcClient], policies: Snapshot) -> AsyncIterator[StandIn]:
    """A server on a free local port with every RPC of the client's dependency; `policies` are the project's own."""
    definition = _definition(client, policies)
    scripted = Scripted(definition)
    async with serving(definition, scripted.application) as served:
        yield StandIn(scripted, {target_variable(client.DEPENDENCY): served.client.addresses.grpc})


async def call_dependency(client: GrpcClient, method: Method) -> tuple[Message, ...]:
    """Call one of the client's RPCs with a sample request, or a stream of three; every response."""
    call: Any = getattr(client, method.handler)

    async def requests() -> AsyncIterator[Message]:
        for variant in range(3):
            yield sample(method.request, variant)

    given = requests() if method.kind.streams_requests else sample(method.request)
    if method.kind.streams_responses:
        return tuple([message async for message in call(given)])
    return (await call(given),)


def _definition(client: type[GrpcClient], policies: Snapshot) -> Definition:
    """The dependency as a service: no deadlines of its own, no routes, an empty error table."""
    names = dict.fromkeys(method.service for method in client.METHODS)
    bases = tuple(
        type(
            "DependencyBase",
            (ServiceBase,),
            {"SERVICE": name, "METHODS": tuple(method for method in client.METHODS if method.service == name)},
        )
        for name in names
    )
    methods = {method.path: MethodPolicy(deadline=None, criticality="CRITICAL") for method in client.METHODS}
    definition = Definition(
        name=client.DEPENDENCY,
        services=bases,
        routes=(),
        errors=ErrorTable(domain=PEER_DOMAIN, rows={}, by_code={}),
        policies=replace(policies, methods=methods),
        open_clients=_none,
    )
    return under_test(definition)


@asynccontextmanager
async def _none() -> AsyncIterator[None]:
    yield None

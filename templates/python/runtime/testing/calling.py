"""Calls to a dependency's stand-in by one of the declared policies at a time, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import importlib
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from ..batch import Batch
from ..client.chain import stages_of
from ..client.environment import Dependency, Outbound, Target, target_of_rpc
from ..client.grpc_client import connection
from ..client.http_client import HttpClient
from ..client.http_request import IDEMPOTENT
from ..client.measures import ClientMeasures
from ..definition import DependencyFallbacks
from ..errors import DependencyError
from ..snapshot import DependencyPolicy, FaultPolicy, OutgoingPolicy, Snapshot
from ..targets import target_variable
from .credentials import HOST
from .dependencies import AnyClient, Outgoing, call_dependency, outgoing, standing_in
from .limits import measurable
from .scripted import Scripted
from .virtual_clock import VirtualClock


@dataclass(frozen=True, slots=True)
class Calling:
    """A client of a dependency, and the stand-in that it calls."""

    client: AnyClient
    stand_in: Scripted
    clock: VirtualClock
    policy: DependencyPolicy

    async def call(self, call: Outgoing) -> tuple[Message, ...]:
        """Call an RPC with samples; its responses. Raises DependencyError."""
        return await call_dependency(self.client, call.method)

    async def attempt(self, call: Outgoing) -> DependencyError | None:
        """Call an RPC with samples; what it fails with, None where it goes well."""
        try:
            await self.call(call)
        except DependencyError as error:
            return error
        return None

    async def failure(self, call: Outgoing) -> DependencyError:
        """What a call fails with. Raises AssertionError where it does not."""
        error = await self.attempt(call)
        if error is None:
            raise AssertionError(f"{call} did not fail")
        return error

    def distrust(self) -> None:
        """Put an authority that has issued nothing in the place of the one that the client trusts."""
        from .certificates import Authority  # only here: it takes long to import

        if self.policy.tls is not None:
            Path(self.policy.tls.ca).write_bytes(Authority("nobody's").certificate)


def targets(policies: Snapshot, *clients: type[AnyClient]) -> Mapping[Outgoing, Target]:
    """Every RPC of these clients with its policy, which says what of it applies to the RPC."""
    return {call: _target(policies.dependencies[call.dependency], call) for call in outgoing(*clients)}


def _target(policy: DependencyPolicy, call: Outgoing) -> Target:
    if not issubclass(call.client, HttpClient):
        return target_of_rpc(policy, call.method)
    idempotent = call.method.path.partition(" ")[0] in IDEMPOTENT
    return Target(call.method.path, policy.of(call.method.path), call.method.kind, idempotent)


def chains(policies: Snapshot, *clients: type[AnyClient]) -> Mapping[str, tuple[str, ...]]:
    """The stages of the calls to each RPC of these clients, outermost first, where everything is on that can be.

    Without spans, which only a tracer brings.
    """
    observability = policies.observability
    measures = ClientMeasures(Batch(), observability.buckets) if observability.metrics else None
    observe = None if policies.score is None else _unobserved
    outbound = _outbound(policies, VirtualClock(), measures=measures, observe=observe, inject_faults=True)
    found = {}
    for call, target in targets(policies, *clients).items():
        dependency = Dependency(call.dependency, policies.dependencies[call.dependency], outbound)
        found[str(call)] = tuple(name for name, _ in stages_of(target, dependency))
    return found


@asynccontextmanager
async def calling(
    client: type[AnyClient],
    policies: Snapshot,
    *mechanisms: str,
    clock: VirtualClock | None = None,
    address: str = "",
    patient: bool = False,
    keyed: bool = False,
    faults: tuple[FaultPolicy, ...] = (),
    fallbacks: DependencyFallbacks | None = None,
) -> AsyncIterator[Calling]:
    """A client of a stand-in on a real socket; of its policies only the `mechanisms` of OutgoingPolicy are on.

    Its calls go to `address` instead, where there is one. Rate limits are kept in memory, wait for nobody unless
    `patient`, and count all calls together unless `keyed`; the `faults` are injected.
    """
    turned = clock or VirtualClock()
    own = {} if fallbacks is None else {client.DEPENDENCY: fallbacks}

    def only(policy: OutgoingPolicy) -> OutgoingPolicy:
        kept = _only(policy, mechanisms)
        return replace(kept, rate_limit=measurable(kept.rate_limit, patient=patient, keyed=keyed))

    async with standing_in(client, policies) as peer:
        alone = replace(
            peer.policy,
            calls=only(peer.policy.calls),
            methods={path: only(policy) for path, policy in peer.policy.methods.items()},
            faults=faults,
        )
        changed = replace(policies, dependencies={client.DEPENDENCY: alone})
        environ = {target_variable(client.DEPENDENCY): address} if address else peer.environ
        outbound = _outbound(changed, turned, environ=environ, inject_faults=True, fallbacks=own)
        async with _opener(client)(client.DEPENDENCY, outbound) as connected:
            yield Calling(client(connected), peer.scripted, turned, alone)


@asynccontextmanager
async def silent(call: Outgoing, policies: Snapshot) -> AsyncIterator[str]:
    """The address of a server that a call goes to, and to which no connection ever stands.

    To gRPC it never says a word; over HTTP the handshake of TCP never ends, as its queue is full.
    """
    if issubclass(call.client, HttpClient):
        with _full_queue() as port:
            scheme = "http" if policies.dependencies[call.dependency].tls is None else "https"
            yield f"{scheme}://{HOST}:{port}"
        return
    taken: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: taken.append(writer), HOST, 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"
    finally:
        server.close()
        for writer in taken:
            writer.transport.abort()
            await writer.wait_closed()


@contextmanager
def _full_queue() -> Iterator[int]:
    """A port at which no further connection is established, and none refused."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(8):
            held = stack.enter_context(socket.socket())
            held.setblocking(False)
            held.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def _opener(client: type[AnyClient]) -> Callable[[str, Outbound], AbstractAsyncContextManager[Any]]:
    """What opens the client's connection; that over HTTP is emitted only where there is one."""
    if not issubclass(client, HttpClient):
        return connection
    transport: Any = importlib.import_module("...client.http_transport", __name__)
    opener: Callable[[str, Outbound], AbstractAsyncContextManager[Any]] = transport.connection
    return opener


def _outbound(
    policies: Snapshot, clock: VirtualClock, *, environ: Mapping[str, str] | None = None, **more: Any
) -> Outbound:
    return Outbound(policies, environ or {}, clock, random.Random(1), **more)  # noqa: S311 - jitter


def _unobserved(dependency: str, share: float) -> None:
    """Nobody judges."""


def _only(policy: OutgoingPolicy, mechanisms: tuple[str, ...]) -> OutgoingPolicy:
    off: dict[str, Any] = {each.name: None for each in fields(policy) if each.name not in mechanisms}
    return replace(policy, **off)

"""Calls to a dependency's stand-in by one of the declared policies at a time, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from ..client.environment import Outbound, Target
from ..client.grpc_client import connection
from ..client.http_client import HttpClient
from ..client.http_request import IDEMPOTENT
from ..errors import DependencyError
from ..snapshot import DependencyPolicy, OutgoingPolicy, Snapshot
from ..targets import target_variable
from .credentials import HOST
from .dependencies import AnyClient, Outgoing, call_dependency, outgoing, standing_in
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

    async def failure(self, call: Outgoing) -> DependencyError:
        """What a call fails with. Raises AssertionError where it does not."""
        try:
            await self.call(call)
        except DependencyError as error:
            return error
        raise AssertionError(f"{call} did not fail")

    def distrust(self) -> None:
        """Put an authority that has issued nothing in the place of the one that the client trusts."""
        from .certificates import Authority  # only here: it takes long to import

        if self.policy.tls is not None:
            Path(self.policy.tls.ca).write_bytes(Authority("nobody's").certificate)


def targets(policies: Snapshot, *clients: type[AnyClient]) -> Mapping[Outgoing, Target]:
    """Every RPC of these clients with its policy, which says what of it applies to the RPC."""
    found = {}
    for call in outgoing(*clients):
        dependency, path = policies.dependencies[call.dependency], call.method.path
        idempotent = path in dependency.idempotent
        if issubclass(call.client, HttpClient):
            idempotent = path.partition(" ")[0] in IDEMPOTENT
        found[call] = Target(path, dependency.of(path), call.method.kind, idempotent)
    return found


@asynccontextmanager
async def calling(
    client: type[AnyClient],
    policies: Snapshot,
    *mechanisms: str,
    clock: VirtualClock | None = None,
    address: str = "",
) -> AsyncIterator[Calling]:
    """A client of a stand-in on a real socket; of its policies only the `mechanisms` of OutgoingPolicy are on.

    Its calls go to `address` instead, where there is one.
    """
    turned = clock or VirtualClock()
    async with standing_in(client, policies) as peer:
        alone = replace(
            peer.policy,
            calls=_only(peer.policy.calls, mechanisms),
            methods={path: _only(policy, mechanisms) for path, policy in peer.policy.methods.items()},
        )
        changed = replace(policies, dependencies={client.DEPENDENCY: alone})
        environ = {target_variable(client.DEPENDENCY): address} if address else peer.environ
        outbound = Outbound(changed, environ, turned, random.Random(1))  # noqa: S311 - jitter
        async with _opener(client)(client.DEPENDENCY, outbound) as connected:
            yield Calling(client(connected), peer.scripted, turned, alone)


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """The address of a server that takes connections, and never says a word over them."""
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


def _opener(client: type[AnyClient]) -> Callable[[str, Outbound], AbstractAsyncContextManager[Any]]:
    """What opens the client's connection; that over HTTP is emitted only where there is one."""
    if not issubclass(client, HttpClient):
        return connection
    transport: Any = importlib.import_module("...client.http_transport", __name__)
    opener: Callable[[str, Outbound], AbstractAsyncContextManager[Any]] = transport.connection
    return opener


def _only(policy: OutgoingPolicy, mechanisms: tuple[str, ...]) -> OutgoingPolicy:
    off: dict[str, Any] = {each.name: None for each in fields(policy) if each.name not in mechanisms}
    return replace(policy, **off)

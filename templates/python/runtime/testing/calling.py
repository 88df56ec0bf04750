"""Calls to a dependency's stand-in by one of the declared policies at a time, on a clock that the test turns."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

from google.protobuf.message import Message

from ..client.environment import Outbound, Target
from ..client.grpc_client import GrpcClient, connection
from ..errors import DependencyError
from ..snapshot import OutgoingPolicy, Snapshot
from .dependencies import Outgoing, call_dependency, outgoing, standing_in
from .scripted import Scripted
from .virtual_clock import VirtualClock


@dataclass(frozen=True, slots=True)
class Calling:
    """A client of a dependency, and the stand-in that it calls."""

    client: GrpcClient
    stand_in: Scripted
    clock: VirtualClock

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


def targets(policies: Snapshot, *clients: type[GrpcClient]) -> Mapping[Outgoing, Target]:
    """Every RPC of these clients with its policy, which says what of it applies to the RPC."""
    found = {}
    for call in outgoing(*clients):
        dependency, path = policies.dependencies[call.dependency], call.method.path
        found[call] = Target(path, dependency.of(path), call.method.kind, path in dependency.idempotent)
    return found


@asynccontextmanager
async def calling(
    client: type[GrpcClient], policies: Snapshot, *mechanisms: str, clock: VirtualClock | None = None
) -> AsyncIterator[Calling]:
    """A client of a stand-in on a real socket; of its policies only the `mechanisms` of OutgoingPolicy are on."""
    turned = clock or VirtualClock()
    declared = policies.dependencies[client.DEPENDENCY]
    alone = replace(
        declared,
        calls=_only(declared.calls, mechanisms),
        methods={path: _only(policy, mechanisms) for path, policy in declared.methods.items()},
    )
    changed = replace(policies, dependencies={client.DEPENDENCY: alone})
    async with standing_in(client, changed) as peer:
        outbound = Outbound(changed, peer.environ, turned, random.Random(1))  # noqa: S311 - jitter
        async with connection(client.DEPENDENCY, outbound) as connected:
            yield Calling(client(connected), peer.scripted, turned)


def _only(policy: OutgoingPolicy, mechanisms: tuple[str, ...]) -> OutgoingPolicy:
    off: dict[str, Any] = {each.name: None for each in fields(policy) if each.name not in mechanisms}
    return replace(policy, **off)

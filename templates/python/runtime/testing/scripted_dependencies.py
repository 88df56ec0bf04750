"""A service's own clients against stand-ins that a test scripts: for tests of handlers that call dependencies."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..client.environment import Outbound
from ..clock import Clock, LoopClock
from ..definition import Definition, DependencyFallbacks
from .dependencies import AnyClient, standing_in
from .scripted import Scripted


@dataclass(frozen=True, slots=True)
class ScriptedDependencies:
    """Stand-ins on real sockets; `clients` are the service's, with the declared policies, to make a handler with."""

    clients: Any
    stand_ins: Mapping[type[AnyClient], Scripted]

    def __getitem__(self, client: type[AnyClient]) -> Scripted:
        """The stand-in that this client calls: `plays` gives it a script, `received` has what it got."""
        return self.stand_ins[client]


@asynccontextmanager
async def scripted_dependencies(
    definition: Definition,
    *clients: type[AnyClient],
    clock: Clock | None = None,
    fallbacks: Sequence[DependencyFallbacks] = (),
) -> AsyncIterator[ScriptedDependencies]:
    """Stand in for the dependencies of these clients; they answer samples until they are given a script.

    Policies go by `clock`: by default the event loop's; on a `HurriedClock` no backoff takes time, a `VirtualClock` stands
    still until the test turns it. Jitter is the same each time.
    """
    policies = definition.policies
    environ: dict[str, str] = {}
    stand_ins: dict[type[AnyClient], Scripted] = {}
    async with AsyncExitStack() as stack:
        for client in clients:
            peer = await stack.enter_async_context(standing_in(client, definition.policies))
            stand_ins[client] = peer.scripted
            environ.update(peer.environ)
            dependencies = {**policies.dependencies, client.DEPENDENCY: peer.policy}
            policies = replace(policies, dependencies=dependencies)
        outbound = Outbound(
            policies,
            environ,
            clock or LoopClock(),
            random.Random(1),  # noqa: S311 - jitter
            service=definition.name,
            fallbacks={each.DEPENDENCY: each for each in fallbacks},
        )
        opened = await stack.enter_async_context(definition.open_clients(outbound))
        yield ScriptedDependencies(opened, stand_ins)

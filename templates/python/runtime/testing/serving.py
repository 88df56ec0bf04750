"""The real server in this process, on free ports, with a client beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import MISSING, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from ..client.environment import Outbound
from ..clock import Clock
from ..definition import ApplicationFactory, Definition
from ..logs import LineWriter
from ..server import Server, running
from ..settings import Settings
from ..shutdown import Outcome, shut_down
from ..snapshot import DeadlinePolicy, MethodPolicy
from .client import Addresses, Client, connected
from .credentials import HOST, provided
from .scripted import PATIENCE

if TYPE_CHECKING:
    from ..tracing import Tracing

_ROOM = 4 << 20  # bytes
_METADATA_ROOM = 16 << 10  # bytes

AMPLE: Final = DeadlinePolicy(default=60.0, max=120.0, min_remaining=0.0, reserve=0.0)
"""Deadlines that no test runs into, however small the declared ones are."""

_OFF: Final[Mapping[str, Any]] = {
    field.name: field.default for field in fields(MethodPolicy) if field.default is not MISSING
}
"""Every mechanism that a method may do without, turned off."""

MECHANISMS: Final = frozenset({*_OFF, "score"})
"""The fields of `MethodPolicy` that a method may do without, and the service's own score."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that serves, and a client of it."""

    definition: Definition
    server: Server
    client: Client

    async def until_idle(self) -> None:
        """Wait until no call is being served. Raises TimeoutError when one stays, AssertionError when its permit does."""
        async with asyncio.timeout(PATIENCE):
            await self.server.in_flight.wait_until_empty()
        nothing_held(self.server)

    async def stop(self) -> Outcome:
        """Shut the server down as SIGTERM does, with its waits."""
        return await shut_down(self.server, self.definition.policies.lifecycle)


@asynccontextmanager
async def serving(
    definition: Definition,
    application: ApplicationFactory,
    *,
    clock: Clock | None = None,
    environment: str = "production",
    writer: LineWriter | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[Served]:
    """Serve the definition with that application (`app.py`'s, or a `Scripted`'s) on free local ports.

    Where the service asks who calls, or speaks TLS, a local issuer and an authority stand in for the declared ones, and
    the client is let in everywhere. Shut down without waits at the end. Policies go by `clock`, for a test a
    `VirtualClock`; by default by the event loop's. The access log goes to `writer`, spans to `tracing`, and nowhere without.
    """
    settings = Settings(host=HOST, admin_host=HOST, environment=environment)
    async with (
        provided(definition) as (local, credentials),
        running(local, application, settings, clock=clock, writer=writer, tracing=tracing) as server,
    ):
        addresses = Addresses(
            grpc=f"{HOST}:{server.grpc_port}",
            rest=f"{'http' if credentials.tls is None else 'https'}://{HOST}:{server.rest_port}",
            admin=f"http://{HOST}:{server.admin_port}",
        )
        async with connected(addresses, credentials) as client:
            await client.channel.channel_ready()
            yield Served(local, server, client)
    nothing_held(server)


def nothing_held(server: Server) -> None:
    """Fail with AssertionError where a limit, a bulkhead or a half-open breaker waits for a call that has ended."""
    if (held := server.shared.held()) and not server.in_flight:
        raise AssertionError(f"permits that no call gave back: {held}")


def under_test(
    definition: Definition,
    *,
    deadline: DeadlinePolicy | None = AMPLE,
    mechanisms: Collection[str] = (),
    **policies: Any,
) -> Definition:
    """The definition as stand-ins serve it: no dependencies, room for samples and for many calls, time enough.

    Every method has that `deadline`; None leaves them as declared. Of the mechanisms that may refuse a call, or
    answer in the handler's place, only those are on whose fields of `MethodPolicy` are in `mechanisms`: without
    "access", anybody may call everything. The service judges itself only with "score". `policies` replaces other parts
    of the snapshot (`lifecycle=…`).
    """
    declared = definition.policies
    off = {name: value for name, value in _OFF.items() if name not in mechanisms}
    methods: Mapping[str, MethodPolicy]
    methods = {path: replace(policy, **off) for path, policy in declared.methods.items()}
    auth = declared.auth if "access" in mechanisms else None
    if deadline is not None:
        methods = {path: replace(policy, deadline=deadline) for path, policy in methods.items()}
    grpc = replace(
        declared.grpc,
        max_concurrent_streams=None,
        max_connection_age=None,
        max_message_bytes=max(_ROOM, declared.grpc.max_message_bytes),
        max_metadata_bytes=max(_METADATA_ROOM, declared.grpc.max_metadata_bytes),
    )
    rest = replace(declared.rest, max_body_bytes=max(_ROOM, declared.rest.max_body_bytes))
    if "score" not in mechanisms:
        policies.setdefault("score", None)
    changed = replace(declared, **{"methods": methods, "grpc": grpc, "rest": rest, "auth": auth, **policies})
    return replace(definition, policies=changed, open_clients=_no_clients, fallbacks=())


@asynccontextmanager
async def _no_clients(outbound: Outbound) -> AsyncIterator[None]:
    yield None

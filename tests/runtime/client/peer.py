"""A server of one RPC, as bare as can be, which does with each call what a test scripts; and clients of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from grpc import StatusCode, aio
from runtime.client.grpc_client import connection
from runtime.clock import Clock
from runtime.snapshot import DependencyPolicy, OutgoingPolicy

from tests.runtime.sample_client import SampleClient, outbound
from tests.runtime.sample_service import ECHO, SERVICE, Note


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A call that has come, with the seconds that it was given."""

    context: Any
    metadata: dict[str, Any]
    timeout: float | None
    over: asyncio.Event  # set once nobody serves it any more
    cancelled: asyncio.Event


Behaviour = Callable[[Arrived], Awaitable[bytes]]


class Peer:
    """Notes each call that comes, and answers as `behaves` says."""

    def __init__(self, behaves: Behaviour) -> None:
        self.behaves = behaves
        self.arrived: list[Arrived] = []
        self.address = ""
        self._news = asyncio.Condition()

    async def serve(self, request: bytes, context: Any) -> bytes:
        left = context.time_remaining()
        arrived = Arrived(context, dict(context.invocation_metadata()), left, asyncio.Event(), asyncio.Event())
        self.arrived.append(arrived)
        async with self._news:
            self._news.notify_all()
        try:
            return await self.behaves(arrived)
        except asyncio.CancelledError:
            arrived.cancelled.set()
            raise
        finally:
            arrived.over.set()

    async def have_arrived(self, count: int) -> None:
        """Wait until so many calls have come. Raises TimeoutError."""
        async with asyncio.timeout(5.0), self._news:
            await self._news.wait_for(lambda: len(self.arrived) >= count)


async def well(_: Arrived) -> bytes:
    content: bytes = Note(text="well").SerializeToString()
    return content


def failing(code: StatusCode, **trailers: str) -> Behaviour:
    """Answers with that code; `trailers` are metadata, their names with `_` for `-`."""

    async def behave(arrived: Arrived) -> bytes:
        pairs = tuple((name.replace("_", "-"), value) for name, value in trailers.items())
        await arrived.context.abort(code, "as scripted", trailing_metadata=pairs)
        raise AssertionError

    return behave


async def stalling(_: Arrived) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def listening(behaves: Behaviour, address: str = "127.0.0.1:0") -> AsyncIterator[Peer]:
    """A peer at that address."""
    peer = Peer(behaves)
    server = aio.server()
    handler = grpc.unary_unary_rpc_method_handler(peer.serve)  # type: ignore[arg-type]  # the stubs know no coroutines
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {ECHO.name: handler}),))
    port = server.add_insecure_port(address)
    peer.address = address.replace(":0", f":{port}")
    await server.start()
    try:
        yield peer
    finally:
        await server.stop(None)


@asynccontextmanager
async def client_of(
    address: str, policy: OutgoingPolicy, clock: Clock | None = None, *, idempotent: bool = True
) -> AsyncIterator[SampleClient]:
    """A client that calls the address by that policy."""
    declared = DependencyPolicy(address, policy, idempotent=frozenset({ECHO.path}) if idempotent else frozenset())
    async with connection("sample", outbound(declared, clock=clock)) as connected:
        yield SampleClient(connected)

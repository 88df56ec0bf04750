"""The real server in this process, on free ports, with a client beside it; and the check that it leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..definition import ApplicationFactory, Definition
from ..server import Server, running
from ..settings import Settings
from ..snapshot import DeadlinePolicy, MethodPolicy
from .client import Addresses, Client, connected
from .scripted import PATIENCE

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Served:
    """A server that serves, and a client of it."""

    definition: Definition
    server: Server
    client: Client


@asynccontextmanager
async def serving(definition: Definition, application: ApplicationFactory) -> AsyncIterator[Served]:
    """Serve the definition with that application (`app.py`'s, or a `Scripted`'s) on free local ports.

    Shut down without waits at the end.
    """
    async with running(definition, application, Settings(host=_HOST, admin_host=_HOST)) as server:
        addresses = Addresses(
            grpc=f"{_HOST}:{server.grpc_port}",
            rest=f"http://{_HOST}:{server.rest_port}",
            admin=f"http://{_HOST}:{server.admin_port}",
        )
        async with connected(addresses) as client:
            yield Served(definition, server, client)


@asynccontextmanager
async def nothing_left_running() -> AsyncIterator[None]:
    """Fail with AssertionError when a task that was started inside still runs shortly after."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before
    if left:
        _, left = await asyncio.wait(left, timeout=PATIENCE)
    assert not left, f"tasks left behind: {sorted(str(task.get_coro()) for task in left)}"  # noqa: S101  # it is a test's


def with_policies(definition: Definition, **changes: Any) -> Definition:
    """The definition with parts of its policies replaced: `lifecycle=…`, `grpc=…`."""
    return replace(definition, policies=replace(definition.policies, **changes))


def with_deadlines(definition: Definition, deadline: DeadlinePolicy) -> Definition:
    """The definition with that deadline policy for every method."""
    methods: Mapping[str, MethodPolicy] = {
        path: replace(policy, deadline=deadline) for path, policy in definition.policies.methods.items()
    }
    return with_policies(definition, methods=methods)


def without_clients(definition: Definition) -> Definition:
    """The definition with nothing to connect to: for stand-ins, which call no dependency."""

    @asynccontextmanager
    async def no_clients() -> AsyncIterator[None]:
        yield None

    return replace(definition, open_clients=no_clients)

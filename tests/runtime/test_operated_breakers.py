"""An operator's word to circuit breakers over the admin port, of a server and of the dependencies that it calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest
from grpc import StatusCode
from runtime.client.environment import Outbound
from runtime.client.grpc_client import connection
from runtime.definition import Application
from runtime.errors import DependencyError, ServiceError
from runtime.snapshot import BreakerPolicy, DependencyPolicy, OutgoingPolicy
from runtime.testing import Scripted, answering, failing
from runtime.testing.client import Client
from runtime.testing.dependencies import standing_in
from runtime.testing.entries import entries
from runtime.testing.serving import serving

from tests.runtime.sample_client import DECLARED, SampleClient
from tests.runtime.sample_service import COUNT, ECHO, POLICIES, Note, definition

POLICY = BreakerPolicy(failure_threshold=2)
OWN = "server/sample.v1.Sample/Echo"
WHOLE, RPC = "client/sample", "client/sample/sample.v1.Sample/Count"


@dataclass(frozen=True, slots=True)
class Operated:
    """A service and its admin port, and a client of the dependency that it calls."""

    caller: Client
    service: Scripted
    client: SampleClient
    peer: Scripted
    admin: httpx.AsyncClient

    async def post(self, path: str, **headers: str) -> httpx.Response:
        return await self.admin.post(f"/breakers/{path}", headers=headers)

    async def states(self) -> dict[str, str]:
        found: dict[str, str] = (await self.admin.get("/breakers")).json()["breakers"]
        return found


@asynccontextmanager
async def operating() -> AsyncIterator[Operated]:
    calls = OutgoingPolicy(circuit_breaker=POLICY)
    other = replace(calls, circuit_breaker=replace(POLICY, failure_threshold=9))
    declared = DependencyPolicy("", calls, methods={COUNT.path: other})
    methods = {**POLICIES.methods, ECHO.path: replace(POLICIES.methods[ECHO.path], breaker=POLICY)}
    served = definition(methods=methods, dependencies={"sample": declared})
    service = Scripted(served, answering())
    clients: list[SampleClient] = []

    async with standing_in(SampleClient, DECLARED) as peer:

        @asynccontextmanager
        async def opened(outbound: Outbound) -> AsyncIterator[None]:
            async with connection("sample", replace(outbound, environ=peer.environ)) as connected:
                clients.append(SampleClient(connected))
                yield None

        @asynccontextmanager
        async def application(_: object) -> AsyncIterator[Application]:
            yield Application(service.handlers)

        async with (
            serving(replace(served, open_clients=opened), application) as running,
            httpx.AsyncClient(base_url=running.client.addresses.admin) as admin,
        ):
            yield Operated(running.client, service, clients[0], peer.scripted, admin)


async def test_every_breaker_is_listed_with_its_state() -> None:
    async with operating() as it:
        assert await it.states() == {WHOLE: "closed", RPC: "closed", OWN: "closed"}
        it.peer.plays(failing(lambda: ServiceError(StatusCode.UNAVAILABLE)))
        for _ in range(2):
            with pytest.raises(DependencyError):
                await it.client.echo(Note())
        assert (await it.states())[WHOLE] == "open"


async def test_a_method_is_refused_until_the_operator_lets_it_be() -> None:
    entry = next(entry for entry in entries(definition()) if entry.method is ECHO)
    async with operating() as it:
        answer = await it.post(f"{OWN}/force-open")
        assert (answer.status_code, answer.json()["breakers"][OWN]) == (200, "forced_open")
        assert (await it.caller.call(entry)).info.reason == "CIRCUIT_OPEN"
        await it.post(f"{OWN}/reset")
        assert (await it.caller.call(entry)).succeeded


async def test_a_dependency_is_called_however_much_fails_once_its_breaker_is_forced_closed() -> None:
    async with operating() as it:
        await it.post(f"{WHOLE}/force-closed")
        it.peer.plays(failing(lambda: ServiceError(StatusCode.UNAVAILABLE)))
        for _ in range(5):
            with pytest.raises(DependencyError):
                await it.client.echo(Note())
        assert len(it.peer.received) == 5
        assert await it.states() == {WHOLE: "forced_closed", RPC: "closed", OWN: "closed"}


async def test_an_rpc_with_a_policy_of_its_own_has_a_breaker_of_its_own() -> None:
    async with operating() as it:
        await it.post(f"{RPC}/force-open")
        with pytest.raises(DependencyError) as caught:
            async for _ in it.client.count(Note()):
                pass
        assert caught.value.rejected_by == "circuit_breaker"
        await it.client.echo(Note())


@pytest.mark.parametrize(
    ("path", "status"),
    [("server/nowhere/reset", 404), (f"{OWN}/open", 404), ("reset", 404), (OWN, 404), ("", 404)],
)
async def test_what_is_no_breaker_or_no_word_to_one_is_not_found(path: str, status: int) -> None:
    async with operating() as it:
        assert (await it.post(path)).status_code == status
        assert set((await it.states()).values()) == {"closed"}


async def test_only_a_post_changes_anything_and_none_of_a_web_page() -> None:
    async with operating() as it:
        looked = await it.admin.get(f"/breakers/{OWN}/force-open")
        assert (looked.status_code, looked.headers["allow"]) == (405, "POST")
        assert (await it.admin.post("/breakers")).status_code == 405
        assert (await it.post(f"{OWN}/force-open", origin="https://page.example.com")).status_code == 403
        assert set((await it.states()).values()) == {"closed"}


async def test_the_name_may_be_percent_encoded() -> None:
    async with operating() as it:
        assert (await it.post(f"{OWN.replace('/', '%2F')}/force-open")).status_code == 200
        assert (await it.states())[OWN] == "forced_open"

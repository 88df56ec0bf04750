"""Authentication and authorisation over real sockets: both protocols, the four kinds, and what stands beside them."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from runtime.definition import Definition
from runtime.logs import LineWriter
from runtime.server import Server, running
from runtime.settings import Settings
from runtime.snapshot import AccessPolicy, AuthPolicy, JwtIssuer
from runtime.testing import (
    Addresses,
    Client,
    Entry,
    Scripted,
    Served,
    answering,
    connected,
    entries,
    one_of_each,
    serving,
)
from runtime.testing.issuer import Issuer, publishing, trusting

from tests.runtime import wire_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

ISSUER = JwtIssuer("https://id.example.com", "wire", "https://id.example.com/jwks", ("ES256",), 30.0, "scope", "roles")
READER = AccessPolicy(any_scope=("read", "write"))
HEALTH = "/grpc.health.v1.Health/"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def guarded(access: AccessPolicy | None = READER, **auth: Any) -> Definition:
    """The wire service with that rule for every method."""
    plain = wire_service.definition()
    methods = {path: replace(policy, access=access) for path, policy in plain.policies.methods.items()}
    beside = {
        f"{HEALTH}Check": AccessPolicy(any_scope=("probe",)),
        f"{HEALTH}Watch": AccessPolicy(),
        REFLECTION: READER,
    }
    policy = AuthPolicy(**({"issuers": (ISSUER,), "beside": beside} | auth))
    return replace(plain, policies=replace(plain.policies, methods=methods, auth=policy))


DEFINITION = guarded()
ENTRIES = one_of_each(entries(DEFINITION))


@pytest.fixture(scope="module")
def scripted() -> Scripted:
    return Scripted(DEFINITION)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(scripted: Scripted) -> AsyncIterator[Served]:
    async with serving(DEFINITION, scripted.application) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Client:
    return served.client


def issuer(client: Client) -> Issuer:
    assert client.credentials is not None
    return client.credentials.issuers[0]


def bearer(token: str, scheme: str = "Bearer") -> dict[str, Any]:
    return {"metadata": [("authorization", f"{scheme} {token}")]}


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
async def test_who_may_call_is_let_in_and_known_to_the_handler(
    client: Client, scripted: Scripted, entry: Entry
) -> None:
    scripted.plays(answering(*entry.responses()))
    outcome = await client.call(entry)
    assert outcome.succeeded
    principal = scripted.last.call.principal
    assert principal is not None
    assert (principal.subject, principal.issuer, principal.scopes) == ("tester", ISSUER.issuer, {"read"})


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
async def test_who_shows_nothing_is_asked_for_a_token(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(answering(*entry.responses()))
    outcome = await client.call(entry, anonymous=True)
    assert outcome.code is StatusCode.UNAUTHENTICATED
    assert scripted.received == []
    assert outcome.message == "the caller is not authenticated"
    if not entry.over_web_socket:
        assert outcome.headers.get("www-authenticate") == 'Bearer realm="wire"'
    assert outcome.http in (None, 401)


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
async def test_a_refusal_does_not_tell_which_check_failed(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(answering(*entry.responses()))
    maker = issuer(client)
    stranger = Issuer(ISSUER, "stranger")
    tokens = [maker.token(READER, exp=1), maker.token(READER, aud="other"), stranger.token(READER), "nonsense"]
    outcomes = [await client.call(entry, **bearer(token)) for token in tokens]
    assert {outcome.code for outcome in outcomes} == {StatusCode.UNAUTHENTICATED}
    assert len({(outcome.message, outcome.status.SerializeToString()) for outcome in outcomes}) == 1
    assert scripted.received == []


async def test_the_challenge_tells_of_a_bad_token_as_the_standard_has_it(client: Client) -> None:
    outcome = await client.call(ENTRIES[0], **bearer("nonsense"))
    assert outcome.headers.get("www-authenticate") == 'Bearer realm="wire", error="invalid_token"'


@pytest.mark.parametrize("metadata", [[("authorization", "Basic dTpw")], [("authorization", "")], []], ids=str)
async def test_credentials_of_another_kind_are_none(client: Client, metadata: Any) -> None:
    outcome = await client.call(ENTRIES[0], metadata=metadata, anonymous=True)
    assert outcome.code is StatusCode.UNAUTHENTICATED
    assert outcome.headers.get("www-authenticate") == 'Bearer realm="wire"'


async def test_two_tokens_are_none(client: Client) -> None:
    good = bearer(issuer(client).token(READER))["metadata"]
    assert (await client.call(ENTRIES[0], metadata=good)).succeeded
    assert (await client.call(ENTRIES[0], metadata=good * 2)).code is StatusCode.UNAUTHENTICATED


async def test_the_scheme_has_no_case(client: Client) -> None:
    assert (await client.call(ENTRIES[0], **bearer(issuer(client).token(READER), "bEARER"))).succeeded


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
async def test_a_missing_scope_is_named(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(answering(*entry.responses()))
    outcome = await client.call(entry, **bearer(issuer(client).token(AccessPolicy(any_scope=("other",)))))
    assert outcome.code is StatusCode.PERMISSION_DENIED
    assert (outcome.info.reason, dict(outcome.info.metadata)) == ("SCOPE_MISSING", {"scope": "read write"})
    assert scripted.received == []
    if not entry.over_web_socket:
        challenge = 'Bearer realm="wire", error="insufficient_scope", scope="read write"'
        assert outcome.headers.get("www-authenticate") == challenge
    assert outcome.http in (None, 403)


@pytest.mark.parametrize(
    ("access", "shown", "reason"),
    [
        (AccessPolicy(), AccessPolicy(), ""),
        (AccessPolicy(deny=True), AccessPolicy(any_role=("root",)), "ACCESS_DENIED"),
        (AccessPolicy(all_scopes=("a", "b")), AccessPolicy(all_scopes=("a", "b", "c")), ""),
        (AccessPolicy(all_scopes=("a", "b")), AccessPolicy(all_scopes=("a",)), "SCOPE_MISSING"),
        (AccessPolicy(any_role=("admin", "root")), AccessPolicy(any_role=("root",)), ""),
        (AccessPolicy(any_role=("admin",)), AccessPolicy(any_role=("guest",)), "ROLE_MISSING"),
        (AccessPolicy(any_scope=("a",), any_role=("admin",)), AccessPolicy(any_scope=("a",)), "ROLE_MISSING"),
        (AccessPolicy(any_peer=("spiffe://example.org/a",)), AccessPolicy(), "PEER_NOT_ALLOWED"),
    ],
    ids=str,
)
async def test_every_part_of_a_rule_must_be_met(
    scripted: Scripted, access: AccessPolicy, shown: AccessPolicy, reason: str
) -> None:
    scripted.plays(answering())
    async with serving(guarded(access), scripted.application) as served:
        outcome = await served.client.call(ENTRIES[0], **bearer(issuer(served.client).token(shown)))
    assert outcome.info.reason == reason
    assert outcome.code is (StatusCode.PERMISSION_DENIED if reason else StatusCode.OK)


async def test_a_public_method_asks_nobody(scripted: Scripted) -> None:
    scripted.plays(answering())
    async with serving(guarded(None), scripted.application) as served:
        outcome = await served.client.call(ENTRIES[0], **bearer("nonsense"))
    assert outcome.succeeded
    assert scripted.last.call.principal is None


async def test_health_and_reflection_are_for_whom_the_rules_let_in(client: Client) -> None:
    stub: Any = health_pb2_grpc.HealthStub(client.channel)
    request = health_pb2.HealthCheckRequest()
    maker = issuer(client)

    async def code_of(metadata: Any) -> StatusCode:
        try:
            await stub.Check(request, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return StatusCode.OK

    assert await code_of(()) is StatusCode.UNAUTHENTICATED
    assert await code_of(bearer(maker.token())["metadata"]) is StatusCode.PERMISSION_DENIED
    assert await code_of(bearer(maker.token(AccessPolicy(any_scope=("probe",))))["metadata"]) is StatusCode.OK

    await stub.List(health_pb2.HealthListRequest())  # public: no rule stands beside it
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await anext(aiter(stub.Watch(request)))
    assert refused.value.code() is StatusCode.UNAUTHENTICATED
    watched = stub.Watch(request, metadata=bearer(maker.token())["metadata"])
    assert (await anext(aiter(watched))).status == health_pb2.HealthCheckResponse.SERVING
    watched.cancel()

    reflect: Any = client.channel.stream_stream(REFLECTION)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await anext(aiter(reflect(iter([b""]))))
    assert refused.value.code() is StatusCode.UNAUTHENTICATED


@asynccontextmanager
async def as_declared(
    definition: Definition, scripted: Scripted, writer: LineWriter | None = None
) -> AsyncIterator[tuple[Server, Client]]:
    """A server without local stand-ins for its issuers, and a client that shows nothing of its own accord."""
    async with running(definition, scripted.application, Settings(host="127.0.0.1"), writer=writer) as server:
        addresses = Addresses(f"127.0.0.1:{server.grpc_port}", f"http://127.0.0.1:{server.rest_port}")
        async with connected(addresses) as client:
            yield server, client


@pytest.mark.parametrize("entry", ENTRIES[:1] + ENTRIES[-1:], ids=str)
async def test_an_issuer_that_is_down_makes_the_service_unavailable(scripted: Scripted, entry: Entry) -> None:
    scripted.plays(answering())
    async with as_declared(trusting(guarded(), "http://127.0.0.1:9"), scripted) as (_, client):
        outcome = await client.call(entry, **bearer(Issuer(ISSUER).token(READER)))
    assert outcome.code is StatusCode.UNAVAILABLE
    assert outcome.info.reason == "ISSUER_UNAVAILABLE"
    assert outcome.retry_after is not None
    assert 0 < outcome.retry_after <= 10


async def test_keys_come_over_http_and_once(scripted: Scripted) -> None:
    scripted.plays(answering())
    maker = Issuer(ISSUER)
    async with publishing([maker]) as address, as_declared(trusting(guarded(), address), scripted) as (_, client):
        outcomes = [await client.call(ENTRIES[0], **bearer(maker.token(READER))) for _ in range(3)]
    assert all(outcome.succeeded for outcome in outcomes)
    assert maker.fetches == 1


async def test_refusals_are_counted_by_reason_and_tokens_are_in_no_log(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.plays(answering())
    caplog.set_level(logging.DEBUG)
    reading, writing = os.pipe()
    maker, writer = Issuer(ISSUER), LineWriter(writing)
    tokens = [maker.token(READER), maker.token(READER, exp=1), maker.token(AccessPolicy())]
    async with (
        publishing([maker]) as address,
        as_declared(trusting(guarded(), address), scripted, writer) as (server, client),
    ):
        codes = [(await client.call(ENTRIES[0], **bearer(token))).code for token in tokens]
        assert server.measures is not None
        metrics = server.measures.exposition()[1].decode()
    written = os.read(reading, 1 << 20).decode() + caplog.text + metrics
    os.close(reading)
    os.close(writing)
    assert codes == [StatusCode.OK, StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED]
    assert written.count('"method"') >= 3
    assert [part for token in tokens for part in token.split(".") if part in written] == []
    name, path = "holdfast_server_rejections_total", ENTRIES[0].method.path.removeprefix("/")
    assert f'{name}{{reason="expired",rpc_method="{path}",stage="authentication"}} 1.0' in metrics
    assert f'{name}{{reason="scope_missing",rpc_method="{path}",stage="authorization"}} 1.0' in metrics

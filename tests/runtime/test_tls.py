"""TLS on both ports: who is let in, which certificate is shown, and a rotation that loses no call."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from runtime.certificates import CHECK_EVERY, Certificates
from runtime.server import Server, running
from runtime.settings import Settings
from runtime.snapshot import AccessPolicy, AuthPolicy, TlsPolicy
from runtime.starting import StartError
from runtime.testing import (
    Addresses,
    Client,
    Scripted,
    VirtualClock,
    answering,
    connected,
    entries,
    one_of_each,
    waiting,
)
from runtime.testing.certificates import Authority, Issued
from runtime.testing.credentials import Credentials, client_tls

from tests.runtime import wire_service

ENTRIES = one_of_each(entries(wire_service.definition()))
SPIFFE = "spiffe://example.org/ns/shop/sa/checkout"
AUTHORITY = Authority()


@dataclass
class Files:
    """The files of a server's certificate."""

    folder: Path
    authority: Authority = AUTHORITY

    def policy(self, *, mutual: bool = False) -> TlsPolicy:
        file = self.folder / "tls"
        return TlsPolicy(f"{file}.crt", f"{file}.key", f"{self.folder / 'ca.crt'}" if mutual else "")

    def write(self, issued: Issued | None = None, clients: Authority = AUTHORITY) -> None:
        (issued or self.authority.issue("server", addresses=["127.0.0.1"])).write(self.folder, "tls")
        (self.folder / "ca.crt").write_bytes(clients.certificate)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.write()
    return made


@pytest.fixture
def scripted() -> Scripted:
    return Scripted(wire_service.definition())


@asynccontextmanager
async def serving(scripted: Scripted, policy: TlsPolicy, **settings: Any) -> AsyncIterator[Server]:
    definition = wire_service.definition(tls=policy)
    if policy.client_ca:
        open_to_peers = {
            path: replace(method, access=AccessPolicy(any_peer=(SPIFFE,)))
            for path, method in definition.policies.methods.items()
        }
        changed = replace(definition.policies, methods=open_to_peers, auth=AuthPolicy(client_certificates=True))
        definition = replace(definition, policies=changed)
    async with running(definition, scripted.application, Settings(host="127.0.0.1"), **settings) as server:
        yield server


@asynccontextmanager
async def client_of(
    server: Server, folder: Path, shown: Issued | None = None, trusted: Authority = AUTHORITY
) -> AsyncIterator[Client]:
    addresses = Addresses(f"127.0.0.1:{server.grpc_port}", f"https://127.0.0.1:{server.rest_port}")
    tls = client_tls(trusted.certificate, folder, shown)
    async with connected(addresses, Credentials(server.definition, tls=tls)) as client:
        yield client


def shown_by(port: int) -> bytes:
    """The certificate that a new connection to the port is shown, DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert(binary_form=True) or b""


def der(issued: Issued) -> bytes:
    return ssl.PEM_cert_to_DER_cert(issued.certificate.decode())


async def test_every_kind_of_call_goes_over_tls(files: Files, scripted: Scripted) -> None:
    async with serving(scripted, files.policy()) as server, client_of(server, files.folder) as client:
        for entry in ENTRIES:
            scripted.plays(answering(*entry.responses()))
            assert (await client.call(entry)).succeeded, entry
            assert scripted.last.call.certificate is None


async def test_a_plain_connection_is_of_no_use(files: Files, scripted: Scripted) -> None:
    async with serving(scripted, files.policy()) as server:
        plain = Addresses(f"127.0.0.1:{server.grpc_port}", f"http://127.0.0.1:{server.rest_port}")
        async with connected(plain) as client:
            for entry in (ENTRIES[0], next(entry for entry in ENTRIES if entry.protocol == "rest")):
                assert (await client.call(entry)).code is StatusCode.UNAVAILABLE
    assert scripted.received == []


@pytest.mark.parametrize("port", ["grpc_port", "rest_port"])
async def test_nothing_older_than_tls_1_2_is_spoken(files: Files, scripted: Scripted, port: str) -> None:
    async with serving(scripted, files.policy()) as server:

        def versions() -> list[str]:
            spoken = []
            for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.set_alpn_protocols(["h2", "http/1.1"])
                context.minimum_version = context.maximum_version = version
                with socket.create_connection(("127.0.0.1", getattr(server, port)), timeout=5) as plain:
                    try:
                        with context.wrap_socket(plain) as wrapped:
                            spoken.append(str(wrapped.version()))
                    except ssl.SSLError:
                        spoken.append("refused")
            return spoken

        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            assert await asyncio.to_thread(versions) == ["refused", "TLSv1.2", "TLSv1.3"]


async def test_the_client_certificate_tells_who_calls(files: Files, scripted: Scripted) -> None:
    shown = AUTHORITY.issue("checkout", uris=[SPIFFE], dns=["checkout.shop"])
    async with (
        serving(scripted, files.policy(mutual=True)) as server,
        client_of(server, files.folder, shown) as client,
    ):
        for entry in ENTRIES:
            scripted.plays(answering(*entry.responses()))
            assert (await client.call(entry)).succeeded, entry
            principal = scripted.last.call.principal
            assert principal is not None
            assert (principal.subject, principal.issuer, principal.spiffe_id) == (SPIFFE, "", SPIFFE)
            assert principal.peer is not None
            assert (principal.peer.common_name, principal.peer.dns) == ("checkout", ("checkout.shop",))


async def test_a_peer_that_no_rule_names_is_denied(files: Files, scripted: Scripted) -> None:
    shown = AUTHORITY.issue("other", uris=["spiffe://example.org/ns/shop/sa/other"])
    async with (
        serving(scripted, files.policy(mutual=True)) as server,
        client_of(server, files.folder, shown) as client,
    ):
        outcomes = [await client.call(entry) for entry in ENTRIES]
    assert {(outcome.code, outcome.info.reason) for outcome in outcomes} == {
        (StatusCode.PERMISSION_DENIED, "PEER_NOT_ALLOWED")
    }


@pytest.mark.parametrize("kind", ["none", "of another authority", "expired"])
async def test_without_a_good_client_certificate_there_is_no_connection(
    files: Files, scripted: Scripted, kind: str
) -> None:
    shown = {
        "none": None,
        "of another authority": Authority().issue("checkout", uris=[SPIFFE]),
        "expired": AUTHORITY.issue("checkout", uris=[SPIFFE], valid_for=timedelta(days=-1)),
    }[kind]
    async with (
        serving(scripted, files.policy(mutual=True)) as server,
        client_of(server, files.folder, shown) as client,
    ):
        for entry in (ENTRIES[0], next(entry for entry in ENTRIES if entry.protocol == "rest")):
            assert (await client.call(entry)).code is StatusCode.UNAVAILABLE
    assert scripted.received == []


# -- rotation --------------------------------------------------------------------------------------------------------


async def test_new_connections_are_shown_the_new_certificate_and_open_ones_stay(
    files: Files, scripted: Scripted
) -> None:
    finish = asyncio.Event()
    async with serving(scripted, files.policy()) as server, client_of(server, files.folder) as client:
        scripted.plays(waiting(finish))
        held = [asyncio.create_task(client.call(entry)) for entry in ENTRIES]
        await scripted.have_arrived(len(held))
        newer = AUTHORITY.issue("newer", addresses=["127.0.0.1"])
        files.write(newer)
        for port in (server.grpc_port, server.rest_port):
            assert await asyncio.to_thread(shown_by, port) == der(newer)
        finish.set()
        outcomes = await asyncio.gather(*held)
    assert [outcome for outcome in outcomes if not outcome.succeeded] == []


async def test_a_rotation_under_traffic_loses_no_call(files: Files, scripted: Scripted) -> None:
    """Ten rotations, each of both files one after the other, while calls come over old and new connections."""
    stop = asyncio.Event()
    outcomes: list[Any] = []
    scripted.plays(answering())
    async with serving(scripted, files.policy()) as server, client_of(server, files.folder) as lasting:

        async def call(client: Client) -> None:
            outcomes.extend([await client.call(entry) for entry in ENTRIES])

        async def keep_calling() -> None:
            while not stop.is_set():
                await call(lasting)

        calling = asyncio.create_task(keep_calling())
        for _ in range(10):
            newer = AUTHORITY.issue("newer", addresses=["127.0.0.1"])
            (files.folder / "tls.crt").write_bytes(newer.certificate)
            async with client_of(server, files.folder) as between:  # the key is still the old one
                await call(between)
            (files.folder / "tls.key").write_bytes(newer.private_key)
            async with client_of(server, files.folder) as after:
                await call(after)
            assert await asyncio.to_thread(shown_by, server.grpc_port) == der(newer)
        stop.set()
        await calling
    assert len(outcomes) > 20 * len(ENTRIES)
    assert [outcome for outcome in outcomes if not outcome.succeeded] == []


async def test_an_authority_that_is_taken_away_lets_nobody_in_any_more(files: Files, scripted: Scripted) -> None:
    shown = AUTHORITY.issue("checkout", uris=[SPIFFE])
    newer = Authority("newer")
    ways = (ENTRIES[0], next(entry for entry in ENTRIES if entry.protocol == "rest"))
    scripted.plays(answering())
    async with serving(scripted, files.policy(mutual=True)) as server:
        async with client_of(server, files.folder, shown) as client:
            assert [(await client.call(entry)).succeeded for entry in ways] == [True, True]
        (files.folder / "ca.crt").write_bytes(newer.certificate)
        async with client_of(server, files.folder, shown) as client:
            assert [(await client.call(entry)).code for entry in ways] == [StatusCode.UNAVAILABLE] * 2
        async with client_of(server, files.folder, newer.issue("checkout", uris=[SPIFFE])) as client:
            assert [(await client.call(entry)).succeeded for entry in ways] == [True, True]


async def test_files_that_do_not_fit_are_told_of_once_and_change_nothing(
    files: Files, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(files.policy(), lambda expires: None)
    before = certificates.current()
    (files.folder / "tls.key").write_text("nonsense")
    assert [certificates.current() for _ in range(3)] == [before] * 3
    assert caplog.text.count("cannot be used") == 1
    (files.folder / "tls.key").unlink()
    assert certificates.current() is before
    assert caplog.text.count("cannot be used") == 2
    files.write()
    assert certificates.current() is not before


async def test_the_expiry_is_a_metric_and_follows_the_files(files: Files, scripted: Scripted) -> None:
    clock = VirtualClock()
    name = "holdfast_tls_certificate_expiry_timestamp_seconds"

    def told(server: Server) -> float:
        assert server.measures is not None
        lines = server.measures.exposition()[1].decode().splitlines()
        return float(next(line for line in lines if line.startswith(name)).split()[-1])

    async with serving(scripted, files.policy(), clock=clock) as server:
        first = told(server)
        files.write(AUTHORITY.issue("longer", addresses=["127.0.0.1"], valid_for=timedelta(days=100)))
        await clock.advance(CHECK_EVERY)
        assert told(server) - first == pytest.approx(99 * 86400, abs=60)
    assert clock.waiting == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"tls.crt": None}, "tls.certificate: .*tls.crt: No such file or directory"),
        ({"tls.key": None}, "tls.privateKey: .*tls.key: No such file or directory"),
        ({"ca.crt": None}, "tls.clientCa: .*ca.crt: No such file or directory"),
        ({"tls.crt": b"nonsense"}, "no certificate with its plain key, PEM, in .*tls.crt and .*tls.key"),
        ({"tls.key": b""}, "no certificate with its plain key, PEM, in .*tls.crt and .*tls.key"),
        ({"ca.crt": b"nonsense"}, "tls.clientCa: .*ca.crt has no certificate in PEM form"),
        ({"tls.key": AUTHORITY.issue("other").private_key}, "tls.privateKey: .*tls.key is not the key of .*tls.crt"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
async def test_files_that_are_no_good_keep_the_server_from_starting(
    files: Files, damage: dict[str, bytes | None], message: str
) -> None:
    for name, content in damage.items():
        file = files.folder / name
        file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(StartError, match=message):
        Certificates(files.policy(mutual=True), lambda expires: None)

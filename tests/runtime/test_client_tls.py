"""TLS to a dependency over real sockets: who is trusted, what is shown, and a rotation that loses no call."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from grpc import StatusCode
from runtime.client.grpc_client import connection
from runtime.client.renewed import LOOK_EVERY
from runtime.errors import DependencyError
from runtime.server import running
from runtime.settings import Settings
from runtime.snapshot import ClientTlsPolicy, DependencyPolicy, TlsPolicy
from runtime.starting import StartError
from runtime.testing import PATIENCE, Messages, Received, Scripted, VirtualClock, answering, waiting
from runtime.testing.certificates import Authority
from runtime.testing.dependencies import call_dependency

from tests.runtime.sample_client import SampleClient, outbound
from tests.runtime.sample_service import CHAT, COUNT, ECHO, GATHER, Note, definition

METHODS = (ECHO, GATHER, COUNT, CHAT)
OLD, NEW = Authority("old"), Authority("new")


@dataclass(frozen=True, slots=True)
class Called:
    """A client over TLS, the peer that it calls, and the clock that it looks at its files by."""

    client: SampleClient
    peer: Scripted
    clock: VirtualClock


@asynccontextmanager
async def calling(
    folder: Path, policy: ClientTlsPolicy | None, name: str = "localhost", *, mutual: bool = False
) -> AsyncIterator[Called]:
    """A client by that policy of a server whose certificate, of the old authority, is for `name`."""
    certificate, key = OLD.issue("peer", dns=[name]).write(folder, "peer")
    trusted = folder / "trusted.crt"
    trusted.write_bytes(OLD.certificate + NEW.certificate)
    served = definition(tls=TlsPolicy(certificate, key, str(trusted) if mutual else ""))
    scripted = Scripted(served, answering())
    clock = VirtualClock()
    async with running(served, scripted.application, Settings(host="127.0.0.1")) as server:
        declared = DependencyPolicy(f"dns:///localhost:{server.grpc_port}", tls=policy)
        async with connection("sample", outbound(declared, clock=clock)) as connected:
            yield Called(SampleClient(connected), scripted, clock)


def trusting(folder: Path, *, server_name: str = "", shown: str = "") -> ClientTlsPolicy:
    """The policy of a client that trusts the old authority, and shows a certificate of that name."""
    (folder / "ca.crt").write_bytes(OLD.certificate)
    policy = ClientTlsPolicy(str(folder / "ca.crt"), server_name=server_name)
    if not shown:
        return policy
    certificate, private_key = OLD.issue(shown, dns=[shown]).write(folder, "own")
    return replace(policy, certificate=certificate, private_key=private_key)


async def failure(client: SampleClient) -> DependencyError:
    with pytest.raises(DependencyError) as caught:
        await client.echo(Note())
    return caught.value


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_every_kind_of_call_goes_over_tls(tmp_path: Path, method: object) -> None:
    async with calling(tmp_path, trusting(tmp_path)) as sample:
        await call_dependency(sample.client, method)  # type: ignore[arg-type]  # parametrised
        assert sample.peer.last.call.certificate is None


async def test_a_plain_connection_is_of_no_use(tmp_path: Path) -> None:
    async with calling(tmp_path, None) as sample:
        assert (await failure(sample.client)).code_received is StatusCode.UNAVAILABLE


async def test_whoever_has_a_certificate_of_another_authority_is_not_called(tmp_path: Path) -> None:
    policy = trusting(tmp_path)
    (tmp_path / "ca.crt").write_bytes(NEW.certificate)
    async with calling(tmp_path, policy) as sample:
        assert (await failure(sample.client)).code_received is StatusCode.UNAVAILABLE
        assert sample.peer.received == []


@pytest.mark.parametrize(("server_name", "good"), [("stock.internal", True), ("", False), ("other", False)])
async def test_the_name_in_the_certificate_is_the_declared_one(tmp_path: Path, server_name: str, good: bool) -> None:
    async with calling(tmp_path, trusting(tmp_path, server_name=server_name), "stock.internal") as sample:
        if good:
            await sample.client.echo(Note())
        else:
            assert (await failure(sample.client)).code_received is StatusCode.UNAVAILABLE


async def test_the_peer_is_shown_the_certificate(tmp_path: Path) -> None:
    async with calling(tmp_path, trusting(tmp_path, shown="orders"), mutual=True) as sample:
        await sample.client.echo(Note())
        certificate = sample.peer.last.call.certificate
        assert certificate is not None
        assert certificate.dns == ("orders",)


async def test_who_shows_none_is_not_let_in(tmp_path: Path) -> None:
    async with calling(tmp_path, trusting(tmp_path), mutual=True) as sample:
        assert (await failure(sample.client)).code_received is StatusCode.UNAVAILABLE


async def test_a_rotation_under_traffic_loses_no_call(tmp_path: Path) -> None:
    async with calling(tmp_path, trusting(tmp_path, shown="first"), mutual=True) as sample:
        finish = asyncio.Event()
        sample.peer.plays(waiting(finish))
        long = [asyncio.create_task(call_dependency(sample.client, method)) for method in METHODS]
        await sample.peer.have_arrived(len(long))
        sample.peer.plays(echoing_slowly)
        done = asyncio.Event()

        async def traffic() -> None:
            for method in itertools.cycle(METHODS):
                if done.is_set():
                    return
                await call_dependency(sample.client, method)

        callers = [asyncio.create_task(traffic()) for _ in range(8)]
        await sample.client.echo(Note())
        for name, authority in [("second", NEW), ("third", OLD), ("fourth", NEW)]:
            authority.issue(name, dns=[name]).write(tmp_path, "own")
            await sample.clock.advance(LOOK_EVERY)
            async with asyncio.timeout(PATIENCE):
                while shown_by(sample.peer.last) != name:
                    await sample.client.echo(Note())
        for _ in range(20):
            await sample.client.echo(Note())
        done.set()
        await asyncio.gather(*callers)
        finish.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*long)
        assert {shown_by(received) for received in sample.peer.received} == {"first", "second", "third", "fourth"}


async def echoing_slowly(received: Received) -> Messages:
    await received.read()
    for _ in range(3):
        await asyncio.sleep(0)
    yield Note()


def shown_by(received: Received) -> str:
    certificate = received.call.certificate
    return certificate.dns[0] if certificate is not None else ""


async def test_files_that_do_not_fit_together_change_nothing(tmp_path: Path) -> None:
    async with calling(tmp_path, trusting(tmp_path, shown="first"), mutual=True) as sample:
        await sample.client.echo(Note())
        (tmp_path / "own.key").write_bytes(NEW.issue("second").private_key)
        await sample.clock.advance(LOOK_EVERY)
        await sample.client.echo(Note())
        assert shown_by(sample.peer.last) == "first"


async def test_an_authority_that_is_trusted_later_is(tmp_path: Path) -> None:
    policy = trusting(tmp_path)
    (tmp_path / "ca.crt").write_bytes(NEW.certificate)
    async with calling(tmp_path, policy) as sample:
        await failure(sample.client)
        (tmp_path / "ca.crt").write_bytes(OLD.certificate)
        await sample.clock.advance(LOOK_EVERY)
        await sample.client.echo(Note())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("ca.crt", r"dependencies\.sample\.tls\.ca: .*ca\.crt has no certificate in PEM form"),
        ("own.crt", r"dependencies\.sample\.tls\.certificate, privateKey: no certificate with its own plain key"),
        ("own.key", r"dependencies\.sample\.tls\.certificate, privateKey: no certificate with its own plain key"),
    ],
)
async def test_files_that_are_no_good_keep_the_service_from_starting(tmp_path: Path, spoil: str, message: str) -> None:
    policy = trusting(tmp_path, shown="orders")
    (tmp_path / spoil).write_text("nothing")
    with pytest.raises(StartError, match=message):
        async with calling(tmp_path, policy):
            pass
    (tmp_path / spoil).unlink()
    with pytest.raises(StartError, match=f"{spoil}: No such file"):
        async with calling(tmp_path, policy):
            pass

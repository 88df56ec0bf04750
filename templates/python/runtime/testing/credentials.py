"""What a test's client shows to a service that asks who it is: tokens of a local issuer, and a certificate."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

from ..call import Header
from ..definition import Definition, Method
from ..snapshot import ClientTlsPolicy, Snapshot, TlsPolicy

if TYPE_CHECKING:
    from .certificates import Authority, Issued
    from .issuer import Issuer

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Tls:
    """How a client opens connections: whom it trusts, and the certificate it shows, if any."""

    channel: grpc.ChannelCredentials
    context: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class ServedTls:
    """The TLS that a test's server speaks, and who may come to it."""

    policy: TlsPolicy
    welcome: Tls  # a client that has every name that rules ask for, where clients show certificates
    nobody: Tls  # one that shows no certificate
    stranger: Tls  # one whose certificate is good, with none of those names; shows none where none is asked for
    authority: Authority

    def called_by(self, policy: ClientTlsPolicy) -> ClientTlsPolicy:
        """The policy of a client as the server takes it: with the test's own certificates in place of the named ones."""
        return locally(policy, self.authority, Path(self.policy.certificate).parent)

    def rotate(self) -> bytes:
        """Put another certificate and its key in the place of the served ones; gives the certificate, DER."""
        issued = self.authority.issue("rotated", dns=["localhost"], addresses=[HOST])
        Path(self.policy.certificate).write_bytes(issued.certificate)
        Path(self.policy.private_key).write_bytes(issued.private_key)
        return ssl.PEM_cert_to_DER_cert(issued.certificate.decode())


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client needs to be let in everywhere. Empty where the service asks nobody who they are."""

    definition: Definition
    issuers: tuple[Issuer, ...] = ()
    tls: Tls | None = None
    served: ServedTls | None = None
    _tokens: dict[str, str] = field(default_factory=dict, repr=False)  # by path

    def headers(self, method: Method) -> tuple[Header, ...]:
        """The metadata that authorises a call of the method; none where it needs none."""
        policy = self.definition.policies.methods.get(method.path)
        access = None if policy is None else policy.access
        if access is None or not self.issuers:
            return ()
        if method.path not in self._tokens:
            self._tokens[method.path] = self.issuers[0].token(access)
        return (("authorization", f"Bearer {self._tokens[method.path]}"),)


@asynccontextmanager
async def provided(definition: Definition) -> AsyncIterator[tuple[Definition, Credentials]]:
    """The definition with local issuers and certificates in place of its own, and of those that it shows to dependencies; and who
    may call everything of it.
    """
    async with AsyncExitStack() as stack:
        policies = definition.policies
        issuers: tuple[Issuer, ...] = ()
        served = None
        if policies.auth is not None and policies.auth.issuers:
            from .issuer import Issuer, publishing, trusting  # only here: tokens need a package of their own

            issuers = tuple(Issuer(policy) for policy in policies.auth.issuers)
            definition = trusting(definition, await stack.enter_async_context(publishing(issuers)))
        if policies.tls is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            served = certified(definition, folder, mutual=bool(policies.tls.client_ca))
            definition = replace(definition, policies=replace(definition.policies, tls=served.policy))
        if any(policy.tls is not None for policy in policies.dependencies.values()):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            definition = replace(definition, policies=_with_files(definition.policies, folder))
        yield definition, Credentials(definition, issuers, served.welcome if served else None, served)


def _with_files(policies: Snapshot, folder: Path) -> Snapshot:
    """The policies with certificates that are there for calls to dependencies, in place of the declared ones."""
    from .certificates import Authority  # only here: it takes long to import

    authority = Authority()
    dependencies = {
        name: policy if policy.tls is None else replace(policy, tls=locally(policy.tls, authority, folder))
        for name, policy in policies.dependencies.items()
    }
    return replace(policies, dependencies=dependencies)


def locally(policy: ClientTlsPolicy, authority: Authority, folder: Path) -> ClientTlsPolicy:
    """The policy of a client with that authority and a certificate of it, written into the folder, and `localhost`."""
    ca = folder / "peers.crt"
    ca.write_bytes(authority.certificate)
    names = {"ca": str(ca), "server_name": "localhost" if policy.server_name else ""}
    if policy.certificate:
        names["certificate"], names["private_key"] = authority.issue("caller").write(folder, "caller")
    return ClientTlsPolicy(**names)


def certified(definition: Definition, folder: Path, *, mutual: bool) -> ServedTls:
    """Certificates for a server on this host, written into the folder, and for a client of every name that rules want."""
    from .certificates import Authority  # only here: it takes long to import

    authority = Authority()
    certificate, private_key = authority.issue("localhost", dns=["localhost"], addresses=[HOST]).write(folder, "tls")
    ca = folder / "ca.crt"
    ca.write_bytes(authority.certificate)
    wanted = [
        policy.access.any_peer[0]
        for policy in definition.policies.methods.values()
        if policy.access is not None and policy.access.any_peer
    ]
    uris = sorted({name for name in wanted if "://" in name})
    dns = sorted({name for name in wanted if "://" not in name})
    nobody = welcome = stranger = client_tls(authority.certificate, folder)
    if mutual:
        welcome = client_tls(authority.certificate, folder, authority.issue("tester", uris=uris, dns=dns))
        stranger = client_tls(authority.certificate, folder, authority.issue("stranger"))
    policy = TlsPolicy(certificate, private_key, str(ca) if mutual else "")
    return ServedTls(policy, welcome, nobody, stranger, authority)


def client_tls(trusted: bytes, folder: Path, shown: Issued | None = None) -> Tls:
    """A client that trusts those authorities (PEM) and shows that certificate; the folder is for the key's file."""
    context = ssl.create_default_context(cadata=trusted.decode())
    if shown is None:
        return Tls(grpc.ssl_channel_credentials(trusted), context)
    context.load_cert_chain(*shown.write(folder, "client"))
    return Tls(grpc.ssl_channel_credentials(trusted, shown.private_key, shown.certificate), context)

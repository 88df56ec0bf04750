"""The authentication stage: who calls, by a bearer token or by the certificate of the connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final, Protocol

from grpc import StatusCode

from ..call import Call
from ..definition import Method
from ..errors import ServiceError
from ..metadata import Metadata
from ..pipeline import Endpoint
from ..principal import Peer, Principal
from ..snapshot import AuthPolicy, MethodPolicy
from ..starting import require
from ..tokens.refusals import REASONS, IssuerUnavailableError, RefusedTokenError
from .environment import Environment

UNAUTHENTICATED_TEXT: Final = "the caller is not authenticated"
"""All that a caller reads of it: which check failed would help who tries to get past it."""


class Verifier(Protocol):
    """Verifies tokens: `tokens.verifier.TokenVerifier`, which needs a package that not every service has."""

    def known(self, token: str) -> Principal | None:
        """Whose token it is, where it was verified before."""

    async def verify(self, token: str, within: float | None) -> Principal:
        """Whose token it is. Raises RefusedTokenError and IssuerUnavailableError."""


class Authenticator:
    """Tells who calls; one for all methods. `verifier` is None where tokens are not taken.

    `realm` is the service's name, `certificates` whether a client certificate is enough without a token.
    """

    def __init__(self, verifier: Verifier | None, realm: str, *, certificates: bool) -> None:
        self._verifier = verifier
        self._certificates = certificates
        self._challenge = f'Bearer realm="{realm}"'

    def known(self, metadata: Metadata, peer: Peer | None) -> Principal | None:
        """Who calls, where that needs no more than a look: the token was verified before. The usual case."""
        if self._verifier is None or peer is not None:
            return None
        token = _only_token(metadata)
        return self._verifier.known(token) if token else None

    async def identify(self, metadata: Metadata, peer: Peer | None, within: float | None) -> Principal:
        """Who calls; waits at most `within` seconds for an issuer's keys.

        Raises RefusedTokenError, for a caller that shows nothing too, and ServiceError where it cannot be told.
        """
        token = _only_token(metadata)
        if token is None:
            raise RefusedTokenError("malformed")
        if token == "" or self._verifier is None:
            if self._certificates and peer is not None and peer.names:
                return Principal(subject=peer.names[0], issuer="", peer=peer)
            raise RefusedTokenError("missing")
        try:
            principal = self._verifier.known(token) or await self._verifier.verify(token, within)
        except IssuerUnavailableError as error:
            raise ServiceError(
                StatusCode.UNAVAILABLE,
                "callers cannot be authenticated at the moment",
                reason="ISSUER_UNAVAILABLE",
                retry_after=error.retry_after,
            ) from error
        return principal if peer is None else replace(principal, peer=peer)

    def challenge(self, reason: str) -> str:
        """The `WWW-Authenticate` header of a refusal (RFC 6750, section 3)."""
        return self._challenge if reason == "missing" else f'{self._challenge}, error="invalid_token"'


class Authentication:
    """Sets `call.principal`, or refuses with UNAUTHENTICATED. `count` is given the reason of each refusal."""

    __slots__ = ("_authenticator", "_count")

    def __init__(self, authenticator: Authenticator, count: Callable[[str], None]) -> None:
        self._authenticator = authenticator
        self._count = count

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        call.principal = self._authenticator.known(call.metadata, call.certificate)
        if call.principal is None:
            call.principal = await self._identified(call)
        await proceed(call)

    async def _identified(self, call: Call) -> Principal:
        try:
            return await self._authenticator.identify(call.metadata, call.certificate, call.time_remaining())
        except RefusedTokenError as refused:
            self._count(refused.reason)
            call.set_header("www-authenticate", self._authenticator.challenge(refused.reason))
            raise unauthenticated() from None


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Authentication | None:
    """The method's stage, None for a method that anyone may call; the authenticator is one for all."""
    if policy.access is None:
        return None
    counters = {reason: environment.counter("authentication", reason, method) for reason in REASONS}
    return Authentication(authenticator(environment), lambda reason: counters[reason]())


def authenticator(environment: Environment) -> Authenticator:
    """The service's authenticator, made at its first use; abandons what it is fetching when the server closes."""
    policy = environment.auth or AuthPolicy()

    def make() -> Authenticator:
        verifier = None
        if policy.issuers:
            require("jwt", "PyJWT[crypto]", "auth.jwt")
            from ..tokens.verifier import TokenVerifier

            verifier = TokenVerifier(policy.issuers, clock=environment.clock.now)
            environment.shared.opened.append(aclosing(verifier))
        return Authenticator(verifier, environment.service, certificates=policy.client_certificates)

    return environment.shared.one("authentication", make)


def unauthenticated() -> ServiceError:
    """What a caller is told whose token is none, or no good."""
    return ServiceError(StatusCode.UNAUTHENTICATED, UNAUTHENTICATED_TEXT)


def _only_token(metadata: Metadata) -> str | None:
    """The bearer token, "" where there are no credentials of that kind, None where there are several."""
    found = ""
    seen = False
    for name, value in metadata:
        if name == "authorization":
            if seen or not isinstance(value, str):
                return None
            seen = True
            if value[:7].lower() == "bearer ":
                found = value[7:].strip(" ")
    return found

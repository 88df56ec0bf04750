"""An issuer of tokens for tests: it signs what it is asked to, and publishes its keys at a local address."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ..definition import Definition
from ..snapshot import AccessPolicy, JwtIssuer

_PREFERRED: Final = ("ES256", "EdDSA", "ES384", "ES512")  # their keys are made at once, unlike RSA's
_CURVES: Final[Mapping[str, Any]] = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


class Issuer:
    """Stands for an issuer that the spec names: its tokens are as the policy wants them, unless told otherwise."""

    def __init__(self, policy: JwtIssuer, name: str = "key") -> None:
        self.policy = policy
        self.algorithm = next((one for one in _PREFERRED if one in policy.algorithms), policy.algorithms[0])
        self.fetches = 0  # how often the keys were asked for
        self.kid = name
        self._key, self._jwk = _key(self.algorithm, name)

    def token(self, access: AccessPolicy | None = None, **claims: object) -> str:
        """A token of who may call what `access` guards; `claims` replace its own, None leaves one out."""
        policy, now = self.policy, int(time.time())
        wanted = access or AccessPolicy()
        made: dict[str, object] = {
            "iss": policy.issuer,
            "aud": policy.audience,
            "sub": "tester",
            "iat": now,
            "exp": now + 3600,
            policy.scopes_claim: " ".join((*wanted.all_scopes, *wanted.any_scope[:1])),
            policy.roles_claim: list(wanted.any_role[:1]),
        }
        made |= claims
        payload = {name: value for name, value in made.items() if value is not None}
        return jwt.encode(payload, self._key, self.algorithm, headers={"kid": self.kid})

    def key_set(self) -> bytes:
        """What the issuer publishes: its JSON Web Key Set."""
        return json.dumps({"keys": [self._jwk]}).encode()

    def rotate(self, name: str) -> None:
        """Sign with another key from now on, and publish it alone."""
        self.kid = name
        self._key, self._jwk = _key(self.algorithm, name)


@cache
def _key(algorithm: str, name: str) -> tuple[Any, Mapping[str, Any]]:
    """A private key and the JWK of its public part; the same each time, as some take long to make."""
    made: Any
    if algorithm in _CURVES:
        made = ec.generate_private_key(_CURVES[algorithm]())
        jwk = ECAlgorithm.to_jwk(made.public_key(), as_dict=True)
    elif algorithm == "EdDSA":
        made = ed25519.Ed25519PrivateKey.generate()
        jwk = OKPAlgorithm.to_jwk(made.public_key(), as_dict=True)
    else:
        made = rsa.generate_private_key(65537, 2048)
        jwk = RSAAlgorithm.to_jwk(made.public_key(), as_dict=True)
    return made, {**jwk, "kid": name, "use": "sig", "alg": algorithm}


@asynccontextmanager
async def publishing(issuers: Sequence[Issuer]) -> AsyncIterator[str]:
    """Serve the issuers' keys on a local port, at `/0`, `/1` and so on; gives the address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        issuer = issuers[int(head.split(b" ")[1].removeprefix(b"/"))]
        issuer.fetches += 1
        body = issuer.key_set()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def trusting(definition: Definition, address: str) -> Definition:
    """The definition with the keys of its issuers at a local address, as `publishing` serves them."""
    auth = definition.policies.auth
    if auth is None:
        return definition
    local = tuple(replace(policy, jwks=f"{address}/{index}") for index, policy in enumerate(auth.issuers))
    return replace(definition, policies=replace(definition.policies, auth=replace(auth, issuers=local)))

"""A JSON Web Key Set: the public keys an issuer signs with, and which of them a token may name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from jwt import PyJWK
from jwt.exceptions import PyJWTError

_MAX_KEYS: Final = 100
_MIN_RSA_BITS: Final = 2048  # RFC 7518, section 3.3
_CURVES: Final[Mapping[str, str]] = MappingProxyType({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"})


class KeySetError(Exception):
    """What an issuer's address answered is no key set."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys by `kid`, "" for those without; several may share one where they are of different kinds."""

    by_id: Mapping[str, Sequence[Mapping[str, Any]]]
    _made: dict[tuple[str, str], PyJWK] = field(default_factory=dict, repr=False, compare=False)  # bounded by the keys

    @classmethod
    def parse(cls, document: bytes) -> KeySet:
        """The signature keys of a JWK set (RFC 7517, section 5); members that are no such key are left out.

        Raises KeySetError for what is no key set, or has no key that a signature could be verified with.
        """
        try:
            members = json.loads(document)["keys"]
        except (ValueError, RecursionError, TypeError, KeyError):
            raise KeySetError("the answer is no JSON Web Key Set") from None
        if not isinstance(members, list) or len(members) > _MAX_KEYS:
            raise KeySetError(f"a key set is a list of at most {_MAX_KEYS} keys")
        by_id: dict[str, list[Mapping[str, Any]]] = {}
        for member in members:
            if isinstance(member, dict) and _signs(member):
                kid = member.get("kid", "")
                by_id.setdefault(kid if isinstance(kid, str) else "", []).append(member)
        if not by_id:
            raise KeySetError("the key set has no key for signatures")
        return cls(by_id)

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of that id for that algorithm; without an id, the only key for it. None where there is none.

        The algorithm is the token's, which the caller has held against the allowed ones: a key serves only the
        algorithms of its own kind, and just the one that it names, if it does.
        """
        if (made := self._made.get((kid, algorithm))) is not None:
            return made
        candidates = self.by_id.get(kid, ()) if kid else [jwk for jwks in self.by_id.values() for jwk in jwks]
        fitting = [jwk for jwk in candidates if _fits(jwk, algorithm)]
        if not fitting or (not kid and len(fitting) > 1):
            return None
        try:
            key = PyJWK(dict(fitting[0]), algorithm)
        except (PyJWTError, ValueError, TypeError):
            return None
        if getattr(key.key, "key_size", _MIN_RSA_BITS) < _MIN_RSA_BITS and algorithm[0] in "RP":
            return None
        self._made[kid, algorithm] = key
        return key

    def keeps(self, other: KeySet) -> bool:
        """Whether every key of `other` is in this one too."""
        return all(jwk in self.by_id.get(kid, ()) for kid, jwks in other.by_id.items() for jwk in jwks)


def _signs(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops")
    return (
        jwk.get("kty") in ("RSA", "EC", "OKP")  # never "oct": a secret that everybody can read
        and jwk.get("use", "sig") == "sig"
        and (not isinstance(operations, list) or "verify" in operations)
    )


def _fits(jwk: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a key is of the kind that an algorithm takes (RFC 7518, section 3.1; RFC 8037, section 3.1)."""
    if jwk.get("alg", algorithm) != algorithm:
        return False
    if algorithm == "EdDSA":
        return jwk.get("kty") == "OKP" and jwk.get("crv") in ("Ed25519", "Ed448")
    if algorithm in _CURVES:
        return jwk.get("kty") == "EC" and jwk.get("crv") == _CURVES[algorithm]
    return jwk.get("kty") == "RSA"

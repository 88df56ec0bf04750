"""Tokens verified: the issuer's signature, the audience and the times; those that were, remembered until they expire."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import jwt
from jwt.exceptions import InvalidAudienceError, InvalidSignatureError, PyJWTError

from ..principal import Principal
from ..snapshot import JwtIssuer
from .jwks import Fetch, Jwks, in_thread
from .refusals import RefusedTokenError

MAX_REMEMBERED: Final = 4096
"""Verified tokens of an issuer that are remembered; the one remembered first goes first."""

_MAX_REMEMBERED_LENGTH: Final = 4096  # characters: longer ones are verified each time
_MAX_LENGTH: Final = 16384  # characters of a token that is looked at, at all


@dataclass(frozen=True, slots=True)
class _Read:
    """What a token says of itself, before anybody has verified it."""

    algorithm: str
    kid: str
    issuer: str


class TokenVerifier:
    """Verifies the tokens of several issuers. `wall` is the time of day in seconds, `clock` a monotonic one."""

    def __init__(
        self,
        issuers: Sequence[JwtIssuer],
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        fetch: Fetch = in_thread,
    ) -> None:
        self._wall = wall
        self._remembered: dict[str, tuple[float, Principal]] = {}  # by token: until when, and who
        self._issuers = {
            policy.issuer: (policy, Jwks(policy.jwks, self._remembered.clear, clock=clock, fetch=fetch))
            for policy in issuers
        }

    def known(self, token: str) -> Principal | None:
        """Whose token it is, where it was verified before and has not expired."""
        entry = self._remembered.get(token)
        return entry[1] if entry is not None and self._wall() < entry[0] else None

    async def verify(self, token: str, within: float | None = None) -> Principal:
        """Whose token it is; waits at most `within` seconds for its issuer's keys.

        Raises RefusedTokenError, and IssuerUnavailableError where nobody can tell.
        """
        read = _read(token)
        if read.issuer not in self._issuers:
            raise RefusedTokenError("issuer")
        policy, jwks = self._issuers[read.issuer]
        if read.algorithm not in policy.algorithms:
            raise RefusedTokenError("algorithm")
        key = await jwks.key(read.kid, read.algorithm, within)
        if key is None:
            raise RefusedTokenError("key")
        if (known := self.known(token)) is not None:
            return known  # another call with it waited for the same keys
        claims = _verified(token, key, read.algorithm, policy)
        until = _check_times(claims, self._wall(), policy.clock_skew)
        principal = _principal(claims, policy)
        self._remember(token, until, principal)
        return principal

    async def aclose(self) -> None:
        """Abandon what is being fetched."""
        for _, jwks in self._issuers.values():
            await jwks.aclose()

    def _remember(self, token: str, until: float, principal: Principal) -> None:
        if len(token) > _MAX_REMEMBERED_LENGTH:
            return
        self._remembered.pop(token, None)
        if len(self._remembered) >= MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = (until, principal)


def _read(token: str) -> _Read:
    if len(token) > _MAX_LENGTH:
        raise RefusedTokenError("malformed")
    try:
        unverified = jwt.decode_complete(token, options={"verify_signature": False})
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise RefusedTokenError("malformed") from None
    header, claims = unverified["header"], unverified["payload"]
    algorithm, kid, issuer = header.get("alg"), header.get("kid", ""), claims.get("iss")
    if not (isinstance(algorithm, str) and isinstance(kid, str) and isinstance(issuer, str)):
        raise RefusedTokenError("malformed")
    return _Read(algorithm, kid, issuer)


def _verified(token: str, key: jwt.PyJWK, algorithm: str, policy: JwtIssuer) -> Mapping[str, Any]:
    """The claims of a token that is signed with the key, for the policy's audience, by its issuer."""
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=policy.audience,
            issuer=policy.issuer,
            # The times are checked here, against a clock that tests can set.
            options={"require": ["exp", "iss", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except InvalidSignatureError:
        raise RefusedTokenError("signature") from None
    except InvalidAudienceError:
        raise RefusedTokenError("audience") from None
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise RefusedTokenError("claims") from None


def _check_times(claims: Mapping[str, Any], now: float, skew: float) -> float:
    """The time until which the token holds, the skew included (RFC 7519, sections 4.1.4 to 4.1.6)."""
    until = _time(claims, "exp") + skew
    if now >= until:
        raise RefusedTokenError("expired")
    if max(_time(claims, "nbf"), _time(claims, "iat")) > now + skew:
        raise RefusedTokenError("too_early")
    return until


def _time(claims: Mapping[str, Any], name: str) -> float:
    """Seconds since the epoch, 0 for a claim that is absent."""
    value = claims.get(name, 0)
    try:
        seconds = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise RefusedTokenError("claims")
    return seconds


def _principal(claims: Mapping[str, Any], policy: JwtIssuer) -> Principal:
    subject = next((claims[name] for name in ("sub", "client_id", "azp") if isinstance(claims.get(name), str)), "")
    return Principal(
        subject=subject,
        issuer=policy.issuer,
        claims=MappingProxyType(dict(claims)),
        scopes=_words(_claim(claims, policy.scopes_claim)),
        roles=_words(_claim(claims, policy.roles_claim)),
    )


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """The claim of that name; where there is none, the one at that path of names with dots between them."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _words(value: object) -> frozenset[str]:
    """A claim of names: a list of them, or one text with spaces between (RFC 8693, section 4.2)."""
    if isinstance(value, str):
        return frozenset(value.split())
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()

"""Whose call it is, for limits that callers have each for themselves."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from grpc import StatusCode

from .call import Call
from .errors import ServiceError, invalid_argument
from .snapshot import RateLimitKeyPolicy

SHARED: Final = ""
"""The key of calls that count together."""

_MISSING: Final = "RATE_LIMIT_KEY_MISSING"
_LONGEST: Final = 64
"""Characters; of longer keys the digest is kept, so that callers do not choose how much memory they take."""

KeyOf = Callable[[Call], str]


def key_of(policy: RateLimitKeyPolicy | None) -> KeyOf:
    """What tells a call's key. What it returns raises ServiceError for a call without one, unless such calls share one."""
    if policy is None:
        return lambda call: SHARED
    source, _, name = policy.source.partition(":")
    find, missing = _source(source, name)
    required = policy.on_missing == "reject"

    def key(call: Call) -> str:
        found = find(call)
        if required and found == SHARED:
            raise missing(call)
        return (
            found if len(found) <= _LONGEST else hashlib.blake2b(found.encode(errors="replace")).hexdigest()[:_LONGEST]
        )

    return key


def _source(source: str, name: str) -> tuple[KeyOf, Callable[[Call], ServiceError]]:
    match source:
        case "principal":
            return principal, _unauthenticated
        case "auth.claim":
            return lambda call: _claim(call, name), lambda call: _without_claim(call, name)
        case "metadata":
            return lambda call: call.metadata.text(name), lambda call: _without_metadata(name)
        case _:
            return lambda call: host(call.peer), lambda call: _error(StatusCode.UNAUTHENTICATED, "the peer is unknown")


def principal(call: Call) -> str:
    """Who calls, as its issuer knows it; "" where nobody was authenticated."""
    caller = call.principal
    return SHARED if caller is None else f"{caller.issuer} {caller.subject}"


def host(peer: str) -> str:
    """The peer without its port: an IPv4 address, or the /64 network of an IPv6 one, all of which one caller has.

    `peer` is as gRPC writes it: `ipv4:192.0.2.1:50000`, `ipv6:[2001:db8::1]:50000`.
    """
    family, _, address = peer.partition(":")
    if family == "ipv4":
        return address.rpartition(":")[0]
    if family != "ipv6":
        return peer
    literal = unquote(address).rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        packed = socket.inet_pton(socket.AF_INET6, literal)
    except OSError:
        return peer
    if packed.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8))


_MAPPED: Final = bytes(10) + b"\xff\xff"


def _claim(call: Call, name: str) -> str:
    value = None if call.principal is None else call.principal.claims.get(name)
    return str(value) if isinstance(value, str | int) else SHARED


def _without_claim(call: Call, name: str) -> ServiceError:
    if call.principal is None:
        return _unauthenticated(call)
    return _error(StatusCode.PERMISSION_DENIED, f"the token has no claim {name!r}")


def _unauthenticated(call: Call) -> ServiceError:
    return _error(StatusCode.UNAUTHENTICATED, "the caller is not authenticated")


def _without_metadata(name: str) -> ServiceError:
    return invalid_argument(name, "is missing", reason=_MISSING)


def _error(code: StatusCode, text: str) -> ServiceError:
    return ServiceError(code, text, reason=_MISSING)

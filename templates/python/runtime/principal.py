"""Who calls: what a verified token or a client certificate says of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


def _no_claims() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Peer:
    """The names in the certificate that the caller's connection was opened with."""

    common_name: str = ""
    dns: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()

    @property
    def spiffe_id(self) -> str:
        """The workload's SPIFFE id, "" for none: a certificate with two URIs has none (X509-SVID, section 2)."""
        uri, *more = self.uris or ("",)
        return uri if uri.startswith("spiffe://") and not more else ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name a rule may ask for: URIs, then host names; the common name only where there are neither."""
        return self.uris + self.dns or ((self.common_name,) if self.common_name else ())


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller; `call.principal` of every method that is not public, where authentication is on."""

    subject: str  # the token's `sub`; the certificate's first name for a caller without a token
    issuer: str  # the token's `iss`; "" for a caller without a token
    claims: Mapping[str, object] = field(default_factory=_no_claims, repr=False)  # read only; empty without a token
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    peer: Peer | None = None  # None where the connection has no client certificate

    @property
    def spiffe_id(self) -> str:
        """The SPIFFE id of the connection's certificate, "" for none."""
        return "" if self.peer is None else self.peer.spiffe_id

"""TLS of the REST port: whom a client's certificate names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..principal import Peer


def peer_certificate(shown: Mapping[str, Any] | None) -> Peer | None:
    """The names in a certificate, as `ssl` has it (`SSLObject.getpeercert`), None for a connection without one."""
    if not shown:
        return None
    subject = [pair for group in shown.get("subject", ()) for pair in group]
    names = shown.get("subjectAltName", ())
    return Peer(
        common_name=next((value for name, value in subject if name == "commonName"), ""),
        dns=tuple(value for kind, value in names if kind == "DNS"),
        uris=tuple(value for kind, value in names if kind == "URI"),
    )

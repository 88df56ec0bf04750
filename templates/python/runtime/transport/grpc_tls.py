"""TLS of the gRPC port: credentials that change with their files, and whom a client's certificate names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from ..principal import Peer
from .grpc_services import Context

if TYPE_CHECKING:
    from ..certificates import Certificates, Material


def server_credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Credentials that ask for the newest certificate at each handshake."""
    used = certificates.current()

    def renewed() -> Any:
        nonlocal used
        newest = certificates.current()
        if newest is used:
            return None  # core's word for "as before"
        used = newest
        return _configuration(newest)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(used), renewed, require_client_authentication=used.client_ca is not None
    )


def _configuration(material: Material) -> Any:
    return grpc.ssl_server_certificate_configuration([(material.private_key, material.certificate)], material.client_ca)


def peer_certificate(context: Context) -> Peer | None:
    """The names in the client's certificate, None for a connection without one."""
    shown = context.auth_context()
    if "x509_pem_cert" not in shown:
        return None
    return Peer(
        common_name=next(iter(_texts(shown, "x509_common_name")), ""),
        dns=_texts(shown, "peer_dns"),
        uris=_texts(shown, "peer_uri"),
    )


def no_certificate(context: Context) -> None:
    """What stands for `peer_certificate` on a port without TLS: asking there costs for nothing."""


def _texts(shown: Any, name: str) -> tuple[str, ...]:
    return tuple(value.decode(errors="replace") for value in shown.get(name, ()))

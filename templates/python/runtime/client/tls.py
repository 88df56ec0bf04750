"""TLS to a dependency: whom it trusts and what it shows, read again when the files change."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from ..snapshot import ClientTlsPolicy
from ..starting import StartError
from ..watched_files import WatchedFiles


@dataclass(frozen=True, slots=True)
class ClientMaterial:
    """What the files held at one time, seen to fit together."""

    ca: bytes | None  # PEM; None for the authorities that everybody trusts
    certificate: bytes | None  # the chain, PEM; None where none is shown
    private_key: bytes | None
    context: ssl.SSLContext  # the same, for connections that Python makes

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        """The same, for a gRPC channel."""
        return grpc.ssl_channel_credentials(self.ca, self.private_key, self.certificate)


def watched(dependency: str, policy: ClientTlsPolicy) -> WatchedFiles[ClientMaterial]:
    """The material that the policy names. Raises StartError for files that are no good."""
    files = [file for file in (policy.ca, policy.certificate, policy.private_key) if file]
    return WatchedFiles(f"the TLS files of {dependency}", files, _reader(f"dependencies.{dependency}.tls", policy))


def _reader(section: str, policy: ClientTlsPolicy) -> Callable[[], ClientMaterial]:
    def read() -> ClientMaterial:
        ca, certificate, private_key = (
            _bytes(f"{section}.{key}", file) if file else None
            for key, file in (
                ("ca", policy.ca),
                ("certificate", policy.certificate),
                ("privateKey", policy.private_key),
            )
        )
        return ClientMaterial(ca, certificate, private_key, _context(section, policy))

    return read


def _bytes(key: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise StartError(f"{key}: {file}: {error.strerror}") from None


def _context(section: str, policy: ClientTlsPolicy) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=policy.ca or None)
    except ssl.SSLError:
        raise StartError(f"{section}.ca: {policy.ca} has no certificate in PEM form") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if policy.certificate:
        try:
            # A password is never asked for: it would be on the terminal.
            context.load_cert_chain(policy.certificate, policy.private_key, password=lambda: "")
        except (ssl.SSLError, ValueError):
            files = f"{policy.certificate} and {policy.private_key}"
            message = f"{section}.certificate, privateKey: no certificate with its own plain key, PEM, in {files}"
            raise StartError(message) from None
    return context

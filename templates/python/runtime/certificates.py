"""The service's certificate, read again whenever its files change: what both ports speak TLS with."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.x509 import load_pem_x509_certificates

from .clock import Clock, every
from .snapshot import TlsPolicy
from .starting import StartError
from .watched_files import WatchedFiles

CHECK_EVERY: Final = 30.0
"""Seconds between two looks at the files where no connection comes that would look."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Material:
    """What the files held at one time, seen to fit together."""

    certificate: bytes  # the chain, PEM
    private_key: bytes
    client_ca: bytes | None  # None where clients are not asked for certificates
    context: ssl.SSLContext
    expires: float  # seconds since the epoch: the first of the chain to expire


class Certificates:
    """The material at hand. New connections get the newest; open ones keep what they were opened with.

    Files are looked at when a connection comes. Raises StartError where they are no good to begin with.
    """

    def __init__(self, policy: TlsPolicy, on_loaded: Callable[[float], None]) -> None:
        self._policy = policy
        self._on_loaded = on_loaded  # given when the certificate expires
        files = [file for file in (policy.certificate, policy.private_key, policy.client_ca) if file]
        self._files = WatchedFiles("the TLS files", files, self._read)

    def current(self) -> Material:
        """The newest material that is good. Never raises."""
        return self._files.current()

    def server_context(self) -> ssl.SSLContext:
        """A context for a listener, which gives each connection the material of its time."""

        def choose(connection: ssl.SSLObject, name: str | None, listener: ssl.SSLContext) -> None:
            connection.context = self.current().context

        context = _context(self._policy)
        context.sni_callback = choose
        return context

    def watched(self, clock: Clock) -> AbstractAsyncContextManager[None]:
        """Looks at the files now and then while inside, so that what is known of their expiry is so."""
        return every(clock, CHECK_EVERY, lambda _: self.current())

    def _read(self) -> Material:
        material = _read(self._policy)
        if material.expires <= time.time():
            _log.error("the certificate in %s has expired", self._policy.certificate)
        self._on_loaded(material.expires)
        return material


def _read(policy: TlsPolicy) -> Material:
    certificate = _bytes("certificate", policy.certificate)
    private_key = _bytes("privateKey", policy.private_key)
    client_ca = _bytes("clientCa", policy.client_ca) if policy.client_ca else None
    context = _context(policy)
    try:
        chain = load_pem_x509_certificates(certificate)
    except ValueError:
        raise StartError(f"tls.certificate: {policy.certificate} has no certificate in PEM form") from None
    expires = min(certificate.not_valid_after_utc for certificate in chain).timestamp()
    return Material(certificate, private_key, client_ca, context, expires)


def _bytes(key: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise StartError(f"tls.{key}: {file}: {error.strerror}") from None


def _context(policy: TlsPolicy) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A password is never asked for: it would be on the terminal.
        context.load_cert_chain(policy.certificate, policy.private_key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            message = f"tls.privateKey: {policy.private_key} is not the key of {policy.certificate}"
        else:
            message = f"tls.certificate, tls.privateKey: no certificate with its plain key, PEM, in {policy.certificate} and {policy.private_key}"
        raise StartError(message) from None
    if policy.client_ca:
        try:
            context.load_verify_locations(policy.client_ca)
        except ssl.SSLError:
            raise StartError(f"tls.clientCa: {policy.client_ca} has no certificate in PEM form") from None
        context.verify_mode = ssl.CERT_REQUIRED
        # A resumed session would be let in without a look at the authorities of today.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context

"""Transports: bytes to Call and back. Nothing outside this package knows a protocol."""

from __future__ import annotations

from typing import Protocol

from ..hurry import Hurry


class Transport(Protocol):
    """A listener that turns what arrives into calls; the lifecycle starts and stops it."""

    async def start(self) -> int:
        """Bind and listen; returns the port. Raises OSError where the address cannot be had."""

    async def stop_accepting(self, hurry: Hurry) -> None:
        """Close the listener and tell connected peers to go elsewhere; calls in flight go on.

        Unless in a hurry, no call that is on its way is lost.
        """

    async def stop(self, grace: float) -> None:
        """Wait up to `grace` seconds for the calls in flight, end the rest, and release everything."""

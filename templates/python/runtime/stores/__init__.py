"""Where the state of rate limits and idempotency keys lives: in this process, or in Redis."""

from __future__ import annotations

from typing import Final, Protocol

from ..policies.idempotency import Begun
from ..policies.rate_limit import Verdict

MEMORY: Final = "memory"
"""The name of the store that is none: this process."""


class StoreError(Exception):
    """The store was not reached in time, or could not do what it was asked."""


class RateLimitStore(Protocol):
    """What has been charged to each key of one rate limit."""

    async def admit(self, key: str) -> Verdict:
        """Charge the key with one call, if the limit admits it. Raises StoreError."""


class KeyStore(Protocol):
    """The idempotency keys of one method; a key is taken by one call at a time."""

    async def begin(self, key: str, fingerprint: bytes, token: str) -> Begun:
        """Ask for a key, under a token that nobody else has. Raises StoreError."""

    async def complete(self, key: str, token: str, answer: bytes) -> None:
        """Keep the answer of the call that holds the key; without effect where it holds it no more. Raises StoreError."""

    async def release(self, key: str, token: str) -> None:
        """Give the key back: nothing was done. Raises StoreError."""

"""Why a token is no good: known without the package that verifies them."""

from __future__ import annotations

from typing import Final

REASONS: Final = (
    "missing",
    "malformed",
    "issuer",
    "algorithm",
    "key",
    "signature",
    "audience",
    "claims",
    "expired",
    "too_early",
)
"""Every reason of a RefusedTokenError."""


class RefusedTokenError(Exception):
    """No token, or one that is none of the issuers', not for this service, or not now; `reason` is for operators alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IssuerUnavailableError(Exception):
    """There are no keys: the issuer has not answered yet, or not for too long. `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("the issuer's keys cannot be had")
        self.retry_after = retry_after

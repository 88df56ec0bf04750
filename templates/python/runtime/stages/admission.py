"""Authentication and authorisation for what no pipeline wraps: health checks and reflection of the gRPC port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from ..metadata import Metadata
from ..principal import Peer
from ..snapshot import AccessPolicy
from ..tokens.refusals import RefusedTokenError
from .authentication import Authenticator, authenticator, unauthenticated
from .authorization import refusal
from .environment import Environment

Admit = Callable[[Metadata, Peer | None, float | None], Awaitable[None]]
"""Raises ServiceError for a caller with that metadata and certificate who may not call; waits so many seconds at most."""


def admissions(environment: Environment) -> Mapping[str, Admit]:
    """By gRPC path, for each RPC beside the contract's own that not everybody may call."""
    if environment.auth is None:
        return {}
    who = authenticator(environment)
    return {path: partial(_admit, who, access) for path, access in environment.auth.beside.items()}


async def _admit(
    who: Authenticator, access: AccessPolicy, metadata: Metadata, peer: Peer | None, within: float | None
) -> None:
    try:
        principal = await who.identify(metadata, peer, within)
    except RefusedTokenError:
        raise unauthenticated() from None
    error = refusal(access, principal)
    if error is not None:
        raise error

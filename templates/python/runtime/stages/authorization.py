"""The authorisation stage: whether the caller may call the method."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from grpc import StatusCode

from ..call import Call
from ..definition import Method
from ..errors import ServiceError
from ..pipeline import Endpoint
from ..principal import Principal
from ..snapshot import AccessPolicy, MethodPolicy
from .environment import Environment

PERMISSION_TEXT: Final = "the caller may not call this method"

NO_RULE: Final = "ACCESS_DENIED"
MISSING_SCOPE: Final = "SCOPE_MISSING"
MISSING_ROLE: Final = "ROLE_MISSING"
UNKNOWN_PEER: Final = "PEER_NOT_ALLOWED"
"""Reasons of a refusal, as ErrorInfo has them."""


class Authorization:
    """Refuses with PERMISSION_DENIED whom the method's rule does not let in; a call nobody has authenticated, too.

    A missing scope is named, as RFC 6750 has it: it is what a client asks its issuer for. Which roles or peers would
    do is not.
    """

    __slots__ = ("_access", "_challenge", "_count", "_open")

    def __init__(self, access: AccessPolicy, realm: str, count: Callable[[str], None]) -> None:
        self._access = access
        self._open = access == AccessPolicy()  # everybody who is somebody
        self._challenge = f'Bearer realm="{realm}", error="insufficient_scope"'
        self._count = count

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        principal = call.principal
        if principal is None or not self._open:
            error = refusal(self._access, principal)
            if error is not None:
                self._count(error.reason)
                if error.reason == MISSING_SCOPE:
                    call.set_header("www-authenticate", f'{self._challenge}, scope="{error.metadata["scope"]}"')
                raise error
        await proceed(call)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Authorization | None:
    """The method's stage, None for a method that anyone may call."""
    if policy.access is None:
        return None
    reasons = (NO_RULE, MISSING_SCOPE, MISSING_ROLE, UNKNOWN_PEER)
    counters = {reason: environment.counter("authorization", reason.lower(), method) for reason in reasons}
    return Authorization(policy.access, environment.service, lambda reason: counters[reason]())


def refusal(access: AccessPolicy, principal: Principal | None) -> ServiceError | None:
    """Why the principal may not call what that policy guards, None where it may."""
    if principal is None or access.deny:
        return _denied(NO_RULE)
    missing = [scope for scope in access.all_scopes if scope not in principal.scopes]
    if missing:
        return _denied(MISSING_SCOPE, scope=" ".join(missing))
    if _none_of(access.any_scope, principal.scopes):
        return _denied(MISSING_SCOPE, scope=" ".join(access.any_scope))
    if _none_of(access.any_role, principal.roles):
        return _denied(MISSING_ROLE)
    if _none_of(access.any_peer, principal.peer.names if principal.peer is not None else ()):
        return _denied(UNKNOWN_PEER)
    return None


def _none_of(wanted: tuple[str, ...], held: Collection[str]) -> bool:
    return bool(wanted) and not any(name in held for name in wanted)


def _denied(reason: str, **metadata: str) -> ServiceError:
    return ServiceError(StatusCode.PERMISSION_DENIED, PERMISSION_TEXT, reason=reason, metadata=metadata)

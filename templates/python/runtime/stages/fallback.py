"""The fallback stage: answers in the place of a handler that cannot, or that is left alone by its circuit breaker."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable

from ..call import Call
from ..classification import OPEN_REASON, is_failure
from ..client.onward import OWN
from ..clock import Clock
from ..definition import ErrorTable, Kind, Method, ServiceBase
from ..errors import ServiceError
from ..fallbacks import Cache, Cause, FallingBack, OwnMethod, Source, Static
from ..policies.response_cache import ResponseCache
from ..principal import Principal
from ..snapshot import FallbackPolicy, MethodPolicy
from .environment import Environment

SERVED_FROM = "x-served-from"
"""The header of a response that is not the handler's: `cache`, `static` or `handler`."""

_OF_ONE_TOKEN = frozenset({"exp", "iat", "nbf", "jti", "auth_time", "nonce"})  # claims that say nothing of who calls


def around_handler(
    on_failure: Source[Call] | None,
    when_open: Source[Call] | None,
    errors: ErrorTable,
    count: Callable[[], None],
    degraded: Callable[[], bool] | None = None,
) -> FallingBack[Call]:
    """The stage around a handler: `errors` tells its failures from what is the caller's doing."""

    def cause(call: Call, error: ServiceError) -> Cause | None:
        if call.cancelled:
            return None
        if error.reason == OPEN_REASON:
            return Cause.OPEN
        return Cause.FAILED if is_failure(error, errors) else None

    def answered(call: Call, source: str) -> None:
        count()
        call.served_from = source
        try:
            call.set_header(SERVED_FROM, source)
        except RuntimeError:  # the handler has sent its headers
            call.set_trailer(SERVED_FROM, source)

    return FallingBack(on_failure, when_open, cause, answered, degraded)


def cache(policy: FallbackPolicy, method: Method, clock: Clock, propagate: Iterable[str]) -> Cache[Call]:
    """The last good responses of a method: each of the same caller, with the same metadata of the names in `propagate`."""
    return Cache(ResponseCache(policy.ttl, policy.max_entries), method.response, clock, same_call(propagate))


def same_call(propagate: Iterable[str]) -> Callable[[Call], Awaitable[bytes]]:
    """What is the same of two calls that may have the same response: principal, request, and metadata handed on."""
    names = frozenset(propagate) - OWN

    async def key(call: Call) -> bytes:
        request = (await call.request()).SerializeToString(deterministic=True)
        digest = hashlib.blake2b(request, digest_size=16)
        if call.principal is not None:
            digest.update(repr(_identity(call.principal)).encode())
        if names:
            digest.update(repr(sorted(pair for pair in call.metadata if pair[0] in names)).encode())
        return digest.digest()

    return key


def own_method(function: Callable[..., Awaitable[object]], method: Method) -> OwnMethod[Call]:
    """A method of the handler's class, which takes what the RPC's takes; it has the time that the call has left."""

    async def ask(call: Call) -> object:
        return await function(await call.request(), call)

    return OwnMethod(ask, method.response, method.path, Call.time_remaining)


def _identity(principal: object) -> object:
    """What tells a caller from others, whatever token of its own it comes with."""
    if not isinstance(principal, Principal):
        return principal
    claims = sorted((name, repr(value)) for name, value in principal.claims.items() if name not in _OF_ONE_TOKEN)
    return principal.issuer, principal.subject, sorted(principal.scopes), sorted(principal.roles), claims


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> FallingBack[Call] | None:
    """The stage of a unary RPC; None where there is nothing to fall back on, and for streams."""
    if method.kind is not Kind.UNARY:
        return None
    handler = environment.handlers.get(method.service)
    on_failure = _source(policy.fallback, method, handler, environment)
    when_open = None if policy.breaker is None else _source(policy.breaker_fallback, method, handler, environment)
    if on_failure is None and when_open is None:
        return None
    count = environment.fallback_counter(method)
    return around_handler(on_failure, when_open, environment.errors, count, environment.degraded)


def _source(
    policy: FallbackPolicy | None, method: Method, handler: ServiceBase | None, environment: Environment
) -> Source[Call] | None:
    if policy is None:
        return None
    if policy.kind == "static":
        return Static(policy.value, method.response)
    if policy.kind == "cache":
        return cache(policy, method, environment.clock, environment.propagate)
    function = getattr(handler, policy.handler, None)
    return None if function is None else own_method(function, method)

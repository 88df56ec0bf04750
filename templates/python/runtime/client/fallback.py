"""The fallback stage: answers in the place of a dependency that cannot, or that is left alone by its circuit breaker."""

from __future__ import annotations

import hashlib
from typing import Any

from grpc import StatusCode

from ..current import current_call
from ..definition import Kind
from ..errors import DependencyError, ServiceError, unimplemented
from ..fallbacks import Cache, Cause, FallingBack, OwnMethod, Source, Static
from ..policies.response_cache import ResponseCache
from ..snapshot import FallbackPolicy
from .environment import Dependency, Target
from .http_fallback import HttpCache, HttpStatic, answering
from .http_response import HttpResponse
from .onward import OWN, timeout_onward
from .outgoing import Outgoing
from .peer_errors import is_failure


def cause(outgoing: Outgoing, error: ServiceError) -> Cause | None:
    """Why a fallback may answer: the dependency has failed, or was not asked. None for a fault of the request."""
    if not isinstance(error, DependencyError):
        return None
    if error.rejected_by == "circuit_breaker":
        return Cause.OPEN
    if error.rejected_by and error.code_received is StatusCode.RESOURCE_EXHAUSTED:
        return Cause.FAILED
    later = error.pushback is not None and error.code_received is StatusCode.RESOURCE_EXHAUSTED
    return Cause.FAILED if later or is_failure(error) else None


async def same_request(outgoing: Outgoing) -> bytes:
    """What is the same of two calls that may have the same response: the request, and the metadata without ids."""
    digest = hashlib.blake2b(outgoing.given.SerializeToString(deterministic=True), digest_size=16)
    told_apart = [pair for pair in outgoing.metadata if pair[0] not in OWN]
    if told_apart:
        digest.update(repr(sorted(told_apart)).encode())
    return digest.digest()


def for_target(target: Target, dependency: Dependency) -> FallingBack[Outgoing] | None:
    """The stage of a unary RPC; None where there is nothing to fall back on, and for streams."""
    policy = target.policy
    if target.kind is not Kind.UNARY:
        return None
    on_failure = _source(policy.fallback, target, dependency)
    when_open = None
    if policy.circuit_breaker is not None:
        when_open = _source(policy.breaker_fallback, target, dependency)
    if on_failure is None and when_open is None:
        return None
    counters = {name: dependency.counter("fallback", name, target.path) for name in ("static", "cache", "handler")}

    def answered(_: Outgoing, source: str) -> None:
        counters[source]()
        call = current_call.get(None)
        if call is not None:
            call.fell_back = {**call.fell_back, dependency.name: source}

    return FallingBack(on_failure, when_open, cause, answered, dependency.outbound.degraded)


def _source(policy: FallbackPolicy | None, target: Target, dependency: Dependency) -> Source[Outgoing] | None:
    if policy is None:
        return None
    response, clock = target.response, dependency.outbound.clock
    if policy.kind == "static":
        return HttpStatic(policy.value, dependency.name) if response is None else Static(policy.value, response)
    if policy.kind == "cache":
        kept = ResponseCache(policy.ttl, policy.max_entries)
        if response is None:
            return HttpCache(kept, dependency.name, clock)
        return Cache(kept, response, clock, same_request)
    return _own_method(policy.handler, target, dependency)


def _own_method(name: str, target: Target, dependency: Dependency) -> OwnMethod[Outgoing]:
    """The method of that name of the application's object; looked up at each call, as clients are there before it."""
    known = dependency.outbound.fallbacks

    async def ask(request: Any) -> Any:
        own = known.get(dependency.name)
        if own is None:  # the application is still being opened
            raise unimplemented(target.path)
        return await getattr(own, name)(request)

    async def answer(outgoing: Outgoing) -> Any:
        return await ask(outgoing.given)

    if target.response is None:
        over_http = answering(ask, dependency.name)
        return OwnMethod(over_http, HttpResponse, target.path, lambda _: timeout_onward())
    return OwnMethod(answer, target.response, target.path, lambda _: timeout_onward())

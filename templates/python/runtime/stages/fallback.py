"""The fallback stage: answers in the place of a handler that cannot, or that is left alone by its circuit breaker."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from google.protobuf import json_format
from google.protobuf.message import Message
from grpc import StatusCode

from ..call import Call
from ..classification import OPEN_REASON, is_failure
from ..client.onward import OWN
from ..clock import Clock
from ..definition import ErrorTable, Kind, Method, ServiceBase
from ..errors import ServiceError
from ..pipeline import Endpoint
from ..policies.response_cache import ResponseCache
from ..principal import Principal
from ..snapshot import FallbackPolicy, MethodPolicy
from .environment import Environment

SERVED_FROM = "x-served-from"
"""The header of a response that is not the handler's: `cache`, `static` or `handler`."""

_OF_ONE_TOKEN = frozenset({"exp", "iat", "nbf", "jti", "auth_time", "nonce"})  # claims that say nothing of who calls

_log = logging.getLogger(__name__)


class Source(Protocol):
    """Where a response comes from that is not the handler's."""

    name: str

    async def key(self, call: Call) -> bytes:
        """What `response` and `learn` go by; found before the handler may change the request."""

    async def response(self, call: Call, key: bytes) -> Message | None:
        """The response, None where there is none."""

    def learn(self, key: bytes, response: Message | None) -> None:
        """The handler has given that response."""


class Static:
    """A response that the spec has."""

    name = "static"

    def __init__(self, value: str, kind: type[Message]) -> None:
        self._value = json_format.Parse(value, kind())

    async def key(self, call: Call) -> bytes:
        return b""

    async def response(self, call: Call, key: bytes) -> Message | None:
        given = type(self._value)()
        given.CopyFrom(self._value)
        return given

    def learn(self, key: bytes, response: Message | None) -> None:
        """Nothing: it is what it is."""


class Cache:
    """The last good response to the same request of the same caller, while it is not too old.

    The same caller is the same principal, with the same metadata of those that are handed on to dependencies.
    """

    name = "cache"

    def __init__(self, cache: ResponseCache, kind: type[Message], clock: Clock, propagate: Iterable[str]) -> None:
        self._cache = cache
        self._kind = kind
        self._now = clock.now
        self._propagate = frozenset(propagate) - OWN

    async def key(self, call: Call) -> bytes:
        request = (await call.request()).SerializeToString(deterministic=True)
        digest = hashlib.blake2b(request, digest_size=16)
        if call.principal is not None:
            digest.update(repr(_identity(call.principal)).encode())
        if self._propagate:
            handed_on = sorted(pair for pair in call.metadata if pair[0] in self._propagate)
            digest.update(repr(handed_on).encode())
        return digest.digest()

    async def response(self, call: Call, key: bytes) -> Message | None:
        found = self._cache.get(key, self._now())
        return None if found is None else self._kind.FromString(found)

    def learn(self, key: bytes, response: Message | None) -> None:
        if response is not None:
            self._cache.put(key, response.SerializeToString(), self._now())


class OwnMethod:
    """A method of the handler's class; what it raises leaves the failure as it is."""

    name = "handler"

    def __init__(self, function: Callable[[Any, Call], Awaitable[Any]], expected: type[Message]) -> None:
        self._function = function
        self._expected = expected

    async def key(self, call: Call) -> bytes:
        return b""

    async def response(self, call: Call, key: bytes) -> Message | None:
        left = call.time_remaining()
        if left is not None and left <= 0:
            return None
        try:
            async with asyncio.timeout(left):
                response = await self._function(await call.request(), call)
        except ServiceError as error:
            if error.code is not StatusCode.UNIMPLEMENTED:  # the generated base's own answer
                _log.warning("the fallback of %s failed", call.method.path, exc_info=error)
            return None
        except Exception:  # noqa: BLE001 - the caller gets the first failure, the log has this one
            _log.exception("the fallback of %s failed", call.method.path)
            return None
        if not isinstance(response, self._expected):
            _log.error("the fallback of %s answered %s", call.method.path, type(response).__name__)
            return None
        return response

    def learn(self, key: bytes, response: Message | None) -> None:
        """Nothing: it finds its own answers."""


class Fallback:
    """Answers where the handler fails (`on_failure`), or is not run because its breaker is open (`when_open`).

    An error that is the caller's own doing passes: there is no other answer to it. While `degraded`, what can
    answer in the handler's place does so before it is run.
    """

    __slots__ = ("_count", "_degraded", "_errors", "_on_failure", "_when_open")

    def __init__(
        self,
        on_failure: Source | None,
        when_open: Source | None,
        errors: ErrorTable,
        count: Callable[[], None],
        degraded: Callable[[], bool] | None = None,
    ) -> None:
        self._on_failure = on_failure
        self._when_open = when_open or on_failure
        self._errors = errors
        self._count = count
        self._degraded = degraded

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        on_failure, when_open = self._on_failure, self._when_open
        open_key = b"" if when_open is None else await when_open.key(call)
        key = open_key
        if on_failure is not None and on_failure is not when_open:
            key = await on_failure.key(call)
        if self._degraded is not None and self._degraded() and await self._answered(call, when_open, open_key):
            return
        try:
            await proceed(call)
        except ServiceError as error:
            if error.reason == OPEN_REASON:
                answered = await self._answered(call, when_open, open_key)
            else:
                answered = is_failure(error, self._errors) and await self._answered(call, on_failure, key)
            if not answered:
                raise
            return
        if when_open is not None:
            when_open.learn(open_key, call.response)
        if on_failure is not None and on_failure is not when_open:
            on_failure.learn(key, call.response)

    async def _answered(self, call: Call, source: Source | None, key: bytes) -> bool:
        response = None if source is None or call.cancelled else await source.response(call, key)
        if source is None or response is None:
            return False
        self._count()
        call.response = response
        call.served_from = source.name
        try:
            call.set_header(SERVED_FROM, source.name)
        except RuntimeError:  # the handler has sent its headers
            call.set_trailer(SERVED_FROM, source.name)
        return True


def _identity(principal: object) -> object:
    """What tells a caller from others, whatever token of its own it comes with."""
    if not isinstance(principal, Principal):
        return principal
    claims = sorted((name, repr(value)) for name, value in principal.claims.items() if name not in _OF_ONE_TOKEN)
    return principal.issuer, principal.subject, sorted(principal.scopes), sorted(principal.roles), claims


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Fallback | None:
    """The stage of a unary RPC; None where there is nothing to fall back on, and for streams."""
    if method.kind is not Kind.UNARY:
        return None
    handler = environment.handlers.get(method.service)
    on_failure = _source(policy.fallback, method, handler, environment)
    when_open = None if policy.breaker is None else _source(policy.breaker_fallback, method, handler, environment)
    if on_failure is None and when_open is None:
        return None
    count = environment.fallback_counter(method)
    return Fallback(on_failure, when_open, environment.errors, count, environment.degraded)


def _source(
    policy: FallbackPolicy | None, method: Method, handler: ServiceBase | None, environment: Environment
) -> Source | None:
    if policy is None:
        return None
    if policy.kind == "static":
        return Static(policy.value, method.response)
    if policy.kind == "cache":
        cache = ResponseCache(policy.ttl, policy.max_entries)
        return Cache(cache, method.response, environment.clock, environment.propagate)
    function = getattr(handler, policy.handler, None)
    return None if function is None else OwnMethod(function, method.response)

"""What answers in the place of what cannot: of a handler, or of a dependency; a value, a cached response, or a method."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message
from grpc import StatusCode

from .clock import Clock
from .errors import ServiceError
from .policies.response_cache import ResponseCache

_log = logging.getLogger(__name__)


class Answerable(Protocol):
    """A call that has a single response in the end."""

    response: Any


CallT = TypeVar("CallT", bound=Answerable)
AskedT = TypeVar("AskedT", contravariant=True)


class Source(Protocol[AskedT]):
    """Where a response comes from that is not that of whoever was called."""

    name: str
    learns: bool  # whether `key` and `learn` do anything

    async def key(self, call: AskedT) -> bytes:
        """What `response` and `learn` go by; found before anybody may change the request."""

    async def response(self, call: AskedT, key: bytes) -> Any:
        """The response, None where there is none."""

    def learn(self, key: bytes, response: Any) -> None:
        """The call went well, with that response."""


class Static:
    """A response that the spec has."""

    name = "static"
    learns = False

    def __init__(self, value: str, kind: type[Message]) -> None:
        self._value = json_format.Parse(value, kind())

    async def key(self, call: object) -> bytes:
        return b""

    async def response(self, call: object, key: bytes) -> Message | None:
        given = type(self._value)()
        given.CopyFrom(self._value)
        return given

    def learn(self, key: bytes, response: Message | None) -> None:
        """Nothing: it is what it is."""


class Cache(Generic[AskedT]):
    """The last good response to the same request, while it is not too old; `key_of` tells which are the same."""

    name = "cache"
    learns = True

    def __init__(
        self, cache: ResponseCache, kind: type[Message], clock: Clock, key_of: Callable[[AskedT], Awaitable[bytes]]
    ) -> None:
        self._cache = cache
        self._kind = kind
        self._now = clock.now
        self._key_of = key_of

    async def key(self, call: AskedT) -> bytes:
        return await self._key_of(call)

    async def response(self, call: AskedT, key: bytes) -> Message | None:
        found = self._cache.get(key, self._now())
        return None if found is None else self._kind.FromString(found)

    def learn(self, key: bytes, response: Message | None) -> None:
        if response is not None:
            self._cache.put(key, response.SerializeToString(), self._now())


class OwnMethod(Generic[AskedT]):
    """A method of the user's; what it raises leaves the failure as it is. `path` is the RPC's, for the log."""

    name = "handler"
    learns = False

    def __init__(
        self,
        ask: Callable[[AskedT], Awaitable[Any]],
        expected: type[Any],
        path: str,
        time_left: Callable[[AskedT], float | None],
    ) -> None:
        self._ask = ask
        self._expected = expected
        self._path = path
        self._time_left = time_left

    async def key(self, call: AskedT) -> bytes:
        return b""

    async def response(self, call: AskedT, key: bytes) -> Any:
        left = self._time_left(call)
        if left is not None and left <= 0:
            return None
        try:
            async with asyncio.timeout(left):
                response = await self._ask(call)
        except ServiceError as error:
            if error.code is not StatusCode.UNIMPLEMENTED:  # the answer of a method that is still to be written
                _log.warning("the fallback of %s failed", self._path, exc_info=error)
            return None
        except Exception:  # noqa: BLE001 - the caller gets the first failure, the log has this one
            _log.exception("the fallback of %s failed", self._path)
            return None
        if not isinstance(response, self._expected):
            _log.error("the fallback of %s answered %s", self._path, type(response).__name__)
            return None
        return response

    def learn(self, key: bytes, response: Any) -> None:
        """Nothing: it finds its own answers."""


class Cause(Enum):
    """Why there is no answer but a fallback's."""

    FAILED = "failed"
    OPEN = "open"  # the circuit breaker let nothing through


class FallingBack(Generic[CallT]):
    """A stage that answers where what is inside fails (`on_failure`), or its breaker is open (`when_open`).

    `cause` tells failures from what is the caller's own doing, to which there is no other answer: None. `answered`
    hears of each call that was answered, and of the source. While `degraded`, what can answer does so at once.
    """

    __slots__ = ("_answered", "_cause", "_degraded", "_on_failure", "_when_open")

    def __init__(
        self,
        on_failure: Source[CallT] | None,
        when_open: Source[CallT] | None,
        cause: Callable[[CallT, ServiceError], Cause | None],
        answered: Callable[[CallT, str], None],
        degraded: Callable[[], bool] | None = None,
    ) -> None:
        self._on_failure = on_failure
        self._when_open = when_open or on_failure
        self._cause = cause
        self._answered = answered
        self._degraded = degraded

    async def __call__(self, call: CallT, proceed: Callable[[CallT], Awaitable[None]]) -> None:
        on_failure, when_open = self._on_failure, self._when_open
        open_key = await when_open.key(call) if when_open is not None and when_open.learns else b""
        key = open_key
        if on_failure is not None and on_failure is not when_open and on_failure.learns:
            key = await on_failure.key(call)
        if self._degraded is not None and self._degraded() and await self._answers(call, when_open, open_key):
            return
        try:
            await proceed(call)
        except ServiceError as error:
            cause = self._cause(call, error)
            source, known = (when_open, open_key) if cause is Cause.OPEN else (on_failure, key)
            if cause is None or not await self._answers(call, source, known):
                raise
            return
        if when_open is not None and when_open.learns:
            when_open.learn(open_key, call.response)
        if on_failure is not None and on_failure is not when_open:
            on_failure.learn(key, call.response)

    async def _answers(self, call: CallT, source: Source[CallT] | None, key: bytes) -> bool:
        response = None if source is None else await source.response(call, key)
        if source is None or response is None:
            return False
        call.response = response
        self._answered(call, source.name)
        return True

"""What answers in the place of a dependency over HTTP: a value of the spec, the last good answer to the same request, a method."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson

from ..clock import Clock
from ..metadata import Metadata
from ..policies.response_cache import ResponseCache
from .http_request import HttpRequest
from .http_response import HttpResponse
from .onward import OWN
from .outgoing import Outgoing


class HttpStatic:
    """An answer with status 200 and JSON that the spec has."""

    name = "static"
    learns = False

    def __init__(self, value: str, dependency: str) -> None:
        self._content = value.encode()
        self._dependency = dependency

    async def key(self, call: object) -> bytes:
        return b""

    async def response(self, call: Outgoing, key: bytes) -> HttpResponse:
        headers = Metadata([("content-type", "application/json")])
        return HttpResponse(200, self._content, headers, self._dependency, call.path)

    def learn(self, key: bytes, response: HttpResponse | None) -> None:
        """Nothing: it is what it is."""


class HttpCache:
    """The last answer of success to the same request, while it is not too old."""

    name = "cache"
    learns = True

    def __init__(self, cache: ResponseCache, dependency: str, clock: Clock) -> None:
        self._cache = cache
        self._dependency = dependency
        self._now = clock.now

    async def key(self, call: Outgoing) -> bytes:
        """What is the same of two requests: method, path, query, body, and the headers without ids."""
        request: HttpRequest = call.given
        told_apart = sorted(pair for pair in call.metadata if pair[0] not in OWN)
        parts = (request.verb, request.target, request.body, request.content_type, told_apart)
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()

    async def response(self, call: Outgoing, key: bytes) -> HttpResponse | None:
        found = self._cache.get(key, self._now())
        if found is None:
            return None
        head, _, content = found.partition(b"\n")
        status, headers = orjson.loads(head)
        return HttpResponse(status, content, Metadata(map(tuple, headers)), self._dependency, call.path)

    def learn(self, key: bytes, response: HttpResponse | None) -> None:
        if response is not None and response.status < 300:
            headers = [pair for pair in response.headers if isinstance(pair[1], str) and pair[1].isascii()]
            head = orjson.dumps((response.status, headers))
            self._cache.put(key, head + b"\n" + response.content, self._now())


def answering(ask: Callable[[HttpRequest], Awaitable[Any]], dependency: str) -> Callable[[Outgoing], Awaitable[Any]]:
    """Asks the user's method, which is given the path's values by the names that they have in the spec.

    Raises ValueError for an answer that is none of success.
    """

    async def answer(outgoing: Outgoing) -> Any:
        request: HttpRequest = outgoing.given
        _, _, template = outgoing.path.partition(" ")
        response = await ask(request.as_of(template) if template else request)
        if not isinstance(response, HttpResponse):
            return response
        if response.status >= 400:
            raise ValueError(f"an answer with status {response.status} stands in for nothing")
        return replace(response, dependency=dependency, operation=outgoing.path)

    return answer

"""The innermost endpoint of a gRPC call: one attempt on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

from grpc import StatusCode, aio

from ..clock import Clock
from ..definition import Kind, Method
from ..errors import DependencyError
from .attempt import Attempt, serialized
from .outgoing import Outgoing


class GrpcTransport:
    """Makes attempts at one RPC over a channel, with bytes for messages."""

    __slots__ = ("_clock", "_dependency", "_method", "_start")

    def __init__(self, dependency: str, method: Method, channel: aio.Channel, clock: Clock) -> None:
        self._dependency = dependency
        self._method = method
        self._clock = clock
        self._start = _starter(channel, method)

    async def __call__(self, outgoing: Outgoing) -> None:
        attempt = self._begin(outgoing)
        try:
            if outgoing.deliver is None:
                outgoing.response = attempt.message(await attempt.call)
            else:
                async for content in attempt.call:
                    await outgoing.deliver(attempt.message(content))
        except aio.AioRpcError as error:
            raise attempt.failure(error) from error
        except asyncio.CancelledError:
            attempt.check_cancellation()
            raise
        finally:
            await attempt.end()

    def _begin(self, outgoing: Outgoing) -> Attempt:
        method, until = self._method, outgoing.attempt_until
        allowed = None if until is None else until - self._clock.now()
        if allowed is not None and allowed <= 0:
            text = "its time was up before it went out"
            code = StatusCode.DEADLINE_EXCEEDED
            raise DependencyError(self._dependency, code, text, method=method.path, expired=True, final=True)
        metadata = outgoing.metadata
        if outgoing.attempt > 1:
            metadata = (*metadata, ("grpc-previous-rpc-attempts", str(outgoing.attempt - 1)))
        streams = method.kind.streams_requests
        request = () if streams else (serialized(method, outgoing.given),)
        call = self._start(*request, timeout=allowed, metadata=metadata)
        attempt = Attempt(self._dependency, method, call, outgoing, self._clock)
        if streams:
            attempt.send(outgoing.given)
        return attempt


def _starter(channel: aio.Channel, method: Method) -> Any:
    """What starts a call of the method, with bytes for messages."""
    match method.kind:
        case Kind.UNARY:
            return channel.unary_unary(method.path)
        case Kind.SERVER_STREAM:
            return channel.unary_stream(method.path)
        case Kind.CLIENT_STREAM:
            return channel.stream_unary(method.path)
        case Kind.BIDI:
            return channel.stream_stream(method.path)

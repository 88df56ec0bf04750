"""The innermost endpoint of a gRPC call: one attempt on the wire."""

from __future__ import annotations

import asyncio

from grpc import StatusCode, aio

from ..clock import Clock
from ..definition import Method
from ..errors import DependencyError
from .attempt import Attempt, serialized
from .channel import Channel
from .outgoing import Outgoing, out_of_time
from .peer_errors import PeerErrors
from .renewed import Renewed


class GrpcTransport:
    """Makes attempts at one RPC over a channel, with bytes for messages."""

    __slots__ = ("_channels", "_clock", "_connect_timeout", "_dependency", "_errors", "_method")

    def __init__(
        self,
        dependency: str,
        method: Method,
        channels: Renewed[Channel],
        connect_timeout: float | None,
        errors: PeerErrors,
        clock: Clock,
    ) -> None:
        self._dependency = dependency
        self._method = method
        self._channels = channels
        self._connect_timeout = connect_timeout
        self._errors = errors
        self._clock = clock

    async def __call__(self, outgoing: Outgoing) -> None:
        channel = self._channels.take()
        try:
            if self._connect_timeout is not None:
                await self._connected(channel, self._connect_timeout, outgoing)
            await self._attempt(channel, outgoing)
        finally:
            self._channels.give_back(channel)

    async def _connected(self, channel: Channel, seconds: float, outgoing: Outgoing) -> None:
        """Wait for a connection. Raises DependencyError where there is none in time, or the attempt's time is up."""
        until, now = outgoing.attempt_until, self._clock.now()
        within = seconds if until is None else min(seconds, until - now)
        if await channel.ready(within, self._clock):
            return
        if within < seconds:
            raise out_of_time(self._dependency, outgoing, now + within)
        text = f"there was no connection within {seconds:g} s"
        raise DependencyError(self._dependency, StatusCode.UNAVAILABLE, text, method=self._method.path, broken=True)

    async def _attempt(self, channel: Channel, outgoing: Outgoing) -> None:
        attempt = self._begin(channel, outgoing)
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

    def _begin(self, channel: Channel, outgoing: Outgoing) -> Attempt:
        method, until = self._method, outgoing.attempt_until
        allowed = None if until is None else until - self._clock.now()
        if allowed is not None and allowed <= 0:
            raise out_of_time(self._dependency, outgoing, self._clock.now())
        metadata = outgoing.metadata
        if outgoing.attempt > 1:
            metadata = (*metadata, ("grpc-previous-rpc-attempts", str(outgoing.attempt - 1)))
        streams = method.kind.streams_requests
        request = () if streams else (serialized(method, outgoing.given),)
        call = channel.starter(method)(*request, timeout=allowed, metadata=metadata)
        attempt = Attempt(self._dependency, method, call, outgoing, self._errors, self._clock)
        if streams:
            attempt.send(outgoing.given)
        return attempt

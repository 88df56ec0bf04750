"""The streaming stage: ends a stream that is idle or lasts too long, and refuses messages that are too large."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from google.protobuf.message import Message
from grpc import StatusCode

from ..call import Call, Header, Wire
from ..classification import IDLE_REASON, TOO_LONG_REASON
from ..clock import Clock, Timer
from ..definition import Method
from ..errors import ServiceError
from ..pipeline import Endpoint
from ..snapshot import MethodPolicy, StreamingPolicy
from .environment import Environment


class _WatchedWire:
    """A wire that tells when a message last went over it, and lets none through that is too large."""

    __slots__ = ("_largest", "_now", "_wire", "last")

    def __init__(self, wire: Wire, now: Callable[[], float], largest: int | None) -> None:
        self._wire = wire
        self._now = now
        self._largest = largest
        self.last = now()

    async def receive(self) -> Message | None:
        message = await self._wire.receive()
        self.last = self._now()
        if message is not None:
            check_size(message, self._largest)
        return message

    async def send_headers(self, headers: Sequence[Header]) -> None:
        await self._wire.send_headers(headers)

    async def send(self, message: Message) -> None:
        check_size(message, self._largest)
        await self._wire.send(message)
        self.last = self._now()


def check_size(message: Message, largest: int | None) -> None:
    """Raises ServiceError for a message with more bytes, in its protobuf form, than `largest`; None for no bound."""
    if largest is not None and message.ByteSize() > largest:
        raise ServiceError(
            StatusCode.RESOURCE_EXHAUSTED,
            f"a message has more than {largest} bytes",
            reason="MESSAGE_TOO_LARGE",
            http=413,
        )


class _Watchdog:
    """Ends one stream when it has been idle, or has lasted, too long."""

    __slots__ = ("_call", "_clock", "_count_idle", "_count_long", "_policy", "_timers", "_wire", "fired")

    def __init__(
        self,
        call: Call,
        wire: _WatchedWire,
        policy: StreamingPolicy,
        clock: Clock,
        count_idle: Callable[[], None],
        count_long: Callable[[], None],
    ) -> None:
        self.fired: ServiceError | None = None
        self._call = call
        self._wire = wire
        self._policy = policy
        self._clock = clock
        self._count_idle = count_idle
        self._count_long = count_long
        self._timers: dict[str, Timer] = {}
        if policy.idle_timeout is not None:
            self._timers["idle"] = clock.call_later(policy.idle_timeout, self._look)
        if policy.max_duration is not None:
            self._timers["long"] = clock.call_later(policy.max_duration, self._too_long)

    def stop(self) -> None:
        """The stream is over."""
        for timer in self._timers.values():
            timer.cancel()

    def _look(self) -> None:
        longest = self._policy.idle_timeout or 0.0
        left = self._wire.last + longest - self._clock.now()
        if left > 0:
            self._timers["idle"] = self._clock.call_later(left, self._look)
        else:
            self._count_idle()
            self._end(f"no message for {longest:g} s", IDLE_REASON)

    def _too_long(self) -> None:
        self._count_long()
        self._end(f"the stream has lasted {self._policy.max_duration:g} s", TOO_LONG_REASON)

    def _end(self, text: str, reason: str) -> None:
        self.stop()
        self.fired = ServiceError(StatusCode.DEADLINE_EXCEEDED, text, reason=reason)
        self._call.end(self.fired)


class Streaming:
    """Holds a stream to its limits.

    Idle is a stream over which no message goes in either direction; one whose caller does not read counts as idle
    too. The caller gets DEADLINE_EXCEEDED, whatever the handler makes of its cancellation.
    """

    __slots__ = ("_clock", "_count_idle", "_count_long", "_policy", "_streams_requests")

    def __init__(
        self,
        policy: StreamingPolicy,
        method: Method,
        clock: Clock,
        count_idle: Callable[[], None],
        count_long: Callable[[], None],
    ) -> None:
        self._policy = policy
        self._streams_requests = method.kind.streams_requests
        self._clock = clock
        self._count_idle = count_idle
        self._count_long = count_long

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        clock, policy = self._clock, self._policy
        wire = call.wrap_wire(lambda wire: _WatchedWire(wire, clock.now, policy.max_message_bytes))
        watchdog = _Watchdog(call, wire, policy, clock, self._count_idle, self._count_long)
        try:
            if not self._streams_requests:  # a stage further out may have read it
                check_size(await call.request(), policy.max_message_bytes)
            await proceed(call)
            if watchdog.fired is not None:
                call.ended_with()
                raise watchdog.fired
        except asyncio.CancelledError as error:  # while the request was read: the error mapper is further in
            if watchdog.fired is None or call.ended_with() is None:
                raise
            raise watchdog.fired from error
        finally:
            watchdog.stop()


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Streaming | None:
    """The stage of a method that streams; None where the policy is off."""
    if policy.streaming is None or not (method.kind.streams_requests or method.kind.streams_responses):
        return None
    return Streaming(
        policy.streaming,
        method,
        environment.clock,
        environment.counter("streaming", "idle", method),
        environment.counter("streaming", "max_duration", method),
    )

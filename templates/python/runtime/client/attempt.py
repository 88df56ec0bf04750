"""One outgoing gRPC call: its messages, its end, and what its failure means to whoever made it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from grpc import StatusCode
from grpc.aio import AioRpcError, InternalError

from ..clock import Clock
from ..definition import Method
from ..errors import DependencyError, error_info
from .outgoing import Outgoing
from .peer_errors import PeerErrors, class_of
from .pushback import of_error

_EARLY: Final = 0.01
"""Seconds before the end of its time at which a call counts as out of it: clocks differ, and the wire rounds."""


class Attempt:
    """A call that has begun; `call` is grpc.aio's, with bytes for messages.

    Must be made in the task that awaits it.
    """

    __slots__ = ("_clock", "_dependency", "_errors", "_method", "_outgoing", "_sending", "call")

    def __init__(
        self, dependency: str, method: Method, call: Any, outgoing: Outgoing, errors: PeerErrors, clock: Clock
    ) -> None:
        self.call = call
        self._dependency = dependency
        self._method = method
        self._outgoing = outgoing
        self._errors = errors
        self._clock = clock
        self._sending: asyncio.Task[None] | None = None

    def send(self, requests: AsyncIterable[Message]) -> None:
        """Begin to send the request stream; the call is cancelled where it raises.

        (grpc.aio would keep the exception to itself, and go on reading a stream that nobody takes any more.)
        """
        self._sending = asyncio.create_task(self._send(requests))
        self._sending.add_done_callback(self._sent)

    async def end(self) -> None:
        """Leave nothing behind: the call is cancelled, unless it is over, and no more requests are read."""
        self.call.cancel()
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    def message(self, content: bytes) -> Message:
        """The response message. Raises DependencyError for bytes that are none.

        (grpc.aio would log them, and answer None.)
        """
        try:
            return self._method.response.FromString(content)
        except DecodeError as error:
            text = f"the answer is no {self._method.response.DESCRIPTOR.full_name}"
            raise DependencyError(self._dependency, StatusCode.INTERNAL, text, method=self._method.path) from error

    def failure(self, error: AioRpcError) -> DependencyError:
        """What the handler sees of a call that failed: all that the peer said of it."""
        code, info = error.code(), error_info(error)
        late = code is StatusCode.DEADLINE_EXCEEDED
        now = self._clock.now() + _EARLY
        until, attempt_until = self._outgoing.until, self._outgoing.attempt_until
        expired = late and until is not None and now >= until
        attempt_expired = late and not expired and attempt_until is not None and now >= attempt_until
        failure = DependencyError if info is None else class_of(self._errors, info.domain, info.reason)
        return failure(
            self._dependency,
            code,
            error.details() or "",
            method=self._method.path,
            reason=info.reason if info else "",
            domain=info.domain if info else "",
            metadata=dict(info.metadata) if info else {},
            expired=expired,
            attempt_expired=attempt_expired,
            broken=attempt_expired or (code is StatusCode.UNAVAILABLE and info is None),
            pushback=of_error(error),
            final=expired,
        )

    def check_cancellation(self) -> None:
        """Raise what lies behind a CancelledError that came out of the call; return where the task itself is cancelled.

        grpc.aio raises it too where the request stream failed, and where the channel is closed.
        """
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            return
        if self._sending is not None and self._sending.done() and not self._sending.cancelled():
            cause = self._sending.exception()
            if cause is not None:
                raise cause
        raise DependencyError(
            self._dependency, StatusCode.CANCELLED, "the call was cancelled", method=self._method.path
        )

    async def _send(self, requests: AsyncIterable[Message]) -> None:
        try:
            if not await _done(self.call.wait_for_connection()):
                return
            write = _writer(self.call)
            async for request in requests:
                if not await _done(write(serialized(self._method, request))):
                    return
            await _done(self.call.done_writing())
        finally:
            if isinstance(requests, AsyncGenerator):  # else it would wait for the garbage collector
                await requests.aclose()

    def _sent(self, sending: asyncio.Task[None]) -> None:
        if not sending.cancelled() and sending.exception() is not None:
            self.call.cancel()


def _writer(call: Any) -> Callable[[bytes], Awaitable[None]]:
    """What sends a request message.

    Where the peer's status meets a message on its way out, `call.write` puts "Internal error from Core" in the status's
    place; what it calls itself leaves it alone.
    """
    core = getattr(call, "_cython_call", None)
    write: Callable[[bytes], Awaitable[None]] = call.write if core is None else core.send_serialized_message
    return write


async def _done(step: Awaitable[None]) -> bool:
    """Whether a step of sending could be done; not where the call is over, which says itself how it went."""
    try:
        await step
    except (AioRpcError, InternalError, asyncio.InvalidStateError):
        return False
    return True


def serialized(method: Method, request: Message) -> bytes:
    """The request as bytes. Raises TypeError for a message of another type than the method's."""
    if not isinstance(request, method.request):
        raise TypeError(f"{method.path} takes {method.request.__name__}, not {type(request).__name__}")
    return request.SerializeToString()

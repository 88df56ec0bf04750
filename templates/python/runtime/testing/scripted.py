"""Scripted stand-ins for a service's handlers: they answer, fail or wait as a test says, and note what they got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from ..call import Call
from ..definition import Application, Definition, Kind, Method, ServiceBase
from .http_received import HttpReceived, received_over_http
from .samples import smallest

PATIENCE: Final = 10.0
"""Seconds after which what has not happened has failed its test."""


@dataclass(slots=True, eq=False)
class Received:
    """One call as its stand-in handler saw it; `requests` are those that its script has read so far."""

    call: Call
    incoming: AsyncIterator[Message]
    requests: list[Message] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)  # the handler was told to stop
    left: asyncio.Event = field(default_factory=asyncio.Event)  # the handler has returned, or raised

    @property
    def method(self) -> Method:
        return self.call.method

    @property
    def timeout(self) -> float | None:
        """Seconds that the call was given from its start, None for a call without a deadline."""
        return None if self.call.deadline is None else self.call.deadline - self.call.started

    @property
    def http(self) -> HttpReceived:
        """The request that came to the stand-in of a dependency over HTTP. Raises TypeError for any other call."""
        return received_over_http(self.call)

    async def each(self) -> AsyncGenerator[Message, None]:
        """The requests as they come, for a script."""
        async for request in self.incoming:
            self.requests.append(request)
            yield request

    async def read(self) -> None:
        """Read the requests to their end, for a script."""
        async for _ in self.each():
            pass

    async def until_cancelled(self) -> None:
        """Wait until the handler was told to stop and has stopped. Raises TimeoutError when it never is."""
        async with asyncio.timeout(PATIENCE):
            await self.cancelled.wait()
            await self.left.wait()


Messages = AsyncGenerator[Message, None]
Script = Callable[[Received], Messages]
"""What a stand-in does with a call: reads its requests, then yields its response or responses, raises, or waits."""


def answering(*responses: Message) -> Script:
    """Read every request, then answer with these messages: one for a unary response, the smallest where none is given."""

    async def play(received: Received) -> Messages:
        await received.read()
        for response in responses or _needed(received.method):
            yield response

    return play


def _needed(method: Method) -> tuple[Message, ...]:
    return () if method.kind.streams_responses else (smallest(method.response),)


def failing(error: Callable[[], BaseException], *before: Message) -> Script:
    """Read every request, answer with the messages `before`, then raise a new `error()`."""

    async def play(received: Received) -> Messages:
        await received.read()
        for response in before:
            yield response
        raise error()

    return play


def echoing(response: Message) -> Script:
    """Answer each request with that message, before the next one is read."""

    async def play(received: Received) -> Messages:
        async with aclosing(received.each()) as requests:
            async for _ in requests:
                yield response

    return play


def waiting(until: asyncio.Event | None = None) -> Script:
    """Read every request, wait for the event (without one, until cancelled), then answer with the smallest response."""

    async def play(received: Received) -> Messages:
        await received.read()
        await (until or asyncio.Event()).wait()
        yield smallest(received.method.response)

    return play


def in_turn(*scripts: Script) -> Script:
    """Follow one script a call, in this order, and the last one for all that come after."""
    left = iter(scripts[:-1])

    async def play(received: Received) -> Messages:
        async with aclosing(next(left, scripts[-1])(received)) as responses:
            async for response in responses:
                yield response

    return play


async def unfinished(*requests: Message) -> Messages:
    """A request stream that sends these messages and then stays open."""
    for request in requests:
        yield request
    await asyncio.Event().wait()


class Scripted:
    """A stand-in handler for every service of a definition.

    `script` is what they do and may be replaced between calls; `received` has the calls in order of arrival.
    """

    def __init__(self, definition: Definition, script: Script | None = None) -> None:
        self.received: list[Received] = []
        self.handlers: Sequence[ServiceBase] = tuple(_stand_in(self, base) for base in definition.services)
        self.script: Script = script or answering()
        self._arrival = asyncio.Condition()

    @property
    def last(self) -> Received:
        """The call that came last. Raises IndexError before the first."""
        return self.received[-1]

    def plays(self, script: Script) -> None:
        """Forget what was received, and follow that script from now on."""
        self.received.clear()
        self.script = script

    async def arrived(self) -> Received:
        """Wait for the first call. Raises TimeoutError when none comes."""
        await self.have_arrived(1)
        return self.received[0]

    async def have_arrived(self, count: int) -> None:
        """Wait until that many calls have come in all. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE), self._arrival:
            await self._arrival.wait_for(lambda: len(self.received) >= count)

    @asynccontextmanager
    async def application(self, clients: Any) -> AsyncIterator[Application]:
        """An application of the stand-ins alone, as `app.py` has one of the handlers."""
        yield Application(self.handlers)

    async def play(self, call: Call, requests: AsyncIterator[Message]) -> Messages:
        """Serve one call by the script."""
        received = Received(call, requests)
        self.received.append(received)
        try:
            async with self._arrival:
                self._arrival.notify_all()
            async with aclosing(self.script(received)) as responses:
                async for response in responses:
                    yield response
        except asyncio.CancelledError:
            received.cancelled.set()
            raise
        except GeneratorExit:
            if call.method.kind.streams_responses:  # closed before its end; a unary call takes one response and closes
                received.cancelled.set()
            raise
        finally:
            received.left.set()


def _stand_in(scripted: Scripted, base: type[ServiceBase]) -> ServiceBase:
    """An object of a subclass of the generated base, with a scripted method for each RPC."""
    methods = {method.handler: _METHODS[method.kind](scripted) for method in base.METHODS}
    made: type[ServiceBase] = type(f"Scripted{base.__name__}", (base,), methods)
    return made(None)


def _unary(scripted: Scripted) -> Callable[..., Any]:
    async def serve(_: ServiceBase, request: Message, call: Call) -> Message:
        return await _first(scripted.play(call, _one(request)))

    return serve


def _client_stream(scripted: Scripted) -> Callable[..., Any]:
    async def serve(_: ServiceBase, requests: AsyncIterator[Message], call: Call) -> Message:
        return await _first(scripted.play(call, requests))

    return serve


def _server_stream(scripted: Scripted) -> Callable[..., Any]:
    async def serve(_: ServiceBase, request: Message, call: Call) -> Messages:
        async with aclosing(scripted.play(call, _one(request))) as responses:
            async for response in responses:
                yield response

    return serve


def _bidi(scripted: Scripted) -> Callable[..., Any]:
    async def serve(_: ServiceBase, requests: AsyncIterator[Message], call: Call) -> Messages:
        async with aclosing(scripted.play(call, requests)) as responses:
            async for response in responses:
                yield response

    return serve


_METHODS = {
    Kind.UNARY: _unary,
    Kind.CLIENT_STREAM: _client_stream,
    Kind.SERVER_STREAM: _server_stream,
    Kind.BIDI: _bidi,
}


async def _one(request: Message) -> Messages:
    yield request


async def _first(responses: Messages) -> Message:
    async with aclosing(responses) as closing:
        async for response in closing:
            return response
    raise AssertionError("the script has no response for a unary call")

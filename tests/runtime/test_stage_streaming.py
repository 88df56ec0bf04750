"""The streaming stage: idle and long streams end, messages are measured, and no timer is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.classification import IDLE_REASON, TOO_LONG_REASON
from runtime.definition import Method
from runtime.errors import ServiceError
from runtime.metadata import Metadata
from runtime.pipeline import Endpoint, NamedStage, compose
from runtime.snapshot import StreamingPolicy, UnmappedPolicy
from runtime.stages.boundary import Boundary, InFlight
from runtime.stages.error_mapper import ErrorMapper
from runtime.stages.streaming import Streaming
from runtime.testing import VirtualClock

from tests.runtime.sample_service import CHAT, COUNT, GATHER, Note


class SlowWire:
    """A wire whose messages come, and go, when the clock says so."""

    def __init__(self, clock: VirtualClock, arrivals: Sequence[float] = (), texts: Sequence[str] = ()) -> None:
        self.clock = clock
        self.arrivals = list(arrivals)
        self.texts = list(texts) or ["a"] * len(arrivals)
        self.sent: list[object] = []
        self.room = asyncio.Event()
        self.room.set()

    async def receive(self) -> object:
        if not self.arrivals:
            await asyncio.Event().wait()
        await self.clock.sleep(self.arrivals.pop(0))
        return Note(text=self.texts.pop(0))

    async def send_headers(self, headers: object) -> None: ...

    async def send(self, message: object) -> None:
        await self.room.wait()
        self.sent.append(message)


class Stream:
    """A stream in flight between the boundary and a handler."""

    def __init__(self, policy: StreamingPolicy, method: Method = CHAT) -> None:
        self.clock = VirtualClock()
        self.policy = policy
        self.method = method
        self.ended: list[str] = []
        self.call: Call | None = None

    async def start(self, wire: SlowWire, handler: Endpoint) -> asyncio.Task[Call]:
        def noted(what: str):  # type: ignore[no-untyped-def] # a callback
            return lambda: self.ended.append(what)

        stages = [
            NamedStage("boundary", Boundary(InFlight())),
            NamedStage("streaming", Streaming(self.policy, self.method, self.clock, noted("idle"), noted("long"))),
            NamedStage("error_mapper", ErrorMapper(UnmappedPolicy("INTERNAL", redact=True), lambda _: 1, lambda: None)),
        ]

        async def serve() -> Call:
            call = Call(self.method, "grpc", wire, Metadata(()))  # type: ignore[arg-type] # it is one by its shape
            await compose(stages, handler)(call)
            return call

        task = asyncio.ensure_future(serve())
        await self.clock.advance(0.0)
        return task


async def echo(call: Call) -> None:
    async for message in call.requests():
        await call.respond(message)


async def forever(call: Call) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def leaving_nothing() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == {asyncio.current_task()}


def error_of(call: Call) -> tuple[StatusCode, str]:
    assert call.error is not None
    return call.error.code, call.error.reason


@pytest.mark.usefixtures("leaving_nothing")
@pytest.mark.parametrize("method", [CHAT, GATHER, COUNT])
async def test_a_stream_without_messages_ends(method: Method) -> None:
    stream = Stream(StreamingPolicy(idle_timeout=5.0), method)
    task = await stream.start(SlowWire(stream.clock, [0.0] if method is COUNT else []), forever)
    await stream.clock.advance(4.9)
    assert not task.done()
    await stream.clock.advance(0.2)
    assert error_of(await task) == (StatusCode.DEADLINE_EXCEEDED, IDLE_REASON)
    assert stream.ended == ["idle"]
    assert stream.clock.waiting == 0


@pytest.mark.usefixtures("leaving_nothing")
async def test_each_message_begins_the_wait_anew() -> None:
    stream = Stream(StreamingPolicy(idle_timeout=5.0))
    wire = SlowWire(stream.clock, [4.0, 4.0, 4.0])
    task = await stream.start(wire, echo)
    await stream.clock.advance(12.0)
    assert len(wire.sent) == 3
    await stream.clock.advance(4.9)
    assert not task.done()
    await stream.clock.advance(0.2)
    assert error_of(await task) == (StatusCode.DEADLINE_EXCEEDED, IDLE_REASON)


@pytest.mark.usefixtures("leaving_nothing")
async def test_a_caller_that_does_not_read_is_idle_too() -> None:
    stream = Stream(StreamingPolicy(idle_timeout=5.0))
    wire = SlowWire(stream.clock, [1.0])
    wire.room.clear()
    task = await stream.start(wire, echo)
    await stream.clock.advance(5.9)
    assert not task.done()
    await stream.clock.advance(0.2)
    assert error_of(await task) == (StatusCode.DEADLINE_EXCEEDED, IDLE_REASON)


@pytest.mark.usefixtures("leaving_nothing")
async def test_a_stream_ends_however_busy_it_is() -> None:
    stream = Stream(StreamingPolicy(idle_timeout=5.0, max_duration=60.0))
    task = await stream.start(SlowWire(stream.clock, [1.0] * 100), echo)
    await stream.clock.advance(59.9)
    assert not task.done()
    await stream.clock.advance(0.2)
    assert error_of(await task) == (StatusCode.DEADLINE_EXCEEDED, TOO_LONG_REASON)
    assert stream.ended == ["long"]
    assert stream.clock.waiting == 0


@pytest.mark.usefixtures("leaving_nothing")
async def test_a_handler_that_swallows_its_cancellation_does_not_answer_after_all() -> None:
    async def stubborn(call: Call) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    stream = Stream(StreamingPolicy(idle_timeout=5.0))
    task = await stream.start(SlowWire(stream.clock), stubborn)
    await stream.clock.advance(5.0)
    assert error_of(await task) == (StatusCode.DEADLINE_EXCEEDED, IDLE_REASON)
    assert task.cancelling() == 0


@pytest.mark.usefixtures("leaving_nothing")
async def test_a_request_that_is_slow_to_come_is_idleness_with_its_own_answer() -> None:
    stream = Stream(StreamingPolicy(idle_timeout=5.0), COUNT)
    task = await stream.start(SlowWire(stream.clock), forever)
    await stream.clock.advance(5.1)
    assert error_of(await task) == (StatusCode.DEADLINE_EXCEEDED, IDLE_REASON)


@pytest.mark.usefixtures("leaving_nothing")
async def test_a_caller_that_goes_leaves_no_timer() -> None:
    stream = Stream(StreamingPolicy(idle_timeout=5.0, max_duration=60.0))
    task = await stream.start(SlowWire(stream.clock), forever)
    await stream.clock.advance(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.clock.waiting == 0
    assert stream.ended == []


@pytest.mark.usefixtures("leaving_nothing")
@pytest.mark.parametrize(("largest", "sent"), [(6, 2), (5, 1)])
async def test_a_request_that_is_too_large_ends_the_stream(largest: int, sent: int) -> None:
    stream = Stream(StreamingPolicy(max_message_bytes=largest))
    wire = SlowWire(stream.clock, [0.0, 0.0], ["abc", "abcd"])
    task = await stream.start(wire, echo)
    await stream.clock.advance(0.0)
    assert len(wire.sent) == sent
    if sent == 1:
        assert error_of(await task) == (StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    else:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.usefixtures("leaving_nothing")
async def test_a_response_that_is_too_large_is_not_sent() -> None:
    async def verbose(call: Call) -> None:
        await call.request()
        await call.respond(Note(text="a" * 100))

    stream = Stream(StreamingPolicy(max_message_bytes=10), COUNT)
    wire = SlowWire(stream.clock, [0.0])
    call = await (await stream.start(wire, verbose))
    assert error_of(call) == (StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    assert wire.sent == []


@pytest.mark.usefixtures("leaving_nothing")
async def test_the_one_request_of_a_response_stream_is_measured_though_another_stage_has_read_it() -> None:
    stream = Stream(StreamingPolicy(max_message_bytes=10), COUNT)
    wire = SlowWire(stream.clock, [0.0], ["a" * 100])
    call = Call(COUNT, "grpc", wire, Metadata(()))  # type: ignore[arg-type] # it is one by its shape
    await call.request()
    stage = Streaming(stream.policy, COUNT, stream.clock, lambda: None, lambda: None)
    with pytest.raises(ServiceError) as caught:
        await stage(call, forever)
    assert caught.value.reason == "MESSAGE_TOO_LARGE"

"""While the server drains, the last call of a gRPC connection ends when the answers of the others have been read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc import aio
from runtime.call import Call
from runtime.definition import Method
from runtime.hurry import Hurry
from runtime.transport.last_calls import LINGER, LastCalls

from tests.runtime.test_grpc_services import listening
from tests.runtime.wire_service import COUNT, UNARY, Item, Wire, multicallable

PATIENCE = 10.0


class Holding(Hurry):
    """Whose pauses, once it `holds`, last until the test lets them end."""

    def __init__(self) -> None:
        super().__init__()
        self.holds = False
        self.paused: list[float] = []
        self.pausing = asyncio.Event()
        self.go_on = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        if self.holds:
            self.paused.append(seconds)
            self.pausing.set()
            await self.go_on.wait()


class Held(Wire):
    """Answers once it may; a stream sends its messages at once."""

    def __init__(self) -> None:
        super().__init__(self.answer)
        self.entered = asyncio.Semaphore(0)
        self.may_answer = asyncio.Event()

    async def answer(self, request: Any, call: Call) -> Any:
        self.entered.release()
        await self.may_answer.wait()
        return request

    async def count(self, request: Any, call: Call) -> Any:
        self.entered.release()
        yield request
        await self.may_answer.wait()
        yield request

    async def have_entered(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            for _ in range(count):
                await self.entered.acquire()


async def result(channel: aio.Channel, method: Method) -> list[Any]:
    """The responses of a call. Raises AioRpcError."""
    call = multicallable(channel, method)(Item(name="a"))
    return [response async for response in call] if method is COUNT else [await call]


@pytest.mark.parametrize("method", [UNARY, COUNT], ids=lambda method: method.name)
async def test_the_last_call_ends_after_the_answers_of_all_others_have_come(method: Method) -> None:
    handler, hurry = Held(), Holding()
    async with listening(handler) as (transport, channel, _):
        calls = [asyncio.create_task(result(channel, method)) for _ in range(5)]
        await handler.have_entered(5)
        await transport.stop_accepting(hurry)
        hurry.holds = True
        handler.may_answer.set()
        async with asyncio.timeout(PATIENCE):
            await hurry.pausing.wait()
            while sum(call.done() for call in calls) < 4:
                await asyncio.wait([call for call in calls if not call.done()], return_when=asyncio.FIRST_COMPLETED)
        assert [call.done() for call in calls].count(False) == 1
        assert hurry.paused == [LINGER]
        hurry.go_on.set()
        answers = await asyncio.gather(*calls)
        assert answers == [[Item(name="a")] * (2 if method is COUNT else 1)] * 5


async def test_each_connection_has_a_last_call_of_its_own_that_waits_within_its_callers_time() -> None:
    hurry, last_calls = Holding(), LastCalls()
    hurry.holds = True
    hurry.go_on.set()
    last_calls.drain(hurry)
    for peer in ("one", "one", "other"):
        last_calls.begin(peer)
    await last_calls.wait("one", None)
    assert hurry.paused == []
    await last_calls.wait("other", LINGER)
    assert hurry.paused == [LINGER / 2]
    last_calls.end("one")
    await last_calls.wait("one", 60.0)
    assert hurry.paused == [LINGER / 2, LINGER]


async def test_a_server_that_does_not_drain_holds_nothing_back() -> None:
    handler, hurry = Held(), Holding()
    hurry.holds = True
    handler.may_answer.set()
    async with listening(handler) as (_, channel, _):
        await result(channel, UNARY)
    assert hurry.paused == []

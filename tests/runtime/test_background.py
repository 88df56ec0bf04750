"""Background work: kept, waited for, cancelled, and never silent about a failure."""

from __future__ import annotations

import asyncio

import pytest
from runtime.background import Background
from runtime.current import current_call

from tests.runtime.fake_call import call_of


async def test_work_is_waited_for() -> None:
    background, done = Background(), []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    background.spawn(work())
    assert await background.wait(5) == 0
    assert done == [1]


async def test_work_that_work_starts_is_waited_for_too() -> None:
    background, done = Background(), []

    async def inner() -> None:
        done.append(1)

    async def outer() -> None:
        background.spawn(inner())

    background.spawn(outer())
    assert await background.wait(5) == 0
    assert done == [1]


async def test_what_takes_too_long_is_counted_and_can_be_cancelled() -> None:
    background = Background()
    background.spawn(asyncio.Event().wait())
    assert await background.wait(0) == 1
    assert await background.cancel(5) == 0


async def test_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> None:
        raise KeyError("lost")

    background = Background()
    background.spawn(failing())
    await background.wait(5)
    assert "lost" in caplog.text


async def test_work_keeps_its_calls_ids_and_not_its_deadline() -> None:
    call = call_of()
    call.request_id, call.deadline = "r", call.started + 1
    current_call.set(call)
    seen: list[tuple[str, float | None]] = []

    async def work() -> None:
        seen.append((current_call.get().request_id, current_call.get().time_remaining()))

    background = Background()
    background.spawn(work())
    await background.wait(5)
    assert seen == [("r", None)]
    assert call.deadline is not None

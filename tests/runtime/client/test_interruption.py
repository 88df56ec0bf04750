"""Work that is ended from outside: with its own error, and never in the place of a cancellation."""

from __future__ import annotations

import asyncio

import pytest
from runtime.client.interruption import Interruption


class EndedError(Exception):
    """What interrupted work fails with."""


async def forever(*interruptions: Interruption) -> None:
    """Wait inside of them, the first one outermost."""
    if not interruptions:
        await asyncio.Event().wait()
        return
    with interruptions[0]:
        await forever(*interruptions[1:])


async def begun(*interruptions: Interruption) -> asyncio.Task[None]:
    task = asyncio.create_task(forever(*interruptions))
    await asyncio.sleep(0)
    return task


async def test_interrupted_work_raises_its_error_and_its_task_is_not_cancelled() -> None:
    interruption = Interruption(EndedError())
    work = await begun(interruption)
    interruption.interrupt()
    interruption.interrupt()
    with pytest.raises(EndedError):
        await work
    assert work.cancelling() == 0


@pytest.mark.parametrize("interrupted", ["not", "before", "after"])
async def test_work_that_is_cancelled_is_cancelled(interrupted: str) -> None:
    interruption = Interruption(EndedError())
    work = await begun(interruption)
    if interrupted == "before":
        interruption.interrupt()
    work.cancel()
    if interrupted == "after":
        interruption.interrupt()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_of_two_the_outer_one_says_what_became_of_the_work() -> None:
    outer, inner = Interruption(EndedError("outer")), Interruption(EndedError("inner"))
    work = await begun(outer, inner)
    inner.interrupt()
    outer.interrupt()
    with pytest.raises(EndedError, match="outer"):
        await work
    assert work.cancelling() == 0


async def test_what_is_over_cannot_be_interrupted() -> None:
    interruption = Interruption(EndedError())
    with interruption:
        pass
    interruption.interrupt()
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0

"""A response stream pulled out of a chain of stages that pushes it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from .outgoing import Endpoint, Outgoing


async def delivered(endpoint: Endpoint, outgoing: Outgoing) -> AsyncGenerator[Any, None]:
    """The call's response stream; begun at the first step, cancelled where it is closed before its end.

    The call runs in a task of its own, one message ahead of whoever iterates: a stage wraps it to its completion, as
    it does any other call. Raises what the call fails with, after the messages that came before.
    """
    messages: deque[Any] = deque()
    room = asyncio.Semaphore(1)
    news = asyncio.Event()

    async def deliver(message: Any) -> None:
        await room.acquire()
        messages.append(message)
        outgoing.delivered += 1
        news.set()

    async def run() -> None:
        await endpoint(outgoing)

    outgoing.deliver = deliver
    calling = asyncio.create_task(run())
    calling.add_done_callback(lambda _: news.set())
    try:
        while True:
            if messages:
                room.release()
                yield messages.popleft()
            elif calling.done():
                break
            else:
                news.clear()
                await news.wait()
        await calling
    finally:
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
